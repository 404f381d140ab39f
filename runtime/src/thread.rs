//! How is a thread begun? With an error where the system gives none, at which std's and tokio's own ways panic.

use std::io;
use std::thread::{Builder, JoinHandle, Scope, ScopedJoinHandle};

use tokio::sync::oneshot;

/// Begins a thread.
pub(crate) fn begin<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<JoinHandle<T>> {
    Builder::new().spawn(work)
}

/// Begins a thread whose result can be awaited: an error there says that it broke.
pub(crate) fn awaited<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<oneshot::Receiver<T>> {
    let (tell, told) = oneshot::channel();
    // Perhaps nobody waits any more.
    begin(move || drop(tell.send(work())))?;
    Ok(told)
}

/// Begins a thread that ends within the scope.
pub(crate) fn within<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    work: impl FnOnce() -> T + Send + 'scope,
) -> io::Result<ScopedJoinHandle<'scope, T>> {
    Builder::new().spawn_scoped(scope, work)
}
