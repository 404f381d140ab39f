//! What does an editor need to know about a policy file?

/// The JSON schema (draft 2020-12) of policy files, as `bottle policy schema` prints it.
pub const SCHEMA: &str = include_str!("../policy.schema.json");
