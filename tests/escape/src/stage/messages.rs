//! Which messages, semaphores and memory of the host's would a sandbox reach by key or name? Some that nobody else uses, which end
//! with the stage.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use crate::field::Host;
use crate::ipc;
use crate::sys::{self, Arg, Shared};

pub(super) struct Messages {
    queue: u64,
    semaphores: u64,
    memory: (u64, Shared),
    posix: Option<(String, OwnedFd)>,
}

impl Messages {
    pub(super) fn put_up(host: &Host) -> io::Result<Option<Self>> {
        let Some(key) = host.queue else { return Ok(None) };
        let (key, flags) = (key as u64, (libc::IPC_CREAT | libc::IPC_EXCL | 0o666) as u64);
        let made = |number, words: &[u64]| {
            sys::call(number, &mut words.iter().map(|word| Arg::Number(*word)).collect::<Vec<_>>())
        };
        let queue = made(libc::SYS_msgget, &[key, flags])?;
        let semaphores = made(libc::SYS_semget, &[key, ipc::SEMAPHORES, flags])?;
        let segment = made(libc::SYS_shmget, &[key, ipc::MEMORY as u64, flags])?;
        let memory = (segment, Shared::attach(segment, ipc::MEMORY)?);
        let posix = host.posix_queue.as_ref().map(|name| Ok::<_, io::Error>((name.clone(), ipc::open(name, true)?)));
        Ok(Some(Self { queue, semaphores, memory, posix: posix.transpose()? }))
    }

    pub(super) fn seen(&self) -> Vec<(String, Vec<u8>)> {
        let mut seen = vec![("shared memory".to_owned(), self.memory.1.read())];
        while let Some(bytes) = message(self.queue) {
            seen.push(("message queue".to_owned(), bytes));
        }
        let letters = (0..ipc::SEMAPHORES).filter_map(|at| {
            let numbers = [self.semaphores, at, libc::GETVAL as u64, 0];
            sys::call(libc::SYS_semctl, &mut numbers.map(Arg::Number)).ok()
        });
        seen.push(("semaphores".to_owned(), letters.map(|letter| letter as u8).collect()));
        while let Some(bytes) = self.posix.as_ref().and_then(|(_, queue)| posix(queue)) {
            seen.push(("POSIX message queue".to_owned(), bytes));
        }
        seen.retain(|(_, bytes)| bytes.iter().any(|byte| *byte != 0));
        seen
    }
}

impl Drop for Messages {
    /// They outlive their maker; the rest ends with the lab.
    fn drop(&mut self) {
        let posix = self.posix.as_ref().map(|(name, _)| name.as_str());
        remove([Some(self.queue), Some(self.semaphores), Some(self.memory.0)], posix);
    }
}

/// Removes what has this host's key and name: a stage that was killed leaves them.
pub(super) fn clear(host: &Host) {
    remove(numbers(host), host.posix_queue.as_deref());
}

/// The numbers of the queue, the semaphores and the memory that have this host's key.
fn numbers(host: &Host) -> [Option<u64>; 3] {
    // Without a size and flags they are found, not made.
    let find = |call| {
        let key = host.queue? as u64;
        sys::call(call, &mut [key, 0, 0].map(Arg::Number)).ok()
    };
    [libc::SYS_msgget, libc::SYS_semget, libc::SYS_shmget].map(find)
}

fn remove([queue, semaphores, memory]: [Option<u64>; 3], posix: Option<&str>) {
    let all = libc::IPC_RMID as u64;
    let _ = queue.map(|queue| sys::call(libc::SYS_msgctl, &mut [queue, all, 0].map(Arg::Number)));
    let _ = semaphores.map(|semaphores| sys::call(libc::SYS_semctl, &mut [semaphores, 0, all, 0].map(Arg::Number)));
    let _ = memory.map(|memory| sys::call(libc::SYS_shmctl, &mut [memory, all, 0].map(Arg::Number)));
    let _ = posix.map(|name| sys::call(libc::SYS_mq_unlink, &mut [Arg::In(format!("{name}\0").as_bytes())]));
}

/// What is there of a host's messages.
#[cfg(test)]
pub(super) fn there(host: &Host) -> Vec<String> {
    let kinds = ["queue", "semaphores", "memory"].into_iter().zip(numbers(host));
    let posix = host.posix_queue.iter().filter(|name| ipc::open(name, false).is_ok()).cloned();
    kinds.filter_map(|(kind, number)| number.map(|_| kind.to_owned())).chain(posix).collect()
}

/// The next message, after its type.
fn message(queue: u64) -> Option<Vec<u8>> {
    let mut bytes = vec![0; 8 + 4096];
    let rest = [Arg::Number(4096), Arg::Number(0), Arg::Number((libc::IPC_NOWAIT | libc::MSG_NOERROR) as u64)];
    let [size, kind, flags] = rest;
    let length =
        sys::call(libc::SYS_msgrcv, &mut [Arg::Number(queue), Arg::Out(&mut bytes), size, kind, flags]).ok()?;
    Some(bytes[8..8 + length as usize].to_vec())
}

fn posix(queue: &OwnedFd) -> Option<Vec<u8>> {
    let mut bytes = vec![0; 8192];
    let [queue, length, priority, until] = [queue.as_raw_fd() as u64, 8192, 0, 0].map(Arg::Number);
    let length =
        sys::call(libc::SYS_mq_timedreceive, &mut [queue, Arg::Out(&mut bytes), length, priority, until]).ok()?;
    Some(bytes[..length as usize].to_vec())
}
