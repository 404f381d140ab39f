//! How do a bottle's condition and age read?

use bottle_evidence::Time;
use bottle_runtime::records::{Condition, Known};

use crate::amount::counted;

/// In a word, as a program reads it.
pub fn state(condition: &Condition) -> &'static str {
    match condition {
        Condition::Starting => "starting",
        Condition::Running => "running",
        Condition::Ended(_) => "exited",
        Condition::Lost => "lost",
    }
}

/// As a person reads it.
pub fn status(known: &Known, now: Time) -> String {
    match (&known.condition, &known.record.running) {
        (Condition::Running, Some(running)) => format!("running for {}", age(running.started, now)),
        (Condition::Ended(end), _) => format!("exited ({}) {} ago", end.code, age(end.ended, now)),
        (Condition::Lost, _) => "lost: it was killed, or the machine was restarted".to_owned(),
        (condition, _) => state(condition).to_owned(),
    }
}

/// The time between two moments in its largest unit. A clock that was set back gives none.
pub fn age(then: Time, now: Time) -> String {
    let seconds = now.micros().saturating_sub(then.micros()) / 1_000_000;
    match seconds {
        0..60 => counted(seconds, "second"),
        60..3600 => counted(seconds / 60, "minute"),
        3600..86_400 => counted(seconds / 3600, "hour"),
        _ => counted(seconds / 86_400, "day"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_told_in_its_largest_unit() {
        let at = |seconds: u64| Time::from_micros(seconds * 1_000_000);
        for (seconds, text) in
            [(0, "0 seconds"), (59, "59 seconds"), (60, "1 minute"), (7200, "2 hours"), (86_400, "1 day")]
        {
            assert_eq!(age(at(10), at(10 + seconds)), text);
        }
        assert_eq!(age(at(10), at(0)), "0 seconds");
    }
}
