//! How does a bottle begin and end, what faults does it survive, and what can be touched from inside? The built command in the sealed lab; see `tests/run`.

#![allow(unreachable_pub, reason = "a test binary exports nothing; pub means visible in all of it")]

mod host;
mod remains;
mod running;
mod side;
mod visitor;
mod world;

mod ambushed;
mod attested;
mod command;
mod detached;
mod entered;
mod listed;
mod renewed;
mod separated;
mod stopping;
mod strangers;
mod terminal;
mod unread;

mod cut_off;
mod drift;
mod interrupted;
mod killed;
mod stopped;
mod stuck;
mod watched;

mod confined;
mod image;
mod kept;
mod limits;
mod misplaced;
mod packaged;
mod parity;
mod program;
mod published;
mod rotated;
mod sealed;
mod shared;
mod walled;
mod writable;

mod blocked;
mod disk;
mod hostile;
mod refused;
