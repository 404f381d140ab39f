//! Is a device made that the host would open?

use crate::attempt::{Attempt, Control, Severity};
use crate::field::Field;
use crate::sys::{self, Arg};
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "device-in-directory",
    class: "shared",
    severity: Severity::Critical,
    control: Control::None("it takes power over the whole machine, which an open sandbox does not have here either"),
    about: "Makes the first disk and the kernel's memory as files in the shared directory.",
    make,
    ..Attempt::USUAL
};

fn make(field: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let path = field.host.directory()?.join(token.text());
    for (kind, major, minor) in [(libc::S_IFBLK, 8, 0), (libc::S_IFBLK, 259, 0), (libc::S_IFCHR, 1, 1)] {
        let name = format!("{}.{major}\0", path.display());
        let number = libc::makedev(major, minor);
        let [here, mode, number] = [libc::AT_FDCWD as u64, u64::from(kind | 0o666), number].map(Arg::Number);
        tried.call("mknod", sys::call(libc::SYS_mknodat, &mut [here, Arg::In(name.as_bytes()), mode, number]));
    }
    Ok(())
}
