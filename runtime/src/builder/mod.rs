//! The builder: single-threaded, makes the pair of namespaces with all that is in it, hands it over, and ends.

use std::os::fd::AsFd;

use bottle_netns::airlock::AirlockIndex;
use bottle_netns::build::{BuildError, Owner, build};
use bottle_netns::enter::enter_user_namespace;
use bottle_netns::{Airlock, Layout};
use serde::{Deserialize, Serialize};

use crate::channel::Channel;
use crate::report::chain;

/// Supervisor to builder, once.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BuilderSetup {
    /// Whether the namespaces need a user namespace of their own: an ordinary user's do.
    pub own_user: bool,
}

/// Builder to supervisor, once.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum FromBuilder {
    /// Built; the descriptors are beside it.
    Built(AirlockIndex),
    /// Not built.
    Failed {
        /// The chain of errors, outermost first.
        why: Vec<String>,
        /// What to do.
        hint: Option<String>,
    },
}

/// The role's main.
pub fn main(supervisor: Channel) -> ! {
    std::process::exit(i32::from(run(&supervisor).is_err()))
}

fn run(supervisor: &Channel) -> std::io::Result<()> {
    let (setup, _): (BuilderSetup, _) = supervisor.recv()?;
    match airlock(setup.own_user) {
        Ok(airlock) => {
            let (index, descriptors) = airlock.flatten();
            let borrowed: Vec<_> = descriptors.iter().map(AsFd::as_fd).collect();
            supervisor.send(&FromBuilder::Built(index), &borrowed)
        }
        Err(error) => {
            let hint = error.hint().map(str::to_owned);
            supervisor.send(&FromBuilder::Failed { why: chain(&error), hint }, &[])
        }
    }
}

fn airlock(own_user: bool) -> Result<Airlock, BuildError> {
    let owner = if own_user { Owner::Own(enter_user_namespace()?) } else { Owner::Inherited };
    build(&Layout::default(), owner)
}
