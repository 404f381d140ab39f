//! What does the one do who stands where init does, beside a container that an engine has made? It has probes run in the
//! container's network namespace, gives up all that it may do, and waits for the container's end.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::{PollFd, PollFlags};
use rustix::process::DumpableBehavior;

use crate::channel::Channel;
use crate::confine::{self, Identity};
use crate::gate::jail;
use crate::report::chain;
use crate::sys;
use crate::tether::tie_to_supervisor;

use super::child;
use super::enter;
use super::failure::at;
use super::first::{Probers, QUIET, wait_for};
use super::identity::Identities;
use super::message::{End, Failure, FromInit, ToInit};
use super::plan::{Ids, InitPlan};

/// Everything that it does. When it returns, the bottle ends.
pub(super) fn run(channel: &Channel) -> Result<(), Failure> {
    let (plan, container) = receive(channel)?;
    let identities = Identities::make(&plan)?;
    enter::leave_the_rest()?;
    tie_to_supervisor(channel).map_err(at("tie the bottle to its supervisor"))?;
    let probing = Probers::prepare(&plan.probe, &identities)?;
    channel.send(&FromInit::Expects { executable: None }, &[]).map_err(at("tell what will be executed"))?;
    wait_for(channel, &ToInit::Probe)?;
    let begun = probing.begin()?;
    let executable = plan.argv.first().cloned().unwrap_or_default();
    let held = FromInit::Held { executable, wall: None };
    channel.send(&held, &[container.as_fd()]).map_err(at("report the held workload"))?;
    let probed = begun.end()?;
    // Nothing of the host's is in reach of it, or of whoever should get hold of it.
    jail::empty_root().map_err(|error| at("leave the host's files")(io::Error::other(chain(&error).join(": "))))?;
    confine_self(channel, &plan, &identities)?;
    drop(identities);
    let probers = probed.report(channel)?;
    probers.into_iter().try_for_each(child::await_end)?;
    wait_for(channel, &ToInit::Release)?;
    // The supervisor has measured this process; nobody else is to look into it.
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(at("hide the warden"))?;
    channel.send(&FromInit::Started, &[]).map_err(at("report the start"))?;
    wait_for_end(channel, &container)?;
    // How it ended is for the supervisor to find out.
    channel.send(&FromInit::Exited(End::Code(0)), &[]).map_err(at("report the end"))
}

/// Becomes as powerless as init, with ids that nobody else has where there are some.
fn confine_self(channel: &Channel, plan: &InitPlan, identities: &Identities) -> Result<(), Failure> {
    let outside = identities.outside(bottle_images::Owner::User);
    let private = matches!(plan.ids, Ids::Private { .. } | Ids::One { .. });
    confine::warden(private.then_some(Identity { uid: outside.uid, gid: outside.gid }))
        .map_err(io::Error::other)
        .map_err(at("confine the warden"))?;
    rustix::process::set_dumpable_behavior(DumpableBehavior::Dumpable).map_err(at("be measurable"))?;
    tie_to_supervisor(channel).map_err(at("tie the bottle to its supervisor"))
}

fn receive(channel: &Channel) -> Result<(InitPlan, OwnedFd), Failure> {
    let invalid = || at("begin")(io::Error::from(io::ErrorKind::InvalidData));
    let (message, descriptors) = channel.recv::<ToInit>().map_err(at("hear from the supervisor"))?;
    let (ToInit::Start { streams: false }, Ok([plan, container])) = (message, <[OwnedFd; 2]>::try_from(descriptors))
    else {
        return Err(invalid());
    };
    Ok((InitPlan::unseal(plan).map_err(at("read the plan"))?, container))
}

/// The supervisor has nothing to say meanwhile; the end of the channel is its end.
fn wait_for_end(channel: &Channel, container: &OwnedFd) -> Result<(), Failure> {
    let mut quiet = Some(QUIET);
    loop {
        let mut ready = [PollFd::new(channel, PollFlags::IN), PollFd::new(container, PollFlags::IN)];
        match rustix::event::poll(&mut ready, quiet.as_ref()) {
            Err(rustix::io::Errno::INTR) => continue,
            other => other.map_err(at("wait for the container"))?,
        };
        if ready.iter().all(|one| one.revents().is_empty()) {
            sys::give_back_memory();
            quiet = None;
            continue;
        }
        if !ready[1].revents().is_empty() {
            return Ok(());
        }
        channel.recv::<ToInit>().map_err(at("hear from the supervisor"))?;
        return Err(at("go on")(io::Error::from(io::ErrorKind::InvalidData)));
    }
}
