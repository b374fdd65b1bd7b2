//! Precedence, refusals and what is shown of a configuration.
#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::{collections::HashMap, io::Write, time::Duration};

use hollowtrees_runtime::config::{Config, Loader, LogFormat, Origin, Problem, Settings};
use serde::{Deserialize, Serialize};

const DEFAULTS: &str = r#"
# Cluster this worker belongs to.
cluster = "default"
# Accounts whose notices are taken.
accounts = []
# Handlers at one time.
parallel = 4
strict = true
# How often.
every = "2s"

[retry]
# Longest wait between tries.
cap = "30s"
factor = 1.5
"#;

#[derive(Debug, Deserialize, Serialize)]
struct Own {
    cluster: String,
    accounts: Vec<String>,
    parallel: u16,
    strict: bool,
    #[serde(with = "hollowtrees_runtime::config::duration")]
    every: Duration,
    note: Option<String>,
    retry: Retry,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Retry {
    #[serde(with = "hollowtrees_runtime::config::duration")]
    cap: Duration,
    factor: f64,
}

impl Settings for Own {
    fn validate(&self, problems: &mut Vec<Problem>) {
        if self.parallel == 0 {
            problems.push(Problem::new("parallel", "is zero; give at least 1"));
        }
    }
}

fn load(file: &str, env: &[(&str, &str)]) -> Result<Config<Own>, String> {
    let mut on_disk = tempfile::Builder::new()
        .prefix("ht-")
        .suffix(".toml")
        .tempfile()
        .unwrap();
    on_disk.write_all(file.as_bytes()).unwrap();
    let env: HashMap<_, _> = env
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect();
    let path = on_disk.path().to_owned();
    Loader::new(DEFAULTS)
        .file(Some(path.clone()))
        .env(env)
        .load()
        .map_err(|refused| refused.to_string().replace(&path.display().to_string(), "FILE"))
}

#[test]
fn defaults_then_file_then_environment() {
    let config = load("", &[]).unwrap();
    assert_eq!(
        (config.own.parallel, config.own.every, config.own.strict),
        (4, Duration::from_secs(2), true)
    );
    assert_eq!(config.nats.url, ["nats://127.0.0.1:4222"]);
    assert_eq!(config.health.listen.to_string(), "0.0.0.0:9190");
    assert_eq!(config.origin("parallel"), Some(Origin::Default));

    let file = "parallel = 8\nevery = '500ms'\n[nats.tls]\nrequired = true\n[log]\nformat = 'json'";
    let config = load(
        file,
        &[
            ("HT_PARALLEL", "16"),
            ("HT_RETRY__CAP", "1h 30m"),
            ("PARALLEL", "99"),
        ],
    )
    .unwrap();
    assert_eq!(
        (config.own.parallel, config.own.every),
        (16, Duration::from_millis(500))
    );
    assert_eq!(
        (config.own.retry.cap, config.own.retry.factor),
        (Duration::from_secs(5400), 1.5)
    );
    assert_eq!(
        (config.log.format, config.nats.tls.required),
        (LogFormat::Json, true)
    );
    assert_eq!(config.origin("parallel"), Some(Origin::Environment));
    assert!(matches!(config.origin("every"), Some(Origin::File(path)) if path.ends_with(".toml")));
    assert_eq!(config.origin("retry.factor"), Some(Origin::Default));
}

#[test]
fn texts_of_the_environment_become_what_the_field_asks_for() {
    let env = [
        ("HT_ACCOUNTS", "001234567890, 000000000012"),
        ("HT_STRICT", "False"),
        ("HT_RETRY__FACTOR", "2"),
        ("HT_NATS__URL", "nats://a:4222,tls://b:4222"),
        ("HT_CLUSTER", "007"),
        ("HT_NOTE", ""),
        ("HT_CONFIG", ""),
    ];
    let config = load("", &env).unwrap();
    assert_eq!(config.own.accounts, ["001234567890", "000000000012"]);
    assert!(!config.own.strict);
    assert_eq!(config.own.retry.factor, 2.0);
    assert_eq!(config.nats.url, ["nats://a:4222", "tls://b:4222"]);
    assert_eq!((config.own.cluster.as_str(), config.own.note), ("007", None));
}

#[test]
fn the_file_may_be_named_by_the_environment() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"parallel = 9").unwrap();
    let env = [("HT_CONFIG".to_owned(), file.path().display().to_string())].into();
    assert_eq!(
        Loader::new(DEFAULTS).env(env).load::<Own>().unwrap().own.parallel,
        9
    );
}

#[test]
fn refusals_name_the_key_its_source_and_the_remedy() {
    let head = "the configuration is refused:\n  ";
    for (file, env, expected) in [
        (
            "paralel = 1",
            ("", ""),
            "paralel: unknown key; did you mean `parallel`? (from FILE)",
        ),
        (
            "[nats]\nurll = 'x'",
            ("", ""),
            "nats.urll: unknown key; did you mean `nats.url`? (from FILE)",
        ),
        (
            "[retry]\nfoo = 1",
            ("", ""),
            "retry.foo: unknown key; known here: cap, factor (from FILE)",
        ),
        (
            "",
            ("HT_NATS__URLL", "x"),
            "nats.urll: unknown key; did you mean `nats.url`? (from the environment variable HT_NATS__URLL)",
        ),
        (
            "",
            ("HT_NAT__URL", "x"),
            "nat: unknown key; did you mean `nats`? (from the environment variable HT_NAT)",
        ),
        (
            "",
            ("HT_PARALLEL", "many"),
            "parallel: `many` is not a number of type u16 (from the environment variable HT_PARALLEL)",
        ),
        (
            "",
            ("HT_PARALLEL", "70000"),
            "parallel: `70000` is not a number of type u16 (from the environment variable HT_PARALLEL)",
        ),
        (
            "parallel = 70000",
            ("", ""),
            "parallel: invalid value: integer `70000`, expected u16 (from FILE)",
        ),
        (
            "parallel = 0",
            ("", ""),
            "parallel: is zero; give at least 1 (from FILE)",
        ),
        (
            "strict = 'yes'",
            ("", ""),
            "strict: `yes` is neither true nor false (from FILE)",
        ),
        (
            "every = '5'",
            ("", ""),
            "every: `5` is not a duration; write a number and a unit, such as `500ms`, `30s`, `2m` or `1h 30m` (from FILE)",
        ),
        (
            "",
            ("HT_LOG__FORMAT", "xml"),
            "log.format: `xml` is not one of text, json (from the environment variable HT_LOG__FORMAT)",
        ),
        (
            "nats = 'nats://x'",
            ("", ""),
            "nats: is a section with the keys url, name, connect_timeout, request_timeout, inbox_prefix, user, password, token, credentials, nkey, tls (from FILE)",
        ),
        (
            "",
            ("HT_NATS__URL", "http://x"),
            "nats.url: `http://x` is not a server's address; write nats://HOST:PORT or tls://HOST:PORT \
             (from the environment variable HT_NATS__URL)",
        ),
        (
            "",
            ("HT_NATS__URL", "nats://me:secret@x"),
            "nats.url: holds a user or password, which would be shown in logs; use nats.user and nats.password \
             (from the environment variable HT_NATS__URL)",
        ),
        (
            "[nats]\nuser = 'u'\npassword = 'p'\ntoken = 't'",
            ("", ""),
            "nats.token: is one of several ways to log in (nats.user, nats.token); keep one of them (from FILE)",
        ),
        (
            "[nats]\nuser = 'u'",
            ("", ""),
            "nats.user: and nats.password go together; give both or neither (from FILE)",
        ),
        (
            "[nats.tls]\ncert = 'c'",
            ("", ""),
            "nats.tls.cert: and nats.tls.key go together; give both or neither (from FILE)",
        ),
        (
            "",
            ("HT_NATS_SERVICE_HOST", "10.0.0.1"),
            "nats_service_host: unknown key; known here: cluster, accounts, parallel, strict, every, note, retry, log, \
             health, shutdown, nats; Kubernetes sets this for a Service: set `enableServiceLinks: false` on the pod \
             (from the environment variable HT_NATS_SERVICE_HOST)",
        ),
    ] {
        let env: Vec<_> = [env].into_iter().filter(|(name, _)| !name.is_empty()).collect();
        let refused = load(file, &env).map(|_| ()).unwrap_err();
        assert_eq!(refused, format!("{head}{expected}"), "{file} {env:?}");
    }
}

#[test]
fn every_problem_is_told_at_once() {
    let refused = load(
        "paralel = 1\n[nats]\nurll = 'x'\ntokn = 'y'",
        &[("HT_EVRY", "1s")],
    )
    .unwrap_err();
    for key in ["  paralel: ", "  evry: ", "  nats.urll: ", "  nats.tokn: "] {
        assert!(refused.contains(key), "{key} is not in {refused}");
    }
}

#[test]
fn a_broken_or_absent_file_is_named() {
    let refused = load("parallel = \n", &[]).unwrap_err();
    assert!(
        refused.contains("the file FILE: TOML parse error at line 1, column"),
        "{refused}"
    );
    let absent = Loader::new("")
        .file(Some("/nowhere/ht.toml".into()))
        .load::<Own>()
        .unwrap_err()
        .to_string();
    assert!(
        absent.contains("cannot read the file /nowhere/ht.toml") && absent.contains("HT_CONFIG"),
        "{absent}"
    );
}

#[test]
fn what_is_shown_has_sources_and_no_secrets_and_is_a_configuration_again() {
    let env = [
        ("HT_NATS__USER", "drain"),
        ("HT_NATS__PASSWORD", "hunter2"),
        ("HT_ACCOUNTS", "0012,0034"),
    ];
    let config = load("parallel = 8", &env).unwrap();
    let dump = config.dump();
    for line in [
        "cluster = \"default\" # default",
        "accounts = [\"0012\", \"0034\"] # HT_ACCOUNTS",
        "# note is not set",
        "[retry]",
        "cap = \"30s\" # default",
        "[nats]",
        "password = \"<redacted>\" # HT_NATS__PASSWORD",
        "user = \"drain\" # HT_NATS__USER",
        "[nats.tls]",
    ] {
        assert!(
            dump.lines().any(|found| found == line),
            "{line} is not in\n{dump}"
        );
    }
    assert!(dump.contains("parallel = 8 # /"), "{dump}");
    assert!(!dump.contains("hunter2") && !format!("{config:?}").contains("password: Some(\"hunter2"));
    let again = load(&dump, &[]).unwrap();
    assert_eq!((again.own.parallel, again.own.accounts), (8, config.own.accounts));
}

#[test]
fn the_documented_defaults_are_a_configuration_and_document_every_key() {
    let loader = Loader::new(DEFAULTS).listen("127.0.0.1:9199");
    let documented = loader.documented();
    let config = load(&documented, &[]).unwrap();
    assert_eq!(config.health.listen.to_string(), "127.0.0.1:9199");
    for line in config.dump().lines().filter(|line| !line.is_empty()) {
        let key = line.trim_start_matches("# ").split(' ').next().unwrap();
        if key != "note" {
            assert!(documented.contains(key), "{key} is not documented");
        }
    }
}

#[test]
#[cfg(feature = "bus")]
fn every_way_to_log_in_reaches_the_bus() {
    for (variables, expected) in [
        (&[][..], "None"),
        (
            &[("HT_NATS__USER", "drain"), ("HT_NATS__PASSWORD", "x")][..],
            "Password { user: \"drain\" }",
        ),
        (&[("HT_NATS__TOKEN", "x")][..], "Token"),
        (
            &[("HT_NATS__CREDENTIALS", "/a.creds")][..],
            "CredentialsFile(/a.creds)",
        ),
        (&[("HT_NATS__NKEY", "/a.nk")][..], "NkeyFile(/a.nk)"),
    ] {
        let options = load("[nats.tls]\nca = '/ca.crt'\nrequired = true", variables)
            .unwrap()
            .nats
            .options();
        assert_eq!(format!("{:?}", options.auth), expected);
        assert_eq!(options.tls.ca.as_deref(), Some(std::path::Path::new("/ca.crt")));
        assert!(options.tls.required && !options.tls.first);
    }
}
