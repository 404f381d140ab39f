//! What is an engine's runtime told by its arguments, as far as it matters whether a container is made, and where its bundle lies?
//!
//! runc and crun read options in ways of their own. What the two could understand differently, or nobody knows, is no container
//! that is made: it is refused. All else is the runtime's to read.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// A call of the engine's.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Call {
    /// What the wrapped runtime is told: everything but what is ours.
    pub passed: Vec<OsString>,
    /// The settings of the hooks, by `--bottle-settings`.
    pub settings: Option<PathBuf>,
    /// Where errors are to be logged.
    pub log: Option<PathBuf>,
    /// Whether as JSON.
    pub log_format: LogFormat,
    /// The container that is to be made, if one is.
    pub makes: Option<Makes>,
}

/// How lines of the log look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// `time="…" level=error msg="…"`
    #[default]
    Text,
    /// An object a line.
    Json,
}

/// That a container is made.
#[derive(Debug, PartialEq, Eq)]
pub struct Makes {
    /// How.
    pub how: How,
    /// Its bundle, as it was named; by default the working directory.
    pub bundle: PathBuf,
}

/// Which command makes a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// `create` and `run`: from its configuration.
    Anew,
    /// `restore`: from a checkpoint.
    Restored,
}

/// Why it can't be told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArgumentsError {
    /// An option that could have a value, or not, so that nobody knows where the container's bundle is.
    #[error("bottle-oci does not know the option {0}, and can't tell which bundle is meant")]
    Unknown(String),
    /// An option whose value is missing.
    #[error("the option {0} has no value")]
    Valueless(String),
    /// Two bundles.
    #[error("two bundles are named")]
    Bundles,
    /// crun's `--config`: what is to be edited has a fixed name.
    #[error("the option {0} names another configuration than the bundle's config.json")]
    Config(String),
}

/// The options before the command: with a value, and without.
const GLOBAL: Options = Options {
    valued: &["root", "log", "log-format", "criu", "rootless", "cgroup-manager"],
    flags: &["debug", "systemd-cgroup", "help", "h", "usage", "version", "v", "V", "?"],
};

/// Those of a command that makes a container.
const MAKING: Options = Options {
    valued: &[
        "bundle",
        "b",
        "console-socket",
        "pid-file",
        "pidfd-socket",
        "preserve-fds",
        "image-path",
        "work-path",
        "manage-cgroups-mode",
        "empty-ns",
        "lsm-profile",
        "lsm-mount-context",
    ],
    flags: &[
        "no-pivot",
        "no-new-keyring",
        "no-subreaper",
        "detach",
        "d",
        "keep",
        "tcp-established",
        "tcp-close",
        "ext-unix-sk",
        "shell-job",
        "file-locks",
        "auto-dedup",
        "lazy-pages",
    ],
};

/// Which of the first make the runtime say something about itself and end.
const ASKING: [&str; 7] = ["help", "h", "usage", "?", "version", "v", "V"];

/// And of the second.
const HELP: [&str; 4] = ["help", "h", "usage", "?"];

const COMMANDS: [(&str, How); 3] = [("create", How::Anew), ("run", How::Anew), ("restore", How::Restored)];

struct Options {
    valued: &'static [&'static str],
    flags: &'static [&'static str],
}

/// An argument, as runc and crun both understand it.
enum Word {
    /// No option.
    Other,
    /// No more options follow.
    EndOfOptions,
    /// An option with its value, if that is in the same argument.
    Option { name: String, value: Option<OsString>, dashes: usize },
}

/// Reads the arguments that follow the program's name.
///
/// # Errors
/// [`ArgumentsError`], only where a container would be made.
pub fn read(arguments: &[OsString]) -> Result<Call, ArgumentsError> {
    let mut call = Call::default();
    let mut unknown = None;
    let mut is_asking = false;
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let (name, value) = match word(argument) {
            Word::EndOfOptions => {
                call.passed.push(argument.clone());
                continue;
            }
            Word::Other => {
                call.passed.push(argument.clone());
                let making = COMMANDS.iter().find(|(name, _)| argument == name && !is_asking);
                let following = rest.as_slice();
                call.passed.extend_from_slice(following);
                return finish(call, unknown, making.map(|(_, how)| *how), following);
            }
            Word::Option { name, value, dashes: 2 } if name == "bottle-settings" => {
                let value = value.or_else(|| rest.next().cloned()).ok_or(ArgumentsError::Valueless(name))?;
                call.settings = Some(value.into());
                continue;
            }
            Word::Option { name, value, .. } => (name, value),
        };
        call.passed.push(argument.clone());
        if GLOBAL.valued.contains(&name.as_str()) {
            let value = value.or_else(|| rest.next().inspect(|next| call.passed.push((*next).clone())).cloned());
            // The runtime says that it is missing.
            let Some(value) = value else { return Ok(call) };
            match name.as_str() {
                "log" => call.log = Some(value.into()),
                "log-format" if value == "json" => call.log_format = LogFormat::Json,
                "log-format" => call.log_format = LogFormat::Text,
                _ => {}
            }
        } else if !GLOBAL.flags.contains(&name.as_str()) {
            unknown = unknown.or(Some(argument.to_string_lossy().into_owned()));
        } else if value.is_none() && ASKING.contains(&name.as_str()) {
            is_asking = true;
        }
    }
    Ok(call)
}

/// Of what follows the first word that is no option. After an unknown option that one may have been its value.
fn finish(
    mut call: Call,
    unknown: Option<String>,
    how: Option<How>,
    following: &[OsString],
) -> Result<Call, ArgumentsError> {
    if let Some(unknown) = unknown {
        let is_making = |word: &OsString| COMMANDS.iter().any(|(name, _)| word == name);
        let may_make = how.is_some() || following.iter().any(is_making);
        return if may_make { Err(ArgumentsError::Unknown(unknown)) } else { Ok(call) };
    }
    if let Some(how) = how {
        call.makes = bundle(following)?.map(|bundle| Makes { how, bundle });
    }
    Ok(call)
}

/// The bundle of the container that is made; nothing where none is, since help was asked for or no id was given.
fn bundle(arguments: &[OsString]) -> Result<Option<PathBuf>, ArgumentsError> {
    let mut bundle = None;
    let mut ids = 0;
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let (name, value, dashes) = match word(argument) {
            Word::EndOfOptions => {
                ids += rest.len();
                break;
            }
            Word::Other => {
                ids += 1;
                continue;
            }
            Word::Option { name, value, dashes } => (name, value, dashes),
        };
        let shown = argument.to_string_lossy().into_owned();
        if (dashes == 1) != (name.chars().count() == 1) || (dashes == 1 && value.is_some()) {
            return Err(ArgumentsError::Unknown(shown));
        }
        if MAKING.valued.contains(&name.as_str()) {
            let Some(value) = value.or_else(|| rest.next().cloned()) else { return Ok(None) };
            if ["bundle", "b"].contains(&name.as_str()) && bundle.replace(PathBuf::from(value)).is_some() {
                return Err(ArgumentsError::Bundles);
            }
        } else if value.is_none() && HELP.contains(&name.as_str()) {
            return Ok(None);
        } else if ["config", "f"].contains(&name.as_str()) {
            return Err(ArgumentsError::Config(shown));
        } else if value.is_some() || !MAKING.flags.contains(&name.as_str()) {
            return Err(ArgumentsError::Unknown(shown));
        }
    }
    Ok((ids > 0).then(|| bundle.unwrap_or_else(|| ".".into())))
}

fn word(argument: &OsStr) -> Word {
    let bytes = argument.as_bytes();
    let (dashes, rest) = match bytes {
        b"--" => return Word::EndOfOptions,
        [b'-', b'-', rest @ ..] => (2, rest),
        [b'-', rest @ ..] if !rest.is_empty() => (1, rest),
        _ => return Word::Other,
    };
    let mut parts = rest.splitn(2, |byte| *byte == b'=');
    let name = String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
    let value = parts.next().map(|value| OsStr::from_bytes(value).to_owned());
    Word::Option { name, value, dashes }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> Result<Call, ArgumentsError> {
        read(&line.split_whitespace().map(OsString::from).collect::<Vec<_>>())
    }

    fn bundle_of(line: &str) -> Option<PathBuf> {
        of(line).unwrap().makes.map(|makes| makes.bundle)
    }

    #[test]
    fn the_bundle_is_found_as_engines_name_it() {
        for line in [
            "--root /r --log /l --log-format json create --bundle /b --pid-file /p --console-socket /s id",
            "--root=/r --systemd-cgroup --debug create -b /b id",
            "--root create run --bundle=/b --preserve-fds 2 -d id",
            "--rootless true create id --bundle /b",
            "-root /r create --bundle /b -- id",
            "--cgroup-manager=disabled restore --image-path create --bundle /b id",
        ] {
            assert_eq!(bundle_of(line), Some("/b".into()), "{line}");
            assert_eq!(of(line).unwrap().passed, line.split_whitespace().collect::<Vec<_>>(), "{line}");
        }
        assert_eq!(bundle_of("create id"), Some(".".into()));
    }

    #[test]
    fn what_makes_no_container_is_the_runtimes_to_read() {
        for line in [
            "",
            "--version",
            "--help",
            "state id",
            "kill id KILL",
            "delete --force id",
            "exec --process /p id",
            "--unknown thing state id",
            "nonsense --bundle /b id",
            "create --help",
            "create",
            "create --bundle",
            "--help create id",
            "--version run id",
            "--root",
        ] {
            let call = of(line).unwrap();
            assert_eq!(
                (call.makes, call.passed),
                (None, line.split_whitespace().map(OsString::from).collect()),
                "{line}"
            );
        }
    }

    #[test]
    fn what_two_runtimes_could_understand_differently_makes_no_container() {
        for line in [
            "--unknown create create id",
            "--unknown value run id",
            "--roo /r create id",
            "create --bund=/b id",
            "create -b=/b id",
            "create -b/b id",
            "create -bundle /b id",
            "create --bundle /b --bundle /c id",
            "create --help=false --bundle /b id",
            "create --no-pivot=false --bundle /b id",
            "create --config other.json id",
            "create --unknown --bundle /b id",
        ] {
            assert!(of(line).is_err(), "{line}");
        }
    }

    #[test]
    fn the_log_and_our_own_option_are_found_and_only_ours_is_kept_back() {
        let call = of("--bottle-settings /s --log /l --log-format=json state id").unwrap();
        assert_eq!(call.settings, Some("/s".into()));
        assert_eq!((call.log, call.log_format), (Some("/l".into()), LogFormat::Json));
        assert_eq!(call.passed, ["--log", "/l", "--log-format=json", "state", "id"]);
        // After the command it is the runtime's.
        assert_eq!(of("state --bottle-settings /s").unwrap().settings, None);
    }
}
