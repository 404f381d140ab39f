//! What did a run change that the host would execute later? Told, and written down in the run's own directory: a terminal may
//! show little of it.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use bottle_images::changed::{Change, Snapshot};

use crate::event::Event;
use crate::supervisor::recorder::Recorder;
use crate::supervisor::redacted;

/// Tells what of the shared trees is not as it was, and whether that may not be all. The whole list goes to `list`.
pub(crate) fn tell(recorder: &Recorder, before: &Snapshot, after: Option<Snapshot>, list: &Path) {
    let unseen = after.as_ref().map_or(Some("they could not be looked through again"), Snapshot::unseen);
    if let Some(why) = unseen.or(before.unseen()) {
        recorder.tell(Event::Warning(format!(
            "not all files that the command changed and this machine may execute later are told: {why}"
        )));
    }
    let mut files = after.map(|after| after.changed_since(before)).unwrap_or_default();
    files.iter_mut().for_each(|change| change.path = redacted::path(recorder.ledger().secrets(), &change.path));
    if files.is_empty() {
        return;
    }
    let written = write(&files, list);
    if let Err(error) = &written {
        recorder.tell(Event::Warning(format!("cannot write {}: {error}", list.display())));
    }
    recorder.tell(Event::Changed { files, list: written.is_ok().then(|| list.to_owned()) });
}

/// One path a line, in quotes, so that no name begins a line of its own or says anything to a terminal.
fn write(files: &[Change], list: &Path) -> io::Result<()> {
    let text: String = files.iter().map(|change| format!("{:?}\n", change.path)).collect();
    File::options().write(true).create_new(true).mode(0o600).open(list)?.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    use bottle_images::changed::Gravity;

    use super::*;

    #[test]
    fn each_name_has_a_line_that_a_terminal_shows_as_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let list = directory.path().join("changed.txt");
        let names = [&b"/w/a\n\x1b[8m"[..], b"/w/\xff", "/w/é\u{202e}".as_bytes()];
        let change =
            |name: &&[u8]| Change { path: OsStr::from_bytes(name).into(), gravity: Gravity::Top, within: "/w".into() };
        write(&names.iter().map(change).collect::<Vec<_>>(), &list).unwrap();
        let text = std::fs::read_to_string(&list).unwrap();
        assert_eq!(text, "\"/w/a\\n\\u{1b}[8m\"\n\"/w/\\xFF\"\n\"/w/é\\u{202e}\"\n");
    }
}
