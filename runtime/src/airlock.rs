//! How does a plan become an airlock? The builder builds, the helpers take their places; nothing is proven yet.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::thread::JoinHandle;

use bottle_evidence::{Digest, hex};
use bottle_images::MountPlan;
use bottle_images::changed::Snapshot;
use bottle_netns::Listeners;
use bottle_netns::airlock::FlattenError;
use bottle_netns::counters::Counters;
use bottle_netns::survey::{Survey, survey};
use bottle_proxy::gate::ChallengeKey;
use tokio::sync::oneshot;

use crate::adopt::keeper::Keeper;
use crate::adopt::members::Members;
use crate::adopt::{Container, warden};
use crate::async_channel::AsyncChannel;
use crate::builder::FromBuilder;
use crate::cgroups::Group;
use crate::channel::Channel;
use crate::dialler::message::{DiallerSetup, FromDialler};
use crate::gate::message::{FromGate, GateSetup};
use crate::init::message::ToInit;
use crate::init::plan::{InitPlan, Window};
use crate::options::Stdio;
use crate::plan::Plan;
use crate::probe::ProbePlan;
use crate::process::Process;
pub use crate::realize_error::RealizeError;
use crate::roles::{Program, RoleProcess};
use crate::started::{Building, Started};
use crate::supervisor::gate_link::GateLink;
use crate::supervisor::ledger::Ledger;
use crate::supervisor::recorder::{Events, Recorder};
use crate::supervisor::stdio::Streams;
use crate::supervisor::watch::Drift;
use crate::supervisor::who::Who;
use crate::supervisor::{inbound, recording, terminal};
use crate::waiting::{PATIENCE, Waiting};
use crate::{memory, thread};

pub(crate) const CHANNEL: &str = "make a channel";
const THREAD: &str = "begin a thread";

/// Stage two: built, not yet proven.
pub struct Airlock {
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) space: bottle_netns::Airlock,
    pub(crate) gate: Gate,
    pub(crate) dialler: Dialler,
    pub(crate) init: Init,
    /// Who ends a container when nobody here is left to do so.
    pub(crate) keeper: Option<Keeper>,
    /// It has built, and tells what it tried and who else is there; until its end, which is of no interest, the kernel needs a while.
    pub(crate) builder: Option<Waiting>,
    /// The packet socket that it tried, where a namespace is adopted: whoever closes it last has to wait.
    pub(crate) probing: Vec<OwnedFd>,
    /// Dropped after what is in it.
    pub(crate) group: Option<Arc<Group>>,
    pub(crate) challenge: Challenge,
    /// What the packet filter had counted when the probes were through.
    pub(crate) counted_before: Counters,
    /// What the host would execute of the shared trees, before the workload could change it.
    pub(crate) before: oneshot::Receiver<Snapshot>,
    /// What the namespaces held when all was built in them, before anything was tried there.
    pub(crate) state: Arc<Survey>,
    pub(crate) program: Arc<Program>,
    pub(crate) program_digest: Option<JoinHandle<io::Result<Digest>>>,
    /// Dropped last: it holds the ids that the processes above run with, and another bottle may take them then.
    pub(crate) plan: Plan,
}

/// The gate: its heartbeats are answered from here on.
pub(crate) struct Gate {
    pub(crate) process: Process,
    pub(crate) link: GateLink,
}

/// The dialler: its channel is served by the recording thread.
pub(crate) struct Dialler {
    pub(crate) process: Process,
    pub(crate) ended: oneshot::Receiver<Drift>,
}

/// The workload's pid 1.
pub(crate) struct Init {
    pub(crate) process: Process,
    pub(crate) channel: Arc<AsyncChannel>,
    pub(crate) streams: Option<Streams>,
    /// What it executes, on the mount that it executes it from.
    pub(crate) program: OwnedFd,
    /// The container whose first process is not its own child.
    pub(crate) container: Option<Arc<Container>>,
    /// The containers that are here besides.
    pub(crate) members: Arc<Members>,
}

impl Init {
    /// Ends all that runs inside.
    pub(crate) fn kill(&self) {
        self.container.iter().for_each(|container| container.kill());
        self.members.end();
        self.process.kill();
    }
}

/// What the gate must answer.
pub(crate) struct Challenge {
    pub(crate) question: String,
    pub(crate) answer: String,
    /// What it answers others with.
    pub(crate) key: [u8; 32],
}

pub(crate) fn step(step: &'static str) -> impl Fn(io::Error) -> RealizeError {
    move |source| RealizeError::Step { step, source }
}

impl Plan {
    /// Builds the airlock and puts every helper in its place. On an error nothing is left.
    pub(crate) async fn realize(self, mut started: Started, events: Events) -> Result<Airlock, RealizeError> {
        let building = started.0.take().ok_or(io::ErrorKind::NotFound.into()).map_err(step("find the builder"))?;
        let Building { program, builder, to_dialler, to_gate, to_keeper, to_init } = building;
        let builder = Waiting::new("builder", builder)?;
        let hashed = Arc::clone(&program);
        let memory = self.program_memory.clone();
        let program_digest = thread::begin(move || hashed.digest(&memory)).map_err(step(THREAD))?;
        let before = look_through(&self.files).map_err(step(THREAD))?;

        // Whatever fails from here on: processes that were forked are known first, and so ended and waited for.
        let Helpers { dialler, gate, keeper } = helpers(&builder, to_dialler, to_gate, to_keeper).await?;
        let lowest = self.ids.as_ref().map(|ids| ids.others().lowest());
        let keeper = keeper.zip(self.adopted.as_ref());
        let keeper = keeper.map(|(keeper, adopted)| Keeper::set_up(keeper, &*adopted.container, lowest)).transpose()?;
        let (to_gate, to_dialler) = Channel::pair().map_err(step(CHANNEL))?;
        let rules = memory::write(&self.rules.to_canonical()).map_err(step("hand the rules over"))?;
        let become_id = self.ids.as_ref().map(|ids| ids.dialler());
        let setup = DiallerSetup { become_id, upstream_proxy: self.upstream_proxy.clone() };
        dialler.send(&setup, &[to_dialler.as_fd(), rules.as_fd()]).await?;
        drop(to_dialler);

        let challenge = challenge().map_err(step("draw random numbers"))?;
        // Before init, so that on an error it is removed after init has ended.
        let group = Group::make(self.limits, &self.run, &self.living)?;
        let (init, init_program) = init(&builder, to_init).await?;
        group.as_ref().map_or(Ok(()), |group| group.take_in(init.process.pid()))?;
        let streams = set_up_init(&init, &self, &challenge).await?;
        // All others have something to do by now, while the disk is waited for.
        let ledger = Ledger::open_after(&self.audit, Arc::clone(&self.key), &self.earlier_keys)?;
        let ledger = ledger.with_files_of(self.audit_max_size).without(Arc::clone(&self.secrets));
        let recorder = Arc::new(Recorder::new(ledger, Arc::clone(&self.rules), events));
        let mut space = built(&builder).await?;
        let listeners = std::mem::replace(&mut space.listeners, nothing());
        let setup = GateSetup {
            become_id: self.ids.as_ref().map(|ids| ids.gate()),
            dns: listeners.dns_udp.len(),
            inbound: inbound::most(&self.published),
            lease_key: hex::encode(&self.lease_key),
            challenge_key: hex::encode(&challenge.key),
        };
        let connections = space.connections.take().ok_or(FlattenError::Missing("socket for connections"))?;
        let who = Who::new(connections, &space.agent).map_err(step("look for processes"))?;
        // While they take their places, which changes nothing in the namespaces.
        let surveyed = surveyed(space)?;
        // Whoever is gone already has said why, which is heard below.
        let _ = set_up_gate(&gate, &setup, &listeners, [to_gate.as_fd(), rules.as_fd()]).await;
        drop((listeners, to_gate));
        let gate = gate_in_place(gate, Arc::clone(&recorder));
        let dialler = dialler_in_place(dialler, Arc::clone(&recorder), who);
        let ((space, state), gate, dialler) = tokio::try_join!(surveyed, gate, dialler)?;
        let counted_before = Counters::default();
        Ok(Airlock {
            recorder,
            space,
            gate,
            dialler,
            init: Init {
                process: init.process,
                channel: Arc::new(init.channel),
                streams,
                program: init_program,
                container: self.adopted.as_ref().map(|adopted| Arc::clone(&adopted.container)),
                members: Arc::new(Members::new(Arc::clone(&program), lowest)),
            },
            keeper,
            builder: Some(builder),
            probing: Vec::new(),
            group: group.map(Arc::new),
            challenge,
            counted_before,
            before,
            state,
            program,
            program_digest: Some(program_digest),
            plan: self,
        })
    }
}

/// What the host would execute of these trees. Looked for by a thread of its own: to walk through them may take long, if
/// there are any.
pub(crate) fn look_through(files: &MountPlan) -> io::Result<oneshot::Receiver<Snapshot>> {
    let (trees, home) = (files.writable.clone(), files.user.home.clone());
    if trees.is_empty() {
        let (tell, told) = oneshot::channel();
        // It is heard below.
        let _ = tell.send(Snapshot::take(&trees, &home));
        return Ok(told);
    }
    thread::awaited(move || Snapshot::take(&trees, &home))
}

/// With what the namespaces hold. It is read in a thread of its own, begun at once: a helper that is then sent a message is often put on the
/// sender's processor, to which it comes when the sender waits.
fn surveyed(
    space: bottle_netns::Airlock,
) -> Result<impl Future<Output = Result<(bottle_netns::Airlock, Arc<Survey>), RealizeError>>, RealizeError> {
    let reading = thread::awaited(move || (survey(&space), space)).map_err(step(THREAD))?;
    Ok(async {
        let (state, space) = reading.await.map_err(|broken| step("survey the namespaces")(io::Error::other(broken)))?;
        Ok((space, Arc::new(state?)))
    })
}

/// Those whom the builder has forked.
struct Helpers {
    dialler: Waiting,
    gate: Waiting,
    keeper: Option<RoleProcess>,
}

/// Hears who they are.
async fn helpers(
    builder: &Waiting,
    to_dialler: Channel,
    to_gate: Channel,
    to_keeper: Option<Channel>,
) -> Result<Helpers, RealizeError> {
    let (message, pidfds) = builder.recv::<FromBuilder>().await?;
    let pids = match message {
        FromBuilder::Helpers { dialler, gate, keeper } => [Some(dialler), Some(gate), keeper],
        FromBuilder::Failed { why, hint } => return Err(RealizeError::Build { why, hint }),
        _ => return Err(builder.unexpected()),
    };
    let forked = pids.into_iter().flatten().zip(pidfds).map(|(pid, pidfd)| Process::new(pid, pidfd));
    let channels = [to_dialler, to_gate].into_iter().chain(to_keeper);
    let mut helpers = forked.zip(channels).map(|(process, channel)| RoleProcess { channel, process });
    let mut next = || helpers.next().ok_or_else(|| builder.unexpected());
    let (dialler, gate) = (Waiting::new("dialler", next()?)?, Waiting::new("gate", next()?)?);
    Ok(Helpers { dialler, gate, keeper: helpers.next() })
}

/// Pid 1 of the bottle, which the builder has forked.
async fn init(builder: &Waiting, to_init: Channel) -> Result<(Waiting, OwnedFd), RealizeError> {
    let (message, descriptors) = builder.recv::<FromBuilder>().await?;
    match (message, <[OwnedFd; 2]>::try_from(descriptors)) {
        (FromBuilder::Init { pid }, Ok([pidfd, program])) => {
            let process = Process::new(pid, pidfd);
            Ok((Waiting::new("init", RoleProcess { channel: to_init, process })?, program))
        }
        (FromBuilder::Failed { why, hint }, _) => Err(RealizeError::Build { why, hint }),
        _ => Err(builder.unexpected()),
    }
}

async fn built(builder: &Waiting) -> Result<bottle_netns::Airlock, RealizeError> {
    let (message, descriptors) = builder.recv::<FromBuilder>().await?;
    match message {
        FromBuilder::Built(index) => Ok(bottle_netns::Airlock::rebuild(index, descriptors)?),
        FromBuilder::Failed { why, hint } => Err(RealizeError::Build { why, hint }),
        _ => Err(builder.unexpected()),
    }
}

/// No listener: ours are closed as soon as the gate has them.
fn nothing() -> Listeners {
    Listeners { transparent: vec![], explicit: vec![], dns_udp: vec![], dns_tcp: vec![], nflog: vec![] }
}

fn challenge() -> io::Result<Challenge> {
    let (mut question, mut key) = ([0; 32], [0; 32]);
    getrandom::fill(&mut question).and_then(|()| getrandom::fill(&mut key)).map_err(io::Error::other)?;
    let question = hex::encode(&question);
    let answer = ChallengeKey::new(key).answer(&question).ok_or(io::ErrorKind::InvalidData)?;
    Ok(Challenge { question, answer, key })
}

async fn set_up_gate(
    gate: &Waiting,
    setup: &GateSetup,
    listeners: &Listeners,
    dialler_and_rules: [BorrowedFd<'_>; 2],
) -> Result<(), RealizeError> {
    let mut descriptors = dialler_and_rules.to_vec();
    descriptors.extend(listeners.transparent.iter().map(AsFd::as_fd));
    descriptors.extend(listeners.explicit.iter().map(AsFd::as_fd));
    descriptors.extend(listeners.dns_udp.iter().map(AsFd::as_fd));
    descriptors.extend(listeners.dns_tcp.iter().map(AsFd::as_fd));
    descriptors.extend(listeners.nflog.iter().map(AsFd::as_fd));
    gate.send(setup, &descriptors).await
}

async fn gate_in_place(gate: Waiting, recorder: Arc<Recorder>) -> Result<Gate, RealizeError> {
    match gate.recv().await?.0 {
        FromGate::Ready => {}
        FromGate::Failed(why) => return Err(gate.says(why)),
        _ => return Err(gate.unexpected()),
    }
    let channel = gate.channel.into_blocking().map_err(step("hear the gate"))?;
    Ok(Gate { process: gate.process, link: GateLink::serve(channel, recorder).map_err(step("hear the gate"))? })
}

async fn dialler_in_place(dialler: Waiting, recorder: Arc<Recorder>, who: Who) -> Result<Dialler, RealizeError> {
    match dialler.recv().await?.0 {
        FromDialler::Ready => {}
        FromDialler::Failed(why) => return Err(dialler.says(why)),
        _ => return Err(dialler.unexpected()),
    }
    let channel = dialler.channel.into_blocking().map_err(step("serve the dialler"))?;
    channel.limit_sending(PATIENCE).map_err(step("serve the dialler"))?;
    let (sender, ended) = oneshot::channel();
    recording::serve(channel, recorder, who, sender).map_err(step("serve the dialler"))?;
    Ok(Dialler { process: dialler.process, ended })
}

/// Returns our ends of the workload's streams, unless it gets a terminal.
async fn set_up_init(init: &Waiting, plan: &Plan, challenge: &Challenge) -> Result<Option<Streams>, RealizeError> {
    if let Some(adopted) = &plan.adopted {
        return warden::set_up(init, init_plan(plan, challenge), adopted).await;
    }
    let with_terminal = plan.stdio == Stdio::Terminal;
    let interactive = plan.stdio == Stdio::Interactive;
    let streams = match (&plan.log, &plan.output_files) {
        _ if with_terminal => None,
        (Some((log, _)), _) => Some(Streams::logged(log, interactive)),
        (None, Some(files)) => Some(Streams::into_files(files, interactive)),
        (None, None) => Some(Streams::open(interactive)),
    };
    let streams = streams.transpose().map_err(step("prepare the standard streams"))?;
    let sealed = init_plan(plan, challenge).seal().map_err(step("hand the plan over"))?;
    let mut descriptors = vec![sealed.as_fd()];
    descriptors.extend(streams.iter().flat_map(|streams| &streams.ends).map(AsFd::as_fd));
    let start = ToInit::Start { streams: streams.is_some() };
    init.send(&start, &descriptors).await?;
    Ok(streams)
}

fn init_plan(plan: &Plan, challenge: &Challenge) -> InitPlan {
    let size = terminal::size().unwrap_or((24, 80));
    let window = Window { rows: size.0, columns: size.1 };
    InitPlan {
        files: plan.files.clone(),
        argv: plan.argv.clone(),
        ids: plan.workload_ids(),
        hostname: plan.run.chars().take(12).collect(),
        descriptors: plan.descriptors,
        ulimits: plan.ulimits.clone(),
        readily_killed: plan.limits.readily_killed(),
        ports: plan.ports(),
        terminal: (plan.stdio == Stdio::Terminal).then_some(window),
        probe: ProbePlan { challenge: challenge.question.clone() },
    }
}
