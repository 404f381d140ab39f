//! How is an answer written down?

use std::net::IpAddr;

use hickory_proto::ProtoError;
use hickory_proto::op::{Edns, EmitAndCount, Metadata, ResponseCode, emit_message_parts};
use hickory_proto::rr::rdata::opt::EdnsOption;
use hickory_proto::rr::rdata::{A, AAAA, PTR, SOA};
use hickory_proto::rr::{Name, RData, Record};
use hickory_proto::serialize::binary::BinEncoder;

use crate::request::{Question, Request};

/// How long, in seconds, an answer may be kept. A lease never changes, but whether its name is allowed does:
/// a reload or an approval is to be seen soon, in answers of both kinds.
pub(crate) const TTL: u32 = 5;

/// RFC 8914.
const EDE: u16 = 15;

/// An extended error: its code, and words for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extended {
    pub(crate) code: u16,
    pub(crate) text: &'static str,
}

/// An answer to `request`, not yet bytes.
pub(crate) struct Response<'r> {
    pub(crate) request: &'r Request<'r>,
    pub(crate) code: ResponseCode,
    pub(crate) answer: Option<Record>,
    /// What a negative answer says about how long it may be kept.
    pub(crate) authority: Option<&'r Record>,
    pub(crate) extended: Option<Extended>,
}

impl Response<'_> {
    /// Writes the answer over `out`, at most `limit` bytes. An answer that does not fit has no records and TC set.
    /// Returns whether it could be written at all.
    pub(crate) fn write(&self, limit: u16, advertise: u16, out: &mut Vec<u8>) -> bool {
        let edns = self.edns(advertise);
        let mut metadata = Metadata::response_from_request(&self.request.metadata);
        metadata.recursion_available = true;
        metadata.response_code = self.code;
        let whole = self.emit(&metadata, self.answer.as_ref(), self.authority, edns.as_ref(), out);
        if whole && out.len() > usize::from(limit) {
            metadata.truncation = true;
            return self.emit(&metadata, None, None, edns.as_ref(), out);
        }
        whole
    }

    fn emit(
        &self,
        metadata: &Metadata,
        answer: Option<&Record>,
        authority: Option<&Record>,
        edns: Option<&Edns>,
        out: &mut Vec<u8>,
    ) -> bool {
        out.clear();
        let mut encoder = BinEncoder::new(out);
        let mut question = Echo(self.request.question.as_ref());
        let (mut answers, mut authorities) = (answer.into_iter(), authority.into_iter());
        let mut additionals = std::iter::empty::<&Record>();
        emit_message_parts(
            metadata,
            &mut question,
            &mut answers,
            &mut authorities,
            &mut additionals,
            edns,
            None,
            &mut encoder,
        )
        .is_ok()
    }

    /// An answer carries EDNS exactly if the query did (RFC 6891, 6.1.1), with the query's DO bit (RFC 3225).
    fn edns(&self, advertise: u16) -> Option<Edns> {
        let asked = self.request.edns.as_ref()?;
        let mut edns = Edns::new();
        edns.set_max_payload(advertise).set_dnssec_ok(asked.flags().dnssec_ok);
        if let Some(Extended { code, text }) = self.extended {
            edns.options_mut().insert(EdnsOption::Unknown(EDE, [&code.to_be_bytes(), text.as_bytes()].concat()));
        }
        Some(edns)
    }
}

/// The question as it came, to which later names may point back.
struct Echo<'r>(Option<&'r Question<'r>>);

impl EmitAndCount for Echo<'_> {
    fn emit(&mut self, encoder: &mut BinEncoder<'_>) -> Result<usize, ProtoError> {
        let Some(question) = self.0 else { return Ok(0) };
        let start = encoder.offset();
        encoder.emit_vec(question.bytes)?;
        if question.labels() > 0 {
            encoder.store_label_pointer(start, start + question.labels());
        }
        Ok(1)
    }
}

/// The record that says that `name` stands for `address`.
pub(crate) fn address(name: &Name, address: IpAddr) -> Record {
    let data = match address {
        IpAddr::V4(address) => RData::A(A(address)),
        IpAddr::V6(address) => RData::AAAA(AAAA(address)),
    };
    Record::from_rdata(name.clone(), TTL, data)
}

/// The record that says that the reverse name `name` stands for `target`. None if that is no name on the wire.
pub(crate) fn pointer(name: &Name, target: &str) -> Option<Record> {
    let mut target = Name::from_ascii(target).ok()?;
    target.set_fqdn(true);
    Some(Record::from_rdata(name.clone(), TTL, RData::PTR(PTR(target))))
}

/// The SOA of negative answers. Its owner is the root, below which every name is.
pub(crate) fn authority() -> Record {
    let server = Name::from_ascii("_egress.local.").expect("a name");
    let person = Name::from_ascii("nobody.invalid.").expect("a name");
    let soa = SOA::new(server, person, 1, 3600, 1200, 604_800, TTL);
    Record::from_rdata(Name::root(), TTL, RData::SOA(soa))
}
