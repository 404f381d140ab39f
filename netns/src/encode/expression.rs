//! Which nf_tables expressions make up a statement of the model?

use netlink_packet_core::DefaultNla;
use netlink_packet_netfilter::nftables::{
    Bitwise, Cmp, DataAttribute, Expressions, Immediate, Meta, Operator as KernelOperator, Payload as KernelPayload,
    Register, Verdict, VerdictAttribute,
};
use nftables::expr::{BinaryOperation, Expression, NamedExpression, Payload};
use nftables::stmt::{Counter, Limit, Log, Match, Operator, Reject, RejectType, Statement, TProxy};
use nftables::types::RejectCode;
use std::net::IpAddr;

use super::EncodeError;
use super::attribute::{long, number, short, string};
use super::value::{self, Place};

const REGISTER: Register = Register::Reg1;
const SECOND_REGISTER: Register = Register::Reg2;

/// The expressions of one statement, in the order in which the kernel evaluates them.
pub(super) fn of_statement(statement: &Statement<'_>) -> Result<Vec<Expressions>, EncodeError> {
    match statement {
        Statement::Match(it) => matching(it),
        Statement::Counter(Counter::Named(name)) => Ok(vec![counter(name)]),
        Statement::Limit(it) => limit(it),
        Statement::Log(Some(it)) => log(it),
        Statement::Reject(Some(it)) => reject(it),
        Statement::TProxy(it) => tproxy(it),
        Statement::Accept(_) => Ok(vec![verdict(Verdict::Other(1), None)]),
        Statement::Drop(_) => Ok(vec![verdict(Verdict::Other(0), None)]),
        Statement::Goto(to) => Ok(vec![verdict(Verdict::Goto, Some(&to.target))]),
        other => Err(EncodeError::unknown(other)),
    }
}

fn matching(it: &Match<'_>) -> Result<Vec<Expressions>, EncodeError> {
    match &it.left {
        Expression::Named(NamedExpression::Meta(meta)) => {
            let load = vec![Meta::Key(value::meta_key(meta.key)?), Meta::DestinationRegister(REGISTER)];
            Ok(vec![Expressions::Meta(load), compare(it.op, value::of_meta(meta.key, &it.right)?)?])
        }
        Expression::Named(NamedExpression::Payload(Payload::PayloadField(field))) => {
            Ok(vec![load(value::place(field)?), compare(it.op, value::of_field(field, &it.right)?)?])
        }
        Expression::BinaryOperation(operation) => match operation.as_ref() {
            BinaryOperation::AND(Expression::Named(NamedExpression::Payload(Payload::PayloadField(field))), mask)
                if field.protocol == "tcp" && field.field == "flags" =>
            {
                let mask = value::tcp_flags(mask)?;
                let flags = value::tcp_flags(&it.right)?;
                Ok(vec![load(value::place(field)?), masked(mask), compare(it.op, vec![flags])?])
            }
            other => Err(EncodeError::unknown(other)),
        },
        other => Err(EncodeError::unknown(other)),
    }
}

fn load(place: Place) -> Expressions {
    Expressions::Payload(vec![
        KernelPayload::DestinationRegister(REGISTER),
        KernelPayload::Base(place.base),
        KernelPayload::Offset(place.offset),
        KernelPayload::Len(place.length),
    ])
}

fn masked(mask: u8) -> Expressions {
    Expressions::Bitwise(vec![
        Bitwise::SourceRegister(REGISTER),
        Bitwise::DestinationRegister(REGISTER),
        Bitwise::Length(1),
        Bitwise::Mask(DataAttribute::Value(vec![mask])),
        Bitwise::Xor(DataAttribute::Value(vec![0])),
    ])
}

fn compare(op: Operator, value: Vec<u8>) -> Result<Expressions, EncodeError> {
    let op = match op {
        Operator::EQ => KernelOperator::Equal,
        Operator::NEQ => KernelOperator::NotEqual,
        other => return Err(EncodeError::unknown(other)),
    };
    Ok(Expressions::Cmp(vec![Cmp::SourceRegister(REGISTER), Cmp::Op(op), Cmp::Data(DataAttribute::Value(value))]))
}

fn verdict(verdict: Verdict, chain: Option<&str>) -> Expressions {
    let mut attributes = vec![VerdictAttribute::Code(verdict)];
    attributes.extend(chain.map(|name| VerdictAttribute::Chain(name.to_owned())));
    Expressions::Immediate(vec![
        Immediate::DestinationRegister(Register::Verdict),
        Immediate::Data(DataAttribute::Verdict(attributes)),
    ])
}

fn other(expression_type: &str, attributes: Vec<DefaultNla>) -> Expressions {
    Expressions::Other { expression_type: expression_type.to_owned(), attributes }
}

/// A reference to a named counter: NFTA_OBJREF_IMM_TYPE (counter), NFTA_OBJREF_IMM_NAME.
fn counter(name: &str) -> Expressions {
    other("objref", vec![number(1, 1), string(2, name)])
}

/// NFTA_LIMIT_RATE, _UNIT (in seconds), _BURST, _TYPE (packets), _FLAGS (1: above the rate).
fn limit(it: &Limit<'_>) -> Result<Vec<Expressions>, EncodeError> {
    if it.rate_unit.is_some() || it.per.as_deref() != Some("second") {
        return Err(EncodeError::unknown(it));
    }
    let above = u32::from(it.inv == Some(true));
    Ok(vec![other(
        "limit",
        vec![long(1, it.rate.into()), long(2, 1), number(3, it.burst.unwrap_or(5)), number(4, 0), number(5, above)],
    )])
}

/// NFTA_LOG_GROUP, _PREFIX, _SNAPLEN.
fn log(it: &Log<'_>) -> Result<Vec<Expressions>, EncodeError> {
    let (Some(group), None, None) = (it.group, it.level, &it.flags) else {
        return Err(EncodeError::unknown(it));
    };
    let group = u16::try_from(group).map_err(|_| EncodeError::unknown(it))?;
    let mut attributes = vec![short(1, group)];
    attributes.extend(it.prefix.as_deref().map(|prefix| string(2, prefix)));
    attributes.extend(it.snaplen.map(|length| number(3, length)));
    Ok(vec![other("log", attributes)])
}

/// NFTA_REJECT_TYPE and NFTA_REJECT_ICMP_CODE.
fn reject(it: &Reject) -> Result<Vec<Expressions>, EncodeError> {
    let attributes = match (it._type, it.expr) {
        (Some(RejectType::TCPReset), None) => vec![number(1, 1)],
        (Some(RejectType::ICMPX), Some(RejectCode::AdminProhibited)) => {
            vec![number(1, 2), DefaultNla::new(2, vec![3])]
        }
        _ => return Err(EncodeError::unknown(it)),
    };
    Ok(vec![other("reject", attributes)])
}

/// Address and port go to registers; NFTA_TPROXY_FAMILY, _REG_ADDR, _REG_PORT name them.
fn tproxy(it: &TProxy<'_>) -> Result<Vec<Expressions>, EncodeError> {
    let address = it.addr.as_deref().and_then(|text| text.parse::<IpAddr>().ok());
    let (family, bytes) = match address {
        Some(IpAddr::V4(address)) => (2, address.octets().to_vec()),
        Some(IpAddr::V6(address)) => (10, address.octets().to_vec()),
        None => return Err(EncodeError::unknown(it)),
    };
    let to_register = |register, value| {
        Expressions::Immediate(vec![
            Immediate::DestinationRegister(register),
            Immediate::Data(DataAttribute::Value(value)),
        ])
    };
    Ok(vec![
        to_register(REGISTER, bytes),
        to_register(SECOND_REGISTER, it.port.to_be_bytes().to_vec()),
        other("tproxy", vec![number(1, family), number(2, REGISTER.into()), number(3, SECOND_REGISTER.into())]),
    ])
}
