//! How does an engine hear what went wrong? By the last line of the log that it has named, in the form that runc writes.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::{Call, LogFormat};
use crate::clock::now;

/// A log may be a FIFO that nobody reads.
const NOBODY_WAITS: i32 = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();

/// Adds a line to the log of this call, if it has one that is a file. The error is told on standard error as well, so that
/// a log that can't be written takes nothing away.
pub fn error(call: &Call, message: &str) {
    let Some(path) = call.log.as_deref().and_then(file) else { return };
    let line = line(call.log_format, message, &now().to_string());
    let opened = OpenOptions::new().append(true).create(true).mode(0o644).custom_flags(NOBODY_WAITS).open(path);
    let _ = opened.and_then(|mut log| log.write_all(line.as_bytes()));
}

/// crun takes `file:PATH` as well, and journald and syslog, where nobody looks for our last line.
fn file(named: &Path) -> Option<PathBuf> {
    let text = named.to_str()?;
    let elsewhere = ["journald:", "syslog:"].iter().any(|kind| text.starts_with(kind));
    (!elsewhere).then(|| text.strip_prefix("file:").unwrap_or(text).into())
}

fn line(format: LogFormat, message: &str, time: &str) -> String {
    match format {
        LogFormat::Json => format!("{}\n", json!({"level": "error", "msg": message, "time": time})),
        LogFormat::Text => format!("time={} level=error msg={}\n", json!(time), json!(message)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_is_a_fifo_which_nobody_reads_is_not_waited_for() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("log");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        error(&Call { log: Some(path), ..Call::default() }, "why");
    }

    #[test]
    fn a_line_is_one_whatever_is_said_and_is_added_to_the_file_that_is_named() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("log");
        for named in [path.clone(), format!("file:{}", path.display()).into()] {
            for log_format in [LogFormat::Json, LogFormat::Text] {
                error(&Call { log: Some(named.clone()), log_format, ..Call::default() }, "a \"b\"\nc");
            }
        }
        let written = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = written.lines().collect();
        assert_eq!(lines.len(), 4);
        let said: serde_json::Value = serde_json::from_str(lines[0]).unwrap();
        assert_eq!((&said["level"], &said["msg"]), (&json!("error"), &json!("a \"b\"\nc")));
        assert!(
            lines[1].starts_with("time=\"2") && lines[1].ends_with(r#"level=error msg="a \"b\"\nc""#),
            "{}",
            lines[1]
        );
    }

    #[test]
    fn a_log_that_is_no_file_or_can_not_be_written_takes_nothing_away() {
        for named in ["journald:x", "syslog:x", "/nowhere/at/all"] {
            error(&Call { log: Some(named.into()), ..Call::default() }, "said");
            assert!(!Path::new(named).exists());
        }
    }
}
