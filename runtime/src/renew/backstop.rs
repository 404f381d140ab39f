//! When is a bottle measured again though nobody asks? Every minute, against what no notification and no poll would tell.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};

use super::recheck::{Recheck, Unsound};
use crate::supervisor::watch::Drift;
use crate::thread;

/// How often all is measured again.
pub(crate) const REMEASURED_EVERY: Duration = Duration::from_secs(60);

/// How soon it is tried again where it could not be measured, and how often that may be.
const RETRIED_AFTER: Duration = Duration::from_secs(1);
const TRIES: u32 = 30;

/// The clock of one bottle, and the measurement that is under way.
pub(crate) struct Backstop {
    due: Instant,
    failures: u32,
    looking: Option<oneshot::Receiver<Result<(), Unsound>>>,
}

/// What there is to do.
pub(crate) enum Next {
    /// To measure all again.
    Due,
    /// To end the run.
    Drift(Drift),
}

impl Backstop {
    pub(crate) fn new() -> Backstop {
        Backstop { due: Instant::now() + REMEASURED_EVERY, failures: 0, looking: None }
    }

    /// Waits for what there is to do. Safe to drop halfway.
    pub(crate) async fn next(&mut self) -> Next {
        loop {
            match &mut self.looking {
                None => {
                    sleep_until(self.due).await;
                    // Until it is said what came of it.
                    self.due += REMEASURED_EVERY;
                    return Next::Due;
                }
                Some(looking) => {
                    let found = looking.await;
                    self.looking = None;
                    let found = found.unwrap_or_else(|_| Err(Unsound::Unknown("the measuring thread broke".into())));
                    if let Some(drift) = self.judged(found) {
                        return Next::Drift(drift);
                    }
                }
            }
        }
    }

    /// The namespaces are as they were: what remains is measured in a thread, however many processes there are.
    pub(crate) fn look(&mut self, recheck: Arc<Recheck>) -> Option<Drift> {
        match thread::awaited(move || recheck.holds()) {
            Ok(looking) => {
                self.looking = Some(looking);
                None
            }
            Err(error) => self.judged(Err(Unsound::Unknown(error.to_string()))),
        }
    }

    fn failed(&mut self, why: String) -> Option<Drift> {
        (self.failures, self.due) = (self.failures + 1, Instant::now() + RETRIED_AFTER);
        (self.failures >= TRIES).then(|| Drift::new("remeasured", why))
    }

    /// What could not be measured is measured again soon; what can't be for long holds no more.
    pub(crate) fn judged(&mut self, found: Result<(), Unsound>) -> Option<Drift> {
        match found {
            Ok(()) => {
                (self.failures, self.due) = (0, Instant::now() + REMEASURED_EVERY);
                None
            }
            Err(Unsound::Drift(drift)) => Some(drift),
            // Its end is heard of soon, or it is none.
            Err(Unsound::Ending) => {
                self.failed("the first process is said to have ended, and its end does not come".into())
            }
            Err(Unsound::Unknown(why)) => self.failed(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unknown() -> Result<(), Unsound> {
        Err(Unsound::Unknown("no memory".into()))
    }

    #[tokio::test(start_paused = true)]
    async fn all_is_measured_every_minute() {
        let (mut backstop, begun) = (Backstop::new(), Instant::now());
        for minute in 1..=3 {
            assert!(matches!(backstop.next().await, Next::Due));
            assert_eq!(begun.elapsed(), REMEASURED_EVERY * minute);
            assert_eq!(backstop.judged(Ok(())), None);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_end_that_does_not_come_is_none() {
        let mut backstop = Backstop::new();
        for _ in 1..TRIES {
            assert_eq!(backstop.judged(Err(Unsound::Ending)), None);
        }
        assert!(backstop.judged(Err(Unsound::Ending)).is_some_and(|drift| drift.detail.contains("does not come")));
    }

    #[tokio::test(start_paused = true)]
    async fn what_cannot_be_measured_is_tried_again_soon_and_not_for_ever() {
        let mut backstop = Backstop::new();
        assert!(matches!(backstop.next().await, Next::Due));
        let begun = Instant::now();
        for _ in 1..TRIES {
            assert_eq!(backstop.judged(unknown()), None);
            assert!(matches!(backstop.next().await, Next::Due));
        }
        assert_eq!(begun.elapsed(), RETRIED_AFTER * (TRIES - 1));
        assert_eq!(backstop.judged(unknown()), Some(Drift::new("remeasured", "no memory")));
        assert_eq!(backstop.judged(Ok(())), None);
        assert_eq!(backstop.failures, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn what_deviates_ends_the_run_at_once() {
        let drift = Drift::new("remeasured", "process 7 has capabilities");
        assert_eq!(Backstop::new().judged(Err(Unsound::Drift(drift.clone()))), Some(drift));
    }
}
