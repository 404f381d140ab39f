//! How does an engine hear what went wrong? By the last line of the log that it has named, in the form that runc writes.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::{Call, LogFormat};
use crate::clock::now;

/// Adds a line to the log of this call, if it has one that is a file. The error is told on standard error as well, so that
/// a log that can't be written takes nothing away.
pub fn error(call: &Call, message: &str) {
    let Some(path) = call.log.as_deref().and_then(file) else { return };
    let line = line(call.log_format, message, &now().to_string());
    let opened = OpenOptions::new().append(true).create(true).mode(0o644).open(path);
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
