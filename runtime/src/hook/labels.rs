//! Which labels has a container? Those that its engine tells its runtime: CRI-O does, as JSON in an annotation. podman, Docker and containerd
//! keep theirs to themselves.
//!
//! A label of ours means what the annotation of that name means, and is read as strictly.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::object;

/// Where CRI-O writes them.
pub(super) const PLACE: &str = "io.kubernetes.cri-o.Labels";

/// Texts by name, where no name comes twice.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Labels(pub(super) BTreeMap<String, String>);

impl Labels {
    /// None where there is no such annotation.
    pub(super) fn of(annotations: Option<&BTreeMap<String, String>>) -> Result<Labels, serde_json::Error> {
        let written = annotations.and_then(|all| all.get(PLACE));
        written.map_or(Ok(Labels::default()), |text| object::read(text.as_bytes()))
    }
}

impl<'de> Deserialize<'de> for Labels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Labels, D::Error> {
        deserializer.deserialize_map(EachOnce)
    }
}

struct EachOnce;

impl<'de> Visitor<'de> for EachOnce {
    type Value = Labels;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("labels")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Labels, A::Error> {
        let mut all = BTreeMap::new();
        while let Some((name, value)) = map.next_entry::<String, String>()? {
            if all.insert(name, value).is_some() {
                return Err(A::Error::custom("a label is there twice"));
            }
        }
        Ok(Labels(all))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(text: &str) -> Result<Labels, serde_json::Error> {
        Labels::of(Some(&[(PLACE.to_owned(), text.to_owned())].into()))
    }

    #[test]
    fn labels_are_texts_by_name_and_none_is_there_twice() {
        let read = labels(r#"{"tier":"backend","bottle.policy":"web.yaml"}"#).unwrap();
        assert_eq!(read.0["bottle.policy"], "web.yaml");
        assert_eq!(labels("{}").unwrap(), Labels::default());
        assert_eq!(Labels::of(None).unwrap(), Labels::default());
        for spoilt in ["", "[]", "null", r#"{"a":1}"#, r#"{"a":null}"#, r#"{"a":"1","a":"2"}"#, r#"{"a":"1"}x"#] {
            assert!(labels(spoilt).is_err(), "{spoilt}");
        }
    }
}
