//! Why has a caller one id only, and what mends that?

use std::path::PathBuf;

/// Why there is no range of ids.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lacking {
    /// A program is in none of the system's directories.
    #[error("{0} is not installed")]
    Program(&'static str),
    /// It is there and is not used.
    #[error("{} is not used: {why}", path.display())]
    Unfit {
        /// Which one.
        path: PathBuf,
        /// Why not.
        why: &'static str,
    },
    /// No program gives this process more rights than it has.
    #[error("bottle was started with no_new_privs, so that newuidmap has no right to map ids")]
    NoNewPrivileges,
    /// A file is there and can't be read.
    #[error("cannot read {}: {why}", path.display())]
    Unreadable {
        /// Which one.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// Nothing is granted.
    #[error("{name} has no range of 65,536 {}", match (uids, gids) {
        (Some(_), None) => "uids in /etc/subuid",
        (None, Some(_)) => "gids in /etc/subgid",
        _ => "ids in /etc/subuid and /etc/subgid",
    })]
    Range {
        /// The caller's login name.
        name: String,
        /// Where a range of uids would be free, if one is missing.
        uids: Option<u32>,
        /// The same for gids.
        gids: Option<u32>,
    },
    /// The caller has changed its group.
    #[error("the gid {gid} is not that of the caller's login, and newgidmap maps no other")]
    Group {
        /// The caller's.
        gid: u32,
    },
    /// bottle itself runs in a user namespace that is too small.
    #[error("the user namespace that bottle runs in has not all of the range's ids")]
    Nested,
}

impl Lacking {
    /// What to do about it: a command where there is one.
    pub fn mend(&self) -> Option<String> {
        match self {
            Lacking::Program(_) => {
                Some("sudo apt-get install uidmap (elsewhere the package is called shadow-utils)".into())
            }
            Lacking::Unfit { .. } => {
                Some("sudo apt-get install --reinstall uidmap, on a file system without nosuid".into())
            }
            Lacking::NoNewPrivileges => Some("for a unit of systemd: NoNewPrivileges=no".into()),
            Lacking::Range { name, uids, gids } => {
                let range = |option: &str, first: Option<u32>| {
                    first.map_or(String::new(), |first| format!(" --add-{option} {first}-{}", first + 65_535))
                };
                Some(format!("sudo usermod{}{} {name}", range("subuids", *uids), range("subgids", *gids)))
            }
            Lacking::Group { .. } => Some("run bottle without newgrp or sg".into()),
            Lacking::Nested => Some("run bottle outside of that container, or give it 65,536 more ids".into()),
            Lacking::Unreadable { .. } => None,
        }
    }
}
