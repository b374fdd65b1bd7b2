//! The recommender's own configuration; the frame's is described in `hollowtrees_runtime::config`.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use hollowtrees_domain::recommend::{
    Taste,
    pattern::Pattern,
    taste::{BadTaste, Choices},
};
use hollowtrees_runtime::{
    config::{self, Problem, Secret},
    server::Tls,
};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

/// The documented defaults.
pub const DEFAULTS: &str = include_str!("../recommender.toml");

/// EC2 scores fewer types low, whatever they are.
const LEAST_SCORED: usize = 3;
/// As far back as EC2 keeps prices.
const LONGEST_WINDOW: Duration = Duration::from_secs(90 * 86_400);

/// Everything the recommender can be told.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Settings {
    /// Regions that are answered for; empty: the environment's.
    pub regions: Vec<String>,
    /// `[aws]`
    pub aws: Aws,
    /// `[sources]`
    pub sources: Sources,
    /// `[ranking]`
    pub ranking: Ranking,
    /// `[http]`
    pub http: Http,
}

/// How AWS is reached.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Aws {
    /// How long one attempt of a call may take.
    #[serde(with = "config::duration")]
    pub attempt_timeout: Duration,
    /// How long a call may take.
    #[serde(with = "config::duration")]
    pub operation_timeout: Duration,
    /// Attempts of a call.
    pub attempts: u32,
}

/// What is read, and how often.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Sources {
    /// Types that are looked at, by name or pattern.
    pub types: Vec<String>,
    /// Between two reads of types and their zones.
    #[serde(with = "config::duration")]
    pub types_every: Duration,
    /// Between two reads of prices.
    #[serde(with = "config::duration")]
    pub prices_every: Duration,
    /// Between two reads of placement scores.
    #[serde(with = "config::duration")]
    pub placement_every: Duration,
    /// Types that scores are asked for.
    pub placement_types: Vec<String>,
    /// How many of them.
    pub placement_capacity: u32,
    /// A file with prices on demand.
    pub on_demand: Option<PathBuf>,
    /// A file with interruption frequencies.
    pub advisor: Option<PathBuf>,
    /// Whether our own interruptions are read from the bus.
    pub interruptions: bool,
}

/// What the asker cares for: `hollowtrees_domain::recommend::taste::Choices`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Ranking {
    /// Worth of an interruption, in hours on demand.
    pub interruption_hours: f64,
    /// After this an interruption counts half.
    #[serde(with = "config::duration")]
    pub half_life: Duration,
    /// How far back prices count.
    #[serde(with = "config::duration")]
    pub window: Duration,
    /// Prices read longer ago are stale.
    #[serde(with = "config::duration")]
    pub stale_after: Duration,
    /// The largest share of one pool.
    pub most_share: f64,
    /// How much dearer interruptions become as a pool fills.
    pub crowding: f64,
}

/// Where recommendations are asked for.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Http {
    /// Where.
    pub listen: SocketAddr,
    /// What every request has to show.
    pub token: Option<Secret>,
    /// Connections at one time.
    pub connections: usize,
    /// For a handshake, and for a request's head.
    #[serde(with = "config::duration")]
    pub header_time: Duration,
    /// For a request's body.
    #[serde(with = "config::duration")]
    pub body_time: Duration,
    /// Of one request, in bytes.
    pub body_bytes: usize,
    /// Of all requests at one time, in bytes.
    pub memory_bytes: usize,
    /// `[http.tls]`
    pub tls: Tls,
}

impl Settings {
    /// How AWS is reached.
    pub fn access(&self) -> hollowtrees_aws::Options {
        hollowtrees_aws::Options {
            attempt_timeout: self.aws.attempt_timeout,
            operation_timeout: self.aws.operation_timeout,
            attempts: self.aws.attempts,
            ..hollowtrees_aws::Options::default()
        }
    }
}

impl Ranking {
    /// What the ranking is told.
    ///
    /// # Errors
    /// One of them is out of its bounds.
    pub fn taste(&self) -> Result<Taste, BadTaste> {
        let time = |of: Duration| SignedDuration::try_from(of).unwrap_or(SignedDuration::MAX);
        Taste::new(Choices {
            interruption_hours: self.interruption_hours,
            half_life: time(self.half_life),
            window: time(self.window),
            stale_after: time(self.stale_after),
            most_share: self.most_share,
            crowding: self.crowding,
        })
    }
}

impl config::Settings for Settings {
    fn validate(&self, problems: &mut Vec<Problem>) {
        let seconds = Duration::from_secs;
        let (aws, sources, http) = (&self.aws, &self.sources, &self.http);
        let every = |of: Duration| (seconds(1)..=seconds(7 * 86_400)).contains(&of);
        let time = |of: Duration| (Duration::from_millis(100)..=seconds(300)).contains(&of);
        let scored = sources.placement_types.len();
        for (good, key, why) in [
            (
                (seconds(1)..=seconds(60)).contains(&aws.attempt_timeout),
                "aws.attempt_timeout",
                "expected 1s to 1m",
            ),
            (
                (aws.attempt_timeout..=seconds(120)).contains(&aws.operation_timeout),
                "aws.operation_timeout",
                "expected aws.attempt_timeout to 2m",
            ),
            (
                (1..=10).contains(&aws.attempts),
                "aws.attempts",
                "expected 1 to 10",
            ),
            (
                !sources.types.is_empty(),
                "sources.types",
                "is empty, so that nothing could be recommended; give `*` for all types",
            ),
            (
                every(sources.types_every),
                "sources.types_every",
                "expected 1s to 168h",
            ),
            (
                every(sources.prices_every),
                "sources.prices_every",
                "expected 1s to 168h",
            ),
            (
                every(sources.placement_every),
                "sources.placement_every",
                "expected 1s to 168h",
            ),
            (
                scored == 0 || scored >= LEAST_SCORED,
                "sources.placement_types",
                "EC2 scores fewer than three types low; give three or more, or none",
            ),
            (
                (1..=100_000).contains(&sources.placement_capacity),
                "sources.placement_capacity",
                "expected 1 to 100000",
            ),
            (
                self.ranking.window <= LONGEST_WINDOW,
                "ranking.window",
                "expected at most 2160h, as far back as EC2 keeps prices",
            ),
            (
                (1..=65_536).contains(&http.connections),
                "http.connections",
                "expected 1 to 65536",
            ),
            (time(http.header_time), "http.header_time", "expected 100ms to 5m"),
            (time(http.body_time), "http.body_time", "expected 100ms to 5m"),
            (
                (1_024..=4_194_304).contains(&http.body_bytes),
                "http.body_bytes",
                "expected 1024 to 4194304",
            ),
            (
                http.memory_bytes >= http.body_bytes && http.memory_bytes <= 1 << 31,
                "http.memory_bytes",
                "expected at least http.body_bytes, at most 2 GiB",
            ),
            (
                http.token.as_ref().is_none_or(|token| token.expose().len() >= 16),
                "http.token",
                "is shorter than 16 bytes and could be guessed; give a longer one",
            ),
        ] {
            if !good {
                problems.push(Problem::new(key, why));
            }
        }
        for region in &self.regions {
            if !is_region(region) {
                let why = format!("`{region}` is no name of a region; write it as `eu-west-1`");
                problems.push(Problem::new("regions", why));
            }
        }
        for pattern in &sources.types {
            if let Err(error) = pattern.parse::<Pattern>() {
                problems.push(Problem::new("sources.types", error.to_string()));
            }
        }
        if let Err(error) = self.ranking.taste() {
            problems.push(Problem::new("ranking", error.to_string()));
        }
        http.tls.validate(problems);
    }
}

/// By its characters: which regions there are is AWS's to say.
pub(crate) fn is_region(name: &str) -> bool {
    (1..=32).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
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
    fn the_defaults_need_nothing_and_rank_as_measured() {
        let settings = load(&[]).unwrap();
        assert_eq!(settings.ranking.taste(), Ok(Taste::default()));
        assert_eq!(settings.sources.types, ["*"]);
        assert_eq!(settings.access().region, None);
    }

    #[test]
    fn what_cannot_be_is_refused_by_name() {
        for (key, value, expected) in [
            ("HT_REGIONS", "EU West", "regions"),
            ("HT_AWS__ATTEMPT_TIMEOUT", "0s", "aws.attempt_timeout"),
            ("HT_AWS__OPERATION_TIMEOUT", "1s", "aws.operation_timeout"),
            ("HT_AWS__ATTEMPTS", "0", "aws.attempts"),
            ("HT_SOURCES__TYPES", "M5.Large", "sources.types"),
            ("HT_SOURCES__PRICES_EVERY", "0s", "sources.prices_every"),
            (
                "HT_SOURCES__PLACEMENT_TYPES",
                "m5.large",
                "sources.placement_types",
            ),
            ("HT_RANKING__MOST_SHARE", "0", "most_share"),
            ("HT_RANKING__WINDOW", "2400h", "ranking.window"),
            ("HT_HTTP__CONNECTIONS", "0", "http.connections"),
            ("HT_HTTP__TOKEN", "short", "http.token"),
            ("HT_HTTP__BODY_BYTES", "1", "http.body_bytes"),
            ("HT_HTTP__TLS__CERT", "/a", "http.tls.cert"),
        ] {
            let refused = load(&[(key, value)]).unwrap_err();
            assert!(refused.contains(expected), "{refused}");
        }
    }
}
