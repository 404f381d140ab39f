//! What does a command look like, and what its answer? Handles, then who authorises, then parameters.

use crate::connection::{HEADER, Tpm};
use crate::error::{TpmError, is_busy, refused};
use crate::marshal::{Reader, Writer};

/// A command, by the name and number that the specification gives it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Code(pub(crate) &'static str, pub(crate) u32);

/// Who says that a command may use its first handle.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Auth {
    /// Nobody needs to.
    None,
    /// An empty password does.
    Empty,
    /// A policy session does, which ends with the command.
    Session(u32),
}

const NO_SESSIONS: u16 = 0x8001;
const SESSIONS: u16 = 0x8002;
/// The session that is a password.
const PASSWORD: u32 = 0x4000_0009;

/// How often a TPM that is busy is asked again.
const ATTEMPTS: usize = 100;

impl Tpm {
    /// What a command answers: its handle, if it makes one, and its parameters.
    pub(crate) fn ask(
        &mut self,
        Code(name, code): Code,
        (handles, auth): (&[u32], Auth),
        parameters: &[u8],
        makes_handle: bool,
    ) -> Result<(u32, Vec<u8>), TpmError> {
        let command = written(code, handles, auth, parameters);
        let malformed = || TpmError::Malformed { command: name };
        for _ in 0..ATTEMPTS {
            let answer = self.exchange(&command).map_err(|source| TpmError::Silent { command: name, source })?;
            let (tag, result, body) = parts(&answer).ok_or_else(malformed)?;
            match result {
                0 => {
                    let (handle, parameters) = read(tag, body, makes_handle).ok_or_else(malformed)?;
                    return Ok((handle, parameters.to_vec()));
                }
                busy if is_busy(busy) => std::thread::yield_now(),
                other => return Err(refused(name, other)),
            }
        }
        Err(TpmError::Silent { command: name, source: std::io::ErrorKind::ResourceBusy.into() })
    }
}

fn written(code: u32, handles: &[u32], auth: Auth, parameters: &[u8]) -> Vec<u8> {
    let body = handles.iter().fold(Writer::default(), |body, handle| body.u32(*handle));
    let area = match auth {
        Auth::None => None,
        Auth::Empty => Some(PASSWORD),
        Auth::Session(session) => Some(session),
    };
    // No nonce, no attributes and no HMAC: neither a password nor this policy has any.
    let area = area.map(|session| Writer::default().u32(session).sized(&[]).u8(0).sized(&[]).done());
    let tag = if area.is_some() { SESSIONS } else { NO_SESSIONS };
    let body = match area {
        Some(area) => body.u32(area.len() as u32).raw(&area),
        None => body,
    };
    let body = body.raw(parameters).done();
    Writer::default().u16(tag).u32((HEADER + body.len()) as u32).u32(code).raw(&body).done()
}

fn parts(answer: &[u8]) -> Option<(u16, u32, &[u8])> {
    let mut reader = Reader::new(answer);
    let (tag, _length, result) = (reader.u16()?, reader.u32()?, reader.u32()?);
    Some((tag, result, reader.rest()))
}

fn read(tag: u16, body: &[u8], makes_handle: bool) -> Option<(u32, &[u8])> {
    let mut reader = Reader::new(body);
    let handle = if makes_handle { reader.u32()? } else { 0 };
    match tag {
        NO_SESSIONS => Some((handle, reader.rest())),
        SESSIONS => {
            let length = reader.u32()?;
            Some((handle, reader.raw(usize::try_from(length).ok()?)?))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_command_is_written_as_the_specification_says() {
        // TPM2_FlushContext of 0x80000000.
        let flush = written(0x165, &[], Auth::None, &0x8000_0000_u32.to_be_bytes());
        assert_eq!(flush, [0x80, 1, 0, 0, 0, 14, 0, 0, 1, 0x65, 0x80, 0, 0, 0]);
        let unseal = written(0x15e, &[0x8000_0001], Auth::Empty, &[]);
        let expected: &[u8] =
            &[0x80, 2, 0, 0, 0, 27, 0, 0, 1, 0x5e, 0x80, 0, 0, 1, 0, 0, 0, 9, 0x40, 0, 0, 9, 0, 0, 0, 0, 0];
        assert_eq!(unseal, expected);
    }

    proptest! {
        #[test]
        fn no_answer_makes_it_panic(answer in proptest::collection::vec(any::<u8>(), 0..64), tag in 0x8001_u16..0x8004) {
            let _ = parts(&answer).map(|(_, _, body)| (read(tag, body, true).is_some(), read(tag, body, false).is_some()));
        }
    }
}
