//! Namespaces, the veth pair, the ruleset, its read-back and its notifications.
