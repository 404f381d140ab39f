//! What does an image say of how it is run?

use serde::Deserialize;

use crate::digest::Digest;

/// The configuration of an image. What else there is (history, exposed ports, volumes) is not kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// The architecture that it is built for, as Go spells it.
    pub architecture: String,
    /// The operating system.
    pub os: String,
    /// When it was made, as it says.
    pub created: Option<String>,
    /// Variables in order: name and value.
    pub env: Vec<(String, String)>,
    /// `user`, `uid`, `user:group` or `uid:gid`; empty means root.
    pub user: String,
    /// Where the command starts; empty means `/`.
    pub working_dir: String,
    /// What is executed, before the command's words.
    pub entrypoint: Vec<String>,
    /// The command's words where none are given.
    pub cmd: Vec<String>,
    /// The signal that asks it to end: `SIGTERM`, `TERM` or a number.
    pub stop_signal: Option<String>,
    /// Labels.
    pub labels: std::collections::BTreeMap<String, String>,
    /// The digests of the layers' archives, unpacked, lowest first.
    pub diff_ids: Vec<Digest>,
}

/// Why a configuration can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It is no JSON, or lacks something.
    #[error("the image's configuration can't be read")]
    Json(#[from] serde_json::Error),
    /// It is for another system.
    #[error("the image is for {0:?}, and only linux can be run")]
    System(String),
    /// It describes other layers than the manifest.
    #[error("the image's configuration has {diff_ids} layers and its manifest {layers}")]
    Layers {
        /// How many the configuration has.
        diff_ids: usize,
        /// How many the manifest has.
        layers: usize,
    },
    /// Its layers are no archives.
    #[error("the image's root file system is of the type {0:?}, and only \"layers\" is known")]
    Rootfs(String),
    /// A variable has no name, or a text has a NUL.
    #[error("the image's configuration has {what} that can't be used: {text:?}")]
    Text {
        /// What it is.
        what: &'static str,
        /// As written.
        text: String,
    },
}

/// An image that says nothing of what to run, and nobody else does.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the image has neither an entrypoint nor a command, and none was given")]
pub struct NoCommand;

impl NoCommand {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        "say what to run after the image's name"
    }
}

#[derive(Deserialize)]
struct Written {
    #[serde(default)]
    architecture: String,
    #[serde(default)]
    os: String,
    created: Option<String>,
    config: Option<Run>,
    rootfs: Rootfs,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Run {
    env: Option<Vec<String>>,
    user: Option<String>,
    working_dir: Option<String>,
    entrypoint: Option<Vec<String>>,
    cmd: Option<Vec<String>>,
    stop_signal: Option<String>,
    labels: Option<std::collections::BTreeMap<String, String>>,
}

#[derive(Deserialize)]
struct Rootfs {
    r#type: String,
    diff_ids: Option<Vec<Digest>>,
}

impl Config {
    /// Reads a configuration of at most [`crate::limits::CONFIG`] bytes, which the caller saw to, for `layers` layers.
    ///
    /// # Errors
    /// [`ConfigError`]
    pub fn parse(bytes: &[u8], layers: usize) -> Result<Config, ConfigError> {
        let written: Written = serde_json::from_slice(bytes)?;
        if !matches!(written.os.as_str(), "" | "linux") {
            return Err(ConfigError::System(written.os.chars().take(80).collect()));
        }
        if written.rootfs.r#type != "layers" {
            return Err(ConfigError::Rootfs(written.rootfs.r#type.chars().take(80).collect()));
        }
        let diff_ids = written.rootfs.diff_ids.unwrap_or_default();
        if diff_ids.len() != layers {
            return Err(ConfigError::Layers { diff_ids: diff_ids.len(), layers });
        }
        let run = written.config.unwrap_or_default();
        let config = Config {
            architecture: written.architecture,
            os: written.os,
            created: written.created,
            env: run.env.unwrap_or_default().into_iter().map(variable).collect::<Result<_, _>>()?,
            user: run.user.unwrap_or_default(),
            working_dir: run.working_dir.unwrap_or_default(),
            entrypoint: run.entrypoint.unwrap_or_default(),
            cmd: run.cmd.unwrap_or_default(),
            stop_signal: run.stop_signal.filter(|signal| !signal.is_empty()),
            labels: run.labels.unwrap_or_default(),
            diff_ids,
        };
        let words = config.entrypoint.iter().chain(&config.cmd).chain([&config.user, &config.working_dir]);
        let wrong = words.into_iter().find(|word| word.contains('\0')).map(|word| word.chars().take(80).collect());
        wrong.map_or(Ok(config), |text| Err(ConfigError::Text { what: "a word", text }))
    }

    /// What is executed: the entrypoint and what was given, or where nothing was, the image's own command.
    ///
    /// # Errors
    /// [`NoCommand`] where that is nothing at all.
    pub fn command(&self, entrypoint: Option<&str>, given: &[String]) -> Result<Vec<String>, NoCommand> {
        let command: Vec<String> = match entrypoint {
            // As docker and podman: the image's command is made for its own entrypoint.
            Some("") => given.to_vec(),
            Some(program) => [&[program.to_owned()], given].concat(),
            None if given.is_empty() => self.entrypoint.iter().chain(&self.cmd).cloned().collect(),
            None => self.entrypoint.iter().chain(given).cloned().collect(),
        };
        if command.first().is_none_or(String::is_empty) { Err(NoCommand) } else { Ok(command) }
    }
}

fn variable(text: String) -> Result<(String, String), ConfigError> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() && !text.contains('\0') => Ok((name.to_owned(), value.to_owned())),
        // As docker and podman: a name without a value is an empty variable.
        None if !text.is_empty() && !text.contains('\0') => Ok((text, String::new())),
        _ => Err(ConfigError::Text { what: "a variable", text: text.chars().take(80).collect() }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn parse(config: Value, layers: usize) -> Result<Config, ConfigError> {
        let rootfs = json!({ "type": "layers", "diff_ids": [Digest::of(b"x").to_string()] });
        let written =
            json!({ "architecture": "amd64", "os": "linux", "config": config, "rootfs": rootfs, "history": [{}] });
        Config::parse(written.to_string().as_bytes(), layers)
    }

    #[test]
    fn what_matters_is_kept_and_the_rest_tolerated() {
        let config = parse(
            json!({ "Env": ["PATH=/bin", "A==b", "EMPTY"], "User": "1:2", "WorkingDir": "/w", "Entrypoint": ["/e"],
                "Cmd": ["a", "b"], "StopSignal": "SIGINT", "Labels": { "k": "v" }, "ExposedPorts": { "80/tcp": {} }, "New": 1 }),
            1,
        )
        .unwrap();
        assert_eq!(config.env[1], ("A".to_owned(), "=b".to_owned()));
        assert_eq!(config.env[2], ("EMPTY".to_owned(), String::new()));
        assert_eq!(config.command(None, &[]).unwrap(), ["/e", "a", "b"]);
        assert_eq!(config.command(None, &["c".into()]).unwrap(), ["/e", "c"]);
        assert_eq!(config.command(Some("/o"), &[]).unwrap(), ["/o"]);
        assert_eq!(config.command(Some("/o"), &["c".into()]).unwrap(), ["/o", "c"]);
        assert_eq!(config.command(Some(""), &["c".into()]).unwrap(), ["c"]);
        assert_eq!(config.command(Some(""), &[]), Err(NoCommand));
        assert_eq!((config.stop_signal.as_deref(), config.labels["k"].as_str()), (Some("SIGINT"), "v"));
    }

    #[test]
    fn an_image_without_a_command_needs_one() {
        for config in [json!({}), json!({ "Cmd": null, "Entrypoint": [] }), json!(null)] {
            let config = parse(config, 1).unwrap();
            assert_eq!(config.command(None, &[]), Err(NoCommand));
            assert_eq!(config.command(None, &["sh".into()]).unwrap(), ["sh"]);
        }
    }

    #[test]
    fn layers_that_do_not_match_are_an_error() {
        assert!(matches!(parse(json!({}), 2), Err(ConfigError::Layers { diff_ids: 1, layers: 2 })));
    }

    #[test]
    fn what_cannot_be_passed_on_is_an_error() {
        assert!(matches!(parse(json!({ "Env": ["=x"] }), 1), Err(ConfigError::Text { .. })));
        assert!(matches!(parse(json!({ "Cmd": ["a\0b"] }), 1), Err(ConfigError::Text { .. })));
        assert!(matches!(parse(json!({ "Cmd": "a" }), 1), Err(ConfigError::Json(_))));
        let windows = json!({ "os": "windows", "rootfs": { "type": "layers" } }).to_string();
        assert!(matches!(Config::parse(windows.as_bytes(), 0), Err(ConfigError::System(_))));
    }
}
