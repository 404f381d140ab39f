//! Does everybody who reads a configuration read the same of it? runc takes a member's name in any case, and of two the later one; crun
//! neither, and a text to its first NUL. What they could read differently is no configuration.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::LazyLock;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// Where names are anybody's, and so no member's in another case.
const FREE: [&str; 5] = ["annotations", "sysctl", "unified", "timeOffsets", "netDevices"];

/// The members that the OCI runtime specification has for Linux, wherever they are.
const MEMBERS: &str = "ociVersion process root hostname domainname mounts hooks annotations linux solaris windows vm zos \
    terminal consoleSize user args commandLine env cwd capabilities rlimits noNewPrivileges apparmorProfile oomScoreAdj scheduler \
    selinuxLabel ioPriority execCPUAffinity initial final uid gid umask additionalGids username height width \
    bounding effective inheritable permitted ambient type hard soft path readonly destination source options \
    uidMappings gidMappings containerID hostID size prestart createRuntime createContainer startContainer poststart poststop timeout \
    sysctl resources cgroupsPath namespaces devices netDevices seccomp rootfsPropagation maskedPaths readonlyPaths mountLabel \
    intelRdt personality timeOffsets memoryPolicy major minor fileMode unified memory cpu pids blockIO hugepageLimits network rdma \
    allow access domain flags defaultAction defaultErrnoRet architectures listenerPath listenerMetadata syscalls names action \
    errnoRet index value valueTwo op closID l3CacheSchema memBwSchema schemata enableCMT enableMBM enableMonitoring classID \
    priorities name limit reservation swap kernel kernelTCP swappiness disableOOMKiller useHierarchy checkBeforeUpdate shares quota \
    burst period realtimeRuntime realtimePeriod cpus mems idle weight leafWeight weightDevice throttleReadBpsDevice \
    throttleWriteBpsDevice throttleReadIOPSDevice throttleWriteIOPSDevice rate pageSize hcaHandles hcaObjects secs nanosecs \
    policy nice priority runtime deadline class mode nodes";

/// As they are written, by what they fold to.
static FOLDED: LazyLock<BTreeMap<String, &str>> =
    LazyLock::new(|| MEMBERS.split_ascii_whitespace().map(|member| (fold(member), member)).collect());

/// Demands it of the whole text.
pub(super) fn check(bytes: &[u8]) -> Result<(), serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    Strict { is_free: false }.deserialize(&mut reader)?;
    reader.end()
}

/// A value, and whether it is one of those whose names are anybody's.
#[derive(Clone, Copy)]
struct Strict {
    is_free: bool,
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen = BTreeSet::new();
        while let Some(name) = map.next_key::<String>()? {
            whole(&name)?;
            let read = if self.is_free { name.clone() } else { fold(&name) };
            if let Some(member) = FOLDED.get(&read).filter(|member| !self.is_free && **member != name) {
                return Err(A::Error::custom(format!("some read the member {name:?} as {member:?}, and some do not")));
            }
            if !seen.insert(read) {
                return Err(A::Error::custom(format!("the member {name:?} is there twice")));
            }
            let is_free = !self.is_free && FREE.contains(&name.as_str());
            map.next_value_seed(Strict { is_free })?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(Strict { is_free: false })?.is_some() {}
        Ok(())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        whole(text)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }
}

fn whole<E: Error>(text: &str) -> Result<(), E> {
    if text.contains('\0') { Err(E::custom("a text has a NUL, at which some stop reading")) } else { Ok(()) }
}

/// As encoding/json of Go compares names: case, and the two letters beyond ASCII that fold to letters of it.
fn fold(name: &str) -> String {
    let letter = |letter: char| match letter {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        other => other.to_ascii_lowercase(),
    };
    name.chars().map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_differently_by_some_is_refused_wherever_it_is() {
        for (text, why) in [
            (r#"{"Linux":{}}"#, "Linux"),
            (r#"{"linux":{"ſeccomp":null}}"#, "ſeccomp"),
            ("{\"linux\":{\"mas\u{212a}edPaths\":[]}}", "maskedPaths"),
            (r#"{"linux":{},"linux":{}}"#, "twice"),
            (r#"{"x":{"a":[{"b":1,"B":2}]}}"#, "twice"),
            (r#"{"process":{"capabilities":{"Bounding":[]}}}"#, "Bounding"),
            (r#"{"linux":{"seccomp":{"syscalls":[{"Names":[]}]}}}"#, "Names"),
            (r#"{"annotations":{"a":"1","a":"2"}}"#, "twice"),
            (r#"{"annotations":{"a\u0000b":"1"}}"#, "NUL"),
            (r#"{"mounts":[{"source":"/srv\u0000/x"}]}"#, "NUL"),
            (r#"{"a":1}{"#, "trailing"),
        ] {
            let error = check(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(check(deep.as_bytes()).is_err());
    }

    #[test]
    fn what_all_read_alike_is_let_pass() {
        for text in [
            r#"{"linux":{"maskedPaths":null,"sysctl":{"Type":"1","type":"2"}},"hostname":"a"}"#,
            r#"{"annotations":{"Path":"1","path":"2"},"unknown":{"Other":[1,-2.5,true,null]}}"#,
        ] {
            check(text.as_bytes()).unwrap();
        }
    }

    #[test]
    fn no_member_is_another_in_another_case() {
        let mut folded: Vec<String> = MEMBERS.split_ascii_whitespace().map(fold).collect();
        let count = folded.len();
        folded.sort_unstable();
        folded.dedup();
        assert_eq!(folded.len(), count);
    }
}
