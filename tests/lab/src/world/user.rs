//! How does a process become an ordinary user for good?

use std::io;

use nix::unistd::{Gid, Uid, setgroups, setresgid, setresuid};

use crate::account::Account;

/// A user to become.
pub(crate) struct Person {
    uid: Uid,
    gid: Gid,
    account: Option<Account>,
}

impl Person {
    /// Finds a user by name or by number; a number need not be known to the system.
    pub(crate) fn find(text: &str) -> io::Result<Self> {
        let account = Account::find(text)?;
        let (uid, gid) = match &account {
            Some(account) => (account.uid, account.gid),
            None => {
                let unknown = |_| io::Error::new(io::ErrorKind::NotFound, format!("no user {text}"));
                let id: u32 = text.parse().map_err(unknown)?;
                (id, id)
            }
        };
        Ok(Self { uid: Uid::from_raw(uid), gid: Gid::from_raw(gid), account })
    }

    /// Gives up root: groups, group, user, and with them all capabilities.
    pub(crate) fn become_for_good(&self) -> io::Result<()> {
        setgroups(&[self.gid])?;
        setresgid(self.gid, self.gid, self.gid)?;
        setresuid(self.uid, self.uid, self.uid)?;
        Ok(())
    }

    /// The variables that tell a program who it is.
    pub(crate) fn variables(&self) -> Vec<(&'static str, String)> {
        let Some(Account { name, home, .. }) = &self.account else { return Vec::new() };
        vec![("HOME", home.display().to_string()), ("USER", name.clone()), ("LOGNAME", name.clone())]
    }
}
