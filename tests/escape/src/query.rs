//! What is in a DNS query? Built byte by byte from a description, since malformed ones are the point.

use serde::Deserialize;

use crate::tried::NotApplicable;
use crate::wire;

/// A query, as the corpus describes it. Without anything it is empty: no question at all.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Query {
    /// A question each.
    pub(crate) names: Vec<String>,
    /// The type of each question; A if absent.
    pub(crate) kind: Option<u16>,
    /// The class of each question; IN if absent.
    pub(crate) class: Option<u16>,
    /// The second word of the header; a query with recursion desired if absent.
    pub(crate) flags: Option<u16>,
    /// Questions, answers, authorities, additionals; as many questions as names if absent.
    pub(crate) counts: Option<[u16; 4]>,
    /// EDNS options, in an OPT record that counts as an additional one.
    pub(crate) options: Vec<(u16, String)>,
    /// Bytes with escapes after all that.
    pub(crate) after: String,
    /// `HOST:PORT`; the default resolver if absent.
    pub(crate) to: Option<String>,
    /// Over TCP.
    pub(crate) tcp: bool,
}

const OPT: u16 = 41;
const PAYLOAD: u16 = 65_535;

impl Query {
    /// Its bytes. `fill` puts in what stands in braces and reads escapes; `name` does only the first, since a name's escapes are
    /// bytes of a label.
    pub(crate) fn bytes(
        &self,
        id: u16,
        fill: impl Fn(&str) -> Result<Vec<u8>, NotApplicable>,
        name: impl Fn(&str) -> Result<String, NotApplicable>,
    ) -> Result<Vec<u8>, NotApplicable> {
        let additionals = u16::from(!self.options.is_empty());
        let counts = self.counts.unwrap_or([self.names.len() as u16, 0, 0, additionals]);
        let words = [id, self.flags.unwrap_or(0x0100)].into_iter().chain(counts);
        let mut out: Vec<u8> = words.flat_map(u16::to_be_bytes).collect();
        for each in &self.names {
            out.extend(wire::labels(&name(each)?));
            out.extend([self.kind.unwrap_or(1), self.class.unwrap_or(1)].map(u16::to_be_bytes).concat());
        }
        if !self.options.is_empty() {
            let mut options = Vec::new();
            for (code, data) in &self.options {
                let data = fill(data)?;
                options.extend([*code, data.len() as u16].map(u16::to_be_bytes).concat());
                options.extend(data);
            }
            out.extend([&[0][..], &[OPT, PAYLOAD, 0, 0, options.len() as u16].map(u16::to_be_bytes).concat()].concat());
            out.extend(options);
        }
        out.extend(fill(&self.after)?);
        Ok(out)
    }

    /// All texts in it, for the corpus's own test.
    #[cfg(test)]
    pub(crate) fn texts(&self) -> impl Iterator<Item = &String> {
        let options = self.options.iter().map(|(_, text)| text);
        self.names.iter().chain(options).chain([&self.after]).chain(&self.to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_has_its_questions_and_its_options() {
        let query = Query { names: vec!["a.b".into()], options: vec![(10, "xy".into())], ..Query::default() };
        let plain = |text: &str| Ok(text.as_bytes().to_vec());
        let bytes = query.bytes(7, plain, |text| Ok(text.to_owned())).unwrap();
        let mut expected = vec![0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1, 1, b'a', 1, b'b', 0, 0, 1, 0, 1];
        expected.extend([0, 0, 41, 255, 255, 0, 0, 0, 0, 0, 6, 0, 10, 0, 2, b'x', b'y']);
        assert_eq!(bytes, expected);
    }
}
