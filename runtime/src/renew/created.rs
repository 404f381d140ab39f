//! Has an engine let its container go on? Not as long as the first process lives in the memory that it had when the engine had created it.
//!
//! What it executes does not tell: a container may have its engine's runtime in sight, and execute it. execve(2) gives up the memory of
//! a process, and nothing that it does afterwards brings that back.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// The memory of a process before its start, which this does not keep.
pub(crate) struct Created(File);

impl Created {
    /// What this process has now.
    pub(crate) fn of(pid: u32) -> io::Result<Created> {
        // The kernel takes the memory that there is when this is opened, and lists nothing of one that nobody has any more.
        File::open(format!("/proc/{pid}/maps")).map(Created)
    }

    /// Whether somebody still has it.
    pub(crate) fn holds(&self) -> bool {
        self.0.read_at(&mut [0], 0).is_ok_and(|read| read == 1)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_process_that_executes_the_same_program_again_is_not_as_it_was_created() {
        let script = "echo before; read -r line; exec sh -c 'echo after; read -r line'";
        let mut child =
            Command::new("sh").args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut input = child.stdin.take().unwrap();
        assert_eq!(said.next().unwrap().unwrap(), "before");
        let executed = || std::fs::read_link(format!("/proc/{}/exe", child.id())).unwrap();
        let (before, created) = (executed(), Created::of(child.id()).unwrap());
        assert!(created.holds() && created.holds());
        input.write_all(b"go\n").unwrap();
        assert_eq!(said.next().unwrap().unwrap(), "after");
        assert_eq!(executed(), before);
        assert!(!created.holds());
        input.write_all(b"go\n").unwrap();
        child.wait().unwrap();
        assert!(!created.holds());
    }
}
