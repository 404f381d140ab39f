//! Which words of nftables do the rules use?

use std::borrow::Cow;
use std::net::IpAddr;

use nftables::expr::{BinaryOperation, Expression, Meta, MetaKey, NamedExpression, Payload, PayloadField};
use nftables::schema::{Chain, Counter, NfCmd, NfListObject, NfObject, Rule, Table};
use nftables::stmt::{self, JumpTarget, Limit, Log, Match, Operator, Reject, RejectType, Statement, TProxy};
use nftables::types::{NfChainPolicy, NfChainType, NfFamily, NfHook, RejectCode};

use super::TABLE;
use crate::class::Class;

type Object = NfObject<'static>;
type Say = Statement<'static>;

fn add(object: NfListObject<'static>) -> Object {
    NfObject::CmdObject(NfCmd::Add(object))
}

pub(super) fn table(family: NfFamily) -> Object {
    add(NfListObject::Table(Table { family, name: TABLE.into(), handle: None }))
}

pub(super) fn counter(family: NfFamily, class: Class) -> Object {
    counter_named(family, class.name())
}

pub(super) fn counter_named(family: NfFamily, name: &'static str) -> Object {
    add(NfListObject::Counter(Counter {
        family,
        table: TABLE.into(),
        name: name.into(),
        handle: None,
        packets: Some(0),
        bytes: Some(0),
    }))
}

/// A base chain: its policy is always drop.
pub(super) fn base(family: NfFamily, name: &'static str, hook: NfHook, prio: i32, dev: Option<&str>) -> Object {
    add(NfListObject::Chain(Chain {
        family,
        table: TABLE.into(),
        name: name.into(),
        _type: Some(NfChainType::Filter),
        hook: Some(hook),
        prio: Some(prio),
        dev: dev.map(|dev| Cow::Owned(dev.to_owned())),
        policy: Some(NfChainPolicy::Drop),
        ..Chain::default()
    }))
}

pub(super) fn chain(name: &'static str) -> Object {
    add(NfListObject::Chain(Chain {
        family: NfFamily::INet,
        table: TABLE.into(),
        name: name.into(),
        ..Chain::default()
    }))
}

pub(super) fn rule<const N: usize>(family: NfFamily, chain: &'static str, says: [Vec<Say>; N]) -> Object {
    add(NfListObject::Rule(Rule {
        family,
        table: TABLE.into(),
        chain: chain.into(),
        expr: says.into_iter().flatten().collect::<Vec<_>>().into(),
        ..Rule::default()
    }))
}

fn compare(left: NamedExpression<'static>, op: Operator, right: Expression<'static>) -> Vec<Say> {
    vec![Statement::Match(Match { left: Expression::Named(left), right, op })]
}

fn meta(key: MetaKey, value: Expression<'static>) -> Vec<Say> {
    compare(NamedExpression::Meta(Meta { key }), Operator::EQ, value)
}

fn field(protocol: &'static str, field: &'static str) -> NamedExpression<'static> {
    NamedExpression::Payload(Payload::PayloadField(PayloadField { protocol: protocol.into(), field: field.into() }))
}

fn text(value: impl Into<Cow<'static, str>>) -> Expression<'static> {
    Expression::String(value.into())
}

pub(super) fn came_in(device: &str) -> Vec<Say> {
    meta(MetaKey::Iifname, text(device.to_owned()))
}

pub(super) fn goes_out(device: &str) -> Vec<Say> {
    meta(MetaKey::Oifname, text(device.to_owned()))
}

pub(super) fn ipv4() -> Vec<Say> {
    meta(MetaKey::Nfproto, text("ipv4"))
}

pub(super) fn ipv6() -> Vec<Say> {
    meta(MetaKey::Nfproto, text("ipv6"))
}

/// The transport protocol; it also sees past IPv6 extension headers.
pub(super) fn transport(name: &'static str) -> Vec<Say> {
    meta(MetaKey::L4proto, text(name))
}

/// What nft itself says before it looks at an Ethernet header.
pub(super) fn ethernet() -> Vec<Say> {
    meta(MetaKey::Iiftype, text("ether"))
}

pub(super) fn ethertype(name: &'static str) -> Vec<Say> {
    compare(field("ether", "type"), Operator::EQ, text(name))
}

pub(super) fn for_hardware(mac: [u8; 6]) -> Vec<Say> {
    let mac: Vec<String> = mac.iter().map(|byte| format!("{byte:02x}")).collect();
    compare(field("ether", "daddr"), Operator::EQ, text(mac.join(":")))
}

fn ip(address: IpAddr) -> &'static str {
    if address.is_ipv4() { "ip" } else { "ip6" }
}

pub(super) fn not_from(address: IpAddr) -> Vec<Say> {
    compare(field(ip(address), "saddr"), Operator::NEQ, text(address.to_string()))
}

pub(super) fn sent_by(address: IpAddr) -> Vec<Say> {
    compare(field(ip(address), "saddr"), Operator::EQ, text(address.to_string()))
}

pub(super) fn addressed_to(address: IpAddr) -> Vec<Say> {
    compare(field(ip(address), "daddr"), Operator::EQ, text(address.to_string()))
}

pub(super) fn to_port(protocol: &'static str, port: u16) -> Vec<Say> {
    compare(field(protocol, "dport"), Operator::EQ, Expression::Number(port.into()))
}

pub(super) fn from_port(protocol: &'static str, port: u16) -> Vec<Say> {
    compare(field(protocol, "sport"), Operator::EQ, Expression::Number(port.into()))
}

pub(super) fn icmp_type(protocol: &'static str, name: &'static str) -> Vec<Say> {
    compare(field(protocol, "type"), Operator::EQ, text(name))
}

/// SYN without ACK, RST or FIN: the packet that opens a connection.
pub(super) fn opens_connection() -> Vec<Say> {
    tcp_flags(&["fin", "syn", "rst", "ack"], Operator::EQ)
}

/// Anything but SYN without ACK.
pub(super) fn opens_no_connection() -> Vec<Say> {
    tcp_flags(&["syn", "ack"], Operator::NEQ)
}

fn tcp_flags(mask: &[&'static str], op: Operator) -> Vec<Say> {
    // Two at a time: older versions of nft take no more.
    let or = |all, flag| Expression::BinaryOperation(Box::new(BinaryOperation::OR(vec![all, flag])));
    let mask = mask.iter().map(|flag| text(*flag)).reduce(or).unwrap_or(Expression::Number(0));
    let masked = BinaryOperation::AND(Expression::Named(field("tcp", "flags")), mask);
    vec![Statement::Match(Match { left: Expression::BinaryOperation(Box::new(masked)), right: text("syn"), op })]
}

pub(super) fn count(class: Class) -> Vec<Say> {
    count_by_name(class.name())
}

pub(super) fn count_by_name(name: &'static str) -> Vec<Say> {
    vec![Statement::Counter(stmt::Counter::Named(name.into()))]
}

pub(super) fn above(rate: u32, burst: u32) -> Vec<Say> {
    limit(rate, burst, Some(true))
}

pub(super) fn up_to(rate: u32, burst: u32) -> Vec<Say> {
    limit(rate, burst, None)
}

fn limit(rate: u32, burst: u32, inv: Option<bool>) -> Vec<Say> {
    vec![Statement::Limit(Limit {
        rate,
        rate_unit: None,
        per: Some("second".into()),
        burst: Some(burst),
        burst_unit: None,
        inv,
    })]
}

/// Describes the packet to the NFLOG group. An empty prefix is none.
pub(super) fn log(prefix: &'static str, group: u16) -> Vec<Say> {
    vec![Statement::Log(Some(Log {
        prefix: (!prefix.is_empty()).then(|| prefix.into()),
        snaplen: Some(128),
        ..Log::new(Some(group.into()))
    }))]
}

pub(super) fn accept() -> Vec<Say> {
    vec![Statement::Accept(None)]
}

pub(super) fn drop() -> Vec<Say> {
    vec![Statement::Drop(None)]
}

pub(super) fn goto(target: &'static str) -> Vec<Say> {
    vec![Statement::Goto(JumpTarget { target: target.into() })]
}

pub(super) fn refuse_as_prohibited() -> Vec<Say> {
    vec![Statement::Reject(Some(Reject::new(Some(RejectType::ICMPX), Some(RejectCode::AdminProhibited))))]
}

pub(super) fn reset() -> Vec<Say> {
    vec![Statement::Reject(Some(Reject::new(Some(RejectType::TCPReset), None)))]
}

pub(super) fn to_listener(address: IpAddr, port: u16) -> Vec<Say> {
    vec![Statement::TProxy(TProxy { family: Some(ip(address).into()), port, addr: Some(address.to_string().into()) })]
}
