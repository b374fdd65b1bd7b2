//! The agent's configuration: its defaults, and what is refused.
#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::time::Duration;

use hollowtrees_agent::{
    DEFAULTS,
    metadata::Base,
    provider::{Choice, Provider},
    settings::Settings,
};
use hollowtrees_runtime::config::{Config, Loader};

fn load(variable: &str, value: &str) -> Result<Config<Settings>, String> {
    let env = [(variable.to_owned(), value.to_owned())].into();
    Loader::new(DEFAULTS)
        .env(env)
        .load()
        .map_err(|refused| refused.to_string())
}

#[test]
fn the_defaults_are_those_of_the_original_where_it_had_any() {
    let own = load("", "").unwrap().own;
    assert_eq!(own.provider, Choice::Auto);
    assert_eq!(own.metadata.url, Vec::<String>::new());
    for provider in Provider::ALL {
        let bases = provider.bases();
        assert!(!bases.is_empty() && bases.iter().all(|base| Base::parse(base).is_ok()));
    }
    assert!(own.exporters.spot_termination_exporter && !own.exporters.spot_termination_handler);
    assert_eq!(
        (own.poll.interval, own.metadata.timeout),
        (Duration::from_secs(2), Duration::from_secs(1))
    );
    assert_eq!(own.metadata.token_ttl, Duration::from_secs(21600));
    assert!(!own.metadata.allow_v1 && own.trigger.listen.is_none());
}

#[test]
fn what_is_refused() {
    for (variable, value, expected) in [
        (
            "HT_MODE",
            "dry_run",
            "mode: `dry_run` is not one of live, dry-run, test",
        ),
        (
            "HT_METADATA__URL",
            "https://169.254.169.254",
            "metadata.url: `https://169.254.169.254` is not the base",
        ),
        (
            "HT_PROVIDER",
            "amazon",
            "provider: `amazon` is not one of auto, none, aws, gcp, azure, alibaba, oracle, digitalocean",
        ),
        ("HT_DETECT__RETRY", "0s", "detect.retry: is below 10ms"),
        (
            "HT_POLL__MAINTENANCE",
            "1ms",
            "poll.maintenance: is below 10ms; give 0s",
        ),
        ("HT_MAINTENANCE__PAUSES", "drain", "maintenance.pauses: "),
        ("HT_GCP__NOTICE", "2h", "gcp.notice: is above 1h"),
        ("HT_GCP__WAIT", "0s", "gcp.wait: is not between"),
        (
            "HT_METADATA__TOKEN_TTL",
            "7h",
            "metadata.token_ttl: is not between 1s and 6h",
        ),
        ("HT_METADATA__TIMEOUT", "0s", "metadata.timeout: is zero"),
        ("HT_POLL__INTERVAL", "1ms", "poll.interval: is below 10ms"),
        ("HT_SPOOL__NOTICES", "0", "spool.notices: is zero"),
        (
            "HT_TRIGGER__LISTEN",
            "10.0.0.1:9188",
            "trigger.listen: is not a loopback address",
        ),
        (
            "HT_METADATA__ALLOWV1",
            "true",
            "metadata.allowv1: unknown key; did you mean `metadata.allow_v1`?",
        ),
    ] {
        let refused = load(variable, value).map(|_| ()).unwrap_err();
        assert!(
            refused.contains(expected) && refused.contains(variable),
            "{refused}"
        );
    }
    assert!(load("HT_TRIGGER__LISTEN", "[::1]:9188").is_ok());
    assert!(load("HT_POLL__MAINTENANCE", "0s").is_ok());
    for provider in [
        "auto",
        "none",
        "aws",
        "gcp",
        "azure",
        "alibaba",
        "oracle",
        "digitalocean",
    ] {
        assert!(load("HT_PROVIDER", provider).is_ok(), "{provider}");
    }
    let bases = "http://169.254.169.254,http://[fd00:ec2::254]";
    assert_eq!(load("HT_METADATA__URL", bases).unwrap().own.metadata.url.len(), 2);
}
