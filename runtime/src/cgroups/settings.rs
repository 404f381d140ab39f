//! What is written into a group's files, and what must they then say? Pure.

use super::Controller;
use super::asked::{Cpus, Limits};
use super::place::Version;

/// One file of a group's and what it is to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Setting {
    pub(crate) file: &'static str,
    pub(crate) value: String,
    /// Whether a kernel may lack it: no swap is accounted for then.
    pub(crate) spare: bool,
}

impl Setting {
    fn new(file: &'static str, value: impl ToString) -> Setting {
        Setting { file, value: value.to_string(), spare: false }
    }

    fn spare(self) -> Setting {
        Setting { spare: true, ..self }
    }

    /// Whether the file says what was written: an amount of memory in whole pages, of 64 KiB at most.
    pub(crate) fn is(&self, found: &str) -> bool {
        const PAGE: u64 = 64 << 10;
        match (self.value.parse::<u64>(), found.parse::<u64>()) {
            (Ok(value), Ok(found)) if self.file.starts_with("memory.") => found <= value && value - found < PAGE,
            _ => self.value == found,
        }
    }
}

/// What bounds this. Memory is bounded before anything is in the group; the others when those who probe have ended.
pub(crate) fn of(controller: Controller, limits: &Limits, version: Version) -> Vec<Setting> {
    match controller {
        Controller::Memory => limits.memory.map_or(vec![], |memory| of_memory(memory.bytes(), version)),
        Controller::Cpu => limits.cpus.map_or(vec![], |cpus| of_time(cpus.quota(), version)),
        // The same in both versions.
        Controller::Pids => {
            limits.processes.map(|most| Setting::new("pids.max", most.with_init())).into_iter().collect()
        }
    }
}

fn of_memory(bytes: u64, version: Version) -> Vec<Setting> {
    match version {
        // Version 1 counts both together here.
        Version::One => vec![
            Setting::new("memory.limit_in_bytes", bytes),
            Setting::new("memory.memsw.limit_in_bytes", bytes.saturating_mul(2).min(i64::MAX as u64)).spare(),
        ],
        Version::Two => vec![Setting::new("memory.max", bytes), Setting::new("memory.swap.max", bytes).spare()],
    }
}

fn of_time(quota: u64, version: Version) -> Vec<Setting> {
    match version {
        Version::One => {
            vec![Setting::new("cpu.cfs_period_us", Cpus::PERIOD), Setting::new("cpu.cfs_quota_us", quota)]
        }
        Version::Two => vec![Setting::new("cpu.max", format!("{quota} {}", Cpus::PERIOD))],
    }
}

/// The file that counts how often the kernel killed a process since there was no memory for it.
pub(crate) fn kills(version: Version) -> (&'static str, &'static str) {
    match version {
        Version::One => ("memory.oom_control", "oom_kill"),
        Version::Two => ("memory.events", "oom_kill"),
    }
}

/// The file that counts how often the kernel refused to make a process.
pub(crate) const REFUSALS: (&str, &str) = ("pids.events", "max");

/// The number beside a word in a file of `word number` lines.
pub(crate) fn number(text: &str, word: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(word)?.strip_prefix(' ')?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::super::asked::Processes;
    use super::*;

    fn limits() -> Limits {
        Limits {
            memory: Some("64m".parse().unwrap()),
            cpus: Some("1.5".parse().unwrap()),
            processes: Processes::most(100),
        }
    }

    fn written(settings: &[Setting]) -> Vec<(&str, &str)> {
        settings.iter().map(|setting| (setting.file, setting.value.as_str())).collect()
    }

    #[test]
    fn each_version_has_its_own_files() {
        let of = |controller, version| of(controller, &limits(), version);
        let both = [("memory.limit_in_bytes", "67108864"), ("memory.memsw.limit_in_bytes", "134217728")];
        assert_eq!(written(&of(Controller::Memory, Version::One)), both);
        let time = [("cpu.cfs_period_us", "100000"), ("cpu.cfs_quota_us", "150000")];
        assert_eq!(written(&of(Controller::Cpu, Version::One)), time);
        let both = [("memory.max", "67108864"), ("memory.swap.max", "67108864")];
        assert_eq!(written(&of(Controller::Memory, Version::Two)), both);
        assert_eq!(written(&of(Controller::Cpu, Version::Two)), [("cpu.max", "150000 100000")]);
        assert_eq!(written(&of(Controller::Pids, Version::One)), [("pids.max", "101")]);
    }

    #[test]
    fn what_is_read_back_may_be_whole_pages_of_memory_and_nothing_else() {
        let memory = &of(Controller::Memory, &limits(), Version::Two)[0];
        let said: Vec<bool> =
            ["67108864", "67104768", "67108865", "0", "max"].iter().map(|found| memory.is(found)).collect();
        assert_eq!(said, [true, true, false, false, false]);
        let time = &of(Controller::Cpu, &limits(), Version::Two)[0];
        assert!(time.is("150000 100000") && !time.is("max 100000"));
    }

    #[test]
    fn a_count_is_the_number_beside_its_word() {
        assert_eq!(number("low 0\noom 3\noom_kill 2\noom_group_kill 1\n", "oom_kill"), Some(2));
        assert_eq!(number("oom_kill_disable 0\nunder_oom 0\noom_kill 7\n", "oom_kill"), Some(7));
        assert_eq!(number("oom_kill_disable 0\n", "oom_kill"), None);
    }
}
