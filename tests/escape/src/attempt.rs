//! What is an attempt? A description that a reader can judge by, and the function that makes it.

use serde::{Deserialize, Serialize};

use crate::field::Field;
use crate::token::Token;
use crate::tried::{NotApplicable, Tried};

/// Makes the attempt: carries the token, notes the steps.
pub type Make = fn(&Field, &Token, &mut Tried) -> Result<(), NotApplicable>;

/// One attempt in code.
#[derive(Debug, Clone, Copy)]
pub struct Attempt {
    /// The name of its file, with dashes.
    pub id: &'static str,
    /// The name of its folder.
    pub class: &'static str,
    /// How bad it would be.
    pub severity: Severity,
    /// What bottle's audit log must say about it: see [`crate::surface`].
    pub surface: &'static str,
    /// What the same attempt does where nothing stands in its way.
    pub control: Control,
    /// One sentence: what it does.
    pub about: &'static str,
    /// Whether others may run at the same time.
    pub company: Company,
    /// After how long it is ended.
    pub seconds: u16,
    /// The function.
    pub make: Make,
}

impl Attempt {
    /// What most attempts have in common: `..Attempt::USUAL`.
    pub const USUAL: Attempt = Attempt {
        id: "",
        class: "",
        severity: Severity::High,
        surface: "none",
        control: Control::Escapes,
        about: "",
        company: Company::Together,
        seconds: 10,
        make: |_, _, _| Ok(()),
    };
}

/// How bad it would be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Any data, anywhere, unseen.
    Critical,
    /// Any data, with conditions.
    High,
    /// Little data, or only to some places.
    Medium,
    /// A signal, a name, a presence.
    Low,
}

/// What the attempt does in an open sandbox. The runner asserts it, since one that is broken would count as contained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Control {
    /// It gets out.
    Escapes,
    /// It does not, and why not.
    None(&'static str),
    /// It depends on what the kernel was built with, or lets an ordinary user do.
    Perhaps(&'static str),
}

/// Whether others may run at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Company {
    /// They may.
    Together,
    /// It would disturb them, or they it.
    Alone,
}
