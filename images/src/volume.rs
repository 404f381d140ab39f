//! What does `-v SRC:DST[:ro]` mean?

use std::path::{Component, Path, PathBuf};

use crate::plan::Access;

/// A host path that is shown inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// The host path, as given.
    pub source: PathBuf,
    /// Where it appears: absolute, without `..`.
    pub target: PathBuf,
    /// Whether the workload may change it.
    pub access: Access,
}

/// Why a text is no volume.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the volume {text:?} {why}")]
pub struct VolumeError {
    text: String,
    why: &'static str,
}

impl VolumeError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self.why {
            LABEL => "leave z and Z out: bottle changes no labels of what is shared",
            _ => "write SRC:DST or SRC:DST:ro, with DST an absolute path inside",
        }
    }
}

/// What SELinux is asked for with other engines.
const LABEL: &str = "asks for another SELinux label";

/// Where the file systems of the bottle's own kernel view lie.
const KERNELS: [&str; 3] = ["/proc", "/sys", "/dev"];

impl Volume {
    /// Reads `SRC:DST`, `SRC:DST:ro` or `SRC:DST:rw`.
    ///
    /// # Errors
    /// [`VolumeError`] says which part is wrong.
    pub fn parse(text: &str) -> Result<Volume, VolumeError> {
        let wrong = |why| VolumeError { text: text.to_owned(), why };
        let mut parts = text.split(':');
        let (Some(source), Some(target)) = (parts.next(), parts.next()) else {
            return Err(wrong("has no target"));
        };
        let access = match parts.next() {
            None | Some("rw") => Access::ReadWrite,
            Some("ro") => Access::ReadOnly,
            Some(options) if options.split(',').any(|option| matches!(option, "z" | "Z")) => return Err(wrong(LABEL)),
            Some(_) => return Err(wrong("has an unknown option")),
        };
        if parts.next().is_some() {
            return Err(wrong("has too many parts"));
        }
        if source.is_empty() {
            return Err(wrong("has no source"));
        }
        let target = clean(Path::new(target)).ok_or_else(|| wrong("has a target that is not a plain absolute path"))?;
        if is_kernels(&target) {
            return Err(wrong(COVERS_KERNELS));
        }
        Ok(Volume { source: source.into(), target, access })
    }
}

/// Whether the kernel shows something there, which nothing may cover.
pub(crate) fn is_kernels(target: &Path) -> bool {
    KERNELS.iter().any(|own| target.starts_with(own))
}

/// What is wrong with a target that does.
pub(crate) const COVERS_KERNELS: &str = "would cover what the kernel shows inside, in /proc, /sys or /dev";

/// An absolute path below the root without `.` and `..`.
pub(crate) fn clean(path: &Path) -> Option<PathBuf> {
    let mut parts = path.components();
    if parts.next() != Some(Component::RootDir) {
        return None;
    }
    let plain = path.components().skip(1).all(|part| matches!(part, Component::Normal(_)));
    let cleaned: PathBuf = path.components().collect();
    (plain && cleaned != Path::new("/")).then_some(cleaned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_volume_is_writable_unless_it_says_ro() {
        assert_eq!(Volume::parse("a:/b").unwrap().access, Access::ReadWrite);
        assert_eq!(Volume::parse("a:/b:ro").unwrap().access, Access::ReadOnly);
    }

    #[test]
    fn labels_are_refused_with_what_to_leave_out() {
        for text in ["/a:/b:Z", "/a:/b:ro,z"] {
            let error = Volume::parse(text).unwrap_err();
            assert!(error.hint().contains("leave z and Z out"), "{text}: {error}");
        }
        assert!(!Volume::parse("/a:/b:rox").unwrap_err().hint().contains("leave"));
    }

    #[test]
    fn a_target_must_be_absolute_and_plain() {
        for text in ["a", "a:b", "a:/", "a:/b/../c", ":/b", "a:/b:rx", "a:/b:ro:x", "a:/proc", "a:/dev/x:ro"] {
            assert!(Volume::parse(text).is_err(), "{text}");
        }
        assert_eq!(Volume::parse("a://b//c/").unwrap().target, Path::new("/b/c"));
    }
}
