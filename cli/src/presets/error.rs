//! Why can't a client's settings be understood? Whatever the reason, the preset is none: the client's default would be a guess.

use std::io;

use bottle_policy::document::DocumentError;

use super::settings::Origin;
use super::url::UrlError;

/// Why a preset can't be made. No value of a setting is shown: it may hold a password.
#[derive(Debug, thiserror::Error)]
pub enum PresetError {
    /// Something that a client's settings say.
    #[error("cannot make a preset of {at}")]
    Settings {
        /// Where they say it.
        at: Origin,
        /// What is wrong there.
        source: What,
    },
    /// What was made is no policy.
    #[error("what a client's settings lead to makes no policy")]
    Policy(#[from] DocumentError),
}

/// What is wrong there.
#[derive(Debug, thiserror::Error)]
pub enum What {
    /// The file can't be read.
    #[error("it cannot be read: {0}")]
    Read(#[source] io::Error),
    /// The file is not written as its client would read it.
    #[error("{0}")]
    Syntax(String),
    /// A URL is none, or none that can be allowed.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// A variable that a value names is not set.
    #[error("the variable `{0}` that it names is not set")]
    Unset(String),
    /// A source that is replaced by one that is not there, or by itself.
    #[error("the source `{0}` is replaced by one that is not there, or in a circle")]
    Replaced(String),
    /// The client is started by something that chooses its version, so that its global settings can't be found.
    #[error("it is no {0} itself but something that starts one, so where its global settings lie is not known")]
    Shim(&'static str),
    /// Settings that say where others are.
    #[error("`{0}` moves the settings elsewhere, which is not followed")]
    Moved(String),
    /// What is asked is decided by a list on a server.
    #[error("a list of mirrors on a server says what is asked, and it can change")]
    MirrorList,
}

impl What {
    /// Where that is.
    pub fn at(self, at: Origin) -> PresetError {
        PresetError::Settings { at, source: self }
    }
}

impl PresetError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        let PresetError::Settings { source, .. } = self else {
            return "leave --preset out and say --allow NAME";
        };
        match source {
            What::Url(UrlError::Loopback) => "serve it under a name, on an address that is not loopback",
            What::Url(_) => "write https://NAME or http://NAME there, or leave --preset out and say --allow NAME",
            What::Unset(_) => "set it, as the client needs it too",
            What::Shim(_) => "set npm_config_globalconfig to what `npm config get globalconfig` prints",
            What::Moved(_) | What::MirrorList => "leave --preset out and say --allow NAME or --allow http://NAME",
            What::Read(_) | What::Syntax(_) | What::Replaced(_) => {
                "mend it, or leave --preset out and say --allow NAME"
            }
        }
    }
}
