//! Can a program take what another process has open?

use std::os::fd::AsRawFd;

use crate::attempt::{Attempt, Severity};
use crate::family;
use crate::field::Field;
use crate::sys::{self, Arg};
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "stolen-descriptors",
    class: "processes",
    severity: Severity::Critical,
    about: "Takes each descriptor of each visible process with pidfd_getfd, and reads the files among them.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, _: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let (mut taken, mut refused) = (0, 0);
    for id in family::ids() {
        let Ok(process) = sys::call(libc::SYS_pidfd_open, &mut [id, 0].map(Arg::Number)).and_then(sys::owned) else {
            continue;
        };
        for descriptor in 0..32 {
            let arguments = [process.as_raw_fd() as u64, descriptor, 0].map(Arg::Number);
            let Ok(stolen) = sys::call(libc::SYS_pidfd_getfd, &mut { arguments }).and_then(sys::owned) else {
                refused += 1;
                continue;
            };
            taken += 1;
            let mut bytes = [0; 256];
            let [from, length, start] = [stolen.as_raw_fd() as u64, 256, 0].map(Arg::Number);
            // Where a descriptor has no position, this fails and takes nothing from anybody.
            if let Ok(length) = sys::call(libc::SYS_pread64, &mut [from, Arg::Out(&mut bytes), length, start]) {
                tried.output(&bytes[..length as usize]);
            }
        }
    }
    tried.call::<(), _>("take", Err(format!("{taken} taken, {refused} refused")));
    Ok(())
}
