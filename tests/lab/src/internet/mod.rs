//! What plays the internet? One process's worth of services, each of which answers on every address that there is.

mod authority;
mod dns;
mod peers;
mod program;
mod record;
mod tap;
mod tcp;
mod udp;
mod web;
#[cfg(feature = "clients")]
mod websocket;

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::{io, thread};

use crate::answer::Zone;
use crate::journal::Received;
use crate::options::Plan;
pub(crate) use authority::Authority;
use record::Journal;

/// What all services share.
pub(crate) struct Internet {
    zone: Mutex<Zone>,
    journal: Arc<Journal>,
    authority: Authority,
    directories: BTreeMap<String, PathBuf>,
    programs: BTreeMap<String, PathBuf>,
}

impl Internet {
    /// Starts all services in the current thread's network namespace; when this returns, they listen.
    pub(crate) async fn start(plan: Plan, authority: Authority) -> io::Result<Arc<Self>> {
        let (zone, journal) = (Mutex::new(plan.zone), Arc::new(Journal::default()));
        let Plan { directories, programs, .. } = plan;
        let internet = Arc::new(Self { zone, journal, authority, directories, programs });
        udp::start(&internet)?;
        tcp::start(&internet)?;
        Ok(internet)
    }

    pub(crate) fn zone(&self) -> MutexGuard<'_, Zone> {
        self.zone.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn journal(&self) -> &Arc<Journal> {
        &self.journal
    }

    /// Journals all that connects to a listener of the host's as service `host`, and answers nothing.
    pub(crate) fn collect_for_host(self: &Arc<Self>, listener: TcpListener) -> io::Result<()> {
        let internet = Arc::clone(self);
        thread::Builder::new().name("host-listener".into()).spawn(move || {
            while let Ok((stream, from)) = listener.accept() {
                let internet = Arc::clone(&internet);
                // A listener that can't start a thread loses the connection, as any overloaded host does.
                let _ = thread::Builder::new().spawn(move || {
                    let to = stream.local_addr().unwrap_or(from);
                    peers::drain(stream, &internet.journal.open(Received::new("host", from, to)));
                });
            }
        })?;
        Ok(())
    }
}
