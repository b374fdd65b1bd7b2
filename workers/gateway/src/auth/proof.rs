//! Secrets as digests, compared in a time that does not depend on them.

use data_encoding::HEXLOWER_PERMISSIVE;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

/// SHA-256 of a secret: of one length whatever the secret's, and of no use in a memory dump.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Proof([u8; 32]);

impl Proof {
    /// Of a secret itself.
    pub(super) fn of(secret: &str) -> Self {
        Self(Sha256::digest(secret.as_bytes()).into())
    }

    /// Of its digest in hex, 64 digits.
    pub(super) fn from_hex(text: &str) -> Option<Self> {
        let bytes = HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()?;
        bytes.try_into().ok().map(Self)
    }

    /// Whether both are of the same secret, in constant time.
    pub(super) fn is(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

impl std::fmt::Debug for Proof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(hollowtrees_runtime::config::REDACTED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_is_only_the_same_secret() {
        let secret = Proof::of("secret");
        assert!(bool::from(secret.is(&Proof::of("secret"))));
        assert!(!bool::from(secret.is(&Proof::of("Secret"))));
        assert!(!bool::from(secret.is(&Proof::of(""))));
        let hex = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
        assert!(bool::from(secret.is(&Proof::from_hex(hex).unwrap())));
        assert_eq!(Proof::from_hex("2bb8"), None);
        assert_eq!(Proof::from_hex("x"), None);
        assert!(!format!("{secret:?}").contains("2b"));
    }
}
