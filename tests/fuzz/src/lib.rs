//! Does any input break a reader of foreign bytes? Each reader has a target, and each target says what must hold.
//!
//! [`TARGETS`] names them. [`Target::judge`] gives one input to a reader and checks what the target says, and that neither
//! time nor memory grows beyond what the input is worth. The tests replay the corpus; `src/main.rs` searches for new inputs.

mod bounds;
mod pieces;
mod sys;
mod targets;

pub use targets::{Reading, TARGETS, Target};
