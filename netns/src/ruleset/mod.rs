//! Which packet rules does each namespace have?
//!
//! A pure function from the layout to the typed model of the `nftables` crate: what is put into the
//! kernel, what the read-back is compared with, what `--json` shows, and what a test loads with the real
//! `nft`. The rules know no policy: they force everything to the gate's sockets, or refuse it.
//!
//! Every base chain's policy is drop, no rule accepts without naming the interface, and connections
//! are not tracked: TPROXY and the local route find the sockets without it, and bulk data stays fast.

mod agent;
mod gate;
mod refuse;
mod words;

use nftables::schema::{NfCmd, NfListObject, NfObject, Nftables};

use crate::layout::{Layout, Side};

/// The name of every table.
pub const TABLE: &str = "bottle";

/// The complete rules of one namespace.
pub fn ruleset(layout: &Layout, side: Side) -> Nftables<'static> {
    Nftables { objects: objects(layout, side).into() }
}

/// The names of the counters among them, which no layout changes.
pub(crate) fn counters(side: Side) -> Vec<String> {
    let name = |object| match object {
        NfObject::CmdObject(NfCmd::Add(NfListObject::Counter(counter))) => Some(counter.name.into_owned()),
        _ => None,
    };
    objects(&Layout::default(), side).into_iter().filter_map(name).collect()
}

fn objects(layout: &Layout, side: Side) -> Vec<NfObject<'static>> {
    match side {
        Side::Agent => agent::objects(layout),
        Side::Gate => gate::objects(layout),
    }
}
