//! Who may speak: bearer tokens, users, certificates and signed tokens.

mod client;
mod clients;
mod jwt;
mod proof;

use std::{
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
};

use data_encoding::BASE64;

pub use client::{Client, Scope, Tenant};
use clients::Entry;
use jwt::Verifier;
use proof::Proof;

use crate::config;

/// Why nobody can be recognised.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// A file cannot be used.
    #[error("{path}: {problem}; set {key} to a file that can be read", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The variable that names it.
        key: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The clients' file cannot be used.
    #[error("{0}")]
    Clients(String),
    /// A key that is none.
    #[error("auth.jwt.key (HT_AUTH__JWT__KEY) {0}")]
    Key(&'static str),
}

/// What a request shows of who sent it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shown<'a> {
    /// The header `Authorization`.
    pub authorization: Option<&'a str>,
    /// A token in the address, where that is taken.
    pub token: Option<&'a str>,
    /// Names in the client's certificate.
    pub certificate: &'a [String],
}

/// A request whose sender was not recognised, and why, in words that give nothing away.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Denied(pub String);

/// Recognises clients.
pub struct Guard {
    settings: config::Auth,
    /// A certificate alone lets in: no file says who may.
    by_certificate: bool,
    verifier: Option<Verifier>,
    default: Vec<Entry>,
    listed: RwLock<Arc<Vec<Entry>>>,
}

impl Guard {
    /// As configured. `certificates`: whether clients show certificates that were checked.
    ///
    /// # Errors
    /// A file or key that cannot be used.
    pub fn new(settings: &config::Auth, certificates: bool) -> Result<Self, AuthError> {
        let client = || Entry::of(Client::unlimited("default"));
        let mut default = Vec::new();
        if let Some(token) = &settings.token {
            default.push(Entry {
                token: Some(Proof::of(token.expose())),
                ..client()
            });
        }
        if let (Some(user), Some(password)) = (&settings.user, &settings.password) {
            default.push(Entry {
                basic: Some(Proof::of(&format!("{user}:{}", password.expose()))),
                ..client()
            });
        }
        let guard = Self {
            by_certificate: certificates && settings.clients.is_none(),
            verifier: Verifier::new(&settings.jwt)?,
            settings: settings.clone(),
            default,
            listed: RwLock::default(),
        };
        guard.reload()?;
        Ok(guard)
    }

    /// Reads the clients' file again; on an error those that were known remain.
    ///
    /// # Errors
    /// The file cannot be used.
    pub fn reload(&self) -> Result<(), AuthError> {
        if let Some(path) = &self.settings.clients {
            let entries = clients::read(path).map_err(AuthError::Clients)?;
            *self.listed.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(entries);
        }
        Ok(())
    }

    /// Whether anybody may speak.
    pub fn is_open(&self) -> bool {
        !self.settings.is_set() && !self.by_certificate
    }

    /// Who sent a request. What is shown and wrong is not made good by something else.
    ///
    /// # Errors
    /// Nobody who is known.
    pub fn admit(&self, shown: Shown<'_>) -> Result<Arc<Client>, Denied> {
        if self.is_open() {
            return Ok(Arc::new(Client::unlimited("anyone")));
        }
        let listed = Arc::clone(&self.listed.read().unwrap_or_else(PoisonError::into_inner));
        let entries = || self.default.iter().chain(listed.iter());
        if let Some(header) = shown.authorization {
            let (scheme, value) = header.split_once(' ').unwrap_or((header, ""));
            let value = value.trim();
            if scheme.eq_ignore_ascii_case("bearer") {
                return self.bearer(value, entries());
            }
            if scheme.eq_ignore_ascii_case("basic") {
                return basic(value, entries());
            }
            return Err(denied(
                "the scheme of `Authorization` is not taken; use Bearer or Basic",
            ));
        }
        if let Some(token) = shown.token {
            return self.bearer(token, entries());
        }
        let by_name = |entry: &&Entry| {
            let names = shown.certificate.iter();
            entry
                .certificate
                .as_ref()
                .is_some_and(|name| names.into_iter().any(|shown| shown == name))
        };
        if let Some(entry) = entries().find(by_name) {
            return Ok(Arc::clone(&entry.client));
        }
        match shown.certificate.first() {
            Some(name) if self.by_certificate => Ok(Arc::new(Client::unlimited(name.clone()))),
            Some(_) => Err(denied(
                "no client has a certificate of this name; add it to the clients' file",
            )),
            None => Err(denied(
                "nothing says who sent this; send `Authorization: Bearer` or `Basic`",
            )),
        }
    }

    fn bearer<'e>(
        &self,
        token: &str,
        entries: impl Iterator<Item = &'e Entry>,
    ) -> Result<Arc<Client>, Denied> {
        let proof = Proof::of(token);
        let entries: Vec<&Entry> = entries.collect();
        if let Some(entry) = which(&entries, |entry| entry.token.as_ref(), &proof) {
            return Ok(Arc::clone(&entry.client));
        }
        let Some(verifier) = &self.verifier else {
            return Err(denied("the token is nobody's; is it the one of this gateway?"));
        };
        let subject = verifier.subject(token).map_err(Denied)?;
        let listed = entries
            .iter()
            .find(|entry| entry.subject.as_ref() == Some(&subject));
        if let Some(entry) = listed {
            return Ok(Arc::clone(&entry.client));
        }
        let tenant = Tenant::parse(&subject).ok_or_else(|| {
            denied("`sub` of the token is not clusters/ORG/CLUSTER, and no client in the clients' file has it as `subject`")
        })?;
        Ok(Arc::new(Client {
            name: subject,
            scope: Scope::Only([tenant.cluster.clone()].into()),
            ways: None,
            tenant: Some(tenant),
        }))
    }
}

fn basic<'e>(value: &str, entries: impl Iterator<Item = &'e Entry>) -> Result<Arc<Client>, Denied> {
    let decoded = BASE64
        .decode(value.as_bytes())
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok());
    let pair = decoded.ok_or_else(|| denied("`Authorization: Basic` is no base64 of USER:PASSWORD"))?;
    let entries: Vec<&Entry> = entries.collect();
    match which(&entries, |entry| entry.basic.as_ref(), &Proof::of(&pair)) {
        Some(entry) => Ok(Arc::clone(&entry.client)),
        None => Err(denied("user or password is wrong")),
    }
}

/// The entry with this proof. All are looked at, so that the time says nothing.
fn which<'e>(
    entries: &[&'e Entry],
    of: impl Fn(&Entry) -> Option<&Proof>,
    proof: &Proof,
) -> Option<&'e Entry> {
    entries.iter().copied().fold(None, |found, entry| {
        let is = of(entry).is_some_and(|known| known.is(proof).into());
        found.or_else(|| Some(entry).filter(|_| is))
    })
}

fn denied(why: &str) -> Denied {
    Denied(why.to_owned())
}

#[cfg(test)]
mod tests;
