//! Who is an ordinary user, and how does a process become one for good?

use std::ffi::CString;
use std::io;

use nix::unistd::{Gid, Uid, User, setgroups, setresgid, setresuid};

/// A user to become: ids, and where the home is if the system knows.
pub(crate) struct Person {
    uid: Uid,
    gid: Gid,
    name: Option<String>,
    home: Option<std::path::PathBuf>,
}

impl Person {
    /// Finds a user by name or by number; a number need not be known to the system.
    pub(crate) fn find(text: &str) -> io::Result<Self> {
        let known = match text.parse() {
            Ok(uid) => User::from_uid(Uid::from_raw(uid))?,
            Err(_) => User::from_name(text)?,
        };
        if let Some(user) = known {
            return Ok(Self { uid: user.uid, gid: user.gid, name: Some(user.name), home: Some(user.dir) });
        }
        let id: u32 = text.parse().map_err(|_| io::Error::new(io::ErrorKind::NotFound, format!("no user {text}")))?;
        Ok(Self { uid: Uid::from_raw(id), gid: Gid::from_raw(id), name: None, home: None })
    }

    /// Gives up root: groups, group, user, and with them all capabilities.
    pub(crate) fn become_for_good(&self) -> io::Result<()> {
        match self.name.as_deref().map(CString::new) {
            Some(Ok(name)) => nix::unistd::initgroups(&name, self.gid)?,
            _ => setgroups(&[self.gid])?,
        }
        setresgid(self.gid, self.gid, self.gid)?;
        setresuid(self.uid, self.uid, self.uid)?;
        Ok(())
    }

    /// The variables that tell a program who it is.
    pub(crate) fn variables(&self) -> Vec<(&'static str, String)> {
        let home = self.home.as_ref().map(|home| home.display().to_string());
        let name = self.name.clone();
        let pairs = [("HOME", home), ("USER", name.clone()), ("LOGNAME", name)];
        pairs.into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
    }
}
