//! Which rules do `--policy`, `--allow`, `--mode` and `--allow-all` mean together?

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use bottle_policy::document::Document;
use bottle_policy::rules::{Mode, Rules};

use crate::args::{ModeArg, PolicyArgs};
use crate::report::Failure;

/// Why the options mean no rules.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// A file could not be read.
    #[error("cannot read the policy {}", path.display())]
    Read {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// What the files or options say is wrong.
    #[error(transparent)]
    Policy(#[from] bottle_policy::rules::RulesError),
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
            RulesError::Read { .. } => None,
            RulesError::Policy(error) => error.hint().map(str::to_owned),
            RulesError::ObserveWithRules => Some("leave out --policy and --allow, or --mode observe".into()),
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

/// The rules. Without any option, nothing may be reached.
pub fn rules(args: &PolicyArgs) -> Result<Rules, RulesError> {
    if args.allow_all || args.mode == Some(ModeArg::Observe) {
        let alone = args.policy.is_empty() && args.allow.is_empty();
        return if alone { Ok(Rules::observe()) } else { Err(RulesError::ObserveWithRules) };
    }
    let documents: Vec<_> = args.policy.iter().map(|path| read(path)).collect::<Result<_, _>>()?;
    let rules = Rules::from_documents(&documents)?.unite(Rules::allow_flags(&args.allow)?)?;
    match (args.mode, rules.mode()) {
        (Some(ModeArg::Enforce), Mode::Observe) => Err(RulesError::ModesDiffer),
        _ => Ok(rules),
    }
}

/// One file, as written.
pub fn read(path: &Path) -> Result<Document, RulesError> {
    let text = fs::read_to_string(path).map_err(|source| RulesError::Read { path: path.to_owned(), source })?;
    let document = Document::parse(&text, &path.display().to_string());
    document.map_err(|error| RulesError::Policy(error.into()))
}
