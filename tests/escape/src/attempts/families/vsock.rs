//! Does a socket to the hypervisor open?

use crate::attempt::{Attempt, Control, Severity};
use crate::field::Field;
use crate::sys::{self, Arg};
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "vsock",
    class: "families",
    severity: Severity::Critical,
    control: Control::Perhaps("not every kernel has the family"),
    about: "Opens sockets of AF_VSOCK, which lead to the machine below and belong to no network namespace. That one opens is a way out: nothing is sent.",
    make,
    ..Attempt::USUAL
};

/// Of the family's number the kernel looks at the lower half, and filters may look at all of it.
const UPPER: u64 = 1 << 32;

/// By which programs of 32 bits make a socket (linux, arch/x86/entry/syscalls/syscall_32.tbl).
const NARROW: u32 = 359;

/// What is opened is closed with the attempt's process.
fn make(_: &Field, _: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let kinds = [libc::SOCK_STREAM, libc::SOCK_SEQPACKET];
    for (upper, how) in [(0, ""), (UPPER, " by a number with an upper half")] {
        let open = |kind: &i32| {
            let family = Arg::Number(upper | libc::AF_VSOCK as u64);
            let opened = sys::call(libc::SYS_socket, &mut [family, Arg::Number(*kind as u64), Arg::Number(0)]);
            tried.call(&format!("socket of kind {kind}{how}"), opened).is_some()
        };
        if kinds.iter().map(open).filter(|is_open| *is_open).count() > 0 {
            tried.way(&format!("a socket of AF_VSOCK{how}"));
        }
    }
    // The last one, since a filter may kill for it. That there is no such call is not the family's matter.
    if sys::call32(NARROW, [libc::AF_VSOCK as u32, libc::SOCK_STREAM as u32, 0]).is_ok() {
        tried.way("a socket of AF_VSOCK by a call of 32 bits");
    }
    Ok(())
}
