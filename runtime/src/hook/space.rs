//! Is that the same namespace? Two that are held at once are the same where their numbers are: the number of one that is gone may be another's by now.

use std::fs::File;
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

/// A namespace, or whatever else a path leads to, that stays what it is for as long as this is held.
#[derive(Debug)]
pub(super) struct Space {
    identity: (u64, u64),
    _held: File,
}

impl Space {
    /// What this path leads to. Nothing is opened but the path itself: what an engine names may be anything.
    pub(super) fn at(path: &Path) -> io::Result<Space> {
        let flags = rustix::fs::OFlags::PATH.bits().cast_signed();
        let held = File::options().read(true).custom_flags(flags).open(path)?;
        let found = held.metadata()?;
        Ok(Space { identity: (found.dev(), found.ino()), _held: held })
    }

    /// Whether both are one.
    pub(super) fn is(&self, other: &Space) -> bool {
        self.identity == other.identity
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::process::{Child, Command, Stdio};

    use super::*;

    /// A process in namespaces of its own, when it is there.
    fn apart() -> Child {
        let mut unshare = Command::new("unshare");
        unshare.args(["--user", "--map-root-user", "--uts", "sh", "-c", "echo; read -r line"]);
        let mut child = unshare.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut String::new()).unwrap();
        child
    }

    fn space(child: &Child) -> Space {
        Space::at(Path::new(&format!("/proc/{}/ns/uts", child.id()))).unwrap()
    }

    fn end(mut child: Child) {
        drop(child.stdin.take());
        child.wait().unwrap();
    }

    #[test]
    fn a_namespace_that_is_held_gives_its_number_to_no_other() {
        let first = apart();
        let held = space(&first);
        assert!(held.is(&space(&first)));
        end(first);
        for _ in 0..20 {
            let other = apart();
            let same = held.is(&space(&other));
            end(other);
            assert!(!same);
        }
    }

    #[test]
    fn what_a_path_leads_to_is_not_opened() {
        let directory = tempfile::tempdir().unwrap();
        let fifo = directory.path().join("fifo");
        assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        assert!(!Space::at(&fifo).unwrap().is(&Space::at(Path::new("/proc/self/ns/net")).unwrap()));
    }
}
