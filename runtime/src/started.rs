//! What is at work before there is a plan? The builder: it executes and builds what is the same for every plan.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use crate::airlock::{CHANNEL, RealizeError, step};
use crate::builder::{Agent, BuilderSetup, FromBuilder, UserNamespace, program};
use crate::channel::Channel;
use crate::descriptors;
use crate::heartbeat;
use crate::process::Process;
use crate::roles::{Program, Role, RoleProcess};
use crate::whose::Around;

/// A builder that waits to be told whose namespaces it is to build: to execute it takes a while, and needs nothing of the run.
pub(crate) struct Executed {
    program: Arc<Program>,
    builder: RoleProcess,
    from_read_only: bool,
}

impl Executed {
    /// Executed from where nobody can write, if that can be had at once: what it forks inside then need not be executed once more.
    pub(crate) fn new() -> Result<Executed, RealizeError> {
        let (program, from_read_only) = match program::read_only_at_once() {
            Ok(mount) => (Program::dispatching(mount)?, true),
            // An ordinary user's.
            Err(_) => (Program::running()?, false),
        };
        let program = Arc::new(program);
        descriptors::make_room(&*program);
        let builder = program.spawn(Role::Builder)?;
        Ok(Executed { program, builder, from_read_only })
    }

    /// The namespaces are to belong to the user namespace that is said.
    pub(crate) fn start(self, around: &Around) -> Result<Started, RealizeError> {
        self.with(around, None)
    }

    /// The same around a network namespace that is there.
    pub(crate) fn adopt(self, around: &Around, network: BorrowedFd<'_>) -> Result<Started, RealizeError> {
        self.with(around, Some(network))
    }

    fn with(self, around: &Around, network: Option<BorrowedFd<'_>>) -> Result<Started, RealizeError> {
        let Executed { program, builder, from_read_only } = self;
        let pair = || Channel::pair().map_err(step(CHANNEL));
        let ((to_dialler, dialler), (to_gate, gate), (to_init, init)) = (pair()?, pair()?, pair()?);
        // Of a container alone.
        let keepers = network.map(|_| pair()).transpose()?;
        let keeper = keepers.as_ref().map(|(_, keeper)| keeper.as_fd());
        let (user, given) = match around {
            Around::Host => (UserNamespace::Inherited, None),
            Around::Fresh => (UserNamespace::Fresh, None),
            Around::Given(namespace) => (UserNamespace::Given, Some(namespace.as_fd())),
        };
        let agent = if network.is_some() { Agent::Adopted } else { Agent::Created };
        let beside =
            [dialler.as_fd(), gate.as_fd(), init.as_fd()].into_iter().chain(given).chain(network).chain(keeper);
        let beside: Vec<_> = beside.collect();
        let told = builder.channel.send(&BuilderSetup { user, agent, from_read_only }, &beside);
        told.map_err(|source| RealizeError::Helper { who: "builder", source })?;
        let to_keeper = keepers.map(|(to_keeper, _)| to_keeper);
        Ok(Started(Some(Building { program, builder, to_dialler, to_gate, to_keeper, to_init })))
    }
}

/// A builder at work while the plan is made: what it builds is the same for every plan. Dropped, where there is no plan for it, it
/// is heard out, so that nobody whom it has forked is left.
pub(crate) struct Started(pub(crate) Option<Building>);

/// A builder, and our ends of the channels to those whom it forks.
pub(crate) struct Building {
    pub(crate) program: Arc<Program>,
    pub(crate) builder: RoleProcess,
    pub(crate) to_dialler: Channel,
    pub(crate) to_gate: Channel,
    pub(crate) to_keeper: Option<Channel>,
    pub(crate) to_init: Channel,
}

impl Drop for Started {
    fn drop(&mut self) {
        let Some(Building { builder, .. }) = &self.0 else { return };
        let mut forked = Vec::new();
        while heartbeat::heard(&builder.channel).unwrap_or(false) {
            let Ok((message, pidfds)) = builder.channel.recv::<FromBuilder>() else { return };
            let pids = match message {
                FromBuilder::Helpers { dialler, gate, keeper } => [dialler, gate].into_iter().chain(keeper).collect(),
                FromBuilder::Init { pid } => vec![pid],
                _ => return,
            };
            // Dropped, they are killed and waited for.
            forked.extend(pids.into_iter().zip(pidfds).map(|(pid, pidfd)| Process::new(pid, pidfd)));
        }
    }
}
