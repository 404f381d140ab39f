//! What will be done around a container that an engine has made? Its files, ids and limits are the engine's affair.

use std::path::PathBuf;
use std::sync::Arc;

use bottle_evidence::Digest;
use bottle_images::{Access, Kind, Mount, MountPlan, Root, User};

use super::{Plan, PlanError, drawn};
use crate::adopt::{Adopted, Adoption, EngineWord};
use crate::caller::Caller;
use crate::cgroups::Limits;
use crate::clock;
use crate::confine;
use crate::ids::PrivateIds;
use crate::judged;
use crate::keys;
use crate::log::Log;
use crate::options::Stdio;
use crate::records::{Afterwards, Name, Record, Shelf};
use crate::secrets::Secrets;
use crate::segments;
use crate::signal::Signal;
use crate::state::{POLICY, State, StateError, make_private, new_run_id};
use crate::whose::Whose;

/// Who the probes of the second round are, in a user namespace of their own.
const NOBODY: u32 = 65534;

impl Plan {
    /// Decides everything about a container's bottle.
    pub(crate) fn adopting(adoption: Adoption, caller: &Caller, whose: Whose) -> Result<Plan, PlanError> {
        let state = State::open(&caller.places, caller.uid)?;
        let run = new_run_id().map_err(PlanError::Random)?;
        let directory = state.run_directory(&run);
        let (audit, attestation) = (directory.join(crate::prune::LOG), directory.join("attestation.json"));
        let key = state.default_key();
        judge(&adoption.shown, &adoption.writable, &adoption.policy_files, &state, &key)?;
        if confine::dumps_reach_a_helper() {
            return Err(PlanError::CoreDumps);
        }
        keys::find_or_make(&key)?;
        let lease = keys::hold(&key, None)?;
        let signing = lease.key();
        let ids = match whose {
            Whose::Nobodys => Some(match &caller.nested {
                None => PrivateIds::claim(&state.run)?,
                Some(nested) => PrivateIds::claim_within(&state.run, nested)?,
            }),
            Whose::Callers | Whose::Range { .. } => None,
        };
        let secrets = Arc::new(Secrets::new(drawn().map_err(PlanError::Random)?.0));
        // What somebody gives a container and what its image does look alike: the engine has made one list of both.
        adoption.environment.iter().for_each(|(name, value)| secrets.add(name, value.as_bytes()));
        let record = record(&adoption, &secrets, &run, &directory);
        let record = Shelf::open(&state, caller.uid)?.enter(record, adoption.name.is_some())?;
        let log = Arc::new(Log::begin(record.directory()).map_err(PlanError::Log)?);
        make_private(&directory, caller.uid)?;
        let policy = directory.join(POLICY);
        std::fs::write(&policy, adoption.rules.meaning()).map_err(|source| StateError::Io { path: policy, source })?;
        Ok(Plan {
            run,
            files: no_files(),
            argv: adoption.command,
            rules: Arc::new(adoption.rules),
            image: adoption.configuration,
            planned: adoption.configuration,
            ids,
            map: None,
            subordinate: None,
            lease_key: keys::lease_key(&signing),
            secrets,
            key: signing,
            lease: Some(lease),
            earlier_keys: Vec::new(),
            audit,
            audit_max_size: segments::USUAL,
            attestation,
            changes: directory.join("changed.txt"),
            nonce: drawn().map_err(PlanError::Random)?,
            quoting: None,
            stdio: Stdio::Streams,
            stop_signal: Signal::TERM,
            timeout: None,
            upstream_proxy: None,
            published: Vec::new(),
            chosen: Vec::new(),
            descriptors: None,
            limits: Limits::default(),
            ulimits: Vec::new(),
            living: state.run.clone(),
            warnings: Vec::new(),
            program_memory: state.data.join("program.json"),
            caller: (caller.uid, caller.gid),
            log: Some((log, adoption.words)),
            output_files: None,
            run_directory: state.run,
            record,
            adopted: Some(Adopted {
                container: adoption.container,
                caller: adoption.caller,
                program: adoption.program.hash()?,
                filtered: adoption.filtered,
                says: EngineWord {
                    id: adoption.id,
                    seccomp: adoption.seccomp,
                    confinement: adoption.confinement,
                    let_pass: adoption.let_pass,
                    within: caller.nested.as_ref().map(|nested| nested.user),
                },
            }),
            _layers: None,
            _kept: None,
        })
    }
}

/// The container can change nothing that it is judged by, and not read the key, by what the engine shows it of the host's files.
/// `shown` and `writable` are canonical.
pub(crate) fn judge(
    shown: &[PathBuf],
    writable: &[PathBuf],
    policies: &[PathBuf],
    state: &State,
    key: &PathBuf,
) -> Result<(), PlanError> {
    let share = |source: &PathBuf| Mount::new(source, Kind::Share { source: source.clone(), access: Access::ReadOnly });
    let files = MountPlan { mounts: shown.iter().map(share).collect(), writable: writable.to_vec(), ..no_files() };
    let executable = std::env::current_exe().map_err(PlanError::Executable)?;
    let own = [
        ("the key", key),
        ("the state directory", &state.data),
        ("the state directory", &state.run),
        ("bottle's own executable", &executable),
    ];
    let policies = policies.iter().map(|path| ("the policy", path));
    judged::unchangeable(&files, None, own.into_iter().chain(policies))?;
    judged::unreadable(&files, key)
}

fn no_files() -> MountPlan {
    let nowhere = PathBuf::from("/");
    let user = User { uid: NOBODY, gid: NOBODY, name: "nobody".into(), home: nowhere.clone(), shell: nowhere.clone() };
    MountPlan {
        root: Root::Tmpfs,
        read_only: true,
        mounts: Vec::new(),
        user,
        env: Vec::new(),
        workdir: nowhere,
        writable: Vec::new(),
        warnings: Vec::new(),
    }
}

fn record(adoption: &Adoption, secrets: &Secrets, run: &str, directory: &std::path::Path) -> Record {
    let path = |name: &str| directory.join(name).display().to_string();
    Record {
        id: run.to_owned(),
        name: adoption.name.clone().unwrap_or_else(|| Name::of_id(run)),
        image: format!("container:{}", adoption.id),
        image_digest: adoption.configuration,
        policy: Digest(adoption.rules.digest()),
        command: secrets.redact_command(adoption.command.iter().map(String::as_str)),
        user: format!("{}:{}", adoption.user.0, adoption.user.1),
        workdir: adoption.workdir.display().to_string(),
        created: clock::now(),
        detached: true,
        terminal: false,
        afterwards: Afterwards::Forget,
        stop_signal: Signal::TERM.number(),
        audit: path(crate::prune::LOG),
        attestation: path("attestation.json"),
        changes: path("changed.txt"),
        upstream_proxy: None,
        published: Vec::new(),
        supervisor: std::process::id(),
        running: None,
    }
}
