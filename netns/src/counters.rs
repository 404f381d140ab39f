//! How many packets were refused, exactly, and of which class? And how many were to open a connection?

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::airlock::Airlock;
use crate::class::Class;
use crate::layout::Side;
use crate::ruleset;
use crate::survey::SurveyError;
use crate::survey::message::{Attributes, Message};
use crate::wire::WireError;

/// The gate's counter of packets that open a TCP connection, whatever becomes of them. One that is sent again counts again.
pub(crate) const OPENED: &str = "opened";

/// Refused packets by class. A packet refused in one namespace never reaches the other.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Refused by the agent's own rules.
    pub agent: BTreeMap<Class, u64>,
    /// Refused in the gate: what the agent's rules did not stop.
    pub gate: BTreeMap<Class, u64>,
    /// Packets that came to the gate to open a TCP connection, those of refused classes among them.
    pub opened: u64,
}

impl Counters {
    /// Both together.
    pub fn total(&self) -> BTreeMap<Class, u64> {
        let mut total = self.agent.clone();
        for (class, packets) in &self.gate {
            *total.entry(*class).or_default() += packets;
        }
        total
    }

    /// How many of one class, in both.
    pub fn of(&self, class: Class) -> u64 {
        let count = |counts: &BTreeMap<Class, u64>| counts.get(&class).copied().unwrap_or(0);
        count(&self.agent) + count(&self.gate)
    }
}

/// Why nobody knows what was refused.
#[derive(Debug, thiserror::Error)]
pub enum CountError {
    /// The counters can't be read.
    #[error(transparent)]
    Survey(#[from] SurveyError),
    /// A counter that the rules have is not there, and with it went what it had counted.
    #[error("the counter {name} of the {side} namespace is gone")]
    Gone {
        /// Where.
        side: Side,
        /// Its name.
        name: String,
    },
}

/// Reads the counters, all that the rules have. The caller needs CAP_NET_ADMIN over the namespaces, and may be outside of them.
pub fn counters(airlock: &Airlock) -> Result<Counters, CountError> {
    let (agent, gate) = (read(airlock, Side::Agent)?, read(airlock, Side::Gate)?);
    let opened = gate.get(OPENED).copied();
    let opened = opened.ok_or_else(|| CountError::Gone { side: Side::Gate, name: OPENED.to_owned() })?;
    Ok(Counters { agent: by_class(&agent), gate: by_class(&gate), opened })
}

fn by_class(counts: &BTreeMap<String, u64>) -> BTreeMap<Class, u64> {
    counts.iter().filter_map(|(name, packets)| Some((Class::named(name)?, *packets))).collect()
}

fn read(airlock: &Airlock, side: Side) -> Result<BTreeMap<String, u64>, CountError> {
    let request = Message::request(libc::NFT_MSG_GETOBJ);
    let fail = |source: WireError| SurveyError::Dump { what: "counters", side, source };
    let dump = airlock.desks.of(side).netfilter.dump(&request).map_err(fail)?;
    complete(side, counted(dump))
}

fn complete(side: Side, counts: BTreeMap<String, u64>) -> Result<BTreeMap<String, u64>, CountError> {
    match ruleset::counters(side).into_iter().find(|name| !counts.contains_key(name)) {
        Some(name) => Err(CountError::Gone { side, name }),
        None => Ok(counts),
    }
}

/// Of include/uapi/linux/netfilter/nf_tables.h.
const OBJECT_NAME: u16 = 2;
const OBJECT_DATA: u16 = 4;
const COUNTER_PACKETS: u16 = 2;

/// The counters among objects of nftables.
pub(crate) fn counted(dump: Vec<Message>) -> BTreeMap<String, u64> {
    dump.iter().filter(|message| message.is(libc::NFT_MSG_NEWOBJ)).filter_map(counter).collect()
}

/// Name and packets of a counter.
fn counter(message: &Message) -> Option<(String, u64)> {
    let object = Attributes::of(&message.attributes).ok()?;
    let data = Attributes::of(object.value(OBJECT_DATA)?).ok()?;
    let packets = data.value(COUNTER_PACKETS)?.first_chunk()?;
    Some((object.text(OBJECT_NAME), u64::from_be_bytes(*packets)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_that_is_gone_is_no_zero() {
        for side in Side::BOTH {
            let whole: BTreeMap<_, _> = ruleset::counters(side).into_iter().map(|name| (name, 0)).collect();
            assert!(whole.len() > 8, "{whole:?}");
            complete(side, whole.clone()).unwrap();
            for name in whole.keys() {
                let mut less = whole.clone();
                less.remove(name);
                assert!(matches!(complete(side, less), Err(CountError::Gone { name: gone, .. }) if gone == *name));
            }
        }
    }
}
