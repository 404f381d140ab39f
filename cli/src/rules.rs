//! Which rules do `--policy`, `--preset`, `--allow`, `--mode` and `--allow-all` mean together?

use std::path::PathBuf;

use bottle_policy::rules::{Mode, Rules};
use bottle_runtime::caller::Caller;
use bottle_runtime::policy_file::{self, PolicyFileError};

use crate::args::{ModeArg, PolicyArgs};
use crate::presets::{Origin, Preset, PresetError};
use crate::report::{Failure, Reporter};

/// Why the options mean no rules.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// A file is no policy.
    #[error(transparent)]
    File(#[from] PolicyFileError),
    /// What the files or options say is wrong.
    #[error(transparent)]
    Policy(#[from] bottle_policy::rules::RulesError),
    /// A client's settings make no preset.
    #[error(transparent)]
    Preset(#[from] PresetError),
    /// `--mode observe` beside rules.
    #[error("observe allows every public destination, so rules beside it would mean nothing")]
    ObserveWithRules,
    /// `--mode enforce` beside a file that says observe.
    #[error("the policy says `mode: observe`, and the command line --mode enforce")]
    ModesDiffer,
}

impl RulesError {
    /// What to do about it.
    fn hint(&self) -> Option<String> {
        match self {
            RulesError::File(_) => None,
            RulesError::Policy(error) => error.hint().map(str::to_owned),
            RulesError::Preset(error) => Some(error.hint().to_owned()),
            RulesError::ObserveWithRules => Some("leave out --policy, --preset and --allow, or --mode observe".into()),
            RulesError::ModesDiffer => Some("change the file, or leave out --mode".into()),
        }
    }
}

impl From<RulesError> for Failure {
    fn from(error: RulesError) -> Failure {
        let hint = error.hint();
        Failure { hint, ..Failure::new(error) }
    }
}

/// What the options mean.
#[derive(Debug)]
pub struct Stated {
    /// What may be reached.
    pub rules: Rules,
    /// The files that said so, or would if they were there.
    pub files: Vec<PathBuf>,
    /// The settings that presets are made of.
    pub made_of: Vec<(Preset, Origin)>,
}

/// Reads the options; says what should be known of presets. Without any option, nothing may be reached.
pub fn stated(args: &PolicyArgs, caller: &Caller, reporter: Reporter) -> Result<Stated, RulesError> {
    if args.allow_all || args.mode == Some(ModeArg::Observe) {
        let alone = args.policy.is_empty() && args.preset.is_empty() && args.allow.is_empty();
        let observed = Stated { rules: Rules::observe(), files: Vec::new(), made_of: Vec::new() };
        return if alone { Ok(observed) } else { Err(RulesError::ObserveWithRules) };
    }
    let mut files = args.policy.clone();
    let mut made_of = Vec::new();
    let mut documents: Vec<_> = args.policy.iter().map(|path| policy_file::read(path)).collect::<Result<_, _>>()?;
    for preset in &args.preset {
        let policy = preset.policy(caller)?;
        policy.notes.iter().for_each(|note| reporter.say(&format!("preset {}: {note}", preset.name())));
        files.extend(policy.deciding);
        made_of.extend(policy.made_of.into_iter().map(|origin| (*preset, origin)));
        documents.push(policy.document);
    }
    let rules = Rules::from_documents(&documents)?.unite(Rules::allow_flags(&args.allow)?)?;
    match (args.mode, rules.mode()) {
        (Some(ModeArg::Enforce), Mode::Observe) => Err(RulesError::ModesDiffer),
        _ => Ok(Stated { rules, files, made_of }),
    }
}

/// A sentence for each rule that never applies.
pub fn idle(rules: &Rules) -> Vec<String> {
    let sentence = |(origin, what)| {
        format!("warning: {origin} never applies: {what} serves DNS over HTTPS or TLS, which is denied in every mode")
    };
    rules.never_applying().into_iter().map(sentence).collect()
}
