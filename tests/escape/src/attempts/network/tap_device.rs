//! Does a link that a program plays itself lead out?

use std::fs;
use std::io::Write;
use std::os::fd::AsRawFd;

use crate::attempt::{Attempt, Company, Control};
use crate::field::Field;
use crate::link;
use crate::netlink;
use crate::sys::{self, Arg};
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

pub(super) const ATTEMPT: Attempt = Attempt {
    id: "tap-device",
    class: "network",
    control: Control::Perhaps("not every machine lets everybody open the device"),
    company: Company::Alone,
    about: "Opens /dev/net/tun, makes a link, and writes a frame to it.",
    make,
    ..Attempt::USUAL
};

fn make(_: &Field, token: &Token, tried: &mut Tried) -> Result<(), NotApplicable> {
    let (mut request, set) = ([0; 40], 0x4004_54ca);
    let name = format!("esc{}", token.number());
    request[..name.len()].copy_from_slice(name.as_bytes());
    request[16..18].copy_from_slice(&0x1002_u16.to_ne_bytes());
    let device = fs::OpenOptions::new().read(true).write(true).open("/dev/net/tun");
    let Some(mut device) = tried.call("open /dev/net/tun", device) else { return Ok(()) };
    let descriptor = Arg::Number(device.as_raw_fd() as u64);
    tried.call("TUNSETIFF", sys::call(libc::SYS_ioctl, &mut [descriptor, Arg::Number(set), Arg::Out(&mut request)]));
    let (Some(link), Some(socket)) = (link::named(&name), tried.call("netlink", netlink::routing())) else {
        return Ok(());
    };
    tried.call("raise", netlink::ask(&socket, libc::RTM_NEWLINK, &netlink::link(link.index, true)));
    tried.call("write", device.write_all(&link::ethernet(link::EVERYBODY, link.mac, 0x88b5, token.bytes())));
    Ok(())
}
