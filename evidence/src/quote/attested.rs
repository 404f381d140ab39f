//! What did the TPM sign? `TPMS_ATTEST` and `TPMT_SIGNATURE`, as part 2 of the TPM 2.0 Library writes them.

/// What every structure that a TPM made itself begins with: nothing that it signs for others does.
const MADE_BY_TPM: u32 = 0xff54_4347;
const QUOTE: u16 = 0x8018;
const SHA256: u16 = 0x000b;
const ECDSA: u16 = 0x0018;

/// What a quote says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Attested<'b> {
    /// What it was asked with.
    pub(super) question: &'b [u8],
    /// The PCRs of the SHA-256 bank, ascending.
    pub(super) pcrs: Vec<u8>,
    /// The digest of their values.
    pub(super) digest: &'b [u8],
}

impl<'b> Attested<'b> {
    /// Reads a quote over one bank, SHA-256, to its last byte.
    pub(super) fn read(bytes: &'b [u8]) -> Option<Attested<'b>> {
        let mut reader = Reader(bytes);
        if (reader.u32()?, reader.u16()?) != (MADE_BY_TPM, QUOTE) {
            return None;
        }
        let (_signer, question) = (reader.sized()?, reader.sized()?);
        // Clock, two counters of restarts, whether the clock is safe; the firmware's version.
        reader.take(17 + 8)?;
        if (reader.u32()?, reader.u16()?) != (1, SHA256) {
            return None;
        }
        let length = reader.take(1)?[0];
        let bits = reader.take(length.into())?;
        let is_set = |number: &u8| bits.get(usize::from(number / 8)).is_some_and(|byte| byte >> (number % 8) & 1 == 1);
        let pcrs = (0..super::PCRS).filter(is_set).collect();
        if bits.iter().skip(usize::from(super::PCRS / 8)).any(|byte| *byte != 0) {
            return None;
        }
        let digest = reader.sized()?;
        reader.0.is_empty().then_some(Attested { question, pcrs, digest })
    }
}

/// `r` and `s` of an ECDSA signature with SHA-256, 32 bytes each.
pub(super) fn signature(bytes: &[u8]) -> Option<[u8; 64]> {
    let mut reader = Reader(bytes);
    if (reader.u16()?, reader.u16()?) != (ECDSA, SHA256) {
        return None;
    }
    let (r, s) = (reader.sized()?, reader.sized()?);
    let mut both = [0; 64];
    both[..32].get_mut(32_usize.checked_sub(r.len())?..)?.copy_from_slice(r);
    both[32..].get_mut(32_usize.checked_sub(s.len())?..)?.copy_from_slice(s);
    reader.0.is_empty().then_some(both)
}

/// Big-endian numbers, and buffers after their length in two bytes.
struct Reader<'b>(&'b [u8]);

impl<'b> Reader<'b> {
    fn take(&mut self, length: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn u16(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(self.take(2)?.try_into().ok()?))
    }

    fn u32(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(self.take(4)?.try_into().ok()?))
    }

    fn sized(&mut self) -> Option<&'b [u8]> {
        let length = self.u16()?;
        self.take(length.into())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A quote over the PCRs 0, 7 and 23.
    fn quote() -> Vec<u8> {
        let head = [&MADE_BY_TPM.to_be_bytes()[..], &QUOTE.to_be_bytes(), &[0, 2, 9, 9], &[0, 1, 7], &[3; 25]].concat();
        [&head[..], &[0, 0, 0, 1, 0, 11, 3, 0x81, 0, 0x80], &[0, 2, 5, 6]].concat()
    }

    #[test]
    fn a_quote_is_read_to_its_last_byte_and_nothing_shorter_or_longer() {
        let bytes = quote();
        let read = Attested::read(&bytes).unwrap();
        assert_eq!(read, Attested { question: &[7], pcrs: vec![0, 7, 23], digest: &[5, 6] });
        assert!((0..bytes.len()).all(|end| Attested::read(&bytes[..end]).is_none()));
        assert_eq!(Attested::read(&[&bytes[..], &[0]].concat()), None);
    }

    #[test]
    fn what_is_no_quote_over_the_one_bank_is_none() {
        // The magic, the type, the count of banks, the bank.
        for at in [0, 5, 41, 43] {
            let mut other = quote();
            other[at] ^= 1;
            assert_eq!(Attested::read(&other), None, "{at}");
        }
    }

    #[test]
    fn numbers_of_a_signature_may_be_short_and_not_long() {
        let written = |r: &[u8], s: &[u8]| {
            let sized = |n: &[u8]| [&(n.len() as u16).to_be_bytes()[..], n].concat();
            [&ECDSA.to_be_bytes()[..], &SHA256.to_be_bytes(), &sized(r), &sized(s)].concat()
        };
        let both = signature(&written(&[1], &[2; 32])).unwrap();
        assert_eq!((both[30], both[31], both[32]), (0, 1, 2));
        assert_eq!(signature(&written(&[1; 33], &[2])), None);
        assert_eq!(signature(&[&written(&[1], &[2])[..], &[0]].concat()), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80), at in 0_usize..55, value: u8) {
            let mut changed = quote();
            let at = at % changed.len();
            changed[at] = value;
            let _ = (Attested::read(&bytes), signature(&bytes), Attested::read(&changed));
        }
    }
}
