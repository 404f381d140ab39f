//! With TLS or without it? Asked only where the configuration lets a registry be insecure; without credentials.

use std::fmt;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use reqwest::blocking::Client;

/// How a registry is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    /// With TLS.
    Https,
    /// In the clear.
    Http,
}

/// How long TLS may still take when the registry has answered without it. Some never answer a handshake at all.
const GRACE: Duration = Duration::from_secs(1);

impl fmt::Display for Scheme {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Scheme::Https => "https",
            Scheme::Http => "http",
        })
    }
}

/// Asks both ways at once, and takes TLS where it is to be had. Who still waits for an answer then is left to itself.
pub(super) fn find(client: &Client, address: &str) -> Scheme {
    let (tell, told) = channel();
    for scheme in [Scheme::Https, Scheme::Http] {
        let (client, tell, url) = (client.clone(), tell.clone(), format!("{scheme}://{address}/v2/"));
        std::thread::spawn(move || {
            // Nobody may listen any more.
            let _ = tell.send((scheme, answers(&client, scheme, &url)));
        });
    }
    drop(tell);
    choose(&told)
}

fn choose(told: &Receiver<(Scheme, bool)>) -> Scheme {
    let mut is_plain_there = false;
    loop {
        let next = if is_plain_there { told.recv_timeout(GRACE).ok() } else { told.recv().ok() };
        match next {
            Some((Scheme::Https, true)) => return Scheme::Https,
            Some((Scheme::Https, false)) => return Scheme::Http,
            Some((Scheme::Http, is_there)) => is_plain_there = is_there,
            None if is_plain_there => return Scheme::Http,
            None => return Scheme::Https,
        }
    }
}

/// Whether it is spoken there. A server with TLS may answer those who speak without: 400, or by sending them on.
fn answers(client: &Client, scheme: Scheme, url: &str) -> bool {
    match (client.get(url).send(), scheme) {
        (Ok(response), Scheme::Http) => response.url().scheme() == "http" && response.status().as_u16() != 400,
        (Ok(_), Scheme::Https) => true,
        (Err(error), Scheme::Https) => !error.is_connect(),
        (Err(_), Scheme::Http) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(answers: &[(Scheme, bool)]) -> Scheme {
        let (tell, told) = channel();
        answers.iter().for_each(|answer| tell.send(*answer).unwrap());
        drop(tell);
        choose(&told)
    }

    #[test]
    fn tls_is_taken_wherever_it_is_to_be_had() {
        use Scheme::{Http, Https};
        assert_eq!(chosen(&[(Http, true), (Https, true)]), Https);
        assert_eq!(chosen(&[(Http, false), (Https, true)]), Https);
        assert_eq!(chosen(&[(Https, true)]), Https);
        assert_eq!(chosen(&[(Https, false)]), Http);
        assert_eq!(chosen(&[(Http, true), (Https, false)]), Http);
    }

    #[test]
    fn what_answers_only_without_tls_is_not_waited_for_longer() {
        let (tell, told) = channel();
        tell.send((Scheme::Http, true)).unwrap();
        assert_eq!(choose(&told), Scheme::Http);
    }
}
