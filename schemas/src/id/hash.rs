//! SHA-256 over fields that cannot run into each other.

use sha2::{Digest as _, Sha256};

use crate::hex;

/// Bytes of the digest an id keeps: 128 bits, as no two of any number of ids we ever make will collide.
const KEPT: usize = 16;

/// Builds an id: each field goes in with its length (u64, big-endian) before it, the first says what kind of
/// id it is, so that neither `("ab", "c")` and `("a", "bc")` nor a run and an action ever give one id.
#[derive(Debug, Clone)]
pub struct Hash(Sha256);

impl Hash {
    /// For a kind of id.
    pub fn new(domain: &str) -> Self {
        Self(Sha256::new()).field(domain)
    }

    /// Adds a field.
    #[must_use]
    pub fn field(mut self, field: impl AsRef<[u8]>) -> Self {
        let field = field.as_ref();
        self.0.update((field.len() as u64).to_be_bytes());
        self.0.update(field);
        self
    }

    /// Adds a number, as a field of eight big-endian bytes.
    #[must_use]
    pub fn number(self, number: u64) -> Self {
        self.field(number.to_be_bytes())
    }

    /// The first 16 bytes of the digest as 32 lower-case hex digits.
    pub fn finish(self) -> String {
        self.0
            .finalize()
            .iter()
            .take(KEPT)
            .flat_map(|&byte| hex::digits(byte))
            .collect()
    }
}

/// Whether this is what [`Hash::finish`] gives.
pub(super) fn is_hash(text: &str) -> bool {
    text.len() == 2 * KEPT && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
