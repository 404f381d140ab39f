//! Which kernel settings does each namespace need, and how are they read later?
//!
//! Some of these change without a notification, so each stays open: the descriptor is bound to its namespace
//! and can be read from anywhere.

use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;
use nix::sys::uio::pread;

use crate::airlock::Sysctl;
use crate::build::BuildError;
use crate::layout::{Layout, Side};

/// A name, and what it must be.
type Setting = (&'static str, &'static str);

/// Settings per device, IPv4. They are made for `all`, and for the veth while it is down.
static DEVICE4: [Setting; 9] = [
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

/// Settings per device, IPv6. None that the kernel reads or makes under the lock of all links (addr_gen_mode): where others hold it, as
/// for a namespace that ends, it has the caller try again and again.
static DEVICE6: [Setting; 9] = [
    ("disable_ipv6", "0"),
    ("forwarding", "0"),
    ("accept_ra", "0"),
    ("accept_redirects", "0"),
    ("accept_source_route", "0"),
    ("autoconf", "0"),
    ("router_solicitations", "0"),
    ("proxy_ndp", "0"),
    ("accept_dad", "0"),
];

/// Settings of a whole namespace, below `net`. ICMP errors are how a client hears of a refusal, so they are never held
/// back by rate. Nobody shares the pair, so TCP has nothing to pace or probe for there, whatever the host has chosen;
/// Reno is what every kernel has and every namespace may choose.
static WHOLE: [Setting; 8] = [
    ("ipv4/ip_forward", "0"),
    ("ipv4/ip_nonlocal_bind", "0"),
    ("ipv6/ip_nonlocal_bind", "0"),
    ("ipv4/icmp_ratelimit", "0"),
    ("ipv4/icmp_ratemask", "0"),
    ("ipv6/icmp/ratelimit", "0"),
    ("ipv6/icmp/ratemask", ""),
    ("ipv4/tcp_congestion_control", "reno"),
];

/// Makes the settings that must precede the devices, and opens those that are watched from then on.
/// The caller is in the namespace.
pub(crate) fn prepare(side: Side) -> Result<Vec<Sysctl>, BuildError> {
    let net = Directory::open(side, "net".into())?;
    let mut made = WHOLE.iter().map(|(name, value)| net.ensure(side, name, value)).collect::<Result<Vec<_>, _>>()?;
    made.extend(device_settings(side, "all")?);
    Ok(made)
}

/// The same for the veth, which is there and down. `default` stays as it is: it counts for devices that come later, and none does.
pub(crate) fn of_device(layout: &Layout, side: Side) -> Result<Vec<Sysctl>, BuildError> {
    device_settings(side, &layout.end(side).device)
}

/// Lets everybody in the caller's namespace listen at any port: servers in images do below 1024, and nothing inside has the capability
/// for it. Nothing rests upon it, so it is not watched.
pub(crate) fn open_low_ports(side: Side) -> Result<(), BuildError> {
    let net = Directory::open(side, "net/ipv4".into())?;
    net.ensure(side, "ip_unprivileged_port_start", "0").map(drop)
}

/// Reads a setting through its descriptor.
pub(crate) fn read(file: impl AsFd) -> std::io::Result<String> {
    let mut bytes = [0_u8; 256];
    let length = pread(file, &mut bytes, 0)?;
    Ok(String::from_utf8_lossy(&bytes[..length]).trim().to_owned())
}

/// Makes and opens those of a device.
fn device_settings(side: Side, device: &str) -> Result<Vec<Sysctl>, BuildError> {
    let mut made = Vec::new();
    for (directory, settings) in by_directory(device) {
        let directory = Directory::open(side, directory)?;
        for (name, value) in settings {
            made.push(directory.ensure(side, name, value)?);
        }
    }
    Ok(made)
}

/// Those of a device, by the directory that they lie in, below /proc/sys.
fn by_directory(device: &str) -> [(String, &'static [Setting]); 2] {
    [(format!("net/ipv4/conf/{device}"), &DEVICE4), (format!("net/ipv6/conf/{device}"), &DEVICE6)]
}

/// A directory of settings, held: in a longer path the kernel looks up each part anew for each of them.
struct Directory {
    /// Below /proc/sys.
    path: String,
    fd: OwnedFd,
}

impl Directory {
    fn open(side: Side, path: String) -> Result<Directory, BuildError> {
        match File::open(format!("/proc/sys/{path}")) {
            Ok(directory) => Ok(Directory { path, fd: directory.into() }),
            Err(source) => Err(failed(side, &path, &source)),
        }
    }

    /// Opens a setting, and makes it where it is not so already.
    fn ensure(&self, side: Side, name: &str, value: &str) -> Result<Sysctl, BuildError> {
        let path = format!("{}/{name}", self.path);
        match self.made(name, value) {
            Ok(fd) => Ok(Sysctl { side, path, expected: value.to_owned(), fd }),
            Err(source) => Err(failed(side, &path, &source)),
        }
    }

    fn made(&self, name: &str, value: &str) -> std::io::Result<OwnedFd> {
        let open = |how| openat(&self.fd, name, how | OFlag::O_CLOEXEC, Mode::empty());
        let file = open(OFlag::O_RDONLY)?;
        if read(&file)? != value {
            // An empty bitmap is written as an empty line.
            let line = format!("{value}\n");
            File::from(open(OFlag::O_WRONLY)?).write_all(line.as_bytes())?;
        }
        Ok(file)
    }
}

fn failed(side: Side, path: &str, source: &std::io::Error) -> BuildError {
    let errno = source.raw_os_error().map_or(Errno::UnknownErrno, Errno::from_raw);
    BuildError::Sysctl { side, path: path.to_owned(), errno }
}

/// What every watched setting must be.
pub(crate) fn expected(layout: &Layout, side: Side) -> Vec<(String, String)> {
    let devices = ["all", layout.end(side).device.as_str()].into_iter().flat_map(by_directory);
    let directories = devices.chain([("net".into(), WHOLE.as_slice())]);
    let named = |directory: String, settings: &'static [Setting]| {
        settings.iter().map(move |(name, value)| (format!("{directory}/{name}"), (*value).to_owned()))
    };
    directories.flat_map(|(directory, settings)| named(directory, settings)).collect()
}
