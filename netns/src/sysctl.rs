//! Which kernel settings does each namespace need, and how are they read later?
//!
//! Some of these change without a notification, so each stays open: the descriptor is bound to its namespace
//! and can be read from anywhere.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;

use nix::errno::Errno;

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
/// back by rate.
const WHOLE: [(&str, &str); 7] = [
    ("net/ipv4/ip_forward", "0"),
    ("net/ipv4/ip_nonlocal_bind", "0"),
    ("net/ipv6/ip_nonlocal_bind", "0"),
    ("net/ipv4/icmp_ratelimit", "0"),
    ("net/ipv4/icmp_ratemask", "0"),
    ("net/ipv6/icmp/ratelimit", "0"),
    ("net/ipv6/icmp/ratemask", ""),
];

/// Makes the settings that must precede the devices. The caller is in the namespace.
pub(crate) fn prepare(side: Side) -> Result<(), BuildError> {
    for device in ["all", "default"] {
        for (path, value) in device_settings(device) {
            ensure(side, &path, value)?;
        }
    }
    for (path, value) in WHOLE {
        ensure(side, path, value)?;
    }
    Ok(())
}

/// Opens all settings that are watched from then on. The caller is in the namespace and the veth exists.
pub(crate) fn watch(layout: &Layout, side: Side) -> Result<Vec<Sysctl>, BuildError> {
    let mut watched = Vec::new();
    for device in ["all", layout.end(side).device.as_str()] {
        for (path, value) in device_settings(device) {
            ensure(side, &path, value)?;
            watched.push(open(side, path, value)?);
        }
    }
    for (path, value) in WHOLE {
        watched.push(open(side, path.to_owned(), value)?);
    }
    Ok(watched)
}

/// Reads a setting through its descriptor.
pub(crate) fn read(file: &File) -> std::io::Result<String> {
    let mut bytes = [0_u8; 256];
    let length = file.read_at(&mut bytes, 0)?;
    Ok(String::from_utf8_lossy(&bytes[..length]).trim().to_owned())
}

fn device_settings(device: &str) -> impl Iterator<Item = (String, &'static str)> {
    let v4 = DEVICE4
        .into_iter()
        .map(move |(name, value)| (format!("net/ipv4/conf/{device}/{name}"), value));
    let v6 = DEVICE6
        .into_iter()
        .map(move |(name, value)| (format!("net/ipv6/conf/{device}/{name}"), value));
    v4.chain(v6)
}

fn ensure(side: Side, path: &str, value: &str) -> Result<(), BuildError> {
    let fail = |source: std::io::Error| failed(side, path, &source);
    let file = File::open(format!("/proc/sys/{path}")).map_err(fail)?;
    if read(&file).map_err(fail)? == value {
        return Ok(());
    }
    let writable = OpenOptions::new()
        .write(true)
        .open(format!("/proc/sys/{path}"));
    // An empty bitmap is written as an empty line.
    writable
        .and_then(|mut file| file.write_all(format!("{value}\n").as_bytes()))
        .map_err(fail)
}

fn open(side: Side, path: String, expected: &str) -> Result<Sysctl, BuildError> {
    let file =
        File::open(format!("/proc/sys/{path}")).map_err(|source| failed(side, &path, &source))?;
    Ok(Sysctl {
        side,
        path,
        expected: expected.to_owned(),
        fd: OwnedFd::from(file),
    })
}

fn failed(side: Side, path: &str, source: &std::io::Error) -> BuildError {
    let errno = source
        .raw_os_error()
        .map_or(Errno::UnknownErrno, Errno::from_raw);
    BuildError::Sysctl {
        side,
        path: path.to_owned(),
        errno,
    }
}

/// What every watched setting must be.
pub(crate) fn expected(layout: &Layout, side: Side) -> Vec<(String, String)> {
    let devices = ["all", layout.end(side).device.as_str()];
    let of_devices = devices.into_iter().flat_map(device_settings);
    let of_all = WHOLE
        .into_iter()
        .map(|(path, value)| (path.to_owned(), value));
    of_devices
        .chain(of_all)
        .map(|(path, value)| (path, value.to_owned()))
        .collect()
}
