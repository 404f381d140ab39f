//! Is a file in the shared directory made set-user-id?

use crate::attempt::{Attempt, Severity};
use crate::field::Field;
use crate::sys::{self, Arg};
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "set-id-when-made",
    class: "shared",
    severity: Severity::Critical,
    about: "Makes files and directories in the shared directory with set-id bits from the start.",
    make,
    ..Attempt::USUAL
};

fn make(field: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let path = field.host.directory()?.join(token.text());
    let name = |kind: &str| format!("{}.{kind}\0", path.display());
    let flags = (libc::O_CREAT | libc::O_WRONLY) as u64;
    tried.call("umask", sys::call(libc::SYS_umask, &mut [Arg::Number(0)]));
    let [here, flags, mode] = [libc::AT_FDCWD as u64, flags, 0o4777].map(Arg::Number);
    tried.call("openat", sys::call(libc::SYS_openat, &mut [here, Arg::In(name("open").as_bytes()), flags, mode]));
    let [here, mode, device] = [libc::AT_FDCWD as u64, u64::from(libc::S_IFREG | 0o4777), 0].map(Arg::Number);
    tried.call("mknodat", sys::call(libc::SYS_mknodat, &mut [here, Arg::In(name("node").as_bytes()), mode, device]));
    let [here, mode] = [libc::AT_FDCWD as u64, 0o2777].map(Arg::Number);
    tried.call("mkdirat", sys::call(libc::SYS_mkdirat, &mut [here, Arg::In(name("directory").as_bytes()), mode]));
    let how = [u64::from((libc::O_CREAT | libc::O_WRONLY) as u32), 0o4777, 0].map(u64::to_ne_bytes).concat();
    let [here, size] = [libc::AT_FDCWD as u64, how.len() as u64].map(Arg::Number);
    let arguments = [here, Arg::In(&[]), Arg::In(&how), size];
    let [here, _, how, size] = arguments;
    tried.call("openat2", sys::call(libc::SYS_openat2, &mut [here, Arg::In(name("open2").as_bytes()), how, size]));
    Ok(())
}
