//! What does the path of an entry ask for? A file at a place, or that something below be hidden.

use std::borrow::Cow;

use super::error::LayerError;
use super::inside;
use crate::limits;

/// A path, parsed: without `..`, and relative to the layer's root whatever it began with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name<'a> {
    /// The directory, without empty names and `.`; links may lie on the way.
    pub(super) directory: Cow<'a, [u8]>,
    pub(super) target: Target<'a>,
}

/// What is asked for in the directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target<'a> {
    /// The root directory itself.
    Root,
    /// Something of this name.
    File(&'a [u8]),
    /// That what has this name below be hidden.
    Whiteout(&'a [u8]),
    /// That all that is below be hidden.
    Opaque,
    /// A file by which an old file system kept its books.
    Reserved,
}

const WHITEOUT: &[u8] = b".wh.";

impl Name<'_> {
    pub(super) fn parse(path: &[u8]) -> Result<Name<'_>, LayerError> {
        if path.len() > limits::PATH {
            return Err(LayerError::path("is longer than a path may be", path));
        }
        if inside::names(path).any(|name| name == b"..") {
            return Err(LayerError::path("has `..` in it", path));
        }
        let trimmed = path.len() - path.iter().rev().take_while(|byte| **byte == b'/').count();
        let path = &path[..trimmed];
        let Some(name) = inside::names(path).next_back() else {
            return Ok(Name { directory: Cow::Borrowed(b""), target: Target::Root });
        };
        let directory: Cow<[u8]> = match path.strip_suffix(name) {
            Some(directory) if is_clean(directory) => Cow::Borrowed(directory.strip_suffix(b"/").unwrap_or(directory)),
            _ => {
                let names: Vec<&[u8]> = inside::names(path).collect();
                Cow::Owned(names[..names.len() - 1].join(&b'/'))
            }
        };
        let target = match name.strip_prefix(WHITEOUT) {
            None => Target::File(name),
            Some(b".wh..opq") => Target::Opaque,
            Some(b"" | b"." | b"..") => return Err(LayerError::path("hides what can't be hidden", path)),
            Some(reserved) if reserved.starts_with(WHITEOUT) => Target::Reserved,
            Some(hidden) => Target::Whiteout(hidden),
        };
        Ok(Name { directory, target })
    }
}

/// Nothing, or names with a slash behind each.
fn is_clean(directory: &[u8]) -> bool {
    directory.is_empty()
        || directory
            .strip_suffix(b"/")
            .is_some_and(|names| names.split(|byte| *byte == b'/').all(|name| !matches!(name, b"" | b".")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(path: &str) -> (String, Target<'_>) {
        let name = Name::parse(path.as_bytes()).unwrap();
        (String::from_utf8(name.directory.into_owned()).unwrap(), name.target)
    }

    #[test]
    fn every_spelling_of_a_path_is_the_same() {
        for path in ["a/b/c", "./a/b/c", "/a/b/c", "a//b/./c/", "././a/b/c//"] {
            assert_eq!(parsed(path), ("a/b".to_owned(), Target::File(b"c")), "{path}");
        }
        for root in ["", ".", "./", "/", "//./"] {
            assert_eq!(parsed(root), (String::new(), Target::Root), "{root}");
        }
        assert_eq!(parsed("c"), (String::new(), Target::File(b"c")));
        assert_eq!(parsed("c/./"), (String::new(), Target::File(b"c")));
    }

    #[test]
    fn what_hides_is_told_apart() {
        assert_eq!(parsed("a/.wh.b"), ("a".to_owned(), Target::Whiteout(b"b")));
        assert_eq!(parsed("a/.wh..wh..opq"), ("a".to_owned(), Target::Opaque));
        assert_eq!(parsed("a/.wh..wh.plnk"), ("a".to_owned(), Target::Reserved));
        assert_eq!(parsed("a/..."), ("a".to_owned(), Target::File(b"...")));
    }

    #[test]
    fn ways_up_are_refused() {
        for path in ["..", "../a", "a/..", "a/../b", "/..", "a/.wh...", "a/.wh..", "a/.wh."] {
            assert!(Name::parse(path.as_bytes()).is_err(), "{path}");
        }
        assert!(Name::parse(&vec![b'a'; limits::PATH + 1]).is_err());
    }

    proptest! {
        #[test]
        fn a_directory_is_clean_whatever_was_written(path in "[a./]{0,30}") {
            if let Ok(name) = Name::parse(path.as_bytes()) {
                let directory = name.directory;
                prop_assert!(directory.is_empty() || directory.split(|byte| *byte == b'/').all(|name| !matches!(name, b"" | b"." | b"..")));
            }
        }
    }
}
