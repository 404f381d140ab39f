//! What do signals do to this process when no bottle runs any more? What they did before the first one ran.
//!
//! A program of somebody's own goes on after a run, and must end on Ctrl-C as it did. Tokio installs its handlers once and
//! never again, so they are kept aside and put back for the next run.

use std::sync::{Mutex, MutexGuard, PoisonError};

use libc::sigaction;

use crate::sys;

/// Those that a run takes over (see [`super::signals`]), and the one that it ignores.
const TAKEN: [i32; 10] = [
    libc::SIGINT,
    libc::SIGTERM,
    libc::SIGHUP,
    libc::SIGQUIT,
    libc::SIGUSR1,
    libc::SIGUSR2,
    libc::SIGTSTP,
    libc::SIGWINCH,
    libc::SIGCHLD,
    libc::SIGXFSZ,
];

/// How many runs of this process have taken them, what they did before, and what they did at the end of the last run.
struct Held {
    runs: usize,
    before: Vec<(i32, sigaction)>,
    ours: Vec<(i32, sigaction)>,
}

static HELD: Mutex<Held> = Mutex::new(Held { runs: 0, before: Vec::new(), ours: Vec::new() });

/// A run that has taken the signals over. The last of the process's to be dropped gives them back.
pub(crate) struct Taken(());

impl Taken {
    /// Before the run touches any signal.
    pub(crate) fn take() -> Taken {
        let mut held = held();
        if held.runs == 0 {
            held.before = TAKEN.iter().filter_map(|signal| Some((*signal, sys::signal_action(*signal)?))).collect();
            set(&held.ours);
        }
        held.runs += 1;
        Taken(())
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let mut held = held();
        held.runs -= 1;
        if held.runs == 0 {
            held.ours = TAKEN.iter().filter_map(|signal| Some((*signal, sys::signal_action(*signal)?))).collect();
            set(&held.before);
        }
    }
}

fn set(actions: &[(i32, sigaction)]) {
    actions.iter().for_each(|(signal, action)| sys::set_signal_action(*signal, action));
}

fn held() -> MutexGuard<'static, Held> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}
