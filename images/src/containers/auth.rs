//! Who is the user to this registry? As containers-auth.json(5) and docker's config.json say. Helpers are never executed.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use base64ct::{Base64, Encoding};
use serde::Deserialize;

use super::{Places, read};

/// What proves who the user is.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    /// A name and a password.
    Basic {
        /// The name.
        user: String,
        /// The password.
        password: String,
    },
    /// A token that is given for others.
    Identity {
        /// The token.
        token: String,
    },
}

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Credentials::Basic { user, .. } => write!(formatter, "Basic({user:?}, …)"),
            Credentials::Identity { .. } => formatter.write_str("Identity(…)"),
        }
    }
}

/// What was found for a registry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) credentials: Option<Credentials>,
    /// A helper is configured instead, which is not executed.
    pub(crate) helper: Option<String>,
}

/// Why a file of credentials can't be used.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// It can't be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is no JSON of this form. What it says is not repeated.
    #[error("cannot understand {}, line {line}", path.display())]
    Json {
        /// Which one.
        path: PathBuf,
        /// Where it stops making sense.
        line: usize,
    },
    /// An entry has no name and password in it.
    #[error("{} has an `auth` for {registry} that is no NAME:PASSWORD in base64", path.display())]
    Form {
        /// Which file.
        path: PathBuf,
        /// Which entry.
        registry: String,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    #[serde(default)]
    auths: BTreeMap<String, Entry>,
    #[serde(default)]
    cred_helpers: BTreeMap<String, String>,
    creds_store: Option<String>,
}

#[derive(Deserialize)]
struct Entry {
    auth: Option<String>,
    identitytoken: Option<String>,
}

/// The credentials for a repository: of the first file that has any for the longest part of its name.
pub(crate) fn find(places: &Places, host: &str, repository: &str) -> Result<Found, AuthError> {
    let mut helper = None;
    for path in files(places) {
        let Some(text) = read(&path).map_err(|source| AuthError::Read { path: path.clone(), source })? else {
            continue;
        };
        let document: Document =
            serde_json::from_str(&text).map_err(|error| AuthError::Json { path: path.clone(), line: error.line() })?;
        for key in keys(host, repository) {
            let entry = document.auths.iter().find(|(registry, _)| normal(registry) == key);
            let Some((registry, entry)) = entry else { continue };
            let form = || AuthError::Form { path: path.clone(), registry: registry.clone() };
            if let Some(token) = entry.identitytoken.as_ref().filter(|token| !token.is_empty()) {
                return Ok(Found { credentials: Some(Credentials::Identity { token: token.clone() }), helper: None });
            }
            if let Some(auth) = entry.auth.as_ref().filter(|auth| !auth.is_empty()) {
                let credentials = Some(basic(auth).ok_or_else(form)?);
                return Ok(Found { credentials, helper: None });
            }
        }
        let named =
            document.cred_helpers.iter().find(|(registry, _)| normal(registry) == host).map(|(_, helper)| helper);
        helper = helper.or_else(|| named.or(document.creds_store.as_ref()).cloned());
    }
    Ok(Found { credentials: None, helper })
}

fn files(places: &Places) -> Vec<PathBuf> {
    if let Some(path) = places.variable("REGISTRY_AUTH_FILE") {
        return vec![path.into()];
    }
    let runtime =
        places.variable("XDG_RUNTIME_DIR").map(|directory| PathBuf::from(directory).join("containers/auth.json"));
    let docker = places.below_home("DOCKER_CONFIG", ".docker").join("config.json");
    runtime.into_iter().chain([places.config().join("auth.json"), docker]).collect()
}

/// `host/a/b`, `host/a`, `host`.
fn keys(host: &str, repository: &str) -> Vec<String> {
    let mut key = format!("{host}/{repository}");
    let mut keys = vec![key.clone()];
    while let Some(slash) = key.rfind('/') {
        key.truncate(slash);
        keys.push(key.clone());
    }
    keys
}

/// Docker's files name registries by address.
fn normal(key: &str) -> String {
    let key = key.strip_prefix("https://").or(key.strip_prefix("http://")).unwrap_or(key);
    let key = key.strip_suffix("/v1/").or(key.strip_suffix("/v2/")).or(key.strip_suffix("/v1")).unwrap_or(key);
    let key = key.trim_end_matches('/');
    match key {
        "index.docker.io" | "registry-1.docker.io" => "docker.io".to_owned(),
        key => key.to_owned(),
    }
}

fn basic(auth: &str) -> Option<Credentials> {
    let text = String::from_utf8(Base64::decode_vec(auth.trim()).ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    let password = password.trim_end_matches('\0');
    Some(Credentials::Basic { user: user.to_owned(), password: password.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str, host: &str, repository: &str) -> Result<Found, AuthError> {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("auth.json");
        std::fs::write(&path, text).unwrap();
        let variables = [("REGISTRY_AUTH_FILE".to_owned(), path.to_str().unwrap().to_owned())].into();
        let places = Places { uid: 0, home: root.path().into(), variables, host: root.path().into() };
        find(&places, host, repository)
    }

    fn user(found: Found) -> String {
        match found.credentials {
            Some(Credentials::Basic { user, .. }) => user,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_longest_part_of_a_name_says_who_one_is() {
        let one = Base64::encode_string(b"one:a:b");
        let two = Base64::encode_string(b"two:x");
        let text =
            format!(r#"{{"auths":{{"r.example:5000":{{"auth":"{one}"}},"r.example:5000/team":{{"auth":"{two}"}}}}}}"#);
        assert_eq!(user(found(&text, "r.example:5000", "team/x").unwrap()), "two");
        assert_eq!(user(found(&text, "r.example:5000", "teams").unwrap()), "one");
        assert_eq!(found(&text, "r.example", "x").unwrap(), Found::default());
        let Some(Credentials::Basic { password, .. }) = found(&text, "r.example:5000", "x").unwrap().credentials else {
            panic!()
        };
        assert_eq!(password, "a:b");
    }

    #[test]
    fn dockers_own_spelling_and_identity_tokens_are_known() {
        let text = r#"{"auths":{"https://index.docker.io/v1/":{"auth":"","identitytoken":"t"}},"HttpHeaders":{}}"#;
        let credentials = found(text, "docker.io", "library/x").unwrap().credentials;
        assert_eq!(credentials, Some(Credentials::Identity { token: "t".into() }));
        assert!(!format!("{credentials:?}").contains("\"t\""));
    }

    #[test]
    fn a_helper_is_noticed_and_not_executed() {
        let text = r#"{"credHelpers":{"r.example":"touch-me"},"credsStore":"desktop"}"#;
        assert_eq!(found(text, "r.example", "x").unwrap().helper.as_deref(), Some("touch-me"));
        assert_eq!(found(text, "other.example", "x").unwrap().helper.as_deref(), Some("desktop"));
    }

    #[test]
    fn errors_repeat_no_secret() {
        let error = found(r#"{"auths":{"r.example":{"auth":"secret!"}}}"#, "r.example", "x").unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
        let error = found("{\"auths\": secret", "r.example", "x").unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}
