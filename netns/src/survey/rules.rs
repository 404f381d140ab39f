//! Which packet rules does the kernel have, in canonical form?
//!
//! The same form is made from what a dump returns and from what the encoder sends, so that the two can be
//! compared. Attributes are ordered by number. A number that is zero is left out: the kernel returns some
//! defaults that nobody has to send, and for those it means the same as nothing.

use netlink_packet_core::{DefaultNla, Emitable, Nla, NlaBuffer, NlasIterator};
use netlink_packet_netfilter::nftables::{
    ChainAttribute, ChainMessage, ExpressionAttribute, Expressions, GenAttribute, GenMessage, Hook, ListAttribute,
    NfTablesMessage, RuleAttribute, RuleMessage, SetMessage, TableAttribute, TableMessage,
};
use netlink_packet_netfilter::{NetfilterMessage, NetfilterMessageInner, NetfilterProtoFamily};
use nftables::schema::Nftables;
use serde::{Deserialize, Serialize};

use super::route::hex;
use crate::airlock::Desk;
use crate::encode::attribute::emitted;
use crate::encode::{self, EncodeError, nft};
use crate::wire::WireError;

/// All packet rules of a namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ruleset {
    /// The tables: family, name, flags.
    pub tables: Vec<String>,
    /// The chains.
    pub chains: Vec<Chain>,
    /// The rules, in the order of their chains.
    pub rules: Vec<PacketRule>,
    /// Counters, quotas and the like, without their values.
    pub objects: Vec<String>,
    /// Sets, maps and flow tables. The model has none.
    pub sets: Vec<String>,
}

/// A chain.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Chain {
    /// Family, table and name.
    pub name: String,
    /// Where a base chain hooks in: type, hook number, priority, devices.
    pub hook: Option<String>,
    /// What a base chain does at its end: 0 drops, 1 accepts.
    pub policy: Option<u32>,
}

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PacketRule {
    /// Family, table and name of its chain.
    pub chain: String,
    /// Its expressions: a name, and attributes by number.
    pub expressions: Vec<String>,
}

/// The form that the model will have in the kernel.
pub fn expected(model: &Nftables<'_>) -> Result<Ruleset, EncodeError> {
    Ok(canonical(encode::messages(model)?))
}

/// The generation of the rules.
pub(crate) fn generation(desk: &Desk) -> Result<u32, WireError> {
    let request = NfTablesMessage::GetGen(GenMessage { attributes: Vec::new() });
    let answer = desk.netfilter.ask(nft(NetfilterProtoFamily::Unspec, request))?;
    let id = answer.and_then(|answer| match answer.inner {
        NetfilterMessageInner::NfTables(NfTablesMessage::NewGen(it)) => it.attributes.into_iter().find_map(
            |attribute| {
                if let GenAttribute::Id(id) = attribute { Some(id) } else { None }
            },
        ),
        _ => None,
    });
    id.ok_or_else(|| WireError::Malformed("no generation in the kernel's answer".into()))
}

/// All rules now.
pub(crate) fn read(desk: &Desk) -> Result<Ruleset, WireError> {
    let requests = [
        NfTablesMessage::GetTable(TableMessage { attributes: Vec::new() }),
        NfTablesMessage::GetChain(ChainMessage { attributes: Vec::new() }),
        NfTablesMessage::GetRule(RuleMessage { attributes: Vec::new() }),
        NfTablesMessage::GetObject(Vec::new()),
        NfTablesMessage::GetSet(SetMessage { attributes: Vec::new() }),
        NfTablesMessage::GetFlowTable(Vec::new()),
    ];
    let mut messages = Vec::new();
    for request in requests {
        messages.extend(desk.netfilter.dump(&nft(NetfilterProtoFamily::Unspec, request))?);
    }
    Ok(canonical(messages))
}

pub(crate) fn canonical(messages: Vec<NetfilterMessage>) -> Ruleset {
    let mut ruleset = Ruleset::default();
    for message in messages {
        let family = family(message.header.family);
        let NetfilterMessageInner::NfTables(message) = message.inner else {
            continue;
        };
        match message {
            NfTablesMessage::NewTable(it) => ruleset.tables.push(table(&family, &it)),
            NfTablesMessage::NewChain(it) => ruleset.chains.push(chain(&family, &it)),
            NfTablesMessage::NewRule(it) => ruleset.rules.push(rule(&family, &it)),
            NfTablesMessage::NewObject(nlas) => ruleset.objects.push(object(&family, &nlas)),
            other => ruleset.sets.push(format!("{family} {other:?}")),
        }
    }
    ruleset.tables.sort();
    ruleset.chains.sort();
    // Stable: within a chain the order is what the rules mean.
    ruleset.rules.sort_by(|a, b| a.chain.cmp(&b.chain));
    ruleset.objects.sort();
    ruleset.sets.sort();
    ruleset
}

fn family(family: NetfilterProtoFamily) -> String {
    match family {
        NetfilterProtoFamily::Inet => "inet".into(),
        NetfilterProtoFamily::NetDev => "netdev".into(),
        other => format!("{other:?}"),
    }
}

fn table(family: &str, it: &TableMessage) -> String {
    let mut text = family.to_owned();
    for attribute in &it.attributes {
        match attribute {
            TableAttribute::Name(name) => text.push_str(&format!(" {name}")),
            TableAttribute::Flags(flags) if flags.bits() != 0 => text.push_str(&format!(" flags {}", flags.bits())),
            _ => {}
        }
    }
    text
}

fn chain(family: &str, it: &ChainMessage) -> Chain {
    let (mut table, mut name, mut kind) = ("", "", "");
    let (mut hook, mut policy) = (None, None);
    for attribute in &it.attributes {
        match attribute {
            ChainAttribute::Table(text) => table = text,
            ChainAttribute::Name(text) => name = text,
            ChainAttribute::Type(text) => kind = text,
            ChainAttribute::Policy(value) => policy = Some(*value),
            ChainAttribute::Hook(parts) => hook = Some(parts),
            _ => {}
        }
    }
    Chain {
        name: format!("{family} {table} {name}"),
        hook: hook.map(|parts| format!("{kind} {}", hooks(parts))),
        policy,
    }
}

/// Hook number, priority and devices. The kernel lists a single device twice; a list says it once.
fn hooks(parts: &[Hook]) -> String {
    let (mut number, mut priority, mut devices) = (0, 0, Vec::new());
    for part in parts {
        match part {
            Hook::Number(value) => number = u32::from(*value),
            Hook::Priority(value) => priority = value.cast_signed(),
            Hook::NetDeviceName(name) => devices.push(name.clone()),
            Hook::NetDevices(list) => devices.extend(list.iter().map(device)),
            _ => {}
        }
    }
    devices.sort();
    devices.dedup();
    format!("hook {number} priority {priority} {}", devices.join(","))
}

fn device(nla: &DefaultNla) -> String {
    let bytes = emitted(std::slice::from_ref(nla));
    let value = NlaBuffer::new_checked(&bytes[..]).map(|nla| nla.value().to_vec()).unwrap_or_default();
    String::from_utf8_lossy(&value).trim_end_matches('\0').to_owned()
}

fn rule(family: &str, it: &RuleMessage) -> PacketRule {
    let (mut table, mut name, mut expressions) = ("", "", Vec::new());
    for attribute in &it.attributes {
        match attribute {
            RuleAttribute::Table(text) => table = text,
            RuleAttribute::Chain(text) => name = text,
            RuleAttribute::Expressions(list) => expressions = list.iter().map(element).collect(),
            _ => {}
        }
    }
    PacketRule { chain: format!("{family} {table} {name}"), expressions }
}

fn element(element: &ListAttribute<ExpressionAttribute>) -> String {
    let ListAttribute::Element(attributes) = element else {
        return format!("{element:?}");
    };
    let mut text = String::new();
    for attribute in attributes {
        match attribute {
            ExpressionAttribute::Name(name) => text.push_str(name),
            ExpressionAttribute::Data(data) => text.push_str(&data_text(data)),
            other => text.push_str(&format!("{other:?}")),
        }
    }
    text
}

fn data_text(data: &Expressions) -> String {
    let mut bytes = vec![0; data.buffer_len()];
    data.emit(&mut bytes);
    attributes_text(&bytes)
}

/// The attributes of an expression as `(number=value ...)`, without 32-bit zeros.
fn attributes_text(bytes: &[u8]) -> String {
    written(bytes, |value| value != [0; 4])
}

fn written(bytes: &[u8], keep: fn(&[u8]) -> bool) -> String {
    let mut parts: Vec<(u16, String)> = NlasIterator::new(bytes)
        .filter_map(Result::ok)
        .filter(|nla| keep(nla.value()))
        .map(|nla| {
            // What is nested is data to load or to compare with: there a zero is a value.
            let value = if nla.nested_flag() { written(nla.value(), |_| true) } else { hex(nla.value()) };
            (nla.kind(), value)
        })
        .collect();
    parts.sort();
    let parts: Vec<String> = parts.into_iter().map(|(kind, value)| format!("{kind}={value}")).collect();
    format!("({})", parts.join(" "))
}

/// Table, name and type of an object: NFTA_OBJ_TABLE, _NAME, _TYPE. The rest is its value, handle and use.
fn object(family: &str, nlas: &[DefaultNla]) -> String {
    let mut parts: Vec<(u16, String)> =
        nlas.iter().filter(|nla| matches!(nla.kind(), 1..=3)).map(|nla| (nla.kind(), device(nla))).collect();
    parts.sort();
    let parts: Vec<String> =
        parts.into_iter().map(|(_, value)| value.trim_start_matches('\0').escape_debug().to_string()).collect();
    format!("{family} {}", parts.join(" "))
}
