//! How is one registry spoken to? HTTP as the OCI distribution specification has it: who one is, manifests, blobs.

use std::io::Read;
use std::sync::Mutex;
use std::time::Duration;

use reqwest::blocking::{Client, Response};
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue, RANGE, WWW_AUTHENTICATE};
use reqwest::redirect::Policy;

use super::error::PullError;
use super::scheme::{self, Scheme};
use super::token::{self, Authorization};
use super::{challenge, resolver, tls};
use crate::containers::{self, Endpoint, Places};
use crate::digest::Digest;
use crate::limits;
use crate::media;

/// A repository of a registry.
pub(super) struct Registry {
    pub(super) endpoint: Endpoint,
    pub(super) client: Client,
    found: containers::Found,
    state: Mutex<State>,
}

/// What was learned by asking.
#[derive(Default)]
struct State {
    scheme: Option<Scheme>,
    authorization: Option<Authorization>,
}

/// How long nothing may come, and how long a connection may take.
const SILENCE: Duration = Duration::from_secs(60);
const CONNECT: Duration = Duration::from_secs(20);
const REDIRECTS: usize = 10;

impl Registry {
    pub(super) fn new(endpoint: Endpoint, places: &Places) -> Result<Registry, PullError> {
        let failed = |source: Box<dyn std::error::Error + Send + Sync>| PullError::Network {
            host: endpoint.host.clone(),
            source,
        };
        let tls = match endpoint.insecure {
            true => tls::dangerous(),
            false => tls::verified(&containers::roots(places, &endpoint.host)),
        };
        let insecure = endpoint.insecure;
        let redirects = Policy::custom(move |attempt| match attempt.previous().len() {
            REDIRECTS.. => attempt.error("too many redirections"),
            _ if attempt.url().scheme() != "https" && !insecure => attempt.error("a redirection leads to plain HTTP"),
            _ => attempt.follow(),
        });
        let client = Client::builder()
            .tls_backend_preconfigured(tls.map_err(|error| failed(error.into()))?)
            .dns_resolver(std::sync::Arc::new(resolver::HostNames::default()))
            .redirect(redirects)
            .timeout(SILENCE)
            .connect_timeout(CONNECT)
            .user_agent(concat!("bottle/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| failed(error.into()))?;
        let found = containers::find(places, &endpoint.host, &endpoint.repository)?;
        Ok(Registry { endpoint, client, found, state: Mutex::default() })
    }

    /// A manifest or index by tag or digest: its bytes and what the registry says it is.
    pub(super) fn manifest(&self, wanted: &str) -> Result<(Vec<u8>, Option<String>), PullError> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static(media::ACCEPT));
        let response = self.get(&format!("manifests/{wanted}"), &headers)?;
        let response = self.succeeded(response, || format!("{}:{wanted}", self.endpoint.repository))?;
        let declared = response.headers().get("content-type").and_then(|value| value.to_str().ok()).map(str::to_owned);
        Ok((self.bytes(response, limits::MANIFEST, "a manifest")?, declared))
    }

    /// A blob from an offset on.
    pub(super) fn blob(&self, digest: &Digest, offset: u64) -> Result<Response, PullError> {
        let mut headers = HeaderMap::new();
        if offset > 0 {
            let range =
                HeaderValue::try_from(format!("bytes={offset}-")).map_err(|error| self.answer(error.to_string()))?;
            headers.insert(RANGE, range);
        }
        self.get(&format!("blobs/{digest}"), &headers)
    }

    /// The response where its status is one of success.
    pub(super) fn succeeded(&self, response: Response, what: impl Fn() -> String) -> Result<Response, PullError> {
        let (status, host) = (response.status(), self.endpoint.host.clone());
        if status.is_success() {
            return Ok(response);
        }
        let said = said(self.bytes(response, limits::ANSWER, "an error").unwrap_or_default());
        Err(match status.as_u16() {
            404 => PullError::NotFound { host, what: what() },
            401 | 403 => {
                let known = self.found.credentials.is_some();
                PullError::Refused { host, what: what(), said, helper: self.found.helper.clone(), known }
            }
            status => PullError::Status { host, status, said },
        })
    }

    /// All of a body that is small.
    pub(super) fn bytes(&self, response: Response, limit: u64, what: &str) -> Result<Vec<u8>, PullError> {
        let mut bytes = Vec::new();
        response.take(limit + 1).read_to_end(&mut bytes).map_err(|error| self.network(error))?;
        if bytes.len() as u64 > limit {
            return Err(self.answer(format!("{what} of more than {limit} bytes")));
        }
        Ok(bytes)
    }

    pub(super) fn network(&self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> PullError {
        let (host, source) = (self.endpoint.host.clone(), source.into());
        let mut errors =
            std::iter::successors(Some(source.as_ref() as &(dyn std::error::Error + 'static)), |error| error.source());
        match errors.find_map(|error| error.downcast_ref::<resolver::NoAddress>()) {
            Some(none) => PullError::NoAddress { host, why: none.to_string() },
            None => PullError::Network { host, source },
        }
    }

    pub(super) fn answer(&self, why: String) -> PullError {
        PullError::Answer { host: self.endpoint.host.clone(), why }
    }

    /// Asks, and where the registry wants to know who asks, tells it and asks again.
    fn get(&self, path: &str, headers: &HeaderMap) -> Result<Response, PullError> {
        let response = self.send(path, headers)?;
        if response.status().as_u16() != 401 {
            return Ok(response);
        }
        let challenges = response.headers().get_all(WWW_AUTHENTICATE);
        let Some(challenge) = challenge::parse(challenges.iter().filter_map(|value| value.to_str().ok())) else {
            return Ok(response);
        };
        let Some(authorization) = token::answer(self, &challenge, self.found.credentials.as_ref())? else {
            return Ok(response);
        };
        self.state().authorization = Some(authorization);
        self.send(path, headers)
    }

    fn send(&self, path: &str, headers: &HeaderMap) -> Result<Response, PullError> {
        let (scheme, address) = (self.scheme(), address(&self.endpoint.host));
        let authorization = self.state().authorization.clone();
        let url = format!("{scheme}://{address}/v2/{}/{path}", self.endpoint.repository);
        let request = self.client.get(url).headers(headers.clone());
        let request = match authorization {
            Some(Authorization(value)) => request.header(AUTHORIZATION, value),
            None => request,
        };
        request.send().map_err(|error| self.network(error))
    }

    /// TLS, unless the configuration permits another and the registry knows none.
    fn scheme(&self) -> Scheme {
        if !self.endpoint.insecure {
            return Scheme::Https;
        }
        let mut state = self.state();
        *state.scheme.get_or_insert_with(|| scheme::find(&self.client, address(&self.endpoint.host)))
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Docker's registry answers at another name than its own.
fn address(host: &str) -> &str {
    if host == "docker.io" { "registry-1.docker.io" } else { host }
}

/// What a registry says of an error: its own words, or the beginning of the body.
fn said(body: Vec<u8>) -> String {
    let error = serde_json::from_slice::<serde_json::Value>(&body).ok().and_then(|value| {
        let first = value.get("errors")?.get(0)?;
        let text = |key: &str| Some(first.get(key)?.as_str()?.to_owned());
        text("message").filter(|message| !message.is_empty()).or_else(|| text("code"))
    });
    let said = error.unwrap_or_else(|| String::from_utf8_lossy(&body).into_owned());
    // In one line: another one would look as if bottle said it.
    let said: String = said.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(200).collect();
    if said.is_empty() { "it does not say why".to_owned() } else { said }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_registry_says_is_one_short_line() {
        let answer = br#"{"errors": [{"code": "DENIED", "message": "no\n\thint: run\r\nthis"}]}"#;
        assert_eq!(said(answer.to_vec()), "no hint: run this");
        assert_eq!(said(b"\n <html>\n sorry\x0b\n".to_vec()), "<html> sorry");
        assert_eq!(said("é ".repeat(1000).into_bytes()).chars().count(), 200);
        assert_eq!(said(b" \n".to_vec()), "it does not say why");
    }
}
