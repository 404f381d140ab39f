//! Which message adds a table, a chain, a counter or a rule?

use netlink_packet_core::{DefaultNla, NLA_F_NESTED};
use netlink_packet_netfilter::nftables::{
    ChainAttribute, ChainMessage, DevHookNumber, ExpressionAttribute, Hook, HookNumber, InetHookNumber, ListAttribute,
    NfTablesMessage, RuleAttribute, RuleMessage, TableAttribute, TableMessage,
};
use netlink_packet_netfilter::{NetfilterMessage, NetfilterProtoFamily};
use nftables::schema::{Chain, Counter, NfCmd, NfListObject, NfObject, Rule, Table};
use nftables::types::{NfChainPolicy, NfChainType, NfFamily, NfHook};

use super::attribute::{emitted, long, nested, number, string};
use super::{EncodeError, expression, nft};

const NF_DROP: u32 = 0;
const NF_ACCEPT: u32 = 1;

pub(super) fn message(object: &NfObject<'_>) -> Result<NetfilterMessage, EncodeError> {
    let NfObject::CmdObject(NfCmd::Add(added)) = object else {
        return Err(EncodeError::unknown(object));
    };
    match added {
        NfListObject::Table(it) => table(it),
        NfListObject::Chain(it) => chain(it),
        NfListObject::Counter(it) => counter(it),
        NfListObject::Rule(it) => rule(it),
        other => Err(EncodeError::unknown(other)),
    }
}

fn family(family: NfFamily) -> Result<NetfilterProtoFamily, EncodeError> {
    match family {
        NfFamily::INet => Ok(NetfilterProtoFamily::Inet),
        NfFamily::NetDev => Ok(NetfilterProtoFamily::NetDev),
        other => Err(EncodeError::unknown(other)),
    }
}

fn table(it: &Table<'_>) -> Result<NetfilterMessage, EncodeError> {
    let attributes = vec![TableAttribute::Name(it.name.to_string())];
    Ok(nft(family(it.family)?, NfTablesMessage::NewTable(TableMessage { attributes })))
}

fn chain(it: &Chain<'_>) -> Result<NetfilterMessage, EncodeError> {
    let mut attributes = vec![ChainAttribute::Table(it.table.to_string()), ChainAttribute::Name(it.name.to_string())];
    if let (Some(hook), Some(prio)) = (it.hook, it.prio) {
        let mut hooks = vec![Hook::Number(hook_number(it.family, hook)?), Hook::Priority(prio.cast_unsigned())];
        hooks.extend(it.dev.as_ref().map(|dev| Hook::NetDeviceName(dev.to_string())));
        attributes.push(ChainAttribute::Hook(hooks));
        attributes.push(ChainAttribute::Policy(match it.policy {
            Some(NfChainPolicy::Drop) => NF_DROP,
            Some(NfChainPolicy::Accept) | None => NF_ACCEPT,
        }));
        match it._type {
            Some(NfChainType::Filter) => attributes.push(ChainAttribute::Type("filter".into())),
            other => return Err(EncodeError::unknown(other)),
        }
    }
    Ok(nft(family(it.family)?, NfTablesMessage::NewChain(ChainMessage { attributes })))
}

fn hook_number(family: NfFamily, hook: NfHook) -> Result<HookNumber, EncodeError> {
    Ok(match (family, hook) {
        (NfFamily::NetDev, NfHook::Ingress) => HookNumber::Dev(DevHookNumber::Ingress),
        (NfFamily::INet, NfHook::Prerouting) => HookNumber::Inet(InetHookNumber::PreRouting),
        (NfFamily::INet, NfHook::Input) => HookNumber::Inet(InetHookNumber::LocalIn),
        (NfFamily::INet, NfHook::Forward) => HookNumber::Inet(InetHookNumber::Forward),
        (NfFamily::INet, NfHook::Output) => HookNumber::Inet(InetHookNumber::LocalOut),
        other => return Err(EncodeError::unknown(other)),
    })
}

fn counter(it: &Counter<'_>) -> Result<NetfilterMessage, EncodeError> {
    // NFTA_OBJ_TABLE, _NAME, _TYPE (counter), _DATA with NFTA_COUNTER_BYTES and _PACKETS.
    let zero: [DefaultNla; 2] = [long(1, 0), long(2, 0)];
    let attributes = vec![string(1, &it.table), string(2, &it.name), number(3, 1), nested(4, &zero)];
    Ok(nft(family(it.family)?, NfTablesMessage::NewObject(attributes)))
}

/// NFTA_RULE_EXPRESSIONS.
const EXPRESSIONS: u16 = 4;

fn rule(it: &Rule<'_>) -> Result<NetfilterMessage, EncodeError> {
    // Made into bytes from the inside out: the crate would measure each attribute again at every level around it.
    let mut expressions = Vec::new();
    for statement in it.expr.iter() {
        let elements = expression::of_statement(statement)?.into_iter();
        let elements: Vec<ListAttribute<ExpressionAttribute>> = elements.map(Into::into).collect();
        expressions.extend(emitted(&elements));
    }
    let attributes = vec![
        RuleAttribute::Table(it.table.to_string()),
        RuleAttribute::Chain(it.chain.to_string()),
        RuleAttribute::Other(DefaultNla::new(EXPRESSIONS | NLA_F_NESTED, expressions)),
    ];
    Ok(nft(family(it.family)?, NfTablesMessage::NewRule(RuleMessage { attributes })))
}
