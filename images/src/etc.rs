//! What is in /etc? A few of the host's files by name, and those that bottle writes itself.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::context::Context;
use crate::plan::{Kind, Mount, Owner, User};

/// What programs need of the host's /etc and what tells nothing secret. Directories with keys or tokens in them
/// are named by the parts that have none.
const NAMED: [&str; 47] = [
    "alternatives",
    "bash.bashrc",
    "bash_completion",
    "ca-certificates",
    "ca-certificates.conf",
    "crypto-policies",
    "debian_version",
    "default/locale",
    "fedora-release",
    "fonts",
    "gai.conf",
    "gitconfig",
    "host.conf",
    "inputrc",
    "java-11-openjdk",
    "java-17-openjdk",
    "java-21-openjdk",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "locale.alias",
    "locale.conf",
    "locale.gen",
    "login.defs",
    "lsb-release",
    "magic",
    "mime.types",
    "os-release",
    "perl",
    "pip.conf",
    "pki/ca-trust",
    "pki/tls/cert.pem",
    "pki/tls/certs",
    "pki/tls/openssl.cnf",
    "profile",
    "profile.d",
    "protocols",
    "python3",
    "python3.11",
    "redhat-release",
    "services",
    "shells",
    "ssl/cert.pem",
    "ssl/certs",
    "ssl/openssl.cnf",
    "timezone",
];

/// More of the same whose names are longer lists: `ssh_config` without the host's keys, terminal descriptions.
#[rustfmt::skip]
const ALSO: [&str; 5] = ["ssh/ssh_config", "ssh/ssh_config.d", "ssh/ssh_known_hosts", "terminfo", "vimrc"];

/// The files that name the run: each has another host name.
pub(crate) const OF_THE_RUN: [&str; 2] = ["/etc/hosts", "/etc/hostname"];

/// /etc itself, the host's files in it, then bottle's own.
pub(crate) fn mounts(context: &Context, user: &User) -> Vec<Mount> {
    let mut mounts = vec![Mount::new("/etc", Kind::Directory { mode: 0o755, owner: Owner::Root })];
    let etc = context.host.join("etc");
    mounts.extend(NAMED.iter().chain(&ALSO).filter_map(|name| host_file(&etc, name)));
    mounts.extend(own_files(context, user));
    mounts
}

/// Only what everyone on the host may read. Links are kept where they lead into /etc or /usr, which exist inside too.
fn host_file(etc: &Path, name: &str) -> Option<Mount> {
    let source = etc.join(name);
    let target = Path::new("/etc").join(name);
    if let Ok(to) = std::fs::read_link(&source) {
        let inside = target.parent()?.join(&to);
        let kept = inside.starts_with("/usr") || to.starts_with("../usr");
        if kept {
            return Some(Mount::new(target, Kind::Symlink { to }));
        }
    }
    let source = source.canonicalize().ok()?;
    let mode = source.metadata().ok()?.permissions().mode();
    (mode & 0o004 != 0).then(|| Mount::new(target, Kind::ReadOnly { source }))
}

/// The files by which programs learn who and where they are; the same for every image.
pub(crate) fn own_files(context: &Context, user: &User) -> Vec<Mount> {
    let hostname = &context.hostname;
    let file = |name: &str, text: String| Mount::new(Path::new("/etc").join(name), Kind::File { text });
    vec![
        file("resolv.conf", format!("nameserver {}\n", context.nameserver)),
        file("nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n".to_owned()),
        file("hosts", format!("127.0.0.1 localhost {hostname}\n::1 localhost ip6-localhost ip6-loopback\n")),
        file("hostname", format!("{hostname}\n")),
        file("passwd", passwd(user)),
        file("group", group(user)),
    ]
}

fn passwd(user: &User) -> String {
    let own = format!(
        "{}:x:{}:{}:{}:{}:{}\n",
        user.name,
        user.uid,
        user.gid,
        user.name,
        user.home.display(),
        user.shell.display()
    );
    let root = if user.uid == 0 { "" } else { "root:x:0:0:root:/root:/bin/sh\n" };
    format!("{root}{own}nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n")
}

fn group(user: &User) -> String {
    let own = if user.gid == 0 { String::new() } else { format!("{}:x:{}:\n", user.name, user.gid) };
    format!("root:x:0:\n{own}tty:x:5:\nnogroup:x:65534:\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_only_root_reads_is_left_out() {
        let etc = tempfile::tempdir().unwrap();
        for (name, mode) in [("pip.conf", 0o640), ("services", 0o644)] {
            std::fs::write(etc.path().join(name), "").unwrap();
            std::fs::set_permissions(etc.path().join(name), PermissionsExt::from_mode(mode)).unwrap();
        }
        assert!(host_file(etc.path(), "pip.conf").is_none());
        assert!(host_file(etc.path(), "services").is_some());
    }

    #[test]
    fn a_link_into_usr_stays_a_link_and_one_elsewhere_becomes_its_file() {
        let etc = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/usr/share/zoneinfo/UTC", etc.path().join("localtime")).unwrap();
        std::fs::write(etc.path().join("real"), "").unwrap();
        std::os::unix::fs::symlink(etc.path().join("real"), etc.path().join("services")).unwrap();
        assert!(matches!(host_file(etc.path(), "localtime").unwrap().kind, Kind::Symlink { .. }));
        assert!(matches!(host_file(etc.path(), "services").unwrap().kind, Kind::ReadOnly { .. }));
    }

    #[test]
    fn nothing_that_holds_keys_is_named() {
        for secret in ["shadow", "ssl", "ssl/private", "ssh", "pki", "pki/tls", "machine-id", "sudoers"] {
            assert!(!NAMED.contains(&secret) && !ALSO.contains(&secret), "{secret}");
        }
    }
}
