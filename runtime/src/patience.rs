//! How long may they take who read what a run writes and says? As long as they like, until someone wants it to end.

use std::future::pending;
use std::pin::pin;
use std::time::Duration;

use tokio::time::Instant;

use crate::supervisor::signals::Signals;

/// How long a run that has to end waits for those who read.
const GRACE: Duration = Duration::from_secs(2);

/// How long what is said last may take to be read when patience has ended, which is said, too.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Waits on behalf of a run whose command has ended and whose log is closed.
pub(crate) struct Patience {
    signals: Option<Signals>,
    until: Option<Instant>,
}

impl Patience {
    /// Without end: nobody has asked for one yet. Ends when a signal asks, or a while after `limit`.
    pub(crate) fn until_asked(signals: Option<Signals>, limit: Option<Instant>) -> Patience {
        Patience { signals, until: limit.map(|limit| limit + GRACE) }
    }

    /// For a run that was ended and not just came to its end.
    pub(crate) fn short(signals: Option<Signals>) -> Patience {
        Patience::until_asked(signals, Some(Instant::now()))
    }

    /// Waits for this; `None` where patience ended first.
    pub(crate) async fn wait_for<T>(&mut self, what: impl Future<Output = T>) -> Option<T> {
        let mut what = pin!(what);
        loop {
            tokio::select! {
                biased;
                done = &mut what => return Some(done),
                () = asked(&mut self.signals) => {
                    let soon = Instant::now() + GRACE;
                    self.until = Some(self.until.map_or(soon, |until| until.min(soon)));
                }
                () = over(self.until) => return None,
            }
        }
    }

    /// Waits for what is said last, a moment at the least.
    pub(crate) async fn wait_for_last_words(mut self, heard: impl Future<Output = ()>) {
        let soon = Instant::now() + LAST_WORDS;
        self.until = self.until.map(|until| until.max(soon));
        self.wait_for(heard).await;
    }
}

/// Until a signal comes that asks the command to end: it is gone, so bottle is meant.
async fn asked(signals: &mut Option<Signals>) {
    match signals {
        Some(signals) => drop(signals.asked_to_end().await),
        None => pending().await,
    }
}

async fn over(until: Option<Instant>) {
    match until {
        Some(until) => tokio::time::sleep_until(until).await,
        None => pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    #[tokio::test(start_paused = true)]
    async fn a_slow_reader_is_waited_for_as_long_as_nobody_asks() {
        let mut patience = Patience::until_asked(None, None);
        assert_eq!(patience.wait_for(tokio::time::sleep(DAY)).await, Some(()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_run_that_has_to_end_waits_a_while_in_all_and_for_what_is_done() {
        let mut patience = Patience::short(None);
        assert_eq!(patience.wait_for(tokio::time::sleep(DAY)).await, None);
        assert_eq!(patience.wait_for(tokio::time::sleep(GRACE)).await, None);
        assert_eq!(patience.wait_for(async { 7 }).await, Some(7));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_said_last_is_heard_where_patience_has_ended_but_not_waited_for_without_end() {
        let mut patience = Patience::short(None);
        assert_eq!(patience.wait_for(tokio::time::sleep(DAY)).await, None);
        let mut heard = false;
        patience
            .wait_for_last_words(async {
                tokio::time::sleep(LAST_WORDS / 2).await;
                heard = true
            })
            .await;
        assert!(heard);
        let begun = Instant::now();
        Patience::short(None).wait_for_last_words(tokio::time::sleep(DAY)).await;
        assert!(begun.elapsed() < DAY);
    }

    #[tokio::test(start_paused = true)]
    async fn the_callers_limit_covers_the_readers() {
        let mut patience = Patience::until_asked(None, Some(Instant::now() + DAY / 2));
        assert_eq!(patience.wait_for(tokio::time::sleep(DAY / 2)).await, Some(()));
        assert_eq!(patience.wait_for(tokio::time::sleep(DAY)).await, None);
    }
}
