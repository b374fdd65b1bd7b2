//! `[auth]`

use std::path::PathBuf;

use hollowtrees_runtime::config::{Problem, Secret};
use serde::{Deserialize, Serialize};

use super::check;

/// A token shorter than this can be guessed, in bytes.
const TOKEN_MIN: usize = 16;

/// Who may speak.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Auth {
    /// A file with the clients.
    pub clients: Option<PathBuf>,
    /// Bearer token of the client `default`.
    pub token: Option<Secret>,
    /// User of the client `default`; with `password`.
    pub user: Option<String>,
    /// With `user`.
    pub password: Option<Secret>,
    /// `[auth.jwt]`
    pub jwt: Jwt,
}

/// `[auth.jwt]`
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Jwt {
    /// Key of signatures by HMAC.
    pub key: Option<Secret>,
    /// How the key is written.
    pub key_form: KeyForm,
    /// A file with a public key, PEM; instead of `key`.
    pub public_key: Option<PathBuf>,
    /// `iss`
    pub issuer: Option<String>,
    /// `aud`
    pub audience: Option<String>,
    /// Whether `exp` has to be there.
    pub require_expiry: bool,
}

/// `auth.jwt.key_form`
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyForm {
    /// The bytes of the base32 text of the key, as Hollowtrees 1 and Pipeline signed.
    Original,
    /// The bytes of the key as it stands.
    Text,
    /// The key is base64.
    Base64,
}

impl Auth {
    /// Whether a request has to prove who sent it.
    pub fn is_set(&self) -> bool {
        self.clients.is_some() || self.token.is_some() || self.user.is_some() || self.jwt.is_set()
    }

    pub(super) fn validate(&self, problems: &mut Vec<Problem>) {
        check(
            problems,
            self.user.is_some() == self.password.is_some(),
            "auth.user",
            "and auth.password go together; give both or neither",
        );
        let token = self
            .token
            .as_ref()
            .is_none_or(|token| token.expose().len() >= TOKEN_MIN);
        check(
            problems,
            token,
            "auth.token",
            "is shorter than 16 characters and can be guessed; make one with `openssl rand -hex 32`",
        );
        check(
            problems,
            self.jwt.key.is_none() || self.jwt.public_key.is_none(),
            "auth.jwt.key",
            "and auth.jwt.public_key exclude each other; keep one of them",
        );
    }
}

impl Jwt {
    /// Whether tokens are taken.
    pub fn is_set(&self) -> bool {
        self.key.is_some() || self.public_key.is_some()
    }
}
