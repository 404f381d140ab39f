//! Which mounts does the calling process see? What proc(5) calls mountinfo.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt;
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
    read_at(Path::new("/proc/self/mountinfo"))
}

/// Reads a mountinfo, which may be another process's.
pub fn read_at(path: &Path) -> io::Result<Vec<MountPoint>> {
    Ok(parse(&std::fs::read(path)?))
}

/// The same of what it says. Paths in it are any bytes.
pub fn parse(bytes: &[u8]) -> Vec<MountPoint> {
    bytes.split(|byte| *byte == b'\n').filter_map(line).collect()
}

fn line(line: &[u8]) -> Option<MountPoint> {
    let mut fields = line.split(|byte| *byte == b' ');
    let mut next = || fields.next();
    let text = |field: &[u8]| String::from_utf8_lossy(field).into_owned();
    let id = text(next()?).parse().ok()?;
    let (_parent, device, root, target, options) = (next()?, next()?, next()?, next()?, next()?);
    // As many optional fields as there are.
    while next()? != b"-" {}
    let kind = text(next()?);
    Some(MountPoint {
        id,
        device: text(device),
        root: unescape(root),
        target: unescape(target),
        options: text(options),
        kind,
    })
}

/// The kernel writes blanks and backslashes as three octal digits.
fn unescape(field: &[u8]) -> PathBuf {
    let mut plain = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, after)) = rest.split_first() {
        let code = after.get(..3).filter(|_| *first == b'\\').and_then(octal);
        plain.push(code.unwrap_or(*first));
        rest = if code.is_some() { &after[3..] } else { after };
    }
    OsString::from_vec(plain).into()
}

fn octal(digits: &[u8]) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok()
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

    const TEXT: &[u8] = b"27 1 254:0 / / rw - ext4 /dev/vda rw\n\
                        28 27 0:21 /sub /mnt/a\\040b rw,relatime shared:7 - fuse.sshfs x rw\n";

    #[test]
    fn escaped_blanks_and_optional_fields_are_understood() {
        let mounts = parse(TEXT);
        assert_eq!((mounts[1].id, mounts[1].target.as_path()), (28, Path::new("/mnt/a b")));
        assert!(mounts[1].has("relatime") && !mounts[1].has("ro"));
        assert_eq!((mounts[1].root.as_path(), mounts[1].kind.as_str()), (Path::new("/sub"), "fuse.sshfs"));
    }

    #[test]
    fn a_path_is_any_bytes() {
        let mounts = parse(b"27 1 254:0 /M\xfcller /a\\134b\\9\xff\\ rw - ext4 /dev/vda rw\n28 27 0:21 / /m");
        let bytes = |path: &Path| path.as_os_str().as_encoded_bytes().to_vec();
        assert_eq!(mounts.len(), 1);
        assert_eq!(
            (bytes(&mounts[0].root), bytes(&mounts[0].target)),
            (b"/M\xfcller".to_vec(), b"/a\\b\\9\xff\\".to_vec())
        );
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
