//! What is a DNS name that a policy, a query or a client may speak of?

/// A DNS name in canonical form: lower-case A-labels, no trailing dot, at least one label, no numeric last label.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(std::sync::Arc<str>);

/// Why a string is not a [`Name`].
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("not a DNS name: {0}")]
pub struct NameError(pub &'static str);

impl Name {
    /// The canonical text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Name {
    type Error = NameError;
    fn try_from(_text: String) -> Result<Self, NameError> {
        Err(NameError("not parsed yet"))
    }
}

impl From<Name> for String {
    fn from(name: Name) -> String {
        name.0.to_string()
    }
}
