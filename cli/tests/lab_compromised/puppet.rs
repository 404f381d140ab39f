//! How does a compromised helper act? The running, confined process of the program as it is shipped makes the calls that a test names.
//!
//! The test holds it by ptrace(2), which takes a power that nothing in a bottle has, and writes its registers: each
//! call is that process's own, with its ids, namespaces, descriptors, Landlock and seccomp filters. No build of bottle
//! knows of it. Whoever holds a helper lets it go before its silence counts as a stop (three seconds).

use std::cell::Cell;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;

use nix::sys::ptrace::{self, Options};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use rustix::io::Errno;

use crate::machine::{self, Registers};
use crate::running::Held;

/// A helper, stopped, that does what it is told until it is dropped; then it goes on where it was.
pub struct Puppet {
    pid: Pid,
    memory: File,
    kept: Registers,
    /// Where an instruction lies that calls the kernel.
    entry: u64,
    room: u64,
    used: Cell<u64>,
}

/// How many bytes of its own a puppet has for arguments.
const ROOM: u64 = 1 << 20;

impl Puppet {
    pub fn hold(held: &Held) -> Puppet {
        let pid = Pid::from_raw(held.pid.cast_signed());
        let memory = OpenOptions::new().read(true).write(true).open(format!("/proc/{pid}/mem")).unwrap();
        ptrace::seize(pid, Options::PTRACE_O_TRACESYSGOOD).unwrap();
        ptrace::interrupt(pid).unwrap();
        assert!(matches!(wait(pid), WaitStatus::PtraceEvent(..)), "it did not stop");
        let kept = ptrace::getregs(pid).unwrap();
        let entry = entry(pid, &memory);
        let mut puppet = Puppet { pid, memory, kept, entry, room: 0, used: Cell::new(0) };
        let (access, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        let room = puppet.call(libc::SYS_mmap, &[0, ROOM, access as u64, flags as u64, u64::MAX, 0]);
        puppet.room = room.expect("every helper may have memory").cast_unsigned();
        puppet
    }

    pub fn id(&self) -> Pid {
        self.pid
    }

    /// One system call, and what the kernel says to that process; `SRCH` where there is none any more.
    pub fn call(&self, number: i64, arguments: &[u64]) -> Result<i64, Errno> {
        let mut all = [0; 6];
        all[..arguments.len()].copy_from_slice(arguments);
        // It may be killed at any moment for what it did: ESRCH.
        ptrace::setregs(self.pid, machine::calling(self.kept, self.entry, number, all)).map_err(dead)?;
        self.go_on()?;
        self.go_on()?;
        let result = machine::result(&ptrace::getregs(self.pid).map_err(dead)?);
        if (-4095..0).contains(&result) {
            return Err(Errno::from_raw_os_error(-i32::try_from(result).unwrap()));
        }
        Ok(result)
    }

    /// To the next edge of the kernel. A signal on the way is the process's to have.
    fn go_on(&self) -> Result<(), Errno> {
        let mut signal = None;
        loop {
            ptrace::syscall(self.pid, signal).map_err(dead)?;
            match wait(self.pid) {
                WaitStatus::PtraceSyscall(_) => return Ok(()),
                WaitStatus::Stopped(_, received) => signal = Some(received),
                WaitStatus::PtraceEvent(..) => signal = None,
                _ => return Err(Errno::SRCH),
            }
        }
    }

    /// Puts bytes where the process can read them; the address, for an argument.
    pub fn put(&self, bytes: &[u8]) -> u64 {
        let address = self.space(bytes.len());
        self.memory.write_all_at(bytes, address).unwrap();
        address
    }

    /// Room that the kernel may write to.
    pub fn space(&self, length: usize) -> u64 {
        let address = self.room + self.used.get();
        self.used.set(self.used.get() + (length as u64).next_multiple_of(16));
        assert!(self.used.get() <= ROOM);
        address
    }

    pub fn get(&self, address: u64, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.memory.read_exact_at(&mut bytes, address).unwrap();
        bytes
    }

    /// Takes all room back.
    pub fn forget(&self) {
        self.used.set(0);
    }

    /// The path as the kernel wants it.
    pub fn path(&self, path: &str) -> u64 {
        self.put(&[path.as_bytes(), b"\0"].concat())
    }
}

impl Drop for Puppet {
    fn drop(&mut self) {
        let freed =
            ptrace::setregs(self.pid, machine::going_on(self.kept)).and_then(|()| ptrace::detach(self.pid, None));
        if freed.is_err() {
            // It was killed, and its parent hears of that when its tracer has; unless that was so during a call.
            let _ = waitpid(self.pid, Some(WaitPidFlag::__WALL));
        }
    }
}

fn dead(_: nix::Error) -> Errno {
    Errno::SRCH
}

fn wait(pid: Pid) -> WaitStatus {
    waitpid(pid, Some(WaitPidFlag::__WALL)).unwrap()
}

/// The kernel maps code that calls it into every process.
fn entry(pid: Pid, memory: &File) -> u64 {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    let line = maps.lines().find(|line| line.ends_with("[vdso]")).expect("a vdso");
    let (from, to) = line.split(' ').next().unwrap().split_once('-').unwrap();
    let [from, to] = [from, to].map(|number| u64::from_str_radix(number, 16).unwrap());
    let mut code = vec![0; usize::try_from(to - from).unwrap()];
    memory.read_exact_at(&mut code, from).unwrap();
    let at = code.windows(machine::CALL.len()).position(|window| window == machine::CALL);
    from + at.expect("the vdso calls the kernel") as u64
}
