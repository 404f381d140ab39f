//! Which packet rules does the kernel have, in canonical form?
//!
//! The same form is made from what a dump returns and from what the encoder sends, so that the two can be
//! compared. Attributes are ordered by number. A number that is zero is left out: the kernel returns some
//! defaults that nobody has to send, and for those it means the same as nothing.

use netlink_packet_core::NetlinkSerializable;
use netlink_packet_netfilter::{NetfilterMessage, NetfilterProtoFamily};
use nftables::schema::Nftables;
use serde::{Deserialize, Serialize};

use super::message::{Attributes, Message};
use super::route::{hex, push_hex};
use crate::airlock::Desk;
use crate::encode::{self, EncodeError};
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

/// Why the model has no such form.
#[derive(Debug, thiserror::Error)]
pub enum ExpectedError {
    /// It can't be encoded.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// What was encoded can't be read back.
    #[error(transparent)]
    Read(#[from] WireError),
}

/// The form that the model will have in the kernel.
pub fn expected(model: &Nftables<'_>) -> Result<Ruleset, ExpectedError> {
    let messages: Result<Vec<_>, WireError> = encode::messages(model)?.iter().map(sent).collect();
    Ok(canonical(messages?)?)
}

fn sent(message: &NetfilterMessage) -> Result<Message, WireError> {
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    Message::parse(NetlinkSerializable::message_type(message), &bytes)
}

/// The generation of the rules.
pub(crate) fn generation(desk: &Desk) -> Result<u32, WireError> {
    let answer = desk.netfilter.ask(Message::request(libc::NFT_MSG_GETGEN))?;
    let missing = || WireError::Malformed("no generation in the kernel's answer".into());
    let answer = answer.filter(|answer| answer.is(libc::NFT_MSG_NEWGEN)).ok_or_else(missing)?;
    Attributes::of(&answer.attributes)?.number(GEN_ID).ok_or_else(missing)
}

/// All rules now.
pub(crate) fn read(desk: &Desk) -> Result<Ruleset, WireError> {
    let requests = [
        libc::NFT_MSG_GETTABLE,
        libc::NFT_MSG_GETCHAIN,
        libc::NFT_MSG_GETRULE,
        libc::NFT_MSG_GETOBJ,
        libc::NFT_MSG_GETSET,
        GETFLOWTABLE,
    ];
    let mut messages = Vec::new();
    for request in requests {
        messages.extend(desk.netfilter.dump(&Message::request(request))?);
    }
    canonical(messages)
}

// What libc lacks of include/uapi/linux/netfilter/nf_tables.h.
const GETFLOWTABLE: libc::c_int = 23;
const GEN_ID: u16 = 1;
const TABLE_NAME: u16 = 1;
const TABLE_FLAGS: u16 = 2;
const CHAIN_TABLE: u16 = 1;
const CHAIN_NAME: u16 = 3;
const CHAIN_HOOK: u16 = 4;
const CHAIN_POLICY: u16 = 5;
const CHAIN_TYPE: u16 = 7;
const HOOK_NUMBER: u16 = 1;
const HOOK_PRIORITY: u16 = 2;
const HOOK_DEVICE: u16 = 3;
const HOOK_DEVICES: u16 = 4;
const RULE_TABLE: u16 = 1;
const RULE_CHAIN: u16 = 2;
const RULE_EXPRESSIONS: u16 = 4;
const EXPRESSION_NAME: u16 = 1;
const EXPRESSION_DATA: u16 = 2;
const OBJECT_TABLE: u16 = 1;
const OBJECT_NAME: u16 = 2;
const OBJECT_TYPE: u16 = 3;

pub(crate) fn canonical(messages: Vec<Message>) -> Result<Ruleset, WireError> {
    let mut ruleset = Ruleset::default();
    for message in messages {
        let family = family(message.family);
        let attributes = Attributes::of(&message.attributes)?;
        match message.kind() {
            Some(libc::NFT_MSG_NEWTABLE) => ruleset.tables.push(table(&family, &attributes)),
            Some(libc::NFT_MSG_NEWCHAIN) => ruleset.chains.push(chain(&family, &attributes)?),
            Some(libc::NFT_MSG_NEWRULE) => ruleset.rules.push(rule(&family, &attributes)?),
            Some(libc::NFT_MSG_NEWOBJ) => ruleset.objects.push(object(&family, &attributes)),
            _ => ruleset.sets.push(format!("{family} {} {}", message.message_type, hex(&message.attributes))),
        }
    }
    ruleset.tables.sort();
    ruleset.chains.sort();
    // Stable: within a chain the order is what the rules mean.
    ruleset.rules.sort_by(|a, b| a.chain.cmp(&b.chain));
    ruleset.objects.sort();
    ruleset.sets.sort();
    Ok(ruleset)
}

/// What a notification is about: family, table, and the name of what is in it.
pub(crate) fn named(message_type: u16, payload: &[u8]) -> Option<String> {
    let message = Message::parse(message_type, payload).ok()?;
    let attributes = Attributes::of(&message.attributes).ok()?;
    let within = match message_type & 0xff {
        0 | 2 => String::new(),
        3 | 5 => attributes.text(CHAIN_NAME),
        6 | 8 => attributes.text(RULE_CHAIN),
        9 | 11 | 12 | 14 | 18 | 20 => attributes.text(OBJECT_NAME),
        _ => return None,
    };
    let name = format!("{} {} {within}", family(message.family), attributes.text(TABLE_NAME));
    Some(name.trim_end().to_owned())
}

fn family(family: u8) -> String {
    match NetfilterProtoFamily::from(family) {
        NetfilterProtoFamily::Inet => "inet".into(),
        NetfilterProtoFamily::NetDev => "netdev".into(),
        other => format!("{other:?}"),
    }
}

fn table(family: &str, it: &Attributes<'_>) -> String {
    let flags = it.number(TABLE_FLAGS).filter(|flags| *flags != 0).map(|flags| format!(" flags {flags}"));
    format!("{family} {}{}", it.text(TABLE_NAME), flags.unwrap_or_default())
}

fn chain(family: &str, it: &Attributes<'_>) -> Result<Chain, WireError> {
    let hook = it.value(CHAIN_HOOK).map(hook).transpose()?;
    Ok(Chain {
        name: format!("{family} {} {}", it.text(CHAIN_TABLE), it.text(CHAIN_NAME)),
        hook: hook.map(|hook| format!("{} {hook}", it.text(CHAIN_TYPE))),
        policy: it.number(CHAIN_POLICY),
    })
}

/// Hook number, priority and devices. The kernel lists a single device twice; a list says it once.
fn hook(bytes: &[u8]) -> Result<String, WireError> {
    let it = Attributes::of(bytes)?;
    let listed = it.value(HOOK_DEVICES).map(Attributes::of).transpose()?;
    let listed = listed.iter().flat_map(Attributes::all).map(|(_, value)| Attributes::as_text(value));
    let mut devices: Vec<String> = it.value(HOOK_DEVICE).map(Attributes::as_text).into_iter().chain(listed).collect();
    devices.sort();
    devices.dedup();
    let (number, priority) = (it.number(HOOK_NUMBER).unwrap_or(0), it.number(HOOK_PRIORITY).unwrap_or(0));
    Ok(format!("hook {number} priority {} {}", priority.cast_signed(), devices.join(",")))
}

fn rule(family: &str, it: &Attributes<'_>) -> Result<PacketRule, WireError> {
    let list = Attributes::of(it.value(RULE_EXPRESSIONS).unwrap_or_default())?;
    let expressions: Result<_, _> = list.all().map(|(_, value)| expression(value)).collect();
    Ok(PacketRule {
        chain: format!("{family} {} {}", it.text(RULE_TABLE), it.text(RULE_CHAIN)),
        expressions: expressions?,
    })
}

fn expression(bytes: &[u8]) -> Result<String, WireError> {
    let it = Attributes::of(bytes)?;
    let name = it.text(EXPRESSION_NAME);
    let mut text = name.clone();
    if let Some(data) = it.value(EXPRESSION_DATA) {
        write(&mut text, data, &Within::Expression(&name))?;
    }
    Ok(text)
}

/// Where attributes lie: it tells which of them hold others. The flag that would say so is not always set by the kernel.
enum Within<'a> {
    Expression(&'a str),
    Data,
    Verdict,
}

impl<'a> Within<'a> {
    /// What an attribute of this number holds, if it holds attributes.
    fn below(&self, number: u16) -> Option<Within<'a>> {
        match (self, number) {
            // NFTA_CMP_DATA; NFTA_BITWISE_MASK, _XOR, _DATA; NFTA_IMMEDIATE_DATA.
            (Within::Expression("cmp"), 3)
            | (Within::Expression("bitwise"), 4 | 5 | 7)
            | (Within::Expression("immediate"), 2) => Some(Within::Data),
            // NFTA_DATA_VERDICT.
            (Within::Data, 2) => Some(Within::Verdict),
            _ => None,
        }
    }

    /// In data to load or to compare with, a zero is a value; elsewhere it is a default.
    fn keeps(&self, value: &[u8]) -> bool {
        !matches!(self, Within::Expression(_)) || value != [0; 4]
    }
}

/// Appends `(number=value ...)`, in the order of the numbers.
fn write(text: &mut String, bytes: &[u8], place: &Within<'_>) -> Result<(), WireError> {
    let mut attributes: Vec<_> = Attributes::of(bytes)?.all().filter(|(_, value)| place.keeps(value)).collect();
    attributes.sort_unstable();
    text.push('(');
    for (at, (number, value)) in attributes.into_iter().enumerate() {
        text.push_str(if at == 0 { "" } else { " " });
        text.push_str(&number.to_string());
        text.push('=');
        match place.below(number) {
            Some(below) => write(text, value, &below)?,
            None => push_hex(text, value),
        }
    }
    text.push(')');
    Ok(())
}

/// Table, name and type of an object. The rest is its value, handle and use.
fn object(family: &str, it: &Attributes<'_>) -> String {
    let kind = it.number(OBJECT_TYPE).unwrap_or(0);
    format!("{family} {} {} type {kind}", it.text(OBJECT_TABLE), it.text(OBJECT_NAME))
}
