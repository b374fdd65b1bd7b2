//! The file with the clients.
//!
//! ```yaml
//! version: 1
//! clients:
//!   - name: prometheus-prod
//!     token: 0123456789abcdef          # or token_sha256: its digest in hex
//!     clusters: [prod]                 # "*" for all
//!     sources: [alertmanager]          # all without it
//!   - { name: ops, user: ops, password: ..., clusters: ["*"] }
//!   - { name: mesh, certificate: prometheus.monitoring.svc, clusters: [prod] }
//!   - { name: old, subject: clusters/1/42, clusters: [prod] }
//! ```

use std::{collections::BTreeSet, path::Path, sync::Arc};

use serde::Deserialize;

use super::{
    client::{Client, Scope},
    proof::Proof,
};
use crate::ways;

/// Stands for all clusters.
const ALL: &str = "*";
const VERSION: u32 = 1;

/// How one client is recognised.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// Of its bearer token.
    pub token: Option<Proof>,
    /// Of `USER:PASSWORD`.
    pub basic: Option<Proof>,
    /// A name in its certificate.
    pub certificate: Option<String>,
    /// `sub` of its tokens.
    pub subject: Option<String>,
    /// Who it is.
    pub client: Arc<Client>,
}

impl Entry {
    /// Of a client that nothing is known of yet to recognise it by.
    pub(super) fn of(client: Client) -> Self {
        Self {
            token: None,
            basic: None,
            certificate: None,
            subject: None,
            client: Arc::new(client),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    clients: Vec<Written>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    token: Option<String>,
    token_sha256: Option<String>,
    user: Option<String>,
    password: Option<String>,
    certificate: Option<String>,
    subject: Option<String>,
    clusters: BTreeSet<String>,
    sources: Option<BTreeSet<String>>,
}

/// Reads the file.
///
/// # Errors
/// What is wrong, by the client's name, without anything secret.
pub(super) fn read(path: &Path) -> Result<Vec<Entry>, String> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        format!(
            "cannot read {}: {error}; set HT_AUTH__CLIENTS to the file",
            path.display()
        )
    })?;
    parse(&text).map_err(|problem| format!("{}: {problem}", path.display()))
}

fn parse(text: &str) -> Result<Vec<Entry>, String> {
    // The parser's own message would quote the line, and with it a secret.
    let file: File = serde_saphyr::from_str(text).map_err(|_| {
        "is not a list of clients: `version: 1`, and `clients`, each with `name`, `clusters` and one of `token`, \
         `token_sha256`, `user` and `password`, `certificate`, `subject`, and maybe `sources`"
            .to_owned()
    })?;
    if file.version != VERSION {
        return Err(format!("has version {}, expected {VERSION}", file.version));
    }
    let mut names = BTreeSet::new();
    let mut entries = Vec::new();
    for written in file.clients {
        let name = written.name.clone();
        if name.is_empty() || !names.insert(name.clone()) {
            return Err(format!(
                "has no or two clients named `{name}`; give each a name of its own"
            ));
        }
        entries.push(entry(written).map_err(|problem| format!("client `{name}` {problem}"))?);
    }
    Ok(entries)
}

fn entry(written: Written) -> Result<Entry, String> {
    if written.clusters.is_empty() {
        return Err("may speak for no cluster; name them in `clusters`, or write [\"*\"] for all".to_owned());
    }
    let sources = written.sources.iter().flatten();
    if let Some(unknown) = sources
        .into_iter()
        .find(|source| !ways::ALL.contains(&source.as_str()))
    {
        return Err(format!(
            "names the source `{unknown}`; there are {}",
            ways::ALL.join(", ")
        ));
    }
    let short = |secret: &Option<String>| secret.as_ref().is_some_and(|secret| secret.len() < 8);
    if short(&written.token) || short(&written.password) {
        return Err("has a secret of less than 8 characters, which can be guessed".to_owned());
    }
    let basic = match (&written.user, &written.password) {
        (Some(user), Some(password)) => Some(Proof::of(&format!("{user}:{password}"))),
        (None, None) => None,
        _ => return Err("needs `user` and `password` both".to_owned()),
    };
    let token = match (&written.token, &written.token_sha256) {
        (Some(token), None) => Some(Proof::of(token)),
        (None, Some(hex)) => {
            Some(Proof::from_hex(hex).ok_or("has a `token_sha256` that is not 64 hex digits")?)
        }
        (None, None) => None,
        (Some(_), Some(_)) => return Err("has `token` and `token_sha256`; keep one of them".to_owned()),
    };
    if token.is_none() && basic.is_none() && written.certificate.is_none() && written.subject.is_none() {
        return Err(
            "has nothing to be recognised by; give `token`, `user` and `password`, `certificate` or `subject`"
                .to_owned(),
        );
    }
    let scope = if written.clusters.contains(ALL) {
        Scope::All
    } else {
        Scope::Only(written.clusters)
    };
    Ok(Entry {
        token,
        basic,
        certificate: written.certificate,
        subject: written.subject,
        client: Arc::new(Client {
            name: written.name,
            scope,
            ways: written.sources,
            tenant: None,
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_client_is_read_with_what_it_may() {
        let entries = parse(
            "version: 1\nclients:\n\
             - {name: a, token: 0123456789, clusters: [prod, dev], sources: [alertmanager]}\n\
             - {name: b, user: me, password: longenough, clusters: ['*']}\n\
             - {name: c, certificate: c.example, subject: clusters/1/2, clusters: [x]}\n",
        )
        .unwrap();
        let client = |index: usize| entries[index].client.clone();
        assert!(client(0).may_speak_for("dev") && !client(0).may_speak_for("x"));
        assert!(client(0).may_use("alertmanager") && !client(0).may_use("cloudevents"));
        assert!(bool::from(
            entries[0].token.clone().unwrap().is(&Proof::of("0123456789"))
        ));
        assert_eq!(client(1).scope, Scope::All);
        assert!(bool::from(
            entries[1].basic.clone().unwrap().is(&Proof::of("me:longenough"))
        ));
        assert_eq!(entries[2].certificate.as_deref(), Some("c.example"));
    }

    #[test]
    fn what_is_wrong_is_said_by_name_and_without_the_secret() {
        for (line, expected) in [
            ("{name: a, token: s3cr3ts3cr3t}", "is not a list"),
            ("{name: a, token: s3cr3ts3cr3t, clusters: []}", "no cluster"),
            ("{name: a, tokn: s3cr3ts3cr3t, clusters: [x]}", "is not a list"),
            ("{name: a, clusters: [x]}", "recognised"),
            ("{name: a, token: s3cr3t, clusters: [x]}", "less than 8"),
            ("{name: a, user: u, clusters: [x]}", "both"),
            ("{name: a, token_sha256: s3cr3t, clusters: [x]}", "64 hex"),
            (
                "{name: a, token: s3cr3ts3cr3t, clusters: [x], sources: [sms]}",
                "`sms`",
            ),
            ("{name: '', token: s3cr3ts3cr3t, clusters: [x]}", "no or two"),
        ] {
            let refused = parse(&format!("version: 1\nclients:\n- {line}\n")).unwrap_err();
            assert!(refused.contains(expected), "{refused}");
            assert!(!refused.contains("s3cr3t"), "{refused}");
        }
        parse("version: 2\nclients: []\n").unwrap_err();
    }
}
