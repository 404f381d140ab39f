//! The five stages of a bottle: plan, airlock, binding, workload, outcome.

pub mod async_channel;
pub mod channel;
pub mod confine;
pub mod probe;
pub mod state;
pub mod sys;
