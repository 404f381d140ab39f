//! What became of the packets that opened a connection? The kernel counts them; what stands in the log and what was refused adds up to
//! as many, and the rest is undecided. One sum, which the writer makes and the verifier makes again.

use std::collections::BTreeMap;

use crate::audit::OrderError;
use crate::canonical::MAX_INTEGER;
use crate::text::Text;

/// How many there were, as the kernel counted them.
const OPENED: &str = "opened";

/// Connections of which nobody decides: to the resolver, at whatever address, and to the gate itself.
const ANSWERED: &str = "answered";

/// Those that never became a connection that was decided upon, and that no rule refused: the gate's queue was full, one was sent again, or
/// the run ended first.
const UNDECIDED: &str = "undecided";

/// The classes in which packets that would open a connection are refused.
const REFUSED: [&str; 2] = ["flood", "unheard"];

/// Packets that opened a connection, and what is known of them beside the classes and the decisions of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened {
    /// How many there were.
    pub opened: u64,
    /// How many connections the gate answered itself.
    pub answered: u64,
}

impl Opened {
    /// Adds the rows of these to what was refused by class, where so many connections were decided upon.
    pub fn add_to(self, refused: &mut BTreeMap<Text, u64>, decided: u64) {
        let counted = Opened { opened: self.opened.min(MAX_INTEGER), answered: self.answered.min(MAX_INTEGER) };
        let undecided = counted.undecided(refused, decided);
        let rows = [(OPENED, counted.opened), (ANSWERED, counted.answered), (UNDECIDED, undecided)];
        refused.extend(rows.map(|(name, count)| (Text::new(name), count)));
    }

    /// What is left when all that is accounted for is taken off. A gate that has been taken over may say that it answered more than there was.
    fn undecided(self, refused: &BTreeMap<Text, u64>, decided: u64) -> u64 {
        let refused = REFUSED.iter().map(|class| of(refused, class).unwrap_or(0));
        refused.chain([decided, self.answered]).fold(self.opened, u64::saturating_sub)
    }
}

/// Demands of the counts of a `run.end` that they add up, if they say what was answered or opened at all: builds that knew nothing of it said neither, and a
/// run whose counters can't be read has none. `answered` without the others is refused.
pub(super) fn check(refused: &BTreeMap<Text, u64>, decided: u64) -> Result<(), OrderError> {
    let (opened, answered, said) = match [OPENED, ANSWERED, UNDECIDED].map(|name| of(refused, name)) {
        [None, None, _] => return Ok(()),
        [Some(opened), Some(answered), Some(said)] => (opened, answered, said),
        _ => return Err(OrderError::OpenedInPart),
    };
    let counted = Opened { opened, answered }.undecided(refused, decided);
    if said == counted { Ok(()) } else { Err(OrderError::WrongUndecided { said, counted }) }
}

fn of(refused: &BTreeMap<Text, u64>, class: &str) -> Option<u64> {
    refused.iter().find(|(name, _)| name.as_str() == class).map(|(_, count)| *count)
}
