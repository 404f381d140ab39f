//! Which kernel settings does each namespace need, and how are they read later?
//!
//! Some of these change without a notification, so each stays open: the descriptor is bound to its namespace
//! and can be read from anywhere.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::uio::pread;

use crate::airlock::Sysctl;
use crate::build::BuildError;
use crate::layout::{Layout, Side};

/// Settings per device, IPv4. They are made for `all` and for `default`, from which the veth inherits.
const DEVICE4: [(&str, &str); 9] = [
    ("forwarding", "0"),
    ("mc_forwarding", "0"),
    ("route_localnet", "0"),
    ("accept_local", "0"),
    ("accept_source_route", "0"),
    ("accept_redirects", "0"),
    ("send_redirects", "0"),
    ("proxy_arp", "0"),
    // The rules check the source address; the kernel's check would drop without counting.
    ("rp_filter", "0"),
];

/// Settings per device, IPv6.
const DEVICE6: [(&str, &str); 10] = [
    ("disable_ipv6", "0"),
    ("forwarding", "0"),
    ("accept_ra", "0"),
    ("accept_redirects", "0"),
    ("accept_source_route", "0"),
    ("autoconf", "0"),
    ("router_solicitations", "0"),
    ("proxy_ndp", "0"),
    ("accept_dad", "0"),
    // No link-local address: the two fixed ones are all.
    ("addr_gen_mode", "1"),
];

/// Settings of a whole namespace. ICMP errors are how a client hears of a refusal, so they are never held
/// back by rate. Nobody shares the pair, so TCP has nothing to pace or probe for there, whatever the host has chosen;
/// Reno is what every kernel has and every namespace may choose.
const WHOLE: [(&str, &str); 8] = [
    ("net/ipv4/ip_forward", "0"),
    ("net/ipv4/ip_nonlocal_bind", "0"),
    ("net/ipv6/ip_nonlocal_bind", "0"),
    ("net/ipv4/icmp_ratelimit", "0"),
    ("net/ipv4/icmp_ratemask", "0"),
    ("net/ipv6/icmp/ratelimit", "0"),
    ("net/ipv6/icmp/ratemask", ""),
    ("net/ipv4/tcp_congestion_control", "reno"),
];

/// Makes the settings that must precede the devices, and opens those that are watched from then on.
/// The caller is in the namespace.
pub(crate) fn prepare(side: Side) -> Result<Vec<Sysctl>, BuildError> {
    for (path, value) in device_settings("default") {
        ensure(side, path, value)?;
    }
    let of_all = device_settings("all");
    let whole = WHOLE.into_iter().map(|(path, value)| (path.to_owned(), value));
    whole.chain(of_all).map(|(path, value)| ensure(side, path, value)).collect()
}

/// The same for the veth, which exists now.
pub(crate) fn of_device(layout: &Layout, side: Side) -> Result<Vec<Sysctl>, BuildError> {
    let settings = device_settings(&layout.end(side).device);
    settings.map(|(path, value)| ensure(side, path, value)).collect()
}

/// Reads a setting through its descriptor.
pub(crate) fn read(file: impl AsFd) -> std::io::Result<String> {
    let mut bytes = [0_u8; 256];
    let length = pread(file, &mut bytes, 0)?;
    Ok(String::from_utf8_lossy(&bytes[..length]).trim().to_owned())
}

fn device_settings(device: &str) -> impl Iterator<Item = (String, &'static str)> {
    let v4 = DEVICE4.into_iter().map(move |(name, value)| (format!("net/ipv4/conf/{device}/{name}"), value));
    let v6 = DEVICE6.into_iter().map(move |(name, value)| (format!("net/ipv6/conf/{device}/{name}"), value));
    v4.chain(v6)
}

/// Opens a setting, and makes it where it is not so already.
fn ensure(side: Side, path: String, value: &str) -> Result<Sysctl, BuildError> {
    let made = || -> std::io::Result<OwnedFd> {
        let full = format!("/proc/sys/{path}");
        let file = File::open(&full)?;
        if read(&file)? != value {
            // An empty bitmap is written as an empty line.
            let line = format!("{value}\n");
            OpenOptions::new().write(true).open(full)?.write_all(line.as_bytes())?;
        }
        Ok(file.into())
    };
    match made() {
        Ok(fd) => Ok(Sysctl { side, path, expected: value.to_owned(), fd }),
        Err(source) => Err(failed(side, &path, &source)),
    }
}

fn failed(side: Side, path: &str, source: &std::io::Error) -> BuildError {
    let errno = source.raw_os_error().map_or(Errno::UnknownErrno, Errno::from_raw);
    BuildError::Sysctl { side, path: path.to_owned(), errno }
}

/// What every watched setting must be.
pub(crate) fn expected(layout: &Layout, side: Side) -> Vec<(String, String)> {
    let devices = ["all", layout.end(side).device.as_str()];
    let of_devices = devices.into_iter().flat_map(device_settings);
    let of_all = WHOLE.into_iter().map(|(path, value)| (path.to_owned(), value));
    of_devices.chain(of_all).map(|(path, value)| (path, value.to_owned())).collect()
}
