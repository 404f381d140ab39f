//! Which attempts go through other processes?

mod foreign_descriptors;
mod foreign_limits;
mod foreign_memory;
mod foreign_memory_file;
mod foreign_mounts;
mod foreign_network;
mod foreign_root;
mod inherited_descriptors;
mod passed_descriptor;
mod poked_memory;
mod stolen_descriptors;
mod traced_helpers;
mod written_memory;
mod written_memory_file;

use crate::attempt::Attempt;

/// One line a file, so that two additions meet in no line.
#[rustfmt::skip]
pub(crate) const ALL: &[Attempt] = &[
    foreign_descriptors::ATTEMPT,
    foreign_limits::ATTEMPT,
    foreign_memory::ATTEMPT,
    foreign_memory_file::ATTEMPT,
    foreign_mounts::ATTEMPT,
    foreign_network::ATTEMPT,
    foreign_root::ATTEMPT,
    inherited_descriptors::ATTEMPT,
    passed_descriptor::ATTEMPT,
    poked_memory::ATTEMPT,
    stolen_descriptors::ATTEMPT,
    traced_helpers::ATTEMPT,
    written_memory::ATTEMPT,
    written_memory_file::ATTEMPT,
];
