//! Which policies come with the program? Some are written down, one file each; those of package managers are made of what the client's
//! own settings say, so that mirrors and a company's registries are in them.
//!
//! Clients are never executed, and their settings only read: the user's, the system's and the environment's, never a project's, which
//! a command in a bottle may have written.

mod error;
mod found;
mod settings;
mod url;

mod apt;
mod apt_conf;
mod apt_sources;
mod cargo;
mod cargo_config;
mod npm;
mod npmrc;
mod pip;
mod pip_conf;

use std::path::PathBuf;

use bottle_policy::document::Document;
use bottle_runtime::caller::Caller;
use clap::ValueEnum;

pub use error::PresetError;
use found::Found;
pub use settings::Origin;
use settings::Settings;

/// The presets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Preset {
    /// github.com: git, the API, releases, gists
    Github,
    /// gitlab.com: git, the API, packages
    Gitlab,
    /// Anthropic's models, Claude Code
    Anthropic,
    /// OpenAI's models, Codex
    Openai,
    /// Google's models, the Gemini command line
    Google,
    /// Hugging Face's hub: models and data sets
    Huggingface,
    /// The registries of npm's settings
    Npm,
    /// The indexes of pip's settings
    Pip,
    /// The registries of cargo's settings
    Cargo,
    /// The archives of apt's settings
    Apt,
}

/// A preset as a policy.
#[derive(Debug)]
pub struct Policy {
    /// The policy, as one would write it.
    pub yaml: String,
    /// The same, read.
    pub document: Document,
    /// The files that decided, or would if they were there: whoever can write one decides what may be reached.
    pub deciding: Vec<PathBuf>,
    /// Where the client's settings say it.
    pub made_of: Vec<Origin>,
    /// What the person should know who relies on it.
    pub notes: Vec<String>,
}

impl Preset {
    /// As it is written on the command line.
    pub fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    /// What it is for.
    pub fn about(self) -> String {
        let value = self.to_possible_value();
        value.and_then(|value| value.get_help().map(ToString::to_string)).unwrap_or_default()
    }

    /// Whether it is made of a client's settings.
    pub fn is_generated(self) -> bool {
        matches!(self.source(), Source::Generated(_))
    }

    /// The policy that it means here and now.
    ///
    /// # Errors
    /// Where a client's settings are not understood.
    pub fn policy(self, caller: &Caller) -> Result<Policy, PresetError> {
        self.policy_of(Settings::of(caller))
    }

    fn policy_of(self, mut settings: Settings) -> Result<Policy, PresetError> {
        let yaml = match self.source() {
            Source::Fixed(yaml) => yaml.to_owned(),
            Source::Generated(find) => {
                find(&mut settings)?;
                settings.found.yaml(&self.about())
            }
        };
        let document = Document::parse(&yaml, &format!("preset {}", self.name()))?;
        let Found { deciding, made_of, notes, .. } = settings.found;
        Ok(Policy { yaml, document, deciding, made_of, notes })
    }

    fn source(self) -> Source {
        match self {
            Preset::Github => Source::Fixed(include_str!("fixed/github.yaml")),
            Preset::Gitlab => Source::Fixed(include_str!("fixed/gitlab.yaml")),
            Preset::Anthropic => Source::Fixed(include_str!("fixed/anthropic.yaml")),
            Preset::Openai => Source::Fixed(include_str!("fixed/openai.yaml")),
            Preset::Google => Source::Fixed(include_str!("fixed/google.yaml")),
            Preset::Huggingface => Source::Fixed(include_str!("fixed/huggingface.yaml")),
            Preset::Npm => Source::Generated(npm::find),
            Preset::Pip => Source::Generated(pip::find),
            Preset::Cargo => Source::Generated(cargo::find),
            Preset::Apt => Source::Generated(apt::find),
        }
    }
}

/// Where a preset comes from.
enum Source {
    /// A file of this program's.
    Fixed(&'static str),
    /// A client's settings.
    Generated(fn(&mut Settings) -> Result<(), PresetError>),
}

#[cfg(test)]
mod tests {
    use bottle_policy::rules::{Ports, Protocol};

    use super::settings::tests::Machine;
    use super::*;

    fn policy(preset: Preset) -> Policy {
        preset.policy_of(Machine::new().settings(&[])).unwrap()
    }

    #[test]
    fn each_preset_is_a_policy_and_says_what_it_is_for() {
        for preset in Preset::value_variants() {
            let Policy { document, yaml, .. } = policy(*preset);
            assert!(!preset.about().is_empty() && yaml.starts_with("# "), "{preset:?}");
            assert!(*preset == Preset::Apt || !document.domains().is_empty(), "{preset:?}");
        }
    }

    #[test]
    fn each_rule_has_ports_and_a_reason_and_none_allows_private_addresses_or_a_whole_provider() {
        for preset in Preset::value_variants() {
            for rule in policy(*preset).document.domains() {
                assert!(rule.ports != Ports::All && rule.reason.is_some(), "{rule:?}");
                assert!(!rule.allow_private && rule.protocol != Protocol::Http, "{rule:?}");
                assert!(rule.pattern.name().as_str().matches('.').count() >= 1, "{rule:?}");
                assert!(!rule.pattern.to_string().starts_with('.'), "{rule:?}");
            }
        }
    }

    #[test]
    fn damaged_settings_make_a_policy_or_an_error() {
        for (preset, file, text) in [
            (
                Preset::Npm,
                "home/.npmrc",
                "registry = \"https://a.example/\"\n@s:registry='http://${A}:1/' ; \\# x\n[s]",
            ),
            (
                Preset::Pip,
                "etc/pip.conf",
                "[global]\nindex-url = https://u:p@a.example/\nextra-index-url:\n  http://b.example:1/\n[install]\nno-index = no",
            ),
            (
                Preset::Cargo,
                "home/.cargo/config.toml",
                "include = []\n[source.a]\nregistry = 'sparse+https://a.example/'\n[source.crates-io]\nreplace-with = 'a'\n",
            ),
            (Preset::Apt, "etc/apt/sources.list", "deb [a=b] http://[fd00::1]:1/ x # y\ndeb-src file:/x ./\n"),
            (
                Preset::Apt,
                "etc/apt/sources.list.d/a.sources",
                "Types: deb\nURIs: http://10.1.2.3/\n https://b.example/\nEnabled: yes\n\nURIs: x",
            ),
            (
                Preset::Apt,
                "etc/apt/apt.conf",
                "A::B \"c\"; /* d */ Acquire { http { Proxy \"http://e\"; }; }; // f\n#clear G;",
            ),
        ] {
            let machine = Machine::new();
            for (at, letter) in text.char_indices() {
                for other in ["", "\"", "\u{85}"] {
                    let rest = &text[at + letter.len_utf8()..];
                    machine.write(file, &format!("{}{other}{rest}", &text[..at]));
                    // What is made of it either way is a policy: `policy_of` reads it.
                    if let Err(error) = preset.policy_of(machine.settings(&[("A", "a.example")])) {
                        assert!(matches!(error, PresetError::Settings { .. }), "{error}");
                    }
                }
            }
        }
    }

    #[test]
    fn settings_with_anything_in_them_make_a_policy_or_an_error() {
        let machine = Machine::new();
        let home = "home/\"\n: \u{7f}\u{85}\u{9b}\u{2028}\u{feff}\u{fffe} #";
        machine.write(&format!("{home}/.npmrc"), "registry=https://a.example/\n@\u{9b}:registry=https://b.example/");
        let mut settings = machine.settings(&[]);
        settings.home = machine.path(home);
        let Policy { document, yaml, .. } = Preset::Npm.policy_of(settings).unwrap();
        assert_eq!(document.domains().len(), 2, "{yaml}");
    }
}
