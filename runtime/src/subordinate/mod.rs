//! Has an ordinary user a range of ids besides its own, and who can work with them? subuid(5), newuidmap(1) and a process.
//!
//! Whether there is one is decided once, from files: what does not work afterwards is an error, and never another run than was
//! planned. Nothing of it is needed to run a bottle: without a range it has one id.

mod grant;
mod lacking;
mod mapper;
mod steward;

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use bottle_evidence::Digest as EvidenceDigest;
use bottle_images::{Digest, IdMap, Layers, Listener, OneMap, Store, UnpackError, UnpackOptions};

use crate::report::chain;

pub use grant::{free, granted};
pub use lacking::Lacking;
pub use mapper::MapError;
pub use steward::StewardError;
pub(crate) use steward::main;

use grant::Kind;
use mapper::Mapper;
use steward::Steward;

/// A range of 65,536 uids and one of gids that are the caller's beside its own.
#[derive(Debug)]
pub struct Subordinate {
    map: IdMap,
    mapper: Mapper,
    steward: Mutex<Option<Arc<Steward>>>,
}

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub struct Asking<'a> {
    /// Effective uid.
    pub uid: u32,
    /// Effective gid.
    pub gid: u32,
    /// Login name.
    pub name: &'a str,
    /// The gid that passwd(5) says, where it says one.
    pub login_gid: Option<u32>,
}

impl Subordinate {
    /// What this host grants an ordinary user.
    ///
    /// # Errors
    /// [`Lacking`]: what there is not, and what to do about it.
    pub fn find(asking: Asking<'_>) -> Result<Subordinate, Lacking> {
        // newgidmap maps no other gid than this one.
        if asking.login_gid.is_some_and(|login| login != asking.gid) {
            return Err(Lacking::Group { gid: asking.gid });
        }
        let mapper = Mapper::find()?;
        let (uids, gids) = (grant::read(Kind::Uids), grant::read(Kind::Gids));
        let found = |texts: &Result<Vec<u8>, Lacking>, own| match texts {
            Ok(text) => Ok(grant::granted(text, asking.name, asking.uid, own)),
            Err(lacking) => Err(lacking.clone()),
        };
        let map = match (found(&uids, asking.uid)?, found(&gids, asking.gid)?) {
            (Some(uid), Some(gid)) => IdMap {
                uids: OneMap { first: uid, own: asking.uid, place: 0 },
                gids: OneMap { first: gid, own: asking.gid, place: 0 },
            },
            (uid, gid) => {
                let free = |texts, found: Option<u32>| if found.is_none() { grant::free(texts) } else { None };
                let (uids, gids) = (uids.unwrap_or_default(), gids.unwrap_or_default());
                let missing = (free(&uids, uid), free(&gids, gid));
                return Err(Lacking::Range { name: asking.name.to_owned(), uids: missing.0, gids: missing.1 });
            }
        };
        grant::mapped_here(map)?;
        Ok(Subordinate { map, mapper, steward: Mutex::default() })
    }

    /// The map in which the caller is 0 inside.
    pub fn map(&self) -> IdMap {
        self.map
    }

    /// A user namespace in which the caller's own ids and all of the range are what they are outside. The process that made it is
    /// started where it does not run yet, by a thread that must live as long as it is needed.
    ///
    /// # Errors
    /// [`StewardError`]
    pub fn namespace(&self) -> Result<OwnedFd, StewardError> {
        let steward = self.steward()?;
        steward.namespace().as_fd().try_clone_to_owned().map_err(StewardError::Broken)
    }

    /// Ends the process. What is asked next starts another one.
    pub(crate) fn dismiss(&self) {
        self.steward.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// SHA-256 of a file as a process in such a namespace sees it, whoever in the range may read it.
    pub(crate) fn digest(&self, pid: u32, path: &Path) -> io::Result<EvidenceDigest> {
        self.steward().map_err(io::Error::other)?.digest(pid, path)
    }

    fn steward(&self) -> Result<Arc<Steward>, StewardError> {
        let mut steward = self.steward.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(steward) = &*steward {
            return Ok(Arc::clone(steward));
        }
        let started = Arc::new(Steward::start(self.map, &self.mapper)?);
        *steward = Some(Arc::clone(&started));
        Ok(started)
    }
}

impl bottle_images::Steward for Subordinate {
    fn unpack(
        &self,
        store: &Store,
        manifest: Digest,
        options: UnpackOptions,
        listener: Listener<'_>,
    ) -> Result<Layers, UnpackError> {
        let failed = |error: StewardError| UnpackError::Steward { what: chain(&error).join(": "), hint: error.hint() };
        self.steward().map_err(failed)?.unpack(store, manifest, options, listener).map_err(failed)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.steward().map_err(io::Error::other)?.remove(path)
    }
}
