//! Is a stream of requests divided in one way, however it is cut?

use bottle_proxy::http::{Head, Requests, Step};

use super::Reading;

pub(super) fn read(bytes: &[u8]) -> Reading {
    let whole = divided(std::iter::once(bytes));
    assert_eq!(whole, divided(bytes.chunks(1)), "in one piece and byte by byte");
    assert_eq!(whole, divided(bytes.chunks(7)), "in one piece and in sevens");
    if let Some(last) = bytes.last() {
        // What comes last comes without end.
        let more = vec![*last; 2 * Requests::MOST];
        divided(bytes.chunks(1024).chain(more.chunks(1024)));
    }
    (!whole.is_empty() && !matches!(whole.last(), Some(Part::Wrong(_)))).into()
}

#[derive(Debug, PartialEq, Eq)]
enum Part {
    Head(Head),
    Body(Vec<u8>),
    Wrong(String),
}

fn divided<'b>(pieces: impl Iterator<Item = &'b [u8]>) -> Vec<Part> {
    let (mut requests, mut waiting, mut parts) = (Requests::default(), Vec::new(), Vec::new());
    for piece in pieces {
        waiting.extend_from_slice(piece);
        while let Some(end) = next(&mut requests, &waiting, &mut parts) {
            assert!(end > 0 && end <= waiting.len(), "a step of {end} bytes");
            waiting.drain(..end);
        }
        if let [.., Part::Body(_), Part::Wrong(_)] = parts[..] {
            // How much of a body goes on before the wrong byte in it comes depends on when it comes.
            parts.remove(parts.len() - 2);
        }
        if let [.., Part::Wrong(_)] = parts[..] {
            break;
        }
        assert!(waiting.len() <= Requests::MOST, "{} bytes are waited with", waiting.len());
    }
    parts
}

/// How many bytes were taken; nothing if more are needed, or none can come.
fn next(requests: &mut Requests, waiting: &[u8], parts: &mut Vec<Part>) -> Option<usize> {
    let (part, taken) = match requests.step(waiting) {
        Ok(Step::NeedMore) => return None,
        Ok(Step::Wrong(what)) => (Part::Wrong(what.to_owned()), None),
        Err(error) => (Part::Wrong(error.to_string()), None),
        Ok(Step::Body(count)) => (Part::Body(waiting[..count].to_vec()), Some(count)),
        Ok(Step::Head(end)) => match Head::parse(&waiting[..end]) {
            Ok(head) => {
                requests.begin(head.body);
                (Part::Head(head), Some(end))
            }
            Err(error) => (Part::Wrong(error.to_string()), None),
        },
    };
    match (parts.last_mut(), part) {
        (Some(Part::Body(body)), Part::Body(more)) => body.extend(more),
        (_, part) => parts.push(part),
    }
    taken
}
