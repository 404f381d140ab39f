//! Who is an ordinary user? As /etc/passwd says: other sources of accounts are libraries, which a static program can't ask.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// One line of passwd(5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Login name.
    pub name: String,
    /// Its uid.
    pub uid: u32,
    /// Its first gid.
    pub gid: u32,
    /// Its home directory.
    pub home: PathBuf,
}

impl Account {
    /// The account with this name or uid; `None` where there is none.
    ///
    /// # Errors
    /// Where /etc/passwd can't be read.
    pub fn find(name_or_uid: &str) -> io::Result<Option<Account>> {
        let passwd = std::fs::read("/etc/passwd")?;
        let uid = name_or_uid.parse().ok();
        let mut accounts = passwd.split(|byte| *byte == b'\n').filter_map(Account::parse);
        Ok(accounts.find(|account| uid.map_or(account.name == name_or_uid, |uid: u32| account.uid == uid)))
    }

    fn parse(line: &[u8]) -> Option<Account> {
        let fields: Vec<&[u8]> = line.split(|byte| *byte == b':').collect();
        let [name, _, uid, gid, _, home, _] = fields[..] else { return None };
        let number = |field| str::from_utf8(field).ok()?.parse().ok();
        let name = str::from_utf8(name).ok()?.to_owned();
        Some(Account { name, uid: number(uid)?, gid: number(gid)?, home: OsStr::from_bytes(home).into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_found_by_name_and_by_number_and_nobody_else() {
        let root = Account::find("root").unwrap().unwrap();
        assert_eq!((root.uid, root.gid), (0, 0));
        assert_eq!(Account::find("0").unwrap(), Some(root));
        assert_eq!(Account::find("no-such-user").unwrap(), None);
    }

    #[test]
    fn what_is_no_account_is_passed_over() {
        assert_eq!(Account::parse(b"+::::::"), None);
        assert_eq!(Account::parse(b"short:x:7"), None);
        let ann = Account::parse(b"ann:x:7:100:Ann \xe9:/home/ann:/bin/sh").unwrap();
        assert_eq!((ann.name.as_str(), ann.uid, ann.gid, ann.home), ("ann", 7, 100, "/home/ann".into()));
    }
}
