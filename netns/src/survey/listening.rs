//! Do the sockets that were surveyed still listen, and none in their stead?
//!
//! A socket that is closed is announced ([`crate::watch`]); one that is aborted or joined by another is not, so it has to
//! be asked for.

use crate::airlock::Desks;
use crate::layout::{Layout, Side};
use crate::survey::sockets::{self, Listener};
use crate::survey::{Survey, SurveyError};
use crate::watch::{Change, Kind};

/// The sockets that must be there, each with its cookie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listening {
    agent: Vec<(Listener, u64)>,
    gate: Vec<(Listener, u64)>,
    /// Where the agent's are: the workload has others, at ports that it may take.
    agent_port: u16,
}

impl Survey {
    /// The sockets that it found.
    pub fn listening(&self, layout: &Layout) -> Listening {
        let of = |side: Side| {
            let found = self.of(side);
            found.state.listeners.iter().cloned().zip(found.identity.sockets.iter().copied()).collect()
        };
        Listening { agent: of(Side::Agent), gate: of(Side::Gate), agent_port: layout.dns_port }
    }
}

impl Listening {
    /// What is different now, if anything.
    pub fn changed(&self, desks: &Desks) -> Result<Option<Change>, SurveyError> {
        for (side, port, expected) in [(Side::Agent, self.agent_port, &self.agent), (Side::Gate, 0, &self.gate)] {
            let found = sockets::listeners_at(desks.of(side), port);
            let found = found.map_err(|source| SurveyError::Dump { what: "sockets", side, source })?;
            if let Some(what) = difference(expected, &found) {
                return Ok(Some(Change { side, kind: Kind::Listener, what }));
            }
        }
        Ok(None)
    }
}

fn difference(expected: &[(Listener, u64)], found: &[(Listener, u64)]) -> Option<String> {
    let first_without = |these: &[(Listener, u64)], those: &[(Listener, u64)]| {
        these.iter().find(|it| !those.contains(it)).map(|(listener, _)| words(listener))
    };
    let gone = first_without(expected, found).map(|which| format!("{which} listens no more"));
    gone.or_else(|| first_without(found, expected).map(|which| format!("{which} was not there before")))
}

fn words(listener: &Listener) -> String {
    let protocol = match listener.protocol {
        6 => "TCP",
        17 => "UDP",
        _ => "raw",
    };
    format!("the {protocol} socket at {}", listener.at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn socket(protocol: u8, cookie: u64) -> (Listener, u64) {
        (Listener { protocol, at: "127.0.0.1:53".parse().unwrap(), device: 0 }, cookie)
    }

    #[test]
    fn a_missing_an_exchanged_and_a_further_socket_are_each_a_change() {
        let expected = [socket(6, 1), socket(17, 2)];
        assert_eq!(difference(&expected, &expected), None);
        let gone = |protocol| Some(format!("the {protocol} socket at 127.0.0.1:53 listens no more"));
        assert_eq!(difference(&expected, &expected[..1]), gone("UDP"));
        assert_eq!(difference(&expected, &[socket(6, 9), socket(17, 2)]), gone("TCP"));
        let more = [socket(6, 1), socket(6, 3), socket(17, 2)];
        assert_eq!(difference(&expected, &more).unwrap(), "the TCP socket at 127.0.0.1:53 was not there before");
    }
}
