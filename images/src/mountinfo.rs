//! Which mounts does the calling process see? What proc(5) calls mountinfo.

use std::io;
use std::path::{Path, PathBuf};

/// One mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountPoint {
    /// The kernel's number for it, as statx(2) has it too.
    pub id: u64,
    /// Major and minor number of the file system, as `8:1`.
    pub device: String,
    /// Which directory of the file system is mounted.
    pub root: PathBuf,
    /// Where.
    pub target: PathBuf,
    /// Its own options, as `ro,nosuid`.
    pub options: String,
    /// The type, as `ext4`.
    pub kind: String,
}

impl MountPoint {
    /// Whether this option is set.
    pub fn has(&self, option: &str) -> bool {
        self.options.split(',').any(|set| set == option)
    }
}

/// Reads the mounts of the calling process, in mount order.
pub fn read() -> io::Result<Vec<MountPoint>> {
    Ok(parse(&std::fs::read_to_string("/proc/self/mountinfo")?))
}

/// Reads a mountinfo, which may be another process's.
pub fn parse(text: &str) -> Vec<MountPoint> {
    text.lines().filter_map(line).collect()
}

fn line(line: &str) -> Option<MountPoint> {
    let (before, after) = line.split_once(" - ")?;
    let mut fields = before.split(' ');
    Some(MountPoint {
        id: fields.next()?.parse().ok()?,
        device: fields.nth(1)?.to_owned(),
        root: unescape(fields.next()?),
        target: unescape(fields.next()?),
        options: fields.next()?.to_owned(),
        kind: after.split(' ').next()?.to_owned(),
    })
}

/// The kernel writes blanks and backslashes as three octal digits.
fn unescape(text: &str) -> PathBuf {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        plain.push_str(before);
        let code = after.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        plain.push(code.map_or('\\', char::from));
        rest = if code.is_some() { &after[3..] } else { after };
    }
    plain.push_str(rest);
    plain.into()
}

/// The topmost mount that a path lies on.
pub fn holding<'a>(mounts: &'a [MountPoint], path: &Path) -> Option<&'a MountPoint> {
    let longest = mounts.iter().filter(|mount| path.starts_with(&mount.target));
    longest.max_by_key(|mount| mount.target.components().count())
}

/// The mounts strictly below a path.
pub fn below<'a>(mounts: &'a [MountPoint], path: &'a Path) -> impl Iterator<Item = &'a MountPoint> {
    mounts.iter().filter(move |mount| mount.target != path && mount.target.starts_with(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "27 1 254:0 / / rw - ext4 /dev/vda rw\n\
                        28 27 0:21 /sub /mnt/a\\040b rw,relatime shared:7 - fuse.sshfs x rw\n";

    #[test]
    fn escaped_blanks_and_optional_fields_are_understood() {
        let mounts = parse(TEXT);
        assert_eq!((mounts[1].id, mounts[1].target.as_path()), (28, Path::new("/mnt/a b")));
        assert!(mounts[1].has("relatime") && !mounts[1].has("ro"));
        assert_eq!((mounts[1].root.as_path(), mounts[1].kind.as_str()), (Path::new("/sub"), "fuse.sshfs"));
    }

    #[test]
    fn the_deepest_mount_holds_a_path() {
        let mounts = parse(TEXT);
        assert_eq!(holding(&mounts, Path::new("/mnt/a b/c")).unwrap().device, "0:21");
        assert_eq!(holding(&mounts, Path::new("/mnt/a")).unwrap().device, "254:0");
    }

    #[test]
    fn the_calling_process_has_a_root_mount() {
        assert!(read().unwrap().iter().any(|mount| mount.target == Path::new("/")));
    }
}
