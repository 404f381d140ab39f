//! The builder: single-threaded, makes the pair of namespaces with all that is in it, hands it over, and ends.

pub mod program;

use std::os::fd::AsFd;

use bottle_netns::airlock::AirlockIndex;
use bottle_netns::build::{BuildError, Owner, build};
use bottle_netns::enter::enter_user_namespace;
use bottle_netns::{Airlock, Layout};
use serde::{Deserialize, Serialize};

use crate::channel::Channel;
use crate::report::chain;

use program::ProgramError;

/// Supervisor to builder, once.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BuilderSetup {
    /// Whether the namespaces need a user namespace of their own: an ordinary user's do.
    pub own_user: bool,
}

/// Builder to supervisor: the program, then what was built; `Failed` may come instead of either.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum FromBuilder {
    /// What init starts from is beside it: bottle's own program on a read-only mount, and an ordinary user's namespace.
    Program,
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
    match airlock(setup.own_user, supervisor) {
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

/// Why the builder has nothing to hand over.
#[derive(Debug, thiserror::Error)]
enum BuilderError {
    #[error(transparent)]
    Build(#[from] BuildError),
    #[error(transparent)]
    Program(#[from] ProgramError),
}

impl BuilderError {
    fn hint(&self) -> Option<&'static str> {
        match self {
            BuilderError::Build(error) => error.hint(),
            BuilderError::Program(error) => error.hint(),
        }
    }
}

/// The program goes first: init is started while the rest is built.
fn airlock(own_user: bool, supervisor: &Channel) -> Result<Airlock, BuilderError> {
    let owner = if own_user {
        let namespace = enter_user_namespace().map_err(BuildError::from)?;
        Owner::Own(namespace)
    } else {
        Owner::Inherited
    };
    let program = program::read_only()?;
    let mut descriptors = vec![program.as_fd()];
    if let Owner::Own(user) = &owner {
        descriptors.push(user.as_fd());
    }
    supervisor.send(&FromBuilder::Program, &descriptors).map_err(ProgramError::HandOver)?;
    Ok(build(&Layout::default(), owner)?)
}
