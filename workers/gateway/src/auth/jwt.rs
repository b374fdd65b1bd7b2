//! Signed tokens: the original's, and others.
//!
//! The original (bank-vaults' SDK, issued by Pipeline) signs with HS256; the key's bytes are the standard base32 *text* of
//! the configured key; `sub` is `clusters/<org>/<cluster>`; `exp` is there or not. Its verifier took any HMAC.

use data_encoding::{BASE32, BASE64};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;

use super::AuthError;
use crate::config::{Jwt, KeyForm};

/// Clocks may differ by so much, in seconds.
const LEEWAY: u64 = 60;

/// Checks signatures and times.
#[derive(Clone)]
pub(super) struct Verifier {
    key: DecodingKey,
    validation: Validation,
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
}

impl Verifier {
    /// As configured; `None` where no tokens are taken.
    ///
    /// # Errors
    /// A key that is none.
    pub(super) fn new(settings: &Jwt) -> Result<Option<Self>, AuthError> {
        let (key, algorithms) = match (&settings.key, &settings.public_key) {
            (Some(key), _) => {
                let text = key.expose();
                let key = match settings.key_form {
                    KeyForm::Original => BASE32.encode(text.as_bytes()).into_bytes(),
                    KeyForm::Text => text.as_bytes().to_vec(),
                    KeyForm::Base64 => BASE64
                        .decode(text.as_bytes())
                        .map_err(|_| AuthError::Key("is no base64; write it so, or set auth.jwt.key_form"))?,
                };
                let algorithms = vec![Algorithm::HS256, Algorithm::HS384, Algorithm::HS512];
                (DecodingKey::from_secret(&key), algorithms)
            }
            (None, Some(path)) => {
                let pem = std::fs::read(path).map_err(|error| AuthError::File {
                    path: path.clone(),
                    key: "HT_AUTH__JWT__PUBLIC_KEY",
                    problem: error.to_string(),
                })?;
                public(&pem).ok_or_else(|| AuthError::File {
                    path: path.clone(),
                    key: "HT_AUTH__JWT__PUBLIC_KEY",
                    problem: "holds no public key of RSA, EC (P-256, P-384) or Ed25519 in PEM".to_owned(),
                })?
            }
            (None, None) => return Ok(None),
        };
        let mut validation = Validation {
            algorithms,
            leeway: LEEWAY,
            validate_nbf: true,
            ..Validation::default()
        };
        let mut required = vec!["sub"];
        if settings.require_expiry {
            required.push("exp");
        }
        match &settings.audience {
            Some(audience) => {
                validation.set_audience(&[audience]);
                required.push("aud");
            }
            None => validation.validate_aud = false,
        }
        if let Some(issuer) = &settings.issuer {
            validation.set_issuer(&[issuer]);
            required.push("iss");
        }
        validation.set_required_spec_claims(&required);
        Ok(Some(Self { key, validation }))
    }

    /// The `sub` of a token that holds.
    ///
    /// # Errors
    /// Why it does not, in words that give nothing of it away.
    pub(super) fn subject(&self, token: &str) -> Result<String, String> {
        use jsonwebtoken::errors::ErrorKind;
        jsonwebtoken::decode::<Claims>(token, &self.key, &self.validation)
            .map(|token| token.claims.sub)
            .map_err(|error| {
                match error.kind() {
                    ErrorKind::ExpiredSignature => "the token has expired; issue a new one",
                    ErrorKind::ImmatureSignature => "the token is not valid yet; are the clocks right?",
                    ErrorKind::InvalidAudience => "the token is for another audience",
                    ErrorKind::InvalidIssuer => "the token is of another issuer",
                    ErrorKind::InvalidSignature => {
                        "the token's signature is wrong; is it signed with our key?"
                    }
                    ErrorKind::InvalidAlgorithm => {
                        "the token is signed with an algorithm that is not taken here"
                    }
                    ErrorKind::MissingRequiredClaim(_) => "the token lacks a claim that is required here",
                    _ => "the token cannot be read",
                }
                .to_owned()
            })
    }
}

/// The key in a PEM file, and what it can have signed.
fn public(pem: &[u8]) -> Option<(DecodingKey, Vec<Algorithm>)> {
    if let Ok(key) = DecodingKey::from_rsa_pem(pem) {
        let algorithms = [
            Algorithm::RS256,
            Algorithm::RS384,
            Algorithm::RS512,
            Algorithm::PS256,
            Algorithm::PS384,
            Algorithm::PS512,
        ];
        return Some((key, algorithms.to_vec()));
    }
    if let Ok(key) = DecodingKey::from_ed_pem(pem) {
        return Some((key, vec![Algorithm::EdDSA]));
    }
    DecodingKey::from_ec_pem(pem)
        .ok()
        .map(|key| (key, vec![Algorithm::ES256, Algorithm::ES384]))
}
