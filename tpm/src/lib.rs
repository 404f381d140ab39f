//! A TPM 2.0: what it seals, and what it quotes.
//!
//! Ten commands of the [TPM 2.0 Library, part 3](https://trustedcomputinggroup.org/resource/tpm-library-specification/), spoken to the
//! kernel's resource manager or to a simulator's socket. A secret is *sealed* under the storage root key, perhaps for PCRs as they
//! are now; a *quote* says which values PCRs have, signed by a key that signs nothing but what the TPM itself says.
//!
//! Nothing is kept in the TPM: both keys are made from its seeds when they are needed, the same ones each time.

mod connection;
mod marshal;

mod command;
mod error;
mod object;
mod session;

mod quote;
mod seal;

pub use connection::Tpm;
pub use error::TpmError;
pub use quote::Quote;
pub use seal::Sealed;

/// A set of PCRs of the SHA-256 bank, in ascending order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pcrs(Vec<u8>);

impl Pcrs {
    /// How many there are in a bank.
    pub const COUNT: u8 = 24;

    /// Those of these numbers.
    ///
    /// # Errors
    /// The first number that no PCR has.
    pub fn new(numbers: impl IntoIterator<Item = u8>) -> Result<Pcrs, u8> {
        let mut numbers: Vec<u8> = numbers.into_iter().collect();
        numbers.sort_unstable();
        numbers.dedup();
        match numbers.iter().find(|number| **number >= Pcrs::COUNT) {
            Some(number) => Err(*number),
            None => Ok(Pcrs(numbers)),
        }
    }

    /// Their numbers.
    pub fn numbers(&self) -> &[u8] {
        &self.0
    }
}
