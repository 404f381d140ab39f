//! Does the sinkhole answer only what hickory reads as the same question, and report all else once?

use std::sync::{Arc, LazyLock, Mutex};

use bottle_dns::{Denials, Limits, Sinkhole, Transport};
use bottle_policy::{Leases, Name, Reason, Rules, lease, resolvable};
use hickory_proto::op::{Message, ResponseCode};

use super::Reading;

static RULES: LazyLock<Arc<Rules>> = LazyLock::new(|| {
    let text = "version: 1\ndomains: [{pattern: '.example.com'}, {pattern: '*.test'}]\n";
    Arc::new(Rules::from_text(text, "the target").expect("a policy"))
});

pub(super) fn read(bytes: &[u8]) -> Reading {
    let (over_udp, reported) = ask(bytes, Transport::Udp);
    let (over_tcp, _) = ask(bytes, Transport::Tcp);
    assert_eq!(over_udp.is_some(), over_tcp.is_some(), "silence over one transport");
    let (Some(udp), Some(tcp)) = (over_udp, over_tcp) else {
        assert_eq!(reported, 1, "silence is reported");
        return Reading::Refused;
    };
    assert!(udp.len() <= 1232);
    let (udp, tcp) = (understood(&udp), understood(&tcp));
    assert!(udp.truncation || udp.answers == tcp.answers, "other answers over UDP");
    assert_eq!(udp.response_code, tcp.response_code);
    let answered = tcp.response_code == ResponseCode::NoError;
    assert_eq!(reported, usize::from(!answered), "{} reports of {}", reported, tcp.response_code);
    if answered {
        agrees(bytes, &tcp);
    }
    answered.into()
}

fn understood(answer: &[u8]) -> Message {
    Message::from_vec(answer).expect("an answer that hickory reads")
}

/// What was answered with data, or with none, is one question for hickory too, and its name is what the bytes say.
fn agrees(query: &[u8], answer: &Message) {
    let theirs = Message::from_vec(query).expect("hickory refuses what was answered");
    let [question] = theirs.queries.as_slice() else { panic!("hickory finds {} questions", theirs.queries.len()) };
    let labels = labels(&query[12..]).expect("a name without pointers");
    let shown: Vec<Vec<u8>> = question.name().iter().map(<[u8]>::to_vec).collect();
    assert_eq!(shown, labels, "hickory reads another name");
    assert_eq!(answer.queries.len(), 1);
    assert_eq!(answer.queries[0].name(), question.name());
    for record in &answer.answers {
        assert_eq!(&record.name, question.name(), "an answer about another name");
    }
    let named = Name::from_wire(&labels.join(&b'.')).ok();
    let is_lease = |data: String| data.starts_with("28.");
    if answer.answers.iter().any(|record| is_lease(record.data.to_string())) {
        let name = named.expect("an address for what is no name");
        assert_eq!(resolvable(&RULES, &name), Ok(()), "an address for a denied name");
    }
}

/// The labels of an uncompressed name, read as plainly as can be.
fn labels(mut bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut labels = Vec::new();
    loop {
        let (length, rest) = bytes.split_first()?;
        match usize::from(*length) {
            0 => return Some(labels),
            length @ 1..64 => {
                labels.push(rest.get(..length)?.to_vec());
                bytes = &rest[length..];
            }
            _ => return None,
        }
    }
}

#[derive(Default)]
struct Reports(Mutex<usize>);

impl Denials for Reports {
    fn denied(&self, name: &str, qtype: &str, _: Reason) {
        assert!(!name.chars().any(char::is_control) && !qtype.chars().any(char::is_control), "{name:?} {qtype:?}");
        *self.0.lock().expect("one thread") += 1;
    }
}

fn ask(bytes: &[u8], transport: Transport) -> (Option<Vec<u8>>, usize) {
    let reports = Arc::new(Reports::default());
    let leases = Arc::new(Leases::new([7; 32], lease::POOL));
    let sinkhole = Sinkhole::new(Arc::clone(&RULES), leases, Limits::default(), reports.clone());
    let answer = sinkhole.answer(bytes, transport);
    let count = *reports.0.lock().expect("one thread");
    (answer, count)
}
