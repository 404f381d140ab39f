//! Why was an image not pulled?

use crate::config::ConfigError;
use crate::containers::{AuthError, RegistriesError, ShortNameError};
use crate::digest::Digest;
use crate::image::ImageError;
use crate::manifest::ManifestError;
use crate::store::{BlobError, NamesError, StoreError};

/// Why an image was not pulled. No name means anything else than before; what has arrived stays for the next attempt.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    /// The registries' configuration can't be used.
    #[error(transparent)]
    Registries(#[from] RegistriesError),
    /// The name means nothing.
    #[error(transparent)]
    ShortName(#[from] ShortNameError),
    /// The credentials can't be read.
    #[error(transparent)]
    Auth(#[from] AuthError),
    /// No connection, or one that broke off.
    #[error("cannot reach the registry {host}")]
    Network {
        /// The registry.
        host: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Nobody knows where the registry is.
    #[error("cannot find the address of the registry {host}: {why}")]
    NoAddress {
        /// The registry.
        host: String,
        /// What was answered instead.
        why: String,
    },
    /// The registry does not have it.
    #[error("{host} has no {what}")]
    NotFound {
        /// The registry.
        host: String,
        /// What was asked for.
        what: String,
    },
    /// The registry does not give it to this user.
    #[error("{host} refuses {what}: {said}")]
    Refused {
        /// The registry.
        host: String,
        /// What was asked for.
        what: String,
        /// What it said.
        said: String,
        /// A helper that is configured and was not executed.
        helper: Option<String>,
        /// Whether credentials were shown.
        known: bool,
    },
    /// The registry answered with another status.
    #[error("{host} answered {status}: {said}")]
    Status {
        /// The registry.
        host: String,
        /// HTTP's number.
        status: u16,
        /// What it said.
        said: String,
    },
    /// The registry's answer can't be used.
    #[error("{host} gave an answer that can't be used: {why}")]
    Answer {
        /// The registry.
        host: String,
        /// What is wrong with it.
        why: String,
    },
    /// The manifest is not the one that was asked for.
    #[error("{host} gave another manifest than {wanted}: {actual}")]
    OtherManifest {
        /// The registry.
        host: String,
        /// The digest that was asked for.
        wanted: Digest,
        /// The digest of what came.
        actual: Digest,
    },
    /// A manifest can't be used.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The configuration can't be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A blob is not what it must be.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// The store could not be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The names could not be changed.
    #[error(transparent)]
    Names(#[from] NamesError),
    /// What was stored can't be read back.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// None of the places had it.
    #[error("cannot pull {name} from any place: {}", all(tried))]
    Nowhere {
        /// The name as given.
        name: String,
        /// Each place and why it was not had there.
        tried: Vec<(String, PullError)>,
    },
}

/// Whether TLS failed, in an error or what it comes from.
fn is_about_tls(error: &(dyn std::error::Error + 'static)) -> bool {
    let within = error.downcast_ref::<std::io::Error>().and_then(|error| error.get_ref());
    let is_tls = error.is::<rustls::Error>() || within.is_some_and(|within| within.is::<rustls::Error>());
    let within = within.map(|within| within as &(dyn std::error::Error + 'static));
    is_tls || within.or(error.source()).is_some_and(is_about_tls)
}

fn all(tried: &[(String, PullError)]) -> String {
    let each = tried.iter().map(|(place, error)| {
        let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
        format!("\n  {place}: {error}{cause}")
    });
    each.collect()
}

impl PullError {
    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            PullError::Registries(error) => error.hint(),
            PullError::ShortName(error) => Some(error.hint()),
            PullError::NoAddress { .. } => Some(
                "is the registry's name spelled right? It is looked up as /etc/hosts and /etc/resolv.conf say".into(),
            ),
            PullError::Network { host, source } if is_about_tls(source.as_ref()) => Some(format!(
                "if {host} has no TLS, or a certificate that nobody vouches for, set `insecure = true` for it in registries.conf"
            )),
            PullError::Network { host, .. } => Some(format!("is {host} reachable from here, and is the port right?")),
            PullError::NotFound { .. } => Some("is the name spelled right, and the tag there?".into()),
            PullError::Refused { helper: Some(helper), .. } => Some(format!(
                "the credential helper {helper:?} is configured, and bottle executes none: log in so that the credentials are in auth.json (podman login, skopeo login)"
            )),
            PullError::Refused { host, known: false, .. } => {
                Some(format!("if it is private: podman login {host}, or skopeo login"))
            }
            PullError::Refused { host, .. } => Some(format!("are the credentials still right? podman login {host}")),
            PullError::Status { status: 429, .. } => {
                Some("the registry asks for fewer requests: wait, or log in".into())
            }
            PullError::Manifest(error) => error.hint(),
            PullError::Blob(error) => error.hint(),
            PullError::Store(error) => error.hint(),
            PullError::Names(error) => error.hint(),
            PullError::Image(error) => error.hint(),
            PullError::Nowhere { tried, .. } => tried.iter().rev().find_map(|(_, error)| error.hint()),
            _ => None,
        }
    }

    /// Whether another attempt may go better.
    pub(super) fn is_passing(&self) -> bool {
        matches!(
            self,
            PullError::Network { .. } | PullError::NoAddress { .. } | PullError::Status { status: 429 | 500..=599, .. }
        )
    }
}
