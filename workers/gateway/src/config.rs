//! The gateway's own configuration; the frame's is described in `hollowtrees_runtime::config`.

mod alerts;
mod auth;
mod http;
mod ingest;

use hollowtrees_runtime::config::{self, Problem};
use serde::{Deserialize, Serialize};

pub use alerts::Alerts;
pub use auth::{Auth, Jwt, KeyForm};
pub use http::Http;
pub use ingest::Ingest;

pub use crate::{sns::settings::Sns, sqs::settings::Sqs};

/// The documented defaults.
pub const DEFAULTS: &str = include_str!("../gateway.toml");

/// Everything the gateway can be told.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Settings {
    /// Cluster of what names none; empty: such are refused.
    pub cluster: String,
    /// `[ingest]`
    pub ingest: Ingest,
    /// `[http]`
    pub http: Http,
    /// `[auth]`
    pub auth: Auth,
    /// `[alerts]`
    pub alerts: Alerts,
    /// `[sqs]`
    pub sqs: Sqs,
    /// `[sns]`
    pub sns: Sns,
}

impl config::Settings for Settings {
    fn validate(&self, problems: &mut Vec<Problem>) {
        self.ingest.validate(problems);
        self.http.validate(problems);
        self.auth.validate(problems);
        self.alerts.validate(problems);
        self.sqs.validate(problems);
        self.sns.validate(problems);
        check(
            problems,
            self.http.enabled || self.sns.topics.is_empty(),
            "sns.topics",
            "post by HTTP, and http.enabled (HT_HTTP__ENABLED) is false",
        );
        check(
            problems,
            self.http.enabled || !self.sqs.posts,
            "sqs.posts",
            "is about HTTP, and http.enabled (HT_HTTP__ENABLED) is false",
        );
        let told_apart = self.auth.is_set() || self.http.tls.identifies();
        if self.http.enabled && !self.http.listen.ip().is_loopback() && !told_apart {
            problems.push(Problem::new(
                "http.listen",
                "is reached from other machines, and anybody could speak for any instance; set auth.clients, auth.token, \
                 auth.jwt.key or http.tls.client_required, or listen on 127.0.0.1",
            ));
        }
    }
}

/// Adds a problem unless `good`.
fn check(problems: &mut Vec<Problem>, good: bool, key: &'static str, why: &str) {
    if !good {
        problems.push(Problem::new(key, why));
    }
}

#[cfg(test)]
mod tests {
    use hollowtrees_runtime::config::Loader;

    use super::*;

    fn load(env: &[(&str, &str)]) -> Result<Settings, String> {
        let env = env
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let loaded = Loader::new(DEFAULTS).env(env.collect()).load::<Settings>();
        loaded
            .map(|config| config.own)
            .map_err(|refused| refused.to_string())
    }

    #[test]
    fn the_defaults_need_nothing_and_nonsense_is_refused_by_name() {
        load(&[]).unwrap();
        for (key, value, expected) in [
            ("HT_INGEST__IN_FLIGHT", "0", "ingest.in_flight"),
            (
                "HT_INGEST__DEAD_LETTERS_PER_MINUTE",
                "0",
                "ingest.dead_letters_per_minute",
            ),
            ("HT_HTTP__CONNECTIONS", "0", "http.connections"),
            ("HT_HTTP__HEADER_TIME", "0s", "http.header_time"),
            ("HT_HTTP__BODY_TIME", "1h", "http.body_time"),
            ("HT_HTTP__ANSWER_TIME", "1h", "http.answer_time"),
            ("HT_HTTP__BODY_BYTES", "5000000", "http.body_bytes"),
            ("HT_HTTP__MEMORY_BYTES", "100", "http.memory_bytes"),
            ("HT_HTTP__RATE", "0", "http.rate"),
            ("HT_HTTP__BURST", "0", "http.burst"),
            ("HT_HTTP__TLS__CERT", "/a", "http.tls.cert"),
            (
                "HT_HTTP__TLS__CLIENT_REQUIRED",
                "true",
                "http.tls.client_required",
            ),
            ("HT_AUTH__USER", "me", "auth.user"),
            ("HT_AUTH__TOKEN", "short", "auth.token"),
            ("HT_AUTH__JWT__KEY_FORM", "rot13", "auth.jwt.key_form"),
            ("HT_ALERTS__CLUSTER_LABELS", "a b", "alerts.cluster_labels"),
            ("HT_SNS__TOPICS", "hollowtrees", "sns.topics"),
        ] {
            let refused = load(&[(key, value)]).unwrap_err();
            assert!(refused.contains(expected), "{refused}");
        }
    }

    #[test]
    fn the_world_is_let_in_only_where_it_can_be_told_apart() {
        let open = ("HT_HTTP__LISTEN", "0.0.0.0:9191");
        let refused = load(&[open]).unwrap_err();
        assert!(
            refused.contains("http.listen") && refused.contains("auth.token"),
            "{refused}"
        );
        load(&[open, ("HT_AUTH__TOKEN", "a token of some length")]).unwrap();
        load(&[open, ("HT_AUTH__CLIENTS", "/clients.yaml")]).unwrap();
        load(&[open, ("HT_AUTH__JWT__KEY", "a key")]).unwrap();
        load(&[open, ("HT_HTTP__ENABLED", "false")]).unwrap();
        load(&[("HT_HTTP__LISTEN", "[::1]:9191")]).unwrap();
        let topic = ("HT_SNS__TOPICS", "arn:aws:sns:eu-west-1:123456789012:a");
        load(&[topic]).unwrap();
        let refused = load(&[topic, ("HT_HTTP__ENABLED", "false")]).unwrap_err();
        assert!(refused.contains("sns.topics"), "{refused}");
        let tls = [
            open,
            ("HT_HTTP__TLS__CERT", "/a"),
            ("HT_HTTP__TLS__KEY", "/b"),
            ("HT_HTTP__TLS__CLIENT_CA", "/c"),
        ];
        load(&tls).unwrap_err();
        load(&[&tls[..], &[("HT_HTTP__TLS__CLIENT_REQUIRED", "true")]].concat()).unwrap();
    }
}
