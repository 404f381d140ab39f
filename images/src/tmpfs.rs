//! What does `--tmpfs DIR[:OPTIONS]` mean?

use std::path::{Path, PathBuf};

use crate::plan::{Kind, Owner};
use crate::volume::{COVERS_KERNELS, clean, is_kernels};

/// An empty file system in memory, which vanishes with the bottle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tmpfs {
    /// Where it appears: absolute, without `..`.
    pub target: PathBuf,
    /// How many bytes it may hold; by default half of the memory.
    pub size: Option<u64>,
    /// Its permission bits.
    pub mode: u32,
    /// Whether programs can be executed there.
    pub exec: bool,
}

/// Why a text is no tmpfs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the tmpfs {text:?} {why}")]
pub struct TmpfsError {
    text: String,
    why: &'static str,
}

impl TmpfsError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        "write DIR or DIR:size=64m,mode=1777,noexec, with DIR an absolute path inside"
    }
}

impl Tmpfs {
    /// Reads `DIR[:OPTION,...]`: `size=N[k|m|g]`, `mode=OCTAL` (1777), `exec`, `noexec`. As elsewhere `rw`, `nosuid` and `nodev`
    /// may be said and hold anyway.
    ///
    /// # Errors
    /// [`TmpfsError`] says which part is wrong.
    pub fn parse(text: &str) -> Result<Tmpfs, TmpfsError> {
        let wrong = |why| TmpfsError { text: text.to_owned(), why };
        let (target, options) = text.split_once(':').unwrap_or((text, ""));
        let target = clean(Path::new(target)).ok_or_else(|| wrong("is not at a plain absolute path"))?;
        // What programs share memory by is a tmpfs anyway.
        if is_kernels(&target) && target != Path::new("/dev/shm") {
            return Err(wrong(COVERS_KERNELS));
        }
        let mut tmpfs = Tmpfs { target, size: None, mode: 0o1777, exec: true };
        for option in options.split(',').filter(|option| !option.is_empty()) {
            match option.split_once('=') {
                Some(("size", size)) => tmpfs.size = Some(bytes(size).ok_or_else(|| wrong("has a size that is none"))?),
                Some(("mode", mode)) => tmpfs.mode = bits(mode).ok_or_else(|| wrong("has a mode that is none"))?,
                None if option == "exec" => tmpfs.exec = true,
                None if option == "noexec" => tmpfs.exec = false,
                None if ["rw", "nosuid", "nodev"].contains(&option) => {}
                _ => return Err(wrong("has an unknown option")),
            }
        }
        Ok(tmpfs)
    }

    /// What it is in a plan.
    pub(crate) fn kind(&self) -> Kind {
        Kind::Tmpfs { mode: self.mode, owner: Owner::Root, size: self.size, exec: self.exec }
    }
}

/// A number of bytes above 0, with a unit of 1024 if one is given.
fn bytes(text: &str) -> Option<u64> {
    let unit = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let factor = match text[unit..].to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" => 1 << 10,
        "m" => 1 << 20,
        "g" => 1 << 30,
        _ => return None,
    };
    text[..unit].parse::<u64>().ok()?.checked_mul(factor).filter(|bytes| *bytes > 0)
}

fn bits(text: &str) -> Option<u32> {
    let octal = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    u32::from_str_radix(text, 8).ok().filter(|mode| octal && *mode <= 0o1777)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_those_of_other_engines() {
        let plain = Tmpfs { target: "/scratch".into(), size: None, mode: 0o1777, exec: true };
        assert_eq!(Tmpfs::parse("/scratch").unwrap(), plain);
        assert_eq!(Tmpfs::parse("/scratch:rw,nosuid,nodev").unwrap(), plain);
        let all = Tmpfs { size: Some(64 << 20), mode: 0o700, exec: false, ..plain };
        assert_eq!(Tmpfs::parse("/scratch/:size=64m,mode=0700,noexec").unwrap(), all);
    }

    #[test]
    fn what_is_wrong_is_refused() {
        let wrong = [
            "",
            "x",
            "/",
            "/a/../b",
            "/a:size=",
            "/a:size=0",
            "/a:size=1q",
            "/a:size=-1",
            "/a:size=99999999999999999999g",
            "/a:mode=",
            "/a:mode=9",
            "/a:mode=+7",
            "/a:mode=7777",
            "/a:ro",
            "/a:uid=0",
            "/dev",
            "/proc/self",
            "/sys/fs",
        ];
        for text in wrong {
            assert!(Tmpfs::parse(text).is_err(), "{text}");
        }
    }
}
