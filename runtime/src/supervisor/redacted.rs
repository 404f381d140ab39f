//! Which texts of an entry or an event does the workload choose, or its command hold? Those are written without secrets.

use std::path::PathBuf;

use bottle_evidence::Text;
use bottle_evidence::audit::{Entry, Process, Seen};

use crate::event::Event;
use crate::secrets::Secrets;

/// The entry as it may be written.
pub(super) fn entry(secrets: &Secrets, entry: &Entry) -> Entry {
    let clear = |text: &mut Text| *text = self::text(secrets, text);
    let mut entry = entry.clone();
    match &mut entry {
        Entry::RunStart(start) => start.command = command(secrets, &start.command),
        Entry::RunExec(exec) => exec.command = command(secrets, &exec.command),
        Entry::Decision(decision) => {
            decision.name.iter_mut().for_each(clear);
            match &mut decision.seen {
                Seen::Tls { sni: name, .. } | Seen::Http { host: name, .. } => name.iter_mut().for_each(clear),
                Seen::Unparsable { why } => clear(why),
                Seen::Nothing | Seen::Opaque => {}
            }
            if let Process::Known(known) = &mut decision.process {
                clear(&mut known.exe);
            }
        }
        Entry::Outcome(outcome) => outcome.reason.iter_mut().for_each(clear),
        Entry::DnsDenied(denied) => [&mut denied.name, &mut denied.qtype].into_iter().for_each(clear),
        Entry::Drift(drift) => clear(&mut drift.detail),
        // Numbers, addresses and codes; an end has the command of its start, and the names of what came before it.
        Entry::Refused(_)
        | Entry::Inbound(_)
        | Entry::InboundOutcome(_)
        | Entry::Torn(_)
        | Entry::Segment(_)
        | Entry::Seal(_)
        | Entry::RunRenew(_)
        | Entry::RunEnd(_) => {}
    }
    entry
}

/// The text as it may be written.
pub(super) fn text(secrets: &Secrets, text: &Text) -> Text {
    Text::new(&secrets.redact(text.as_str()))
}

fn command(secrets: &Secrets, words: &[Text]) -> Vec<Text> {
    secrets.redact_command(words.iter().map(Text::as_str)).into_iter().map(Text::from).collect()
}

/// The event as it may be told.
pub(crate) fn event(secrets: &Secrets, mut event: Event) -> Event {
    let clear = |text: &mut String| *text = secrets.redact(text).into_owned();
    match &mut event {
        Event::Blocked { host, detail, allow, .. } => {
            [host, detail].into_iter().chain(allow).for_each(clear);
        }
        Event::Unreachable { host, why, .. } => [host, why].into_iter().for_each(clear),
        Event::Warning(text) | Event::LedgerFailed(text) | Event::Drift(text) => clear(text),
        Event::Changed { files, .. } => files.iter_mut().for_each(|change| change.path = path(secrets, &change.path)),
        // What it says of hosts is what the log says.
        Event::Over(outcome) => outcome.reason.iter_mut().for_each(clear),
        Event::Published(_) | Event::Untold | Event::Running { .. } => {}
    }
    event
}

/// The path as it may be told.
pub(crate) fn path(secrets: &Secrets, path: &std::path::Path) -> PathBuf {
    match secrets.redact(&path.to_string_lossy()) {
        std::borrow::Cow::Borrowed(_) => path.to_owned(),
        std::borrow::Cow::Owned(shown) => shown.into(),
    }
}
