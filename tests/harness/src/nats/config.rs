//! The configuration file of a server.

use super::builder::User;
use crate::tls;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;

/// What goes into the file.
#[derive(Debug)]
pub(super) struct Config<'a> {
    pub(super) name: &'a str,
    pub(super) client: SocketAddr,
    pub(super) monitor: SocketAddr,
    pub(super) store: &'a Path,
    pub(super) max_payload: Option<u64>,
    pub(super) users: &'a [User],
    pub(super) tls: Option<TlsFiles<'a>>,
    pub(super) cluster: Option<Routes<'a>>,
    pub(super) extra: &'a str,
}

#[derive(Debug)]
pub(super) struct TlsFiles<'a> {
    pub(super) ca: &'a Path,
    pub(super) server: &'a tls::Files,
    pub(super) verify: bool,
}

/// How the servers of a cluster find each other.
#[derive(Debug)]
pub(super) struct Routes<'a> {
    pub(super) listen: SocketAddr,
    pub(super) peers: &'a [SocketAddr],
}

impl Config<'_> {
    pub(super) fn text(&self) -> String {
        let mut text = format!(
            "server_name: {}\nlisten: \"{}\"\nhttp: \"{}\"\njetstream {{ store_dir: {} }}\n",
            quoted(self.name),
            self.client,
            self.monitor,
            quoted_path(self.store),
        );
        let mut line = |written: std::fmt::Arguments<'_>| {
            // Writing to a string does not fail.
            text.write_fmt(written).ok();
            text.push('\n');
        };
        if let Some(bytes) = self.max_payload {
            line(format_args!("max_payload: {bytes}"));
        }
        if let Some(tls) = &self.tls {
            line(format_args!(
                "tls {{ ca_file: {}, cert_file: {}, key_file: {}, verify: {} }}",
                quoted_path(tls.ca),
                quoted_path(&tls.server.certificate),
                quoted_path(&tls.server.key),
                tls.verify,
            ));
        }
        if !self.users.is_empty() {
            let users: Vec<String> = self.users.iter().map(user).collect();
            line(format_args!(
                "authorization {{ users: [\n  {}\n] }}",
                users.join(",\n  ")
            ));
        }
        if let Some(cluster) = &self.cluster {
            let routes: Vec<String> = cluster
                .peers
                .iter()
                .map(|peer| quoted(&format!("nats://{peer}")))
                .collect();
            line(format_args!(
                "cluster {{ name: testbed, listen: \"{}\", routes: [{}] }}",
                cluster.listen,
                routes.join(", ")
            ));
        }
        line(format_args!("{}", self.extra));
        text
    }
}

fn user(user: &User) -> String {
    let mut text = format!(
        "{{ user: {}, password: {}",
        quoted(&user.name),
        quoted(&user.password)
    );
    let permissions: Vec<String> = [("publish", &user.publish), ("subscribe", &user.subscribe)]
        .into_iter()
        .filter_map(|(what, subjects)| {
            let subjects: Vec<String> = subjects.as_ref()?.iter().map(|subject| quoted(subject)).collect();
            Some(format!("{what}: {{ allow: [{}] }}", subjects.join(", ")))
        })
        .collect();
    if !permissions.is_empty() {
        text.push_str(&format!(
            ", permissions: {{ {}, allow_responses: true }}",
            permissions.join(", ")
        ));
    }
    text.push_str(" }");
    text
}

/// A string of the configuration language; JSON's quoting is part of it.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn quoted_path(path: &Path) -> String {
    quoted(&path.to_string_lossy())
}
