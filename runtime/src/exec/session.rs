//! What does a supervisor do for a client that wants a process? All in the client's own thread; the watch is never held up.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::PoisonError;
use std::time::Duration;

use bottle_evidence::Text;
use bottle_evidence::audit::RunExec;
use bottle_images::AccountError;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use super::check;
use super::entrance::Entrance;
use super::held::Held;
use super::message::{EnterPlan, ExecRequest, FromEntering, Further, Told};
use crate::cgroups::LimitError;
use crate::channel::Channel;
use crate::control::Refusal;
use crate::init::failure::at;
use crate::init::message::{End, Failure};
use crate::memory;
use crate::report::chain;
use crate::roles::Role;

/// How long each step of the entering may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long the kernel may take over execve(2).
const EXECUTING: Duration = Duration::from_secs(30);

/// Does as the client asks, until its process has ended, or the client.
pub(crate) fn serve(
    entrance: &Entrance,
    client: &Channel,
    request: &ExecRequest,
    streams: Vec<OwnedFd>,
) -> io::Result<()> {
    let Some(_turn) = entrance.turn() else {
        let what = "too many processes have entered the bottle already".to_owned();
        return client.send(&Told::Refused(Refusal { code: 125, what, hint: None }), &[]);
    };
    match start(entrance, request, streams) {
        Err(refusal) => {
            // What could not be executed is said in the words of the command.
            let what = entrance.recorder.ledger().secrets().redact(&refusal.what).into_owned();
            client.send(&Told::Refused(Refusal { what, ..refusal }), &[])
        }
        Ok((held, master)) => {
            let beside: Vec<BorrowedFd<'_>> = master.iter().map(AsFd::as_fd).collect();
            client.send(&Told::Running, &beside)?;
            // The client's alone: its end is the end of the terminal.
            drop(master);
            match attend(client, &held)? {
                Some(end) => client.send(&Told::Ended(end), &[]),
                None => Ok(()),
            }
        }
    }
}

/// Tells who wants to enter a container that an engine has made who lets it in.
pub(crate) fn refuse(client: &Channel) -> io::Result<()> {
    let what = "this bottle is around a container, which is its engine's to enter".to_owned();
    let hint = Some("`runc exec`, `podman exec`: what runs there is behind the same airlock".to_owned());
    client.send(&Told::Refused(Refusal { code: 125, what, hint }), &[])
}

/// Records, enters, measures, releases. On an error nothing ran.
fn start(
    entrance: &Entrance,
    request: &ExecRequest,
    streams: Vec<OwnedFd>,
) -> Result<(Held, Option<OwnedFd>), Refusal> {
    let (plan, user) = planned(entrance, request, &streams)?;
    let secrets = entrance.recorder.ledger().secrets();
    request.env.iter().for_each(|(name, value)| secrets.add(name, value.as_bytes()));
    // Before it is cut.
    let command = secrets.redact_command(plan.argv.iter().map(String::as_str));
    let entry = RunExec { command: Text::list(command.iter().map(String::as_str)), user: Text::new(&user) };
    entrance.recorder.entering(entry).map_err(|_| Refusal {
        code: 125,
        what: "the bottle is ending, or its audit log can't be written".to_owned(),
        hint: None,
    })?;
    let (mut held, master) = {
        let _confined_when_dropped = entrance.entering.read().unwrap_or_else(PoisonError::into_inner);
        let (mut held, master) = enter(entrance, &plan, &streams)?;
        held.ready(PATIENCE)?;
        check::conforms(entrance, held.pid(), plan.outside).map_err(|error| Refusal {
            code: 125,
            what: chain(&error).join(": "),
            hint: None,
        })?;
        (held, master)
    };
    drop(streams);
    entrance.group()?.map_or(Ok(()), |group| group.demand_member(held.pid())).map_err(limited)?;
    held.release(EXECUTING)?;
    Ok((held, master))
}

fn limited(error: LimitError) -> Failure {
    Failure { code: 125, what: chain(&error).join(": "), hint: error.hint() }
}

/// What was asked, on top of what the first process has.
fn planned(entrance: &Entrance, request: &ExecRequest, streams: &[OwnedFd]) -> Result<(EnterPlan, String), Refusal> {
    let refused =
        |what: &str, hint: Option<&str>| Refusal { code: 125, what: what.to_owned(), hint: hint.map(str::to_owned) };
    let expected = if request.terminal.is_some() { 0 } else { 3 };
    if request.argv.is_empty() || streams.len() != expected {
        return Err(refused("the request contradicts itself", None));
    }
    let inside = match &request.user {
        Some(user) => whom(entrance, user).map_err(|error| {
            refused(&format!("the bottle has no such user: {error}"), Some("NAME, UID, NAME:GROUP or UID:GID"))
        })?,
        None => entrance.inside,
    };
    let outside = entrance.ids.outside(inside, entrance.inside).ok_or_else(|| {
        let hint =
            "it has the one that its first process is; an image has others where `bottle doctor` finds several ids";
        refused("the bottle has no such user", Some(hint))
    })?;
    let mut env = entrance.env.clone();
    for (name, value) in &request.env {
        env.retain(|(known, _)| known != name);
        env.push((name.clone(), value.clone()));
    }
    let plan = EnterPlan {
        own_user: entrance.ids.is_own(),
        argv: request.argv.clone(),
        env,
        workdir: request.workdir.clone().unwrap_or_else(|| entrance.workdir.clone()),
        wall: entrance.wall.clone(),
        descriptors: entrance.descriptors,
        ulimits: entrance.ulimits.clone(),
        readily_killed: entrance.readily_killed,
        inside,
        outside,
        terminal: request.terminal,
    };
    Ok((plan, format!("{}:{}", inside.0, inside.1)))
}

/// As the image's own files say. The first process's uid alone means its gid too.
fn whom(entrance: &Entrance, user: &str) -> Result<(u32, u32), AccountError> {
    match user.parse::<u32>() {
        Ok(uid) if uid == entrance.inside.0 => Ok(entrance.inside),
        _ => bottle_images::ids_of(user, &entrance.layers),
    }
}

/// Has the role enter and fork. The entering process is gone when this returns.
fn enter(entrance: &Entrance, plan: &EnterPlan, streams: &[OwnedFd]) -> Result<(Held, Option<OwnedFd>), Failure> {
    let failed = || at("enter the bottle");
    let spawned = entrance.program.spawn(Role::Enter).map_err(io::Error::other).map_err(failed())?;
    // What it forks is born into the same group.
    let group = entrance.group()?;
    group.as_ref().map_or(Ok(()), |group| group.take_in(spawned.process.pid())).map_err(limited)?;
    let text = serde_json::to_string(plan).map_err(io::Error::from).map_err(failed())?;
    let memory = memory::write(&text).map_err(failed())?;
    let mut given = vec![memory.as_fd(), entrance.init.as_fd(), entrance.first.user_namespace.as_fd()];
    given.extend(streams.iter().map(AsFd::as_fd));
    spawned.channel.send(&(), &given).map_err(failed())?;
    if !spawned.channel.wait_readable(PATIENCE).map_err(failed())? {
        return Err(failed()(io::Error::from(io::ErrorKind::TimedOut)));
    }
    let (answer, descriptors) = spawned.channel.recv::<FromEntering>().map_err(failed())?;
    if let FromEntering::Failed(failure) = answer {
        return Err(failure);
    }
    let mut descriptors = descriptors.into_iter();
    let mut next = || descriptors.next().ok_or(io::Error::from(io::ErrorKind::InvalidData)).map_err(failed());
    let held = Held::new(next()?, next()?, next()?).map_err(failed())?;
    Ok((held, descriptors.next()))
}

/// Passes signals on until the process has ended. Nothing where the client has: then the process is killed.
fn attend(client: &Channel, held: &Held) -> io::Result<Option<End>> {
    loop {
        let pidfd = held.pidfd();
        let mut ready = [PollFd::new(&pidfd, PollFlags::IN), PollFd::new(client, PollFlags::IN)];
        match poll(&mut ready, None) {
            Err(Errno::INTR) => continue,
            other => other?,
        };
        let (ended, spoken) = (!ready[0].revents().is_empty(), !ready[1].revents().is_empty());
        if ended {
            return Ok(Some(held.end()));
        }
        if spoken {
            match client.recv::<Further>() {
                Ok((Further::Signal { signal }, _)) => crate::sys::send_signal_to(held.pidfd(), signal.number()),
                Err(_) => return Ok(None),
            }
        }
    }
}
