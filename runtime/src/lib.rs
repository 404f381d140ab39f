//! The five stages of a bottle: plan, airlock, binding, workload, outcome.

pub mod channel;
pub mod probe;
pub mod sys;
