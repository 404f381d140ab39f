//! How is a helper waited for while it takes its place? For a bounded time, and what it says or fails to say has its name.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::airlock::RealizeError;
use crate::async_channel::AsyncChannel;
use crate::process::Process;
use crate::roles::RoleProcess;

/// How long each helper may take for each step of the start.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A helper that was started and has not reported yet.
pub(crate) struct Waiting {
    who: &'static str,
    pub(crate) process: Process,
    pub(crate) channel: AsyncChannel,
}

impl Waiting {
    pub(crate) fn new(who: &'static str, role: RoleProcess) -> Result<Waiting, RealizeError> {
        let channel = AsyncChannel::new(role.channel).map_err(|source| RealizeError::Helper { who, source })?;
        Ok(Waiting { who, process: role.process, channel })
    }

    pub(crate) async fn send<T: serde::Serialize>(
        &self,
        message: &T,
        descriptors: &[BorrowedFd<'_>],
    ) -> Result<(), RealizeError> {
        self.channel.send(message, descriptors).await.map_err(|source| self.failed(source))
    }

    pub(crate) async fn recv<T: DeserializeOwned>(&self) -> Result<(T, Vec<OwnedFd>), RealizeError> {
        let received = tokio::time::timeout(PATIENCE, self.channel.recv()).await;
        received.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map_err(|source| self.failed(source))
    }

    fn failed(&self, source: io::Error) -> RealizeError {
        RealizeError::Helper { who: self.who, source }
    }

    pub(crate) fn says(&self, why: Vec<String>) -> RealizeError {
        self.failed(io::Error::other(why.join(": ")))
    }

    pub(crate) fn unexpected(&self) -> RealizeError {
        self.failed(io::ErrorKind::InvalidData.into())
    }
}
