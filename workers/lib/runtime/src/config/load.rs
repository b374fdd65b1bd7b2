//! The layers, merged and read.

use std::{
    cell::RefCell,
    collections::HashMap,
    path::{Path, PathBuf},
};

use config::{Environment, FileFormat, Format, Map, Source, Value, ValueKind};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    dump,
    origin::{DEFAULTS, Origin},
    problem::{Problem, Refused},
    read,
    sections::{Health, Log, Nats, Shutdown},
};

/// Where a worker listens for probes and scrapes unless it says otherwise.
pub const DEFAULT_LISTEN: &str = "0.0.0.0:9190";

const SHARED: &str = include_str!("shared.toml");
/// Top-level keys of the frame.
const SECTIONS: &[&str] = &["log", "health", "shutdown", "nats"];
/// `HT_` variables that are not configuration.
const NOT_CONFIGURATION: &[&str] = &["HT_CONFIG"];

/// A worker's own keys.
pub trait Settings: DeserializeOwned + Serialize + Send + Sync + 'static {
    /// Adds what the types cannot say: ranges, keys that exclude each other. Keys with their sections.
    fn validate(&self, problems: &mut Vec<Problem>) {
        let _ = problems;
    }
}

/// A configuration that was read and found valid.
#[derive(Debug, Clone)]
pub struct Config<T> {
    /// `[log]`
    pub log: Log,
    /// `[health]`
    pub health: Health,
    /// `[shutdown]`
    pub shutdown: Shutdown,
    /// `[nats]`
    pub nats: Nats,
    /// What the worker itself knows.
    pub own: T,
    /// The merged layers, for the origins.
    merged: Value,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Shared {
    pub(crate) log: Log,
    pub(crate) health: Health,
    pub(crate) shutdown: Shutdown,
    pub(crate) nats: Nats,
}

/// The process environment as a map; variables that are not Unicode are left out.
pub fn environment() -> HashMap<String, String> {
    std::env::vars_os()
        .filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)))
        .collect()
}

/// Collects the layers.
#[derive(Debug, Clone)]
pub struct Loader {
    defaults: &'static str,
    listen: String,
    file: Option<PathBuf>,
    env: HashMap<String, String>,
}

impl Loader {
    /// `defaults`: the commented TOML of the worker's own keys.
    pub fn new(defaults: &'static str) -> Self {
        Self {
            defaults,
            listen: DEFAULT_LISTEN.to_owned(),
            file: None,
            env: HashMap::new(),
        }
    }

    /// Default of `health.listen`, `HOST:PORT`.
    #[must_use]
    pub fn listen(mut self, address: &str) -> Self {
        address.clone_into(&mut self.listen);
        self
    }

    /// A file that overrides the defaults; before it, `HT_CONFIG` of the environment is used.
    #[must_use]
    pub fn file(mut self, path: Option<PathBuf>) -> Self {
        self.file = path;
        self
    }

    /// The environment, [`environment()`] outside tests. Only `HT_` variables are looked at.
    #[must_use]
    pub fn env(mut self, variables: HashMap<String, String>) -> Self {
        self.env = variables;
        self
    }

    /// The defaults as documented TOML, a file one can start from.
    pub fn documented(&self) -> String {
        // Own plain keys have to come before the first section.
        format!("{}\n{}", self.defaults, self.shared())
    }

    fn shared(&self) -> String {
        SHARED.replace("@LISTEN@", &self.listen)
    }

    /// Reads, merges, checks.
    ///
    /// # Errors
    /// Every problem found, each with its key, source and remedy.
    pub fn load<T: Settings>(&self) -> Result<Config<T>, Refused> {
        let merged = self.merge().map_err(Refused::one)?;
        let ValueKind::Table(mut own) = merged.kind.clone() else {
            return Err(Refused::one(Problem::new("", "the configuration is not a table")));
        };
        let shared: Map<String, Value> = SECTIONS
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), own.remove(*name)?)))
            .collect();
        let unknown = RefCell::new(Vec::new());
        let shared = read::read::<Shared>(shared, &[], &unknown);
        let own = read::read::<T>(own, SECTIONS, &unknown);
        let mut problems = unknown.into_inner();
        let (shared, own) = match (shared, own) {
            (Ok(shared), Ok(own)) => (shared, own),
            (shared, own) => {
                problems.extend(shared.err().into_iter().chain(own.err()));
                return Err(Refused(problems));
            }
        };
        let Shared {
            log,
            health,
            shutdown,
            nats,
        } = shared;
        let config = Config {
            log,
            health,
            shutdown,
            nats,
            own,
            merged,
        };
        let unreadable = problems.len();
        config.log.validate(&mut problems);
        config.nats.validate(&mut problems);
        config.own.validate(&mut problems);
        for problem in problems.iter_mut().skip(unreadable) {
            problem.origin = config.origin(&problem.key);
        }
        if problems.is_empty() {
            Ok(config)
        } else {
            Err(Refused(problems))
        }
    }

    fn merge(&self) -> Result<Value, Problem> {
        let file = self.file.clone().or_else(|| {
            self.env
                .get("HT_CONFIG")
                .filter(|path| !path.is_empty())
                .map(PathBuf::from)
        });
        let mut merged = Value::new(None, ValueKind::Table(Map::new()));
        let mut add = |layer: &dyn Source, what: &str| {
            layer
                .collect_to(&mut merged)
                .map_err(|error| Problem::new("", format!("{what}: {error}")))
        };
        add(&Layer::new(DEFAULTS, self.shared()), "the shared defaults")?;
        add(
            &Layer::new(DEFAULTS, self.defaults.to_owned()),
            "the worker's defaults",
        )?;
        if let Some(path) = &file {
            add(&Layer::read(path)?, &format!("the file {}", path.display()))?;
        }
        let ours = self
            .env
            .iter()
            .filter(|(key, _)| !NOT_CONFIGURATION.contains(&key.as_str()));
        let ours = ours.map(|(key, value)| (key.clone(), value.clone())).collect();
        // `prefix_separator` apart from `separator`, or HT_NATS__URL would be ignored; no `try_parsing`, or
        // account ids would lose their zeros.
        let environment = Environment::with_prefix("HT")
            .prefix_separator("_")
            .separator("__")
            .ignore_empty(true)
            .source(Some(ours));
        add(&environment, "the environment")?;
        Ok(merged)
    }
}

impl<T> Config<T> {
    /// Where the value at `key` (with its sections) came from.
    pub fn origin(&self, key: &str) -> Option<Origin> {
        let mut value = &self.merged;
        for name in key.split('.') {
            let ValueKind::Table(table) = &value.kind else {
                return None;
            };
            value = table.get(name)?;
        }
        Origin::of(value)
    }
}

impl<T: Settings> Config<T> {
    /// The effective configuration as TOML, secrets redacted, each value with the layer it came from.
    pub fn dump(&self) -> String {
        let Self {
            log,
            health,
            shutdown,
            nats,
            own,
            merged: _,
        } = self;
        let shared = Shared {
            log: log.clone(),
            health: health.clone(),
            shutdown: shutdown.clone(),
            nats: nats.clone(),
        };
        [serde_json::to_value(own), serde_json::to_value(shared)]
            .into_iter()
            .map(|value| match value {
                Ok(value) => dump::toml(&value, &|key| self.origin(key)),
                Err(error) => format!("# cannot be shown: {error}\n"),
            })
            .collect()
    }
}

/// A TOML document with the name of its layer.
#[derive(Debug, Clone)]
struct Layer {
    name: String,
    text: String,
}

impl Layer {
    fn new(name: &str, text: String) -> Self {
        Self {
            name: name.to_owned(),
            text,
        }
    }

    fn read(path: &Path) -> Result<Self, Problem> {
        let name = path.display().to_string();
        match std::fs::read_to_string(path) {
            Ok(text) => Ok(Self { name, text }),
            Err(error) => Err(Problem::new(
                "",
                format!("cannot read the file {name}: {error}; it was named by --config or HT_CONFIG"),
            )),
        }
    }
}

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, config::ConfigError> {
        FileFormat::Toml
            .parse(Some(&self.name), &self.text)
            .map_err(config::ConfigError::Foreign)
    }
}
