//! What exactly will be done? Everything is decided here, and nothing is done yet that outlives a failure.

pub(crate) mod adopted;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bottle_evidence::key::{PublicKey, SigningKey};
use bottle_evidence::{Digest, canonical};
use bottle_images::contains::meant;
use bottle_images::{Context, IdMap, ImageRef, MountPlan, Resolved, Root, Unpacked};
use bottle_policy::{Mode, Rules};
use bottle_proxy::UpstreamProxy;

use crate::adopt::Adopted;
use crate::caller::Caller;
use crate::cgroups::{self, Limits};
use crate::clock;
use crate::confine::{self, Ports};
use crate::ids::PrivateIds;
use crate::init::plan::Ids;
use crate::judged;
use crate::kept::{Kept, KeptError, KeptName};
use crate::keys::{self, Keeper, Lease};
use crate::log::Log;
use crate::options::{Output, ProxyEnv, RunOptions, Stdio, Words};
use crate::publish::{Bound, Published};
use crate::records::{Name, Own, Record, Shelf};
use crate::report::chain;
use crate::secrets::Secrets;
use crate::segments;
use crate::signal::Signal;
use crate::state::{POLICY, State, StateError, make_private, new_run_id};
use crate::subordinate::Subordinate;
use crate::tpm::{Quoted, Tpm};
use crate::ulimit::Ulimit;
use crate::whose::Whose;

pub use crate::plan_error::{CORE_DUMPS, PlanError};

/// Stage one: all decided, nothing done.
pub struct Plan {
    pub(crate) run: String,
    pub(crate) files: MountPlan,
    pub(crate) argv: Vec<String>,
    pub(crate) rules: Arc<Rules>,
    /// The digest of the image's manifest where it has one, else of the plan.
    pub(crate) image: Digest,
    /// The digest of [`MountPlan::image`].
    pub(crate) planned: Digest,
    pub(crate) ids: Option<PrivateIds>,
    /// The workload's ids, where an ordinary user has a range of them.
    map: Option<IdMap>,
    /// Who works with that range.
    pub(crate) subordinate: Option<Arc<Subordinate>>,
    pub(crate) key: Arc<SigningKey>,
    /// Keeps the key from being retired, until the run has begun under it.
    pub(crate) lease: Option<Lease>,
    /// Those that it took the place of, which may have sealed earlier runs in the same log.
    pub(crate) earlier_keys: Vec<PublicKey>,
    pub(crate) lease_key: [u8; 32],
    /// What must not be written of what the workload is given.
    pub(crate) secrets: Arc<Secrets>,
    pub(crate) audit: PathBuf,
    pub(crate) audit_max_size: u64,
    pub(crate) attestation: PathBuf,
    /// Where the list of changed files goes.
    pub(crate) changes: PathBuf,
    /// What a verifier gave, else random bytes.
    pub(crate) nonce: Digest,
    /// The TPM that is to say in which state the machine is.
    pub(crate) quoting: Option<Arc<dyn Tpm>>,
    pub(crate) stdio: Stdio,
    pub(crate) stop_signal: Signal,
    pub(crate) timeout: Option<Duration>,
    pub(crate) upstream_proxy: Option<UpstreamProxy>,
    /// What listens on the host's loopback for the bottle.
    pub(crate) published: Vec<Bound>,
    /// What of it bottle chose the host's ports for.
    pub(crate) chosen: Vec<Published>,
    pub(crate) descriptors: Option<u64>,
    pub(crate) limits: Limits,
    pub(crate) ulimits: Vec<Ulimit>,
    /// Where runs are known that live.
    pub(crate) living: PathBuf,
    warnings: Vec<String>,
    /// Where the digest of bottle's own program is kept from one run to the next.
    pub(crate) program_memory: PathBuf,
    /// The caller's uid and gid.
    pub(crate) caller: (u32, u32),
    /// Where its output goes instead of to the caller, and in which words what is told of it.
    pub(crate) log: Option<(Arc<Log>, Words)>,
    /// Or into which files.
    pub(crate) output_files: Option<[Arc<File>; 2]>,
    /// Where the control socket gets its name for a moment.
    pub(crate) run_directory: PathBuf,
    /// What others can know of this run.
    pub(crate) record: Own,
    /// The container that is the workload, where an engine has made it.
    pub(crate) adopted: Option<Adopted>,
    /// Keeps the image's layers from being pruned.
    _layers: Option<Unpacked>,
    /// Keeps others from the layer that is kept.
    _kept: Option<Kept>,
}

impl Plan {
    /// Decides everything. What it makes is what stays by design: the state directories and, the first time, the key.
    pub(crate) fn new(options: RunOptions, caller: &Caller, whose: Whose) -> Result<Plan, PlanError> {
        let state = State::open(&caller.places, caller.uid)?;
        let run = new_run_id().map_err(PlanError::Random)?;
        let secrets = secrets(&options);
        let (ids, place) = whose.of_files(caller);
        let context = Context { store: state.data.join("images"), ids, place, ..context(&options, caller, &run) };
        let image_name = options.image_name.clone().unwrap_or_else(|| shown(&options.image));
        let Resolved { plan: mut files, command, stop_signal, manifest, held, ids: map } =
            bottle_images::resolve(&options.image, &context)?;
        let directory = state.run_directory(&run);
        let audit = options.audit.unwrap_or_else(|| directory.join(crate::prune::LOG));
        let attestation = options.attestation.unwrap_or_else(|| directory.join("attestation.json"));
        let own_key = options.key.is_none();
        let key = options.key.unwrap_or_else(|| state.default_key());
        let executable = std::env::current_exe().map_err(PlanError::Executable)?;
        let judged = [
            ("the audit log", &audit),
            ("the attestation", &attestation),
            ("the key", &key),
            ("the state directory", &state.data),
            ("the state directory", &state.run),
            ("bottle's own executable", &executable),
        ];
        let policies = options.policy_files.iter().map(|path| ("the policy", path));
        let invoked = caller.invoked.iter().map(|path| ("bottle's own executable", path));
        let kept = options.keep.is_some().then(|| state.data.join("kept")).filter(|kept| kept.is_dir());
        if options.audit_max_size < segments::LEAST {
            return Err(PlanError::AuditSize(options.audit_max_size));
        }
        // Those that come later lie beside the first.
        let written = segments::of_own(&audit)?;
        let written = written.iter().map(|path| ("the audit log", path));
        judged::unchangeable(&files, kept, judged.into_iter().chain(policies).chain(invoked).chain(written))?;
        judged::unreadable(&files, &key)?;
        if confine::dumps_reach_a_helper() {
            return Err(PlanError::CoreDumps);
        }
        let what = "the attestation";
        let attestation =
            meant(&attestation).map_err(|source| PlanError::Contains { what, path: attestation, source })?;
        judged::replaceable(&attestation)?;
        if meant(&audit).is_ok_and(|audit| segments::is_one_of(&audit, &attestation)) {
            return Err(PlanError::OneFile(audit));
        }
        // A name that was mistyped must not become another key.
        if own_key {
            keys::find_or_make(&key)?;
        }
        let tpm = options.tpm;
        let lease = keys::hold(&key, tpm.as_ref().map(|used| used.tpm.as_ref()))?;
        let quoting = tpm.filter(|used| used.quoted == Quoted::Always || lease.keeper() == Keeper::Tpm);
        let signing = lease.key();
        let continued = audit.metadata().is_ok_and(|log| log.len() > 0);
        let earlier_keys = if continued { keys::own(&key)?.all() } else { Vec::new() };
        let mut warnings = std::mem::take(&mut files.warnings);
        warnings.extend(swept(&state.run));
        let ulimits = options.ulimits.into_iter().map(Ulimit::adapted);
        let (ulimits, adapted): (Vec<_>, Vec<_>) = ulimits.unzip();
        warnings.extend(adapted.into_iter().flatten());
        let base = Base { manifest, map, uid: caller.uid };
        let kept = options.keep.map(|name| keep(&state, &name, &mut files, base)).transpose()?;
        let ids = match kept.as_ref().and_then(Kept::range) {
            Some(range) => Some(PrivateIds::claim_again(&state.run, range)?),
            None if caller.uid == 0 => Some(PrivateIds::claim(&state.run)?),
            None => None,
        };
        let planned = bottle_evidence::sha256(&canonical::to_bytes(&files.image())?);
        let image = manifest.map_or(planned, |manifest| Digest(manifest.bytes()));
        let stop_signal = stop_signal.map_or(Ok(Signal::TERM), |text| text.parse()).map_err(PlanError::StopSignal)?;
        let changes = directory.join("changed.txt");
        let (mut published, mut chosen) = (Vec::new(), Vec::new());
        for asked in &options.publish {
            let bound = asked.bind()?;
            chosen.extend(bound.iter().filter(|_| asked.is_open()).map(|bound| bound.at));
            published.extend(bound);
        }
        let secrets = Arc::new(secrets.map_err(PlanError::Random)?);
        let record = Record {
            name: options.name.clone().unwrap_or_else(|| Name::of_id(&run)),
            id: run.clone(),
            image: image_name,
            image_digest: image,
            policy: Digest(options.rules.digest()),
            command: secrets.redact_command(command.iter().map(String::as_str)),
            user: format!("{}:{}", files.user.uid, files.user.gid),
            workdir: files.workdir.display().to_string(),
            created: clock::now(),
            detached: matches!(options.output, Output::Log(_)),
            terminal: options.stdio == Stdio::Terminal,
            afterwards: options.afterwards,
            stop_signal: stop_signal.number(),
            audit: audit.display().to_string(),
            attestation: attestation.display().to_string(),
            changes: changes.display().to_string(),
            upstream_proxy: options.upstream_proxy.as_ref().map(ToString::to_string),
            published: published.iter().map(|bound| bound.at).collect(),
            supervisor: std::process::id(),
            running: None,
        };
        let record = Shelf::open(&state, caller.uid)?.enter(record, options.name.is_some())?;
        let (log, output_files) = match options.output {
            Output::Caller => (None, None),
            Output::Log(words) => {
                (Some((Arc::new(Log::begin(record.directory()).map_err(PlanError::Log)?), words)), None)
            }
            Output::Files { stdout, stderr } => (None, Some([stdout, stderr])),
        };
        // Last, so that what is refused leaves none.
        make_private(&directory, caller.uid)?;
        // Not waited for: its digest is in what is.
        let policy = directory.join(POLICY);
        std::fs::write(&policy, options.rules.meaning()).map_err(|source| StateError::Io { path: policy, source })?;
        Ok(Plan {
            run,
            image,
            record,
            adopted: None,
            log,
            output_files,
            run_directory: state.run.clone(),
            stop_signal,
            planned,
            argv: command,
            _layers: held,
            _kept: kept,
            caller: (caller.uid, caller.gid),
            files,
            rules: Arc::new(options.rules),
            ids,
            map,
            subordinate: if let Whose::Range { subordinate, .. } = whose { Some(subordinate) } else { None },
            lease_key: keys::lease_key(&signing),
            key: signing,
            lease: Some(lease),
            earlier_keys,
            secrets,
            audit,
            audit_max_size: options.audit_max_size,
            attestation,
            changes,
            nonce: options.nonce.map_or_else(drawn, Ok).map_err(PlanError::Random)?,
            quoting: quoting.map(|used| used.tpm),
            stdio: options.stdio,
            timeout: options.timeout,
            upstream_proxy: options.upstream_proxy,
            published,
            chosen,
            descriptors: options.descriptors,
            limits: options.limits,
            ulimits,
            living: state.run,
            warnings,
            program_memory: state.data.join("program.json"),
        })
    }

    /// The command as it may be written.
    pub(crate) fn shown_command(&self) -> Vec<String> {
        self.secrets.redact_command(self.argv.iter().map(String::as_str))
    }

    /// Whose ids the workload has outside.
    pub(crate) fn workload_ids(&self) -> Ids {
        match (&self.ids, self.map) {
            (Some(ids), _) => ids.others(),
            (None, None) if let Some(Adopted { caller: (uid, gid), .. }) = self.adopted => Ids::Within { uid, gid },
            (None, Some(map)) => Ids::Range { map },
            (None, None) => Ids::Own { uid: self.caller.0, gid: self.caller.1 },
        }
    }

    /// Whether the caller is shown everybody's processes: the host's root is.
    pub(crate) fn sees_all(&self) -> bool {
        self.ids.is_some() && self.adopted.as_ref().is_none_or(|adopted| adopted.says.within.is_none())
    }

    /// Whether init is to open connections to the workload's ports.
    pub(crate) fn ports(&self) -> Ports {
        if self.published.is_empty() { Ports::Unpublished } else { Ports::Published }
    }

    /// Sentences that the person who runs this should read.
    pub fn warnings(&self) -> impl Iterator<Item = String> {
        let observing = (self.rules.mode() == Mode::Observe).then(|| {
            let audit = self.audit.display();
            format!(
                "mode observe: only private and special addresses are refused; what is reached is recorded in {audit}"
            )
        });
        let through = self.upstream_proxy.as_ref().map(|proxy| {
            format!("all is dialled through {proxy}: it resolves the names, and which addresses these have is not checked here")
        });
        self.warnings.iter().cloned().chain(observing).chain(through)
    }
}

/// A nonce that no verifier gave.
fn drawn() -> io::Result<Digest> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(Digest(bytes))
}

/// What was left of runs that were killed is removed, and that is said.
fn swept(living: &Path) -> Option<String> {
    match cgroups::sweep(living) {
        Ok(0) => None,
        Ok(1) => Some("removed the control groups that a killed run had left".into()),
        Ok(runs) => Some(format!("removed the control groups that {runs} killed runs had left")),
        Err(error) => Some(chain(&error).join(": ")),
    }
}

/// An image that nobody named.
fn shown(image: &ImageRef) -> String {
    match image {
        ImageRef::Host => "host".into(),
        ImageRef::Directory(path) => format!("dir:{}", path.display()),
        ImageRef::Stored(source) => source.to_string(),
        ImageRef::Manifest(digest) => digest.to_string(),
    }
}

/// Upon what a layer is kept, and whose its files become.
struct Base {
    manifest: Option<bottle_images::Digest>,
    map: Option<IdMap>,
    uid: u32,
}

/// What the workload is given by name, and what the dialler alone is given.
fn secrets(options: &RunOptions) -> std::io::Result<Secrets> {
    let secrets = Secrets::new(drawn()?.0);
    options.env.iter().for_each(|(name, value)| secrets.add(name, value.as_bytes()));
    let credentials = options.upstream_proxy.as_ref().map(UpstreamProxy::credentials).unwrap_or_default();
    credentials.iter().for_each(|secret| secrets.add("upstream_proxy", secret));
    Ok(secrets)
}

/// Has the root keep what is changed in it.
fn keep(state: &State, name: &KeptName, files: &mut MountPlan, base: Base) -> Result<Kept, KeptError> {
    let Root::Overlay { layers, kept, .. } = &mut files.root else { return Err(KeptError::Host) };
    let directory = || format!("dir:{}", layers.first().map(|layer| layer.display().to_string()).unwrap_or_default());
    let image = base.manifest.map_or_else(directory, |manifest| manifest.to_string());
    let layer = Kept::take(state, name, &image, base.uid, base.map)?;
    *kept = Some(layer.directory().to_owned());
    Ok(layer)
}

fn context(options: &RunOptions, caller: &Caller, run: &str) -> Context {
    let mut context = Context::new(caller.uid, caller.gid, &caller.name, &caller.home, &caller.cwd);
    context.variables = caller.variables.clone();
    context.env = proxy_variables(options.proxy_env, caller);
    context.env.extend(options.env.iter().cloned());
    context.volumes = options.volumes.clone();
    context.tmpfs = options.tmpfs.clone();
    context.read_only = options.read_only;
    context.user = options.user.clone();
    context.entrypoint = options.entrypoint.clone();
    context.command = options.command.clone();
    context.workdir = options.workdir.clone();
    context.hostname = run.chars().take(12).collect();
    context
}

/// HTTPS_PROXY and its friends in both cases; the caller's NO_PROXY with loopback added.
fn proxy_variables(wanted: ProxyEnv, caller: &Caller) -> Vec<(String, String)> {
    if wanted == ProxyEnv::Unset {
        return Vec::new();
    }
    let [v4, _] = bottle_netns::Layout::default().explicit();
    let proxy = format!("http://{v4}");
    let own = ["NO_PROXY", "no_proxy"].iter().find_map(|name| caller.variables.get(*name));
    let loopback = "localhost,127.0.0.1,::1";
    let except = own.map_or_else(|| loopback.to_owned(), |own| format!("{own},{loopback}"));
    let mut variables = Vec::new();
    for name in ["HTTPS_PROXY", "HTTP_PROXY"] {
        variables.push((name.to_owned(), proxy.clone()));
        variables.push((name.to_lowercase(), proxy.clone()));
    }
    variables.push(("NO_PROXY".into(), except.clone()));
    variables.push(("no_proxy".into(), except));
    variables
}
