//! What does a supervisor keep, so that others can enter its bottle? Descriptors of what was measured, and what was found there.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, RwLock, Weak};

use bottle_images::Root;
use bottle_images::mountinfo::MountPoint;

use crate::airlock::Airlock;
use crate::attest::process::ProcessFacts;
use crate::cgroups::Group;
use crate::confine::Wall;
use crate::init::message::Failure;
use crate::init::plan::Ids;
use crate::plan::Plan;
use crate::roles::Program;
use crate::supervisor::recorder::Recorder;
use crate::ulimit::Ulimit;

/// How many may be inside at once.
const MOST: usize = 64;

/// The way into one bottle. Made once its first process was measured.
pub(crate) struct Entrance {
    /// bottle's own program on the read-only mount that init was executed from.
    pub(super) program: Program,
    /// Init's pidfd: the namespaces are those that it lives in.
    pub(super) init: OwnedFd,
    pub(super) init_pid: u32,
    /// The first process, as it was measured before its execve(2).
    pub(super) first: Arc<First>,
    pub(super) recorder: Arc<Recorder>,
    pub(super) ids: Ids,
    pub(super) inside: (u32, u32),
    /// The image's layers, the topmost first: they say who its users are, whatever the workload writes.
    pub(super) layers: Vec<PathBuf>,
    pub(super) env: Vec<(String, String)>,
    pub(super) wall: Wall,
    pub(super) workdir: PathBuf,
    pub(super) descriptors: Option<u64>,
    pub(super) ulimits: Vec<Ulimit>,
    pub(super) readily_killed: Option<u16>,
    /// Not kept alive by who enters late: it is removed when the bottle has ended.
    group: Option<Weak<Group>>,
    inside_now: AtomicUsize,
    /// Who enters holds it until it is confined; who measures the bottle meanwhile waits for that, and is waited for.
    pub(super) entering: Arc<RwLock<()>>,
}

/// What was found of the first process.
pub(crate) struct First {
    pub(crate) facts: ProcessFacts,
    pub(crate) user_namespace: OwnedFd,
    /// What it saw mounted.
    pub(crate) mounts: Vec<MountPoint>,
}

/// One who enters, for as long as this lives.
pub(super) struct Turn<'a>(&'a AtomicUsize);

impl Entrance {
    pub(crate) fn new(airlock: &Airlock, first: Arc<First>, entering: Arc<RwLock<()>>) -> io::Result<Entrance> {
        let Plan { files, descriptors, ulimits, limits, .. } = &airlock.plan;
        Ok(Entrance {
            program: Program::on_mount(airlock.init.program.as_fd().try_clone_to_owned()?),
            init: airlock.init.process.as_fd().try_clone_to_owned()?,
            init_pid: airlock.init.process.pid(),
            first,
            recorder: Arc::clone(&airlock.recorder),
            ids: airlock.plan.workload_ids(),
            inside: (files.user.uid, files.user.gid),
            layers: if let Root::Overlay { layers, .. } = &files.root { layers.clone() } else { Vec::new() },
            env: files.env.clone(),
            wall: Wall::of(files),
            workdir: files.workdir.clone(),
            descriptors: *descriptors,
            ulimits: ulimits.clone(),
            readily_killed: limits.readily_killed(),
            group: airlock.group.as_ref().map(Arc::downgrade),
            inside_now: AtomicUsize::new(0),
            entering,
        })
    }

    /// The control groups that bound the bottle, if any do. An error where it has ended.
    pub(super) fn group(&self) -> Result<Option<Arc<Group>>, Failure> {
        let ended = || Failure { code: 125, what: "the bottle has ended".into(), hint: None };
        self.group.as_ref().map(|group| group.upgrade().ok_or_else(ended)).transpose()
    }

    /// Nothing where too many are inside.
    pub(super) fn turn(&self) -> Option<Turn<'_>> {
        let before = self.inside_now.fetch_add(1, Ordering::Relaxed);
        let turn = Turn(&self.inside_now);
        (before < MOST).then_some(turn)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
