//! Who runs a bottle, and from where? The one place of this crate that reads the environment.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;

use bottle_images::Ids;
use nix::unistd::{getegid, geteuid};

use crate::nested::Nested;
use crate::state::Places;
use crate::subordinate::{Asking, Lacking, Subordinate};

/// What is taken from the process that asks for a run.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Effective uid.
    pub uid: u32,
    /// Effective gid.
    pub gid: u32,
    /// Login name: as in passwd(5), else what USER says, else the uid. Nothing that has no place in that file.
    pub name: String,
    /// Home directory: what HOME says, else as in passwd(5). The same holds for it.
    pub home: PathBuf,
    /// Working directory.
    pub cwd: PathBuf,
    /// By which file the program was started, as far as its name and PATH tell: perhaps by a link.
    pub invoked: Option<PathBuf>,
    /// All variables whose names and values are UTF-8.
    pub variables: BTreeMap<String, String>,
    /// Where state may lie.
    pub places: Places,
    /// The gid that passwd(5) says.
    pub login_gid: Option<u32>,
    /// The range of ids that an ordinary user has besides its own.
    pub subordinate: Option<Arc<Subordinate>>,
    /// The user namespace that an engine calls a hook in as its root, where it is not the host's.
    pub nested: Option<Nested>,
}

impl Caller {
    /// The calling process.
    ///
    /// # Errors
    /// Where the working directory is gone.
    pub fn current() -> io::Result<Caller> {
        // A relative one has no meaning, as the XDG base directory specification says.
        let path = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let passwd = std::fs::read("/etc/passwd").unwrap_or_default();
        let account = account(&passwd, geteuid().as_raw());
        let (name, login_gid) = (account.as_ref().map(|known| known.0.clone()), account.as_ref().map(|known| known.1));
        let home = account.map(|known| known.2);
        let name = name.or_else(|| std::env::var("USER").ok().filter(|name| !name.is_empty() && is_field(name)));
        let home = path("HOME").filter(|home| is_field(home)).or(home).unwrap_or_else(|| "/".into());
        let variables =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        let caller = Caller {
            uid: geteuid().as_raw(),
            gid: getegid().as_raw(),
            name: name.unwrap_or_else(|| geteuid().to_string()),
            home,
            cwd: std::env::current_dir()?,
            invoked: invoked(),
            variables: variables.collect(),
            places: Places {
                root: std::env::var_os("BOTTLE_ROOT").filter(|root| !root.is_empty()).map(PathBuf::from),
                runtime_dir: path("XDG_RUNTIME_DIR"),
                data_home: path("XDG_DATA_HOME"),
                home: path("HOME"),
                nested: false,
            },
            login_gid,
            subordinate: None,
            nested: None,
        };
        let subordinate = (caller.uid != 0).then(|| caller.find_subordinate().ok()).flatten();
        Ok(Caller { subordinate: subordinate.map(Arc::new), ..caller })
    }

    /// The same of a hook, which an ordinary user's engine calls as root of a user namespace that it has made: its home and places are
    /// the user's.
    ///
    /// # Errors
    /// Where the working directory is gone, or the kernel does not tell whose that namespace is.
    pub fn of_hook() -> io::Result<Caller> {
        let mut caller = Caller::current()?;
        caller.nested = Nested::find()?;
        if let Some(nested) = &caller.nested {
            let account = account(&std::fs::read("/etc/passwd").unwrap_or_default(), nested.user);
            let home = caller.places.home.take().or_else(|| account.map(|(_, _, home)| home));
            caller.places = Places { home, nested: true, ..caller.places };
        }
        Ok(caller)
    }

    /// Looks for a range of ids besides its own.
    ///
    /// # Errors
    /// What there is not.
    pub fn find_subordinate(&self) -> Result<Subordinate, Lacking> {
        let Caller { uid, gid, login_gid, .. } = *self;
        Subordinate::find(Asking { uid, gid, name: &self.name, login_gid })
    }

    /// What it can do with the owners of an image's files.
    pub fn ids(&self) -> Ids {
        match &self.subordinate {
            Some(subordinate) => Ids::Range { map: subordinate.map(), steward: Arc::clone(subordinate) as _ },
            None => Ids::Plain { uid: self.uid },
        }
    }

    /// Where the containers configuration of whoever this is lies.
    pub fn containers(&self) -> bottle_images::Places {
        let (home, variables) = (self.home.clone(), self.variables.clone());
        bottle_images::Places { uid: self.uid, home, variables, host: "/".into() }
    }
}

/// Who became root to run this, where sudo(8) says so. Whoever could say it falsely is root already.
pub(crate) fn became_root() -> Option<u32> {
    geteuid().is_root().then(|| std::env::var("SUDO_UID").ok()?.parse().ok()).flatten()
}

/// Whether passwd(5) inside can say it.
fn is_field(text: impl AsRef<OsStr>) -> bool {
    !text.as_ref().as_bytes().iter().any(|byte| matches!(byte, b':' | b'\n'))
}

/// Name, gid and home of this uid in the text of a passwd(5) file. Other sources of accounts are libraries, which a static program
/// can't ask.
fn account(passwd: &[u8], uid: u32) -> Option<(String, u32, PathBuf)> {
    passwd.split(|byte| *byte == b'\n').find_map(|line| {
        let fields: Vec<&[u8]> = line.split(|byte| *byte == b':').collect();
        let [name, _, uid_field, gid_field, _, home, _] = fields[..] else { return None };
        let number = |field| str::from_utf8(field).ok()?.parse::<u32>().ok();
        let name = str::from_utf8(name).ok().filter(|name| !name.is_empty())?;
        let (theirs, gid) = (number(uid_field)?, number(gid_field)?);
        (theirs == uid).then(|| (name.to_owned(), gid, OsStr::from_bytes(home).into()))
    })
}

fn invoked() -> Option<PathBuf> {
    let name = PathBuf::from(std::env::args_os().next()?);
    if name.components().count() > 1 || name.is_absolute() {
        return Some(name).filter(|file| file.is_file());
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|directory| directory.join(&name)).find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_the_first_whole_line_with_the_uid() {
        let passwd = b"root:x:0:0:root:/root:/bin/sh\n+::::::\nshort:x:7\n:x:7:7::/:/bin/sh\n\xff:x:7:7::/:/bin/sh\n\
                       ann:x:7:100:Ann \xe9:/home/\xe9:/bin/sh\nsecond:x:7:100::/home/second:/bin/sh\n";
        assert_eq!(account(passwd, 0), Some(("root".into(), 0, "/root".into())));
        assert_eq!(account(passwd, 7), Some(("ann".into(), 100, OsStr::from_bytes(b"/home/\xe9").into())));
        assert_eq!(account(passwd, 8), None);
    }
}
