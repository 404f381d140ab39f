//! Which attempts go for settings of the machine, and for files by which a host is run?

mod accounts;
mod binary_format;
mod control_group;
mod core_pattern;
mod helper_programs;
mod kernel_log;
mod machine_name_call;
mod machine_name_setting;
mod release_agent;
mod root_again;
mod root_of_new_users;
mod started_later;
mod sysrq;

use crate::attempt::Attempt;

/// One line a file, so that two additions meet in no line.
#[rustfmt::skip]
pub(crate) const ALL: &[Attempt] = &[
    accounts::ATTEMPT,
    binary_format::ATTEMPT,
    control_group::ATTEMPT,
    core_pattern::ATTEMPT,
    helper_programs::ATTEMPT,
    kernel_log::ATTEMPT,
    machine_name_call::ATTEMPT,
    machine_name_setting::ATTEMPT,
    release_agent::ATTEMPT,
    root_again::ATTEMPT,
    root_of_new_users::ATTEMPT,
    started_later::ATTEMPT,
    sysrq::ATTEMPT,
];
