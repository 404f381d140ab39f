//! What may a CONNECT be allowed before its tunnel carries a byte?
//!
//! The client waits for an answer that says whether the upstream was reached, so it must be dialled first. The CONNECT
//! line names the host, as a lease does; TLS without a name of its own would then be allowed. So that is the question,
//! and the gate keeps the promise in it: the tunnel's first bytes are classified and decided upon before any goes on.

use bottle_policy::{Request, Rules, Seen, Verdict, decide};

use crate::{Attempt, Way};

/// The question that an attempt asks of the rules.
pub(crate) fn question(rules: &Rules, attempt: &Attempt) -> Request {
    let asked = attempt.request.clone();
    let early = attempt.way == Way::Connect && asked.seen == Seen::Nothing;
    if early && decide(rules, &asked) == Verdict::Peek {
        return Request { seen: Seen::Tls { sni: None, ech: false }, ..asked };
    }
    asked
}
