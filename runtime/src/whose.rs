//! Whose ids does a run have? The one place that decides it, before anything is built.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use bottle_images::{Ids, ImageRef, Place};

use crate::caller::Caller;
use crate::kept::{self, Begun, KeptError};
use crate::options::RunOptions;
use crate::plan::PlanError;
use crate::state::State;
use crate::subordinate::{StewardError, Subordinate};

/// Whose.
#[derive(Debug)]
pub(crate) enum Whose {
    /// Nobody's: a range that bottle keeps for root.
    Nobodys,
    /// The caller's one id.
    Callers,
    /// The caller's and those of its range.
    Range {
        /// Who has them.
        subordinate: Arc<Subordinate>,
        /// Who inside is the caller.
        place: Place,
    },
}

/// In which user namespace a bottle's others are made.
#[derive(Debug)]
pub(crate) enum Around {
    /// The one that bottle was started in.
    Host,
    /// One with the caller's ids, which is made for it.
    Fresh,
    /// This one.
    Given(OwnedFd),
}

impl Whose {
    /// Only an image of the store has owners to be kept: what else is shown belongs to the host's users. A layer that is gone on
    /// with has files already, and so decides.
    pub(crate) fn decide(options: &RunOptions, caller: &Caller) -> Result<Whose, PlanError> {
        if Whose::is_nobodys(caller) {
            return Ok(Whose::Nobodys);
        }
        if !matches!(options.image, ImageRef::Manifest(_)) {
            return Ok(Whose::Callers);
        }
        let begun = match &options.keep {
            None => None,
            Some(name) => Some((name, kept::begun(&State::open(&caller.places, caller.uid)?, name)?)),
        };
        let place = match begun {
            Some((_, Begun::WithOneId)) => return Ok(Whose::Callers),
            Some((name, Begun::With(map))) => match &caller.subordinate {
                Some(subordinate) if subordinate.map() == map.at((0, 0)) => Place::Known(map.place()),
                _ => return Err(KeptError::OtherIds(name.clone()).into()),
            },
            Some((_, Begun::NotYet)) => Place::User,
            None => Place::UserWhereShared,
        };
        Ok(match &caller.subordinate {
            Some(subordinate) => Whose::Range { subordinate: Arc::clone(subordinate), place },
            None => Whose::Callers,
        })
    }

    /// What is so of each of root's runs, whatever is run.
    pub(crate) fn is_nobodys(caller: &Caller) -> bool {
        caller.uid == 0
    }

    /// Where to build.
    pub(crate) fn around(&self) -> Result<Around, StewardError> {
        Ok(match self {
            Whose::Nobodys => Around::Host,
            Whose::Callers => Around::Fresh,
            Whose::Range { subordinate, .. } => Around::Given(subordinate.namespace()?),
        })
    }

    /// Whose the image's files become, and who inside is the caller.
    pub(crate) fn of_files(&self, caller: &Caller) -> (Ids, Place) {
        match self {
            Whose::Nobodys | Whose::Callers => (Ids::Plain { uid: caller.uid }, Place::UserWhereShared),
            Whose::Range { place, .. } => (caller.ids(), *place),
        }
    }
}
