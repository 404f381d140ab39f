//! How does one show a registry who one is? With a name and a password, or with a token that another server gives for them.

use reqwest::blocking::RequestBuilder;
use reqwest::header::HeaderValue;
use serde::Deserialize;

use super::challenge::Challenge;
use super::error::PullError;
use super::registry::Registry;
use crate::containers::Credentials;
use crate::limits;

/// The value of the Authorization header.
#[derive(Clone)]
pub(super) struct Authorization(pub(super) HeaderValue);

/// What a token server gives.
#[derive(Deserialize)]
struct Given {
    token: Option<String>,
    access_token: Option<String>,
}

/// What answers the challenge; None where nothing does.
pub(super) fn answer(
    registry: &Registry,
    challenge: &Challenge,
    credentials: Option<&Credentials>,
) -> Result<Option<Authorization>, PullError> {
    match (challenge, credentials) {
        (Challenge::Basic, Some(Credentials::Basic { user, password })) => {
            use base64ct::{Base64, Encoding};
            let value = Base64::encode_string(format!("{user}:{password}").as_bytes());
            header(registry, &format!("Basic {value}")).map(Some)
        }
        (Challenge::Basic, _) => Ok(None),
        (Challenge::Bearer { realm, service, scope }, credentials) => {
            let scope = scope.clone().unwrap_or_else(|| format!("repository:{}:pull", registry.endpoint.repository));
            let is_open = !realm.starts_with("https://");
            if is_open && !registry.endpoint.insecure {
                return Err(registry.answer(format!("it gives tokens at {realm:?}, which is not HTTPS")));
            }
            let service = service.as_deref().unwrap_or_default();
            let request = ask(registry, realm, service, &scope, credentials);
            token(registry, request).map(Some)
        }
    }
}

fn ask(
    registry: &Registry,
    realm: &str,
    service: &str,
    scope: &str,
    credentials: Option<&Credentials>,
) -> RequestBuilder {
    let mut fields = vec![("service", service), ("scope", scope)];
    fields.retain(|(_, value)| !value.is_empty());
    match credentials {
        Some(Credentials::Identity { token }) => {
            fields.extend([("grant_type", "refresh_token"), ("refresh_token", token), ("client_id", "bottle")]);
            let form = registry.client.post(realm).body(encode(&fields));
            form.header("content-type", "application/x-www-form-urlencoded")
        }
        Some(Credentials::Basic { user, password }) => {
            registry.client.get(with(realm, &fields)).basic_auth(user, Some(password))
        }
        None => registry.client.get(with(realm, &fields)),
    }
}

fn token(registry: &Registry, request: RequestBuilder) -> Result<Authorization, PullError> {
    let response = request.send().map_err(|error| registry.network(error))?;
    let response = registry.succeeded(response, || "a token".to_owned())?;
    let bytes = registry.bytes(response, limits::ANSWER, "a token")?;
    // What came may hold a secret, so it is not repeated.
    let given: Given = serde_json::from_slice(&bytes).map_err(|_| registry.answer("a token that is no JSON".into()))?;
    let token = given.token.or(given.access_token).filter(|token| !token.is_empty());
    header(registry, &format!("Bearer {}", token.ok_or_else(|| registry.answer("no token".into()))?))
}

fn header(registry: &Registry, value: &str) -> Result<Authorization, PullError> {
    let mut value = HeaderValue::try_from(value).map_err(|_| registry.answer("a token that is no header".into()))?;
    value.set_sensitive(true);
    Ok(Authorization(value))
}

fn with(realm: &str, fields: &[(&str, &str)]) -> String {
    let separator = if realm.contains('?') { '&' } else { '?' };
    format!("{realm}{separator}{}", encode(fields))
}

/// As a form encodes fields.
fn encode(fields: &[(&str, &str)]) -> String {
    let quote = |text: &str| -> String {
        let each = text.bytes().map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        });
        each.collect()
    };
    fields.iter().map(|(name, value)| format!("{name}={}", quote(value))).collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted() {
        assert_eq!(
            with("https://a/t", &[("scope", "repository:a/b:pull")]),
            "https://a/t?scope=repository%3Aa%2Fb%3Apull"
        );
        assert_eq!(with("https://a/t?x=1", &[("service", "a&b")]), "https://a/t?x=1&service=a%26b");
    }
}
