//! Does a TPM do what is asked of it, and do tools that share no code with us say so too?

mod swtpm;

use bottle_tpm::{Pcrs, Tpm, TpmError};
use swtpm::{Swtpm, checkquote};

fn pcrs(numbers: impl IntoIterator<Item = u8>) -> Pcrs {
    Pcrs::new(numbers).unwrap()
}

fn open(swtpm: &Swtpm) -> Tpm {
    Tpm::open(&swtpm.socket()).unwrap()
}

#[test]
fn what_is_sealed_comes_back_from_the_tpm_that_sealed_it_and_from_no_other() {
    let (one, other) = (Swtpm::new(), Swtpm::new());
    let sealed = open(&one).seal(b"a secret of thirty-two bytes ...", &pcrs([])).unwrap();
    assert!(!sealed.private.windows(8).any(|bytes| bytes == b"a secret"));
    assert_eq!(open(&one).unseal(&sealed).unwrap(), b"a secret of thirty-two bytes ...");
    assert!(matches!(open(&other).unseal(&sealed), Err(TpmError::Foreign)));
    let one = one.restarted();
    assert_eq!(open(&one).unseal(&sealed).unwrap(), b"a secret of thirty-two bytes ...");
    let mut changed = sealed.clone();
    *changed.private.last_mut().unwrap() ^= 1;
    assert!(matches!(open(&one).unseal(&changed), Err(TpmError::Foreign)));
    changed = sealed;
    changed.public[5] ^= 1;
    assert!(matches!(open(&one).unseal(&changed), Err(TpmError::Foreign)));
}

#[test]
fn what_is_sealed_for_pcrs_comes_back_while_they_are_as_they_were() {
    let tpm = Swtpm::new();
    tpm.extend(7);
    let sealed = open(&tpm).seal(b"secret", &pcrs([7, 0])).unwrap();
    assert_eq!(open(&tpm).unseal(&sealed).unwrap(), b"secret");
    tpm.extend(8);
    assert_eq!(open(&tpm).unseal(&sealed).unwrap(), b"secret");
    tpm.extend(0);
    let mut unsealing = open(&tpm);
    // More often than it has room for objects and sessions.
    for _ in 0..70 {
        assert!(matches!(unsealing.unseal(&sealed), Err(TpmError::Pcrs)));
    }
    drop(unsealing);
    // Without the policy, and with that of other PCRs.
    let mut other = sealed.clone();
    for numbers in [vec![], vec![7], vec![0, 7, 9]] {
        other.pcrs = pcrs(numbers);
        assert!(open(&tpm).unseal(&other).is_err());
    }
    let tpm = tpm.restarted();
    assert!(matches!(open(&tpm).unseal(&sealed), Err(TpmError::Pcrs)));
    tpm.extend(7);
    assert_eq!(open(&tpm).unseal(&sealed).unwrap(), b"secret");
}

#[test]
fn tpm2_tools_unseal_what_we_sealed() {
    let tpm = Swtpm::new();
    let sealed = open(&tpm).seal(b"secret", &pcrs([3])).unwrap();
    let place = tempfile::tempdir().unwrap();
    let sized = |bytes: &[u8]| [&(bytes.len() as u16).to_be_bytes()[..], bytes].concat();
    std::fs::write(place.path().join("public"), sized(&sealed.public)).unwrap();
    std::fs::write(place.path().join("private"), sized(&sealed.private)).unwrap();
    let run = |name: &str, arguments: &str| {
        let arguments: Vec<&str> = arguments.split(' ').collect();
        let output = tpm.tool(name, &arguments, place.path());
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    let attributes = "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|decrypt";
    run("tpm2_createprimary", &format!("-C o -g sha256 -G ecc256:aes128cfb -a {attributes} -c root"));
    run("tpm2_flushcontext", "-t");
    run("tpm2_load", "-C root -u public -r private -c sealed");
    run("tpm2_flushcontext", "-t");
    assert_eq!(run("tpm2_unseal", "-c sealed -p pcr:sha256:3"), b"secret");
}

#[test]
fn tpm2_checkquote_accepts_our_quote_and_no_other_question_key_or_signature() {
    let tpm = Swtpm::new();
    tpm.extend(2);
    let quote = open(&tpm).quote(&[0xab; 32], &pcrs(0..24)).unwrap();
    assert_eq!(quote.key, open(&tpm).attestation_key().unwrap());
    assert_eq!(quote.pcrs.len(), 24);
    let question = "ab".repeat(32);
    assert!(checkquote(&quote.key, &quote.attested, &quote.signature, &question));
    assert!(!checkquote(&quote.key, &quote.attested, &quote.signature, &"ac".repeat(32)));
    let other = open(&Swtpm::new()).quote(&[0xab; 32], &pcrs([2])).unwrap();
    assert_ne!((&other.key, &other.pcrs[&2]), (&quote.key, &quote.pcrs[&2]));
    assert!(!checkquote(&other.key, &quote.attested, &quote.signature, &question));
    assert!(!checkquote(&quote.key, &quote.attested, &other.signature, &question));
    let tpm = tpm.restarted();
    assert_eq!(open(&tpm).attestation_key().unwrap(), quote.key, "the key is the TPM's for good");
}

#[test]
fn what_is_no_tpm_is_said_to_be_none() {
    let directory = tempfile::tempdir().unwrap();
    for path in [directory.path().join("missing"), directory.path().to_owned(), "/dev/null".into()] {
        let error = Tpm::open(&path).and_then(|mut tpm| tpm.attestation_key()).unwrap_err();
        assert!(matches!(error, TpmError::Open { .. } | TpmError::Silent { .. }), "{error}");
    }
}
