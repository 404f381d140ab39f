//! How does a role tell the supervisor what went wrong? As the texts of an error and its sources; only `cli` prints.

/// What an error and each of its sources say, outermost first.
pub fn chain(error: &dyn std::error::Error) -> Vec<String> {
    std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string).collect()
}
