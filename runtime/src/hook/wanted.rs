//! Is a container to be a bottle, and by which rules? What its annotations and labels say, else what the settings say.

use std::collections::BTreeMap;
use std::path::PathBuf;

use bottle_policy::Rules;
use bottle_policy::rules::Mode;

use super::labels::{self, Labels};
use super::policies::{self, PolicyError};
use super::{Configuration, Exception, Settings, Unannotated};
use crate::records::{Name, NameError};

/// The annotations that are ours.
const POLICY: &str = "bottle.policy";
const MODE: &str = "bottle.mode";
const NAME: &str = "bottle.name";
const PREFIX: &str = "bottle.";

/// What is wanted of a container.
#[derive(Debug)]
pub enum Wanted {
    /// Nothing.
    LeftAlone,
    /// A bottle.
    Bottled {
        /// What it may reach.
        rules: Box<Rules>,
        /// The file that says so.
        file: Option<PathBuf>,
        /// What it is called.
        name: Option<Name>,
    },
}

/// Why it can't be told.
#[derive(Debug, thiserror::Error)]
pub enum WantedError {
    /// A policy can't be had.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// What it says makes no rules.
    #[error(transparent)]
    Rules(#[from] bottle_policy::rules::RulesError),
    /// A name that no bottle can have.
    #[error("the annotation {NAME} is no name")]
    Name(#[from] NameError),
    /// Neither of the two.
    #[error("the annotation {MODE} is {0:?}, which is neither enforce nor observe")]
    Mode(String),
    /// The policy says otherwise.
    #[error("the annotation {MODE} is {0:?}, and the policy says otherwise")]
    OtherMode(&'static str),
    /// Nobody has configured that.
    #[error("the annotation {MODE} is \"observe\", which lets everything public pass, and no policy says so")]
    Observe,
    /// It would be without effect.
    #[error("nothing is known of the annotation or label {0}")]
    Unknown(String),
    /// What the engine has written are no labels.
    #[error("the annotation {} has no labels", labels::PLACE)]
    Labels(#[source] serde_json::Error),
    /// Nobody can tell which is meant.
    #[error("the annotation and the label {0} contradict each other")]
    Contradictory(String),
}

impl WantedError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            WantedError::Observe => Some(
                "name a policy that says `mode: observe`, or add \"observe\" to `allow` in the settings of the hooks"
                    .into(),
            ),
            WantedError::Unknown(_) => Some(format!("there are {POLICY}, {MODE} and {NAME}")),
            WantedError::Policy(_) => {
                Some("a policy is named by its path below the directory of policies, which root alone may write".into())
            }
            _ => None,
        }
    }
}

/// Decides it.
///
/// # Errors
/// [`WantedError`]: then the container must not run.
pub fn wanted(configuration: &Configuration, settings: &Settings) -> Result<Wanted, WantedError> {
    let ours = ours(configuration)?;
    let said = |name: &str| ours.get(name).map(String::as_str);
    if ours.is_empty() && settings.unannotated == Unannotated::LeftAlone {
        return Ok(Wanted::LeftAlone);
    }
    let name = said(NAME).map(str::parse).transpose()?;
    let mode = said(MODE).map(mode).transpose()?;
    let policy = said(POLICY).or(settings.policy.as_deref());
    let Some(policy) = policy else {
        let rules = Box::new(without_policy(mode, settings)?);
        return Ok(Wanted::Bottled { rules, file: None, name });
    };
    let (document, file) = policies::read(&settings.policies, policy)?;
    let rules = Box::new(Rules::from_documents(&[document])?);
    match mode {
        Some(Mode::Enforce) if rules.mode() != Mode::Enforce => Err(WantedError::OtherMode("enforce")),
        Some(Mode::Observe) if rules.mode() != Mode::Observe => Err(WantedError::OtherMode("observe")),
        _ => Ok(Wanted::Bottled { rules, file: Some(file), name }),
    }
}

/// Whether its annotations or labels say what it may reach.
pub(super) fn names_rules(configuration: &Configuration) -> Result<bool, WantedError> {
    let ours = ours(configuration)?;
    Ok([POLICY, MODE].iter().any(|name| ours.contains_key(*name)))
}

/// What annotations and labels of ours say. An engine that has both writes a label as an annotation too.
fn ours(configuration: &Configuration) -> Result<BTreeMap<String, String>, WantedError> {
    let annotations = configuration.annotations();
    let labels = Labels::of(annotations).map_err(WantedError::Labels)?;
    let mut ours = BTreeMap::new();
    let all = annotations.into_iter().flatten().map(|(name, value)| (name.clone(), value.clone())).chain(labels.0);
    for (name, value) in all.filter(|(name, _)| name.starts_with(PREFIX)) {
        if ![POLICY, MODE, NAME].contains(&name.as_str()) {
            return Err(WantedError::Unknown(name));
        }
        if ours.insert(name.clone(), value.clone()).is_some_and(|before| before != value) {
            return Err(WantedError::Contradictory(name));
        }
    }
    Ok(ours)
}

/// An annotation may come from an image, so that it widens nothing by itself.
fn without_policy(mode: Option<Mode>, settings: &Settings) -> Result<Rules, WantedError> {
    match mode {
        Some(Mode::Observe) if settings.lets_pass(Exception::Observe) => Ok(Rules::observe()),
        Some(Mode::Observe) => Err(WantedError::Observe),
        Some(Mode::Enforce) | None => Ok(Rules::deny_all()),
    }
}

fn mode(text: &str) -> Result<Mode, WantedError> {
    match text {
        "enforce" => Ok(Mode::Enforce),
        "observe" => Ok(Mode::Observe),
        other => Err(WantedError::Mode(other.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn of(annotations: &str) -> Configuration {
        let text = format!(r#"{{"annotations":{annotations}}}"#);
        Configuration::parse(Path::new("/b"), text.as_bytes()).unwrap()
    }

    fn with(unannotated: Unannotated) -> Settings {
        Settings { unannotated, ..Settings::default() }
    }

    #[test]
    fn a_container_without_our_annotations_is_what_the_settings_say() {
        let plain = of(r#"{"io.podman":"x"}"#);
        assert!(matches!(wanted(&plain, &with(Unannotated::LeftAlone)), Ok(Wanted::LeftAlone)));
        let bottled = wanted(&plain, &with(Unannotated::Bottled));
        assert!(matches!(bottled, Ok(Wanted::Bottled { rules, .. }) if rules.mode() == Mode::Enforce));
    }

    #[test]
    fn annotations_make_a_bottle_and_never_undo_one() {
        let left = with(Unannotated::LeftAlone);
        for annotations in [r#"{"bottle.mode":"enforce"}"#, r#"{"bottle.name":"a"}"#] {
            assert!(matches!(wanted(&of(annotations), &left), Ok(Wanted::Bottled { .. })), "{annotations}");
        }
        for annotations in [r#"{"bottle.mode":"off"}"#, r#"{"bottle.polcy":"a"}"#, r#"{"bottle.policy":"../a"}"#] {
            assert!(wanted(&of(annotations), &left).is_err(), "{annotations}");
        }
    }

    #[test]
    fn a_label_counts_as_an_annotation_does_and_contradicts_none() {
        let left = with(Unannotated::LeftAlone);
        let labelled =
            |labels: &str, more: &str| of(&format!(r#"{{"{}":{}{more}}}"#, labels::PLACE, serde_json::json!(labels)));
        let mode = r#"{"tier":"backend","bottle.mode":"enforce"}"#;
        for more in ["", r#","bottle.mode":"enforce""#] {
            assert!(matches!(wanted(&labelled(mode, more), &left), Ok(Wanted::Bottled { .. })), "{more}");
        }
        assert!(matches!(wanted(&labelled(r#"{"tier":"backend"}"#, ""), &left), Ok(Wanted::LeftAlone)));
        let other = wanted(&labelled(mode, r#","bottle.mode":"observe""#), &left);
        assert!(matches!(other, Err(WantedError::Contradictory(_))), "{other:?}");
        for spoilt in ["", "[]", r#"{"bottle.mode":"enforce","bottle.mode":"enforce"}"#, r#"{"bottle.polcy":"a"}"#] {
            assert!(wanted(&labelled(spoilt, ""), &left).is_err(), "{spoilt}");
        }
    }

    #[test]
    fn an_annotation_widens_nothing_that_the_settings_do_not_let_pass() {
        let observe = of(r#"{"bottle.mode":"observe"}"#);
        let mut settings = with(Unannotated::Bottled);
        assert!(matches!(wanted(&observe, &settings), Err(WantedError::Observe)));
        settings.allow.insert(Exception::Observe);
        let observed = wanted(&observe, &settings);
        assert!(matches!(observed, Ok(Wanted::Bottled { rules, .. }) if rules.mode() == Mode::Observe));
    }
}
