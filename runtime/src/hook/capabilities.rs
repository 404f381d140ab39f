//! Which capabilities may a container not have? All but those that engines give to every container. The start reads them in the
//! configuration, and each renewal in what the kernel says of each thread.

use std::collections::BTreeSet;

use super::{Configuration, Exception, Refusal};

/// What engines give to every container. Any other reaches beyond it, such as DAC_READ_SEARCH, which opens the host's files by handle.
const USUAL: [&str; 14] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "NET_RAW",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

/// Those that the settings can let pass one by one; the rest go together.
const NAMED: [(&str, Exception); 4] = [
    ("SYS_ADMIN", Exception::SysAdmin),
    ("NET_ADMIN", Exception::NetAdmin),
    ("SYS_PTRACE", Exception::SysPtrace),
    ("SYS_MODULE", Exception::SysModule),
];

/// The number of the highest that a mask of the kernel's can hold (capabilities(7)).
const HIGHEST: u32 = 63;

/// By what one is let pass.
pub(super) fn exception(name: &str) -> Exception {
    NAMED.iter().find(|(known, _)| *known == name).map_or(Exception::OtherCapabilities, |(_, exception)| *exception)
}

pub(super) fn refused(configuration: &Configuration) -> Vec<Refusal> {
    let Some(held) = held(configuration) else { return vec![Refusal::NoCapabilities] };
    held.into_iter().filter(|name| !USUAL.contains(&name.as_str())).map(Refusal::Capability).collect()
}

/// Whether it has this one, in whatever set.
pub(super) fn has(configuration: &Configuration, name: &str) -> bool {
    held(configuration).is_some_and(|held| held.contains(name))
}

/// All that it has, by their names without what they begin with.
fn held(configuration: &Configuration) -> Option<BTreeSet<String>> {
    let bare = |held: &String| {
        let upper = held.to_uppercase();
        upper.strip_prefix("CAP_").map(str::to_owned).unwrap_or(upper)
    };
    let sets = configuration.written.process.capabilities.as_ref()?;
    Some(sets.values().flatten().flatten().map(bare).collect())
}

/// By name and number (capabilities(7)), those that no process may have, but for what was let pass. One that has no name here is as
/// good as any.
pub(crate) fn numbered(passed: &[Exception]) -> Vec<(String, u32)> {
    let names: Vec<(String, u32)> = caps::all()
        .into_iter()
        .map(|known| (known.to_string().trim_start_matches("CAP_").to_owned(), u32::from(known.index())))
        .collect();
    let named = |number| names.iter().find(|(_, known)| *known == number).map(|(name, _)| name.clone());
    let all = (0..=HIGHEST).map(|number| (named(number).unwrap_or_else(|| number.to_string()), number));
    all.filter(|(name, _)| !USUAL.contains(&name.as_str()) && !passed.contains(&exception(name))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::refusals::tests::{good, refused};
    use super::*;

    #[test]
    fn a_capability_that_reaches_the_airlock_is_refused_in_whatever_set_it_is() {
        for (name, exception) in NAMED {
            for set in ["bounding", "effective", "permitted", "inheritable", "ambient"] {
                let mut with = good();
                with["process"]["capabilities"][set] = json!([format!("CAP_{name}")]);
                assert_eq!(refused(&with, &[]), [Refusal::Capability(name.into())]);
                assert_eq!(refused(&with, &[exception]), []);
            }
        }
        let mut others = good();
        others["process"]["capabilities"]["bounding"] = json!(["cap_dac_read_search", "CAP_CHOWN", "BPF"]);
        let both = ["BPF", "DAC_READ_SEARCH"].map(|name| Refusal::Capability(name.to_owned()));
        assert_eq!(refused(&others, &[Exception::SysAdmin]), both);
        assert_eq!(refused(&others, &[Exception::OtherCapabilities]), []);
        let mut unsaid = good();
        unsaid["process"].as_object_mut().unwrap().remove("capabilities");
        assert_eq!(refused(&unsaid, &[]), [Refusal::NoCapabilities]);
    }

    #[test]
    fn what_is_refused_at_the_start_is_refused_of_whoever_runs_and_has_the_kernels_number() {
        let refused = numbered(&[]);
        for (name, number) in
            [("NET_ADMIN", 12), ("SYS_MODULE", 16), ("SYS_ADMIN", 21), ("DAC_READ_SEARCH", 2), ("63", 63)]
        {
            assert!(refused.contains(&(name.to_owned(), number)), "{name}");
        }
        assert_eq!(refused.len() + USUAL.len(), 64);
        assert_eq!(numbered(&[Exception::NetAdmin]).len(), refused.len() - 1);
        let four: Vec<String> = numbered(&[Exception::OtherCapabilities]).into_iter().map(|(name, _)| name).collect();
        assert_eq!(four, ["NET_ADMIN", "SYS_MODULE", "SYS_PTRACE", "SYS_ADMIN"]);
    }
}
