//! Statements, seals, the audit chain and their offline verification. Pure.
