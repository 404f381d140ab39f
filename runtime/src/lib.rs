//! Plan, airlock, binding, workload, outcome: the five stages of a bottle.
