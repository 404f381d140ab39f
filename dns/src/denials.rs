//! Who is told that a name was denied?

use bottle_policy::Reason;

/// Where denied names are reported, one call for each denied query; so are queries that no answer fits, whatever their name, and
/// `(unreadable)` for bytes in which there is none.
///
/// Called from the answering thread, so it must not block. A program may ask for the same name a thousand times:
/// [`Repeats`](crate::Repeats) tells first from further ones.
pub trait Denials: Send + Sync {
    /// `name` (lower case, dots escaped within labels, no trailing dot) was asked for with type `qtype`, and denied.
    fn denied(&self, name: &str, qtype: &str, reason: Reason);
}
