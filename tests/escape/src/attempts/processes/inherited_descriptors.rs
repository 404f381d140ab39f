//! Was a descriptor left open that leads out?

use std::fs;

use crate::attempt::{Attempt, Control, Severity};
use crate::field::Field;
use crate::sys::{self, Arg};
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "inherited-descriptors",
    class: "processes",
    severity: Severity::Critical,
    control: Control::None("whoever starts an open sandbox leaves nothing open"),
    about: "Reads, writes to and walks through each descriptor that it was started with.",
    make,
    ..Attempt::USUAL
};

fn make(field: &Field, _: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    for descriptor in 3..64_u64 {
        let Ok(what) = fs::read_link(format!("/proc/self/fd/{descriptor}")) else { continue };
        // The pipes are the suite's own.
        if what.to_string_lossy().starts_with("pipe:") {
            continue;
        }
        let mut bytes = [0; 256];
        let [from, length, start] = [descriptor, 256, 0].map(Arg::Number);
        let read = sys::call(libc::SYS_pread64, &mut [from, Arg::Out(&mut bytes), length, start]);
        if let Some(length) = tried.call(&format!("read {}", what.display()), read) {
            tried.output(&bytes[..length as usize]);
        }
        for path in field.host.some(&field.host.secret_files, "host.secret_files")? {
            let below = format!("../../../../../../../..{}\0", path.display());
            let [from, flags] = [descriptor, 0].map(Arg::Number);
            let opened =
                sys::call(libc::SYS_openat, &mut [from, Arg::In(below.as_bytes()), flags]).and_then(sys::owned);
            if let Some(file) = tried.call("walk", opened) {
                tried.output(&std::io::read_to_string(fs::File::from(file)).unwrap_or_default().into_bytes());
            }
        }
    }
    Ok(())
}
