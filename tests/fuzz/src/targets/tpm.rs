//! Is whatever a TPM answers an error or what was asked for, of a form that others read?

use bottle_evidence::quote::AttestationKey;
use bottle_tpm::{Pcrs, Sealed, Tpm, TpmError};
use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType, send, socketpair};

use super::Reading;

/// No question needs so many answers.
const ANSWERS: usize = 64;

/// What is asked for, then the answers, each after its length in two bytes.
pub(super) fn read(bytes: &[u8]) -> Reading {
    let Some((question, answers)) = bytes.split_first() else { return Reading::Refused };
    let pcrs = Pcrs::new([0, 7].into_iter().take(usize::from(question / 4 % 3))).expect("numbers of PCRs");
    let tpm = answering(answers);
    match question % 4 {
        0 => key(tpm),
        1 => quote(tpm, &pcrs),
        2 => seal(tpm, &pcrs),
        _ => unseal(tpm, pcrs),
    }
    .is_ok()
    .into()
}

/// A TPM that gives these answers, whatever it is asked, and then hangs up.
fn answering(mut bytes: &[u8]) -> (Tpm, impl Sized) {
    let pair = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None);
    let (ours, theirs) = pair.expect("two sockets");
    for _ in 0..ANSWERS {
        let Some((length, rest)) = bytes.split_first_chunk() else { break };
        let (answer, rest) = rest.split_at(rest.len().min(usize::from(u16::from_be_bytes(*length))));
        send(&theirs, answer, SendFlags::NOSIGNAL).expect("room for an answer");
        bytes = rest;
    }
    rustix::net::shutdown(&theirs, rustix::net::Shutdown::Write).expect("nothing comes any more");
    // Kept, so that there is somebody to ask.
    (Tpm::at(ours), theirs)
}

fn key((mut tpm, _theirs): (Tpm, impl Sized)) -> Result<(), TpmError> {
    let spki = tpm.attestation_key()?;
    AttestationKey::from_spki(&spki).expect("a key that the verifier reads");
    Ok(())
}

fn quote((mut tpm, _theirs): (Tpm, impl Sized), pcrs: &Pcrs) -> Result<(), TpmError> {
    let quote = tpm.quote(&[9; 32], pcrs)?;
    AttestationKey::from_spki(&quote.key).expect("a key that the verifier reads");
    assert!(quote.pcrs.keys().eq(pcrs.numbers()), "a value for each PCR that was asked for");
    Ok(())
}

fn seal((mut tpm, _theirs): (Tpm, impl Sized), pcrs: &Pcrs) -> Result<(), TpmError> {
    let sealed = tpm.seal(b"a secret", pcrs)?;
    assert_eq!(&sealed.pcrs, pcrs);
    let (mut silent, _nobody) = answering(&[]);
    let asked = silent.unseal(&sealed);
    assert!(!matches!(asked, Err(TpmError::Foreign)), "what no TPM is ever asked to give back");
    Ok(())
}

fn unseal((mut tpm, _theirs): (Tpm, impl Sized), pcrs: Pcrs) -> Result<(), TpmError> {
    tpm.unseal(&Sealed { public: vec![1; 16], private: vec![2; 16], pcrs }).map(drop)
}
