//! What mends a failed attempt? The exact command, from the errno and the settings that were found. Pure.

use super::attempt::{Attempt, Step};
use super::findings::Findings;

/// What to do, if anything is known.
pub fn of(found: &Findings, attempt: Attempt, step: Step, errno: Option<i32>) -> Option<String> {
    match (attempt, step) {
        (Attempt::UserNamespace | Attempt::NetworkNamespace, _) | (_, Step::Namespace) => {
            namespaces(found, attempt, errno)
        }
        (Attempt::Airlock, step) => kernel_part(step).map(str::to_owned),
        (Attempt::Proc, _) => Some(
            "the container that bottle runs in hides parts of /proc: start that one with \
             --security-opt systempaths=unconfined"
                .into(),
        ),
        (Attempt::Overlay, _) => Some("sudo modprobe overlay, or a kernel of 5.11 or later".into()),
        (Attempt::Idmap, _) => {
            Some("run in a directory on ext4, xfs, btrfs or tmpfs, with a kernel of 5.12 or later".into())
        }
        (Attempt::Landlock, _) => landlock(errno),
        (Attempt::Seccomp, _) => Some("a kernel with CONFIG_SECCOMP_FILTER".into()),
        (Attempt::Pidfd, _) => Some("a kernel of 5.3 or later".into()),
        (Attempt::HigherLimit, _) if found.uid == 0 => {
            Some("run bottle with CAP_SYS_RESOURCE; in a container: --cap-add SYS_RESOURCE".into())
        }
        (Attempt::HigherLimit, _) => {
            Some("raise them for the user in /etc/security/limits.conf, for a unit by LimitNOFILE= and the like".into())
        }
        (Attempt::ReadOnlyProgram, _) => Some("a kernel of 5.12 or later".into()),
        _ => None,
    }
}

/// The reasons why namespaces are refused, the surest first.
fn namespaces(found: &Findings, attempt: Attempt, errno: Option<i32>) -> Option<String> {
    let is = |name: &str, value: u64| found.settings.get(name) == Some(&value);
    match errno? {
        libc::EPERM | libc::EACCES
            if found.uid != 0 && found.settings.get(APPARMOR).is_some_and(|value| *value != 0) =>
        {
            Some(apparmor_profile(found))
        }
        libc::EPERM | libc::EACCES if found.uid != 0 && is("kernel/unprivileged_userns_clone", 0) => {
            Some("sudo sysctl -w kernel.unprivileged_userns_clone=1".into())
        }
        libc::ENOSPC if attempt == Attempt::NetworkNamespace || is("user/max_net_namespaces", 0) => {
            Some("sudo sysctl -w user.max_net_namespaces=15000".into())
        }
        libc::ENOSPC => Some("sudo sysctl -w user.max_user_namespaces=15000".into()),
        libc::EPERM | libc::EACCES | libc::ENOSYS if found.filtered => Some(
            "the container that bottle runs in forbids namespaces: start that one with \
             --security-opt seccomp=unconfined --security-opt apparmor=unconfined"
                .into(),
        ),
        libc::EINVAL | libc::ENOSYS => Some("a kernel with CONFIG_USER_NS and CONFIG_NET_NS".into()),
        libc::EPERM if found.uid != 0 => Some("run bottle as root, outside a chroot".into()),
        libc::EPERM => Some("run bottle with CAP_SYS_ADMIN, outside a chroot".into()),
        _ => None,
    }
}

const APPARMOR: &str = "kernel/apparmor_restrict_unprivileged_userns";

/// A profile for bottle alone, rather than the switch that opens user namespaces to every program.
fn apparmor_profile(found: &Findings) -> String {
    format!(
        "printf 'abi <abi/4.0>,\\nprofile bottle {} flags=(unconfined) {{\\n  userns,\\n}}\\n' | \
         sudo tee /etc/apparmor.d/bottle && sudo apparmor_parser -r /etc/apparmor.d/bottle",
        found.program.display()
    )
}

fn kernel_part(step: Step) -> Option<&'static str> {
    match step {
        Step::Veth => Some("sudo modprobe veth, or a kernel with CONFIG_VETH"),
        Step::Nftables => Some(
            "sudo modprobe nf_tables, or a kernel with CONFIG_NF_TABLES, CONFIG_NF_TABLES_INET and CONFIG_NF_TABLES_NETDEV",
        ),
        Step::Tproxy => Some("sudo modprobe nft_tproxy, or a kernel with CONFIG_NFT_TPROXY"),
        Step::Nflog => Some(
            "sudo modprobe nfnetlink_log nft_log, or a kernel with CONFIG_NETFILTER_NETLINK_LOG and CONFIG_NFT_LOG",
        ),
        Step::Setting => Some("a kernel with IPv6 on (no ipv6.disable=1), and /proc/sys writable"),
        Step::Link | Step::Socket => {
            Some("a kernel with CONFIG_IPV6 and CONFIG_IP_MULTIPLE_TABLES, and IPv6 on (no ipv6.disable=1)")
        }
        Step::Namespace | Step::Elsewhere => None,
    }
}

fn landlock(errno: Option<i32>) -> Option<String> {
    match errno? {
        libc::EOPNOTSUPP => Some("add landlock to the lsm= list of the kernel's command line, and boot".into()),
        libc::ENOSYS => Some("a kernel of 5.13 or later with CONFIG_SECURITY_LANDLOCK".into()),
        _ => None,
    }
}
