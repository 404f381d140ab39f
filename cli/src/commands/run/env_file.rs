//! Which variables does a file of `--env-file` set? As docker and podman read it: a line for each, comments, nothing is unquoted.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::report::Failure;

/// What the kernel takes for a command's variables is about as much.
const LONGEST: u64 = 1 << 20;

/// Why a file sets no variables.
#[derive(Debug, thiserror::Error)]
enum EnvFileError {
    #[error("cannot read the variables in {path}")]
    Read { path: String, source: std::io::Error },
    #[error("{path} is too long: more than {LONGEST} bytes")]
    TooLong { path: String },
    #[error("{path}:{line}: no variable with a value")]
    Line { path: String, line: usize },
}

/// The variables of a file, in its order.
///
/// A name alone is refused, which elsewhere stands for the caller's own variable: a command in an earlier bottle may have written the file,
/// and would choose which of the caller's secrets the next one has.
pub fn read(path: &Path) -> Result<Vec<(String, String)>, Failure> {
    let name = || path.display().to_string();
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(LONGEST + 1).read_to_string(&mut text))
        .map_err(|source| Failure::new(EnvFileError::Read { path: name(), source }))?;
    if text.len() as u64 > LONGEST {
        return Err(Failure::new(EnvFileError::TooLong { path: name() }));
    }
    let lines = text.trim_start_matches('\u{feff}').lines().enumerate();
    let lines = lines.map(|(number, line)| (number + 1, line.trim_start()));
    let said = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    said.map(|(number, line)| {
        variable(line).ok_or_else(|| {
            let hint = "write KEY=VALUE; -e KEY takes a variable of the caller's";
            Failure::new(EnvFileError::Line { path: name(), line: number }).with_hint(hint)
        })
    })
    .collect()
}

fn variable(line: &str) -> Option<(String, String)> {
    let (name, value) = line.split_once('=')?;
    let is_name = !name.is_empty() && !name.contains(char::is_whitespace);
    (is_name && !value.contains('\0')).then(|| (name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Vec<(String, String)>, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        read(file.path()).map_err(|failure| failure.error.to_string())
    }

    #[test]
    fn lines_are_taken_as_they_are_but_for_comments() {
        let all = of("\u{feff}A=1\r\n\n# B=2\n  C='x y' #z\nD=\nE=a=b\nA=2").unwrap();
        let expected = [("A", "1"), ("C", "'x y' #z"), ("D", ""), ("E", "a=b"), ("A", "2")];
        assert_eq!(all, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(of("").unwrap(), []);
    }

    #[test]
    fn a_name_alone_takes_nothing_of_the_callers_and_no_line_is_passed_over() {
        for line in ["HOME", "=x", "A B=1", "export A=1", "A=\0"] {
            let error = of(&format!("X=1\n{line}\n")).unwrap_err();
            assert!(error.ends_with(":2: no variable with a value"), "{line}: {error}");
        }
        assert!(of(&"A=1\n".repeat(1 << 18 | 1)).unwrap_err().contains("too long"));
        assert!(read(Path::new("/nonexistent/env")).is_err());
    }
}
