//! Does a crash leave what is in memory where the host keeps dumps?

use crate::attempt::{Attempt, Control, Severity};
use crate::field::Field;
use crate::sys::{self, Arg};
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "core-dump",
    class: "shared",
    severity: Severity::Critical,
    control: Control::Perhaps("where dumps go is a setting of the machine"),
    about: "Raises the limit for dumps as far as it may, lowers it to zero in another process, and crashes with data in memory.",
    make,
    ..Attempt::USUAL
};

fn make(field: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    tried.call("go to the shared directory", std::env::set_current_dir(field.host.directory()?));
    let Some(child) = tried.call("fork", sys::fork()) else { return Ok(()) };
    let data = std::hint::black_box(token.text().to_owned());
    if child.is_some() {
        std::thread::sleep(std::time::Duration::from_millis(500));
        return Ok(());
    }
    let largest = [u64::MAX; 2].map(u64::to_ne_bytes).concat();
    let mut now = [0; 16];
    let [own, core, none] = [0, u64::from(libc::RLIMIT_CORE), 0].map(Arg::Number);
    let asked = sys::call(libc::SYS_prlimit64, &mut [own, core, none, Arg::Out(&mut now)]);
    // The soft limit up to the hard one, where the hard one can't be raised.
    let hard = [&now[8..], &now[8..]].concat();
    for limit in [largest, hard] {
        let [own, core, none] = [0, u64::from(libc::RLIMIT_CORE), 0].map(Arg::Number);
        tried.call("raise the limit", sys::call(libc::SYS_prlimit64, &mut [own, core, Arg::In(&limit), none]));
    }
    tried.call("look at the limit", asked);
    tried.call("keep", Ok::<_, String>(data.len()));
    std::process::abort()
}
