//! What does an engine say of its container on a hook's standard input? Read strictly: of bounded size, each value of its kind.

use std::io::{self, Read};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::object;

/// No state is larger, annotations included.
const MOST: u64 = 1 << 20;

/// As in the OCI runtime specification, which allows members that it does not name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct State {
    /// The version of the specification that it follows.
    pub oci_version: String,
    /// What the engine calls the container.
    pub id: String,
    /// How far it is.
    pub status: Status,
    /// Its first process, as the hook counts; 0 where there is none.
    #[serde(default)]
    pub pid: u32,
    /// The directory with its configuration.
    pub bundle: PathBuf,
}

/// How far a container is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It is being made.
    Creating,
    /// It is made and executes nothing yet.
    Created,
    /// It executes its program.
    Running,
    /// It has ended.
    Stopped,
}

/// Why there is no state.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Standard input could not be read.
    #[error("cannot read the container's state from standard input")]
    Read(#[from] io::Error),
    /// There is more than any state has.
    #[error("what came on standard input is larger than {MOST} bytes")]
    TooLarge,
    /// It is no state.
    #[error("what came on standard input is no container's state")]
    Form(#[from] serde_json::Error),
    /// A value is none that a state can have.
    #[error("the container's state has {0}")]
    Value(&'static str),
}

impl State {
    /// Reads to the end, which must come.
    ///
    /// # Errors
    /// [`StateError`]
    pub fn read(from: impl Read) -> Result<State, StateError> {
        let mut bytes = Vec::new();
        from.take(MOST + 1).read_to_end(&mut bytes)?;
        State::parse(&bytes)
    }

    /// The same of bytes.
    ///
    /// # Errors
    /// [`StateError`]
    pub fn parse(bytes: &[u8]) -> Result<State, StateError> {
        if bytes.len() as u64 > MOST {
            return Err(StateError::TooLarge);
        }
        let state: State = object::read(bytes)?;
        let demand = |holds, otherwise| if holds { Ok(()) } else { Err(StateError::Value(otherwise)) };
        demand(is_id(&state.id), "an id that no engine gives")?;
        demand(state.oci_version.starts_with("1."), "a version of the specification that is not 1")?;
        demand(state.bundle.is_absolute(), "a bundle that is no absolute path")?;
        demand(state.pid <= i32::MAX.unsigned_abs(), "a process id that no process has")?;
        Ok(state)
    }
}

/// What runc and crun take: it is part of paths.
fn is_id(id: &str) -> bool {
    let known = |letter: u8| letter.is_ascii_alphanumeric() || b"_+-.".contains(&letter);
    (1..=1024).contains(&id.len()) && id.bytes().all(known) && id != "." && id != ".."
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"ociVersion":"1.0.2-dev","id":"t1","status":"creating","pid":19460,"bundle":"/tmp/b"}"#;

    fn parse(text: &str) -> Result<State, StateError> {
        State::parse(text.as_bytes())
    }

    #[test]
    fn what_runc_and_crun_say_is_read() {
        assert_eq!(parse(GOOD).unwrap().pid, 19460);
        let crun = r#"{"ociVersion":"1.0","id":"a_b","pid":7,"root":"/tmp/b/rootfs","bundle":"/tmp/b","status":"created","annotations":{"k":"v"}}"#;
        assert_eq!(parse(crun).unwrap().status, Status::Created);
        let stopped = r#"{"ociVersion":"1.0.2-dev","id":"t1","status":"stopped","bundle":"/tmp/b"}"#;
        assert_eq!(parse(stopped).unwrap().pid, 0);
    }

    #[test]
    fn garbage_is_no_state() {
        let spoilt = [
            String::new(),
            "{}".into(),
            "[]".into(),
            r#"["1.0.2","t1","creating",7,"/tmp/b"]"#.into(),
            GOOD.replace("t1", "../t1"),
            GOOD.replace("t1", ".."),
            GOOD.replace("t1", ""),
            GOOD.replace("19460", "-1"),
            GOOD.replace("19460", "4294967295"),
            GOOD.replace("19460", "\"19460\""),
            GOOD.replace("/tmp/b", "tmp/b"),
            GOOD.replace("1.0.2-dev", "2.0"),
            GOOD.replace("creating", "gone"),
            GOOD.replace("\"pid\":19460", "\"pid\":1,\"pid\":2"),
            format!("{GOOD}x"),
            format!("{GOOD}{}", " ".repeat(1 << 20)),
        ];
        for text in spoilt {
            assert!(parse(&text).is_err(), "{text:.200}");
        }
        assert!(matches!(State::read(io::repeat(b' ')), Err(StateError::TooLarge)));
    }
}
