//! What does a name cache say that knows nothing? It hangs up, and whoever asked looks elsewhere. The C library of each program on the
//! host asks it first, a sandbox's own included, and would wait ten seconds for one that only listens.

use std::io::Read;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// Where it listens.
const SOCKET: &str = "/run/nscd/socket";
/// No question is longer.
const MOST: usize = 4096;
const PATIENCE: Duration = Duration::from_millis(200);

/// All that it was asked.
#[derive(Clone, Default)]
pub(super) struct Asked(Arc<Mutex<Vec<u8>>>);

impl Asked {
    /// Whether this is its socket.
    pub(super) fn is_at(path: &Path) -> bool {
        path == Path::new(SOCKET)
    }

    /// Hangs up on all who ask, until the process ends.
    pub(super) fn listen(listener: UnixListener) -> Self {
        let asked = Self::default();
        let all = asked.clone();
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut question = [0; MOST];
                let length = stream.set_read_timeout(Some(PATIENCE)).and_then(|()| stream.read(&mut question));
                all.0.lock().unwrap_or_else(PoisonError::into_inner).extend(&question[..length.unwrap_or(0)]);
            }
        });
        asked
    }

    pub(super) fn all(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
