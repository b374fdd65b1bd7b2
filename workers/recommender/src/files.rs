//! What only the operator can give: prices on demand, and how often types are interrupted.
//!
//! | file | shape |
//! |---|---|
//! | prices on demand | `{"eu-west-1": {"m5.large": 0.107}}`: US dollars an hour, Linux, shared tenancy |
//! | interruptions | as the Spot Instance Advisor publishes it: `{"spot_advisor": {"eu-west-1": {"Linux": {"m5.large": {"r": 1, "s": 70}}}}}`; `r` is a band, 0 to 4; all else is passed over |

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use hollowtrees_domain::recommend::{Band, Price, on_demand};
use serde::Deserialize;
use tokio::sync::watch;

use crate::{config::Sources, telemetry::Telemetry};

/// How often files are looked at.
const LOOK: Duration = Duration::from_secs(5);
/// Larger files are not read: the advisor's has 2 MB.
const LARGEST: u64 = 32 << 20;

type ByRegion<T> = BTreeMap<String, BTreeMap<String, T>>;

/// What the files say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Files {
    on_demand: ByRegion<Price>,
    bands: ByRegion<Band>,
}

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {problem}", path = .path.display())]
pub struct BadFile {
    path: PathBuf,
    problem: String,
}

#[derive(Deserialize)]
struct Advisor {
    spot_advisor: BTreeMap<String, BTreeMap<String, BTreeMap<String, Advice>>>,
}

#[derive(Deserialize)]
struct Advice {
    r: usize,
}

impl Files {
    /// Prices on demand of a region's types.
    #[must_use]
    pub fn on_demand(&self, region: &str) -> Option<&BTreeMap<String, Price>> {
        self.on_demand.get(region)
    }

    /// Interruption frequencies of a region's types.
    #[must_use]
    pub fn bands(&self, region: &str) -> Option<&BTreeMap<String, Band>> {
        self.bands.get(region)
    }
}

/// Reads interruption frequencies. What is not of Linux, and bands that there are not yet, are passed over.
///
/// # Errors
/// Where the text is not as it should be.
pub fn read_advisor(text: &str) -> Result<ByRegion<Band>, String> {
    let read: Advisor = serde_json::from_str(text).map_err(|error| {
        format!("{error}; expected the Spot Instance Advisor's file, with `spot_advisor` by region, system and type")
    })?;
    let of = |mut systems: BTreeMap<String, BTreeMap<String, Advice>>| {
        let linux = systems.remove("Linux").unwrap_or_default();
        linux
            .into_iter()
            .filter_map(|(name, advice)| Some((name, Band::of_number(advice.r)?)))
            .collect()
    };
    let regions = read.spot_advisor.into_iter();
    Ok(regions.map(|(region, systems)| (region, of(systems))).collect())
}

/// What tells whether a file has changed.
type Stamp = (Option<SystemTime>, u64);

fn stamp(path: &Path) -> Option<Stamp> {
    let found = std::fs::metadata(path).ok()?;
    Some((found.modified().ok(), found.len()))
}

fn text(path: &Path) -> Result<String, BadFile> {
    let bad = |problem: String| BadFile {
        path: path.to_owned(),
        problem,
    };
    let size = std::fs::metadata(path)
        .map_err(|error| bad(error.to_string()))?
        .len();
    if size > LARGEST {
        return Err(bad(format!("has {size} bytes, expected at most {LARGEST}")));
    }
    std::fs::read_to_string(path).map_err(|error| bad(error.to_string()))
}

/// Reads the files again when they change; what cannot be read leaves what was read before.
pub struct Reader {
    on_demand: Option<PathBuf>,
    advisor: Option<PathBuf>,
    seen: [Option<Stamp>; 2],
    telemetry: Telemetry,
}

impl Reader {
    /// Of the files that are configured.
    #[must_use]
    pub fn new(sources: &Sources, telemetry: Telemetry) -> Self {
        Self {
            on_demand: sources.on_demand.clone(),
            advisor: sources.advisor.clone(),
            seen: [None, None],
            telemetry,
        }
    }

    /// Looks once; the files as they are now, if they changed.
    ///
    /// # Errors
    /// The first that cannot be used; the others are in what was given back before.
    pub fn look(&mut self, known: &Files) -> (Option<Files>, Result<(), BadFile>) {
        let mut files = known.clone();
        let mut ended = Ok(());
        let Self { seen, .. } = self;
        let [stamp_of_prices, advisor] = seen;
        if let Some(path) = &self.on_demand
            && let Some(read) = changed(path, stamp_of_prices, on_demand::read)
        {
            self.telemetry.file("on-demand", read.is_ok());
            match read {
                Ok(read) => files.on_demand = read,
                Err(error) => ended = Err(error),
            }
        }
        if let Some(path) = &self.advisor
            && let Some(read) = changed(path, advisor, read_advisor)
        {
            self.telemetry.file("advisor", read.is_ok());
            match read {
                Ok(read) => files.bands = read,
                Err(error) => ended = Err(error),
            }
        }
        ((files != *known).then_some(files), ended)
    }

    /// Looks for ever.
    pub async fn keep(mut self, tell: watch::Sender<Arc<Files>>) {
        loop {
            tokio::time::sleep(LOOK).await;
            let known = Arc::clone(&tell.borrow());
            let (files, ended) = self.look(&known);
            if let Err(error) = ended {
                tracing::error!(%error, "A file cannot be read; what was read before still counts.");
            }
            if let Some(files) = files {
                tracing::info!("The operator's files are read anew.");
                tell.send_replace(Arc::new(files));
            }
        }
    }
}

/// What a file says, if it is another than was seen last.
fn changed<T>(
    path: &Path,
    seen: &mut Option<Stamp>,
    read: impl Fn(&str) -> Result<T, String>,
) -> Option<Result<T, BadFile>> {
    let now = stamp(path);
    if now.is_some() && now == *seen {
        return None;
    }
    let found = text(path).and_then(|text| {
        read(&text).map_err(|problem| BadFile {
            path: path.to_owned(),
            problem,
        })
    });
    // One that is not there is looked for again; one that is wrong is told once.
    *seen = now;
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_on_demand() {
        let read = on_demand::read(r#"{"eu-west-1": {"m5.large": 0.107, "c5.large": 0.096}}"#).unwrap();
        assert_eq!(read["eu-west-1"]["m5.large"].dollars(), 0.107);
        for (text, expected) in [
            (
                r#"{"eu-west-1": {"m5.large": 0}}"#,
                "eu-west-1, m5.large: expected a price",
            ),
            (
                r#"{"eu-west-1": {"m5.large": "0.1"}}"#,
                "expected prices in dollars",
            ),
            ("[]", "expected prices in dollars"),
            ("", "expected prices in dollars"),
        ] {
            let told = on_demand::read(text).unwrap_err();
            assert!(told.contains(expected), "{told}");
        }
    }

    #[test]
    fn the_advisors_file() {
        let read = read_advisor(
            r#"{"global_rate": "<10%", "instance_types": {"m5.large": {"cores": 2, "emr": true, "ram_gb": 8.0}},
                "ranges": [{"index": 0, "label": "<5%", "dots": 0, "max": 5}],
                "spot_advisor": {"eu-west-1": {"Linux": {"m5.large": {"r": 0, "s": 61}, "c5.large": {"r": 4, "s": 50},
                "x9.huge": {"r": 9, "s": 1}}, "Windows": {"m5.large": {"r": 3, "s": 20}}}, "eu-west-2": {}}}"#,
        )
        .unwrap();
        assert_eq!(
            read["eu-west-1"],
            BTreeMap::from([
                ("m5.large".to_owned(), Band::Below5),
                ("c5.large".to_owned(), Band::Above20)
            ])
        );
        assert!(read["eu-west-2"].is_empty());
        assert!(read_advisor("{}").unwrap_err().contains("spot_advisor"));
    }
}
