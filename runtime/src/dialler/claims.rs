//! Does the gate take what it is sent? A connected socket that waits in its channel is open, and nobody watches it.
//!
//! The channel keeps its order, so a gate that answers a question has taken all that was sent before it.

use std::io;

use tokio::time::Instant;

use crate::heartbeat::PATIENCE;

/// More messages than the channel holds: when so many have come since a question, the answer was not among what waited.
const MORE_THAN_WAIT: usize = 4096;

/// What was sent, asked and answered.
#[derive(Debug, Default)]
pub(super) struct Claims {
    sent: bool,
    asked: Option<Instant>,
    heard: usize,
    stuck: bool,
}

/// The gate leaves sockets lying.
#[derive(Debug, thiserror::Error)]
#[error("it does not take the connections that it asked for")]
pub(super) struct Unclaimed;

impl Claims {
    /// An answer was sent.
    pub(super) fn sent(&mut self) {
        self.sent = true;
    }

    /// An answer could not be sent for too long.
    pub(super) fn stuck(&mut self) {
        self.stuck = true;
    }

    /// Whether it is time to ask.
    pub(super) fn ask(&mut self, now: Instant) -> bool {
        let due = self.asked.is_none() && std::mem::take(&mut self.sent);
        if due {
            (self.asked, self.heard) = (Some(now), 0);
        }
        due
    }

    /// The gate has answered.
    pub(super) fn claimed(&mut self) {
        self.asked = None;
    }

    /// A message came. An error when the answer should have come before it.
    pub(super) fn heard(&mut self, now: Instant) -> io::Result<()> {
        self.heard = self.heard.saturating_add(1);
        self.judge(self.heard > MORE_THAN_WAIT && self.is_overdue(now))
    }

    /// Nothing more waits in the channel. An error when an answer should have.
    pub(super) fn quiet(&self, now: Instant) -> io::Result<()> {
        self.judge(self.is_overdue(now))
    }

    fn judge(&self, unclaimed: bool) -> io::Result<()> {
        if unclaimed || self.stuck { Err(io::Error::new(io::ErrorKind::TimedOut, Unclaimed)) } else { Ok(()) }
    }

    fn is_overdue(&self, now: Instant) -> bool {
        self.asked.is_some_and(|asked| now.saturating_duration_since(asked) > PATIENCE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(now: Instant) -> Claims {
        let mut claims = Claims::default();
        assert!(!claims.ask(now), "nothing was sent");
        claims.sent();
        assert!(claims.ask(now));
        claims.sent();
        assert!(!claims.ask(now), "one question at a time");
        claims
    }

    #[test]
    fn a_gate_that_answers_goes_on_and_one_that_does_not_ends() {
        let begun = Instant::now();
        let late = begun + PATIENCE * 2;
        let mut claims = asked(begun);
        assert!(claims.quiet(begun + PATIENCE / 2).is_ok());
        assert!(claims.quiet(late).is_err());
        claims.claimed();
        assert!(claims.quiet(late).is_ok());
    }

    #[test]
    fn what_waited_before_the_answer_is_heard_first_and_a_flood_does_not_help() {
        let begun = Instant::now();
        let late = begun + PATIENCE * 2;
        let mut claims = asked(begun);
        assert!(claims.heard(late).is_ok());
        assert!((0..=MORE_THAN_WAIT).any(|_| claims.heard(late).is_err()));
    }
}
