//! Is this a query that can be answered, and if not, what does its sender get?

use hickory_proto::op::{Edns, Header, HeaderCounts, Message, MessageType, Metadata, OpCode, Query, ResponseCode};
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder};

/// Additional records that a query may carry: OPT, and room for a signature that is not looked at.
const ADDITIONAL_MAX: u16 = 4;

/// What is known of a query: all of it when it is well-formed, as much as could be read when it is not.
pub(crate) struct Request<'q> {
    pub(crate) metadata: Metadata,
    /// None only if it could not be read.
    pub(crate) question: Option<Question<'q>>,
    pub(crate) edns: Option<Edns>,
}

/// What is asked, and the bytes that asked it, so that they can be given back as they came.
pub(crate) struct Question<'q> {
    pub(crate) query: Query,
    pub(crate) bytes: &'q [u8],
}

/// Why a query gets an error for an answer.
pub(crate) type Fault = ResponseCode;

/// Reads a query of at most `limit` bytes, and says whether it is well-formed. None: not even a header, or itself an answer;
/// it gets silence.
pub(crate) fn parse(bytes: &[u8], limit: usize) -> Option<(Request<'_>, Result<(), Fault>)> {
    let mut decoder = BinDecoder::new(bytes);
    let Header { metadata, counts } = Header::read(&mut decoder).ok()?;
    if metadata.message_type == MessageType::Response {
        return None;
    }
    let mut request = Request { metadata, question: None, edns: None };
    let read = if bytes.len() > limit { Err(Fault::FormErr) } else { request.read(&mut decoder, counts) };
    Some((request, read))
}

impl<'q> Request<'q> {
    fn read(&mut self, decoder: &mut BinDecoder<'q>, counts: HeaderCounts) -> Result<(), Fault> {
        self.question = if counts.queries == 1 { Question::read(decoder) } else { None };
        if self.metadata.op_code != OpCode::Query {
            return Err(Fault::NotImp);
        }
        if self.question.is_none()
            || counts.answers != 0
            || counts.authorities != 0
            || counts.additionals > ADDITIONAL_MAX
        {
            return Err(Fault::FormErr);
        }
        let (_, edns, _) = Message::read_records(decoder, usize::from(counts.additionals), true, OpCode::Query)
            .map_err(|_| Fault::FormErr)?;
        self.edns = edns;
        match &self.edns {
            _ if !decoder.is_empty() => Err(Fault::FormErr),
            Some(edns) if edns.version() != 0 => Err(Fault::BADVERS),
            _ => Ok(()),
        }
    }
}

impl<'q> Question<'q> {
    /// The one question: a second one, or none, is an error (RFC 9619). So is a compressed name: nothing precedes it that it
    /// could point to, and its bytes could not be given back.
    fn read(decoder: &mut BinDecoder<'q>) -> Option<Self> {
        let start = decoder.index();
        let query = Query::read(decoder).ok()?;
        let bytes = decoder.slice_from(start).ok()?;
        let labels: usize = query.name().iter().map(|label| 1 + label.len()).sum();
        (bytes.len() == labels + 1 + 4).then_some(Self { query, bytes })
    }

    /// Bytes of the name, without the root's.
    pub(crate) fn labels(&self) -> usize {
        self.bytes.len() - 1 - 4
    }
}
