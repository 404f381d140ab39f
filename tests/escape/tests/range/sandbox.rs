//! What runs the attempts? bottle, a peer's script, or nothing at all.

use std::fs;
use std::path::{Path, PathBuf};

use super::field::REBIND;
use super::programs::beside;
use super::{Range, engine};

/// What runs the attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sandbox<'a> {
    /// Nothing stands in the way: the lab's host itself, with all power over its network.
    Open,
    /// bottle, with one name allowed for TLS, one for plain HTTP, and some that lead where no rule allows.
    Bottle,
    /// The same as `Bottle` with published ports, behind which somebody may listen inside.
    Published,
    /// bottle, with an empty list of names.
    Closed,
    /// The same as `Bottle` in an image of `tests/images/build`, with the project shared where it lies.
    Image(&'a str),
    /// The same, run by an ordinary user who has a range of subordinate ids. Only root can play it: an ordinary user's lab is a user
    /// namespace, in which nobody maps ids.
    Granted(&'a str),
    /// A script under `engines`: given the shared directory and the command, it has an engine start a container behind bottle's hooks.
    /// What is allowed is the same as for `Bottle`.
    Engine(&'a str),
    /// The same, by an ordinary user who has a range of subordinate ids. Only root can play it, as with `Granted`.
    Rootless(&'a str),
    /// A script under `peers`: given the shared directory and the command, with all power over the lab's network.
    Peer(&'a Path),
}

impl Sandbox<'_> {
    /// A peer whose name says so has one.
    pub fn lacks_proxy(self) -> bool {
        match self {
            Sandbox::Peer(script) => !script.file_name().unwrap().to_string_lossy().starts_with("proxy"),
            Sandbox::Open => true,
            _ => false,
        }
    }

    /// A peer whose name says so gives up root itself, and can't be started by anybody else.
    pub fn is_started_as_root(self) -> bool {
        matches!(self, Sandbox::Peer(script) if script.to_string_lossy().ends_with("-as-root"))
    }

    pub fn is_bottle(self) -> bool {
        !matches!(self, Sandbox::Open | Sandbox::Peer(_))
    }

    pub fn is_engine(self) -> bool {
        matches!(self, Sandbox::Engine(_) | Sandbox::Rootless(_))
    }

    /// Root becomes that user.
    pub fn is_a_users(self) -> bool {
        matches!(self, Sandbox::Granted(_) | Sandbox::Rootless(_))
    }
}

/// The layout of an image.
pub fn layout(name: &str) -> PathBuf {
    let images = std::env::var("BOTTLE_IMAGES").ok().filter(|images| !images.is_empty());
    Path::new(&images.expect("BOTTLE_IMAGES, which tests/run sets")).join(name)
}

impl Range {
    /// The words before the command that runs inside.
    pub(super) fn around(&self, sandbox: Sandbox<'_>, directory: &str, audit: &str) -> Vec<String> {
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        match sandbox {
            Sandbox::Open => Vec::new(),
            Sandbox::Peer(script) => vec![text(&self.peer(script)), text(&self.path(directory))],
            Sandbox::Engine(name) | Sandbox::Rootless(name) => {
                vec![text(&self.peer(&engine::script(name))), text(&self.path(directory))]
            }
            Sandbox::Bottle | Sandbox::Published | Sandbox::Closed | Sandbox::Image(_) | Sandbox::Granted(_) => {
                let audit = text(&self.path(audit));
                let granted = matches!(sandbox, Sandbox::Granted(_));
                let mut words = vec![text(&if granted { self.path("bottle") } else { beside("bottle") })];
                words.extend(["run", "--timeout", "300", "--audit", &audit].map(str::to_owned));
                words.extend(self.policy(sandbox));
                if sandbox == Sandbox::Published {
                    words.extend(["-p", "9", "-p", "8000"].map(str::to_owned));
                }
                let layout = match sandbox {
                    Sandbox::Image(name) => Some(layout(name)),
                    Sandbox::Granted(name) => Some(self.path(name)),
                    _ => None,
                };
                if let Some(layout) = layout {
                    let (project, image) = (text(&self.path(directory)), format!("oci:{}:t", text(&layout)));
                    words.extend(["-v", &format!("{project}:{project}"), "-w", &project, &image].map(str::to_owned));
                } else {
                    words.push("host".to_owned());
                }
                words.push("--".to_owned());
                words
            }
        }
    }

    /// The options that say what is allowed.
    fn policy(&self, sandbox: Sandbox<'_>) -> Vec<String> {
        if sandbox == Sandbox::Closed {
            let policy = self.path("policy.yaml");
            fs::write(&policy, "version: 1\ndomains: []\n").unwrap();
            return vec!["--policy".to_owned(), policy.to_str().unwrap().to_owned()];
        }
        let word = |(pattern, port, protocol): (String, u16, &str)| match protocol {
            "tls" => pattern,
            "http" => format!("http://{pattern}"),
            _ => format!("{protocol}://{pattern}:{port}"),
        };
        self.allowed().into_iter().flat_map(|rule| ["--allow".to_owned(), word(rule)]).collect()
    }

    /// What is allowed: patterns, ports and protocols.
    pub(super) fn allowed(&self) -> [(String, u16, &'static str); 4] {
        let names = self.field.names.as_ref().unwrap();
        [
            (names.allowed.clone(), 443, "tls"),
            (names.allowed_http.clone(), 80, "http"),
            (format!("*.{REBIND}"), 9, "tcp"),
            // A port of the host's loopback where nobody listens: attempts are made on others.
            ("host.bottle.internal".to_owned(), 9, "tcp"),
        ]
    }

    /// A copy of all scripts, where everybody may start them; and which of them this one is.
    fn peer(&self, script: &Path) -> PathBuf {
        let folder = self.path("peers");
        fs::create_dir_all(&folder).unwrap();
        for other in fs::read_dir(script.parent().unwrap()).unwrap().flatten() {
            fs::copy(other.path(), folder.join(other.file_name())).unwrap();
        }
        folder.join(script.file_name().unwrap())
    }
}
