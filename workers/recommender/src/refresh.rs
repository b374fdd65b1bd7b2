//! Reads what is to be known of a region from AWS, again and again.

use std::{collections::BTreeMap, convert::Infallible, sync::Arc, time::Duration};

use hollowtrees_aws::{Refusal, Region};
use hollowtrees_domain::recommend::{PlacementScore, Taste, pattern::Pattern};
use jiff::{SignedDuration, Timestamp};
use tokio::{sync::watch, time::Instant};

use crate::{
    config::Sources,
    files::Files,
    known::{Known, Offered, Prices, Shelf, grown},
    telemetry::Telemetry,
};

/// First and longest wait after a read that failed.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(120));
/// How much of the time that was read already is read again: clocks differ, and points come late.
const OVERLAP: SignedDuration = SignedDuration::from_mins(5);

/// Keeps one region.
pub(crate) struct Keeper {
    pub(crate) region: Region,
    pub(crate) sources: Sources,
    pub(crate) taste: Taste,
    pub(crate) shelf: Shelf,
    pub(crate) files: watch::Receiver<Arc<Files>>,
    pub(crate) telemetry: Telemetry,
}

/// When a source is to be read next.
struct Due {
    at: Instant,
    every: Duration,
}

impl Due {
    fn now(every: Duration) -> Self {
        Self {
            at: Instant::now(),
            every,
        }
    }

    fn is_due(&self) -> bool {
        self.at <= Instant::now()
    }

    /// After `failures` in a row: sooner than usual, and less and less soon.
    fn after(&mut self, failures: u32) {
        let wait = match failures {
            0 => self.every,
            failures => RETRY
                .0
                .saturating_mul(2_u32.saturating_pow(failures.min(10)))
                .min(RETRY.1)
                .min(self.every),
        };
        // Replicas that start together ask apart from each other.
        self.at = Instant::now() + wait.mul_f64(rand::random_range(0.8..=1.0));
    }
}

impl Keeper {
    /// Reads for ever.
    pub(crate) async fn keep(mut self) -> Infallible {
        let mut types = Due::now(self.sources.types_every);
        let mut prices = Due::now(self.sources.prices_every);
        let mut placement = Due::now(self.sources.placement_every);
        let scored = !self.sources.placement_types.is_empty();
        let mut known = Known::default();
        loop {
            if types.is_due() {
                let read = self.offered().await;
                known.offered = known.offered.after(read, Timestamp::now());
                types.after(known.offered.failures());
                self.assemble(&mut known);
            }
            if known.offered.value().is_some() && prices.is_due() {
                let begun = Timestamp::now();
                let read = self.prices(&known, begun).await;
                // As old as the question.
                known.prices = known.prices.after(read, begun);
                prices.after(known.prices.failures());
                self.put(&known);
            }
            if scored && placement.is_due() {
                let read = self.placement().await;
                known.placement = known.placement.after(read, Timestamp::now());
                placement.after(known.placement.failures());
                self.put(&known);
            }
            let mut next = types.at;
            if known.offered.value().is_some() {
                next = next.min(prices.at);
            }
            if scored {
                next = next.min(placement.at);
            }
            tokio::select! {
                () = tokio::time::sleep_until(next) => {}
                changed = self.files.changed() => match changed {
                    Ok(()) => self.assemble(&mut known),
                    // Nobody reads files any more; they stay as they were.
                    Err(_) => tokio::time::sleep_until(next).await,
                }
            }
        }
    }

    fn put(&self, known: &Known) {
        let region = self.region.name();
        self.telemetry.known(region, known, Timestamp::now());
        self.shelf.put(region, known.clone());
    }

    fn assemble(&mut self, known: &mut Known) {
        let files = Arc::clone(&self.files.borrow_and_update());
        if let Err(error) = known.assemble(self.region.name(), &files) {
            tracing::error!(%error, "The types do not fit together; those known before still count.");
        }
        self.put(known);
    }

    async fn offered(&self) -> Result<Offered, String> {
        let types = self.region.instance_types().await;
        let types = self.told("describe-instance-types", types)?;
        let pools = self.region.offerings().await;
        let pools = self.told("describe-instance-type-offerings", pools)?;
        let patterns: Vec<Pattern> = self
            .sources
            .types
            .iter()
            .filter_map(|text| text.parse().ok())
            .collect();
        let wanted = |name: &str| patterns.iter().any(|pattern| pattern.matches(name));
        let offered = Offered {
            types: types
                .into_iter()
                .filter(|one| wanted(&one.instance_type.name))
                .collect(),
            pools: pools
                .into_iter()
                .filter(|pool| wanted(&pool.instance_type))
                .collect(),
        };
        if offered.types.is_empty() || offered.pools.is_empty() {
            return Err(format!(
                "{} offers no type of sources.types; give others, or `*`",
                self.region.name()
            ));
        }
        let mut trial = Known::default();
        trial.offered = trial.offered.after(Ok(offered.clone()), Timestamp::now());
        let fits = trial.assemble(self.region.name(), &Files::default());
        fits.map_err(|error| error.to_string())?;
        Ok(offered)
    }

    async fn prices(&self, known: &Known, now: Timestamp) -> Result<Prices, String> {
        let Some(types) = &known.types else {
            return Err("the types are not known yet".to_owned());
        };
        let window = now.checked_sub(self.taste.window()).unwrap_or(Timestamp::MIN);
        let read_until = known.prices.read_at().and_then(|at| at.checked_sub(OVERLAP).ok());
        let since = read_until.map_or(window, |at| at.max(window));
        let mut names: Vec<String> = types
            .catalogue
            .types()
            .filter(|of| of.spot)
            .map(|of| of.name.clone())
            .collect();
        let before = known.prices.value();
        let mut prices = before.map(|prices| prices.as_ref().clone()).unwrap_or_default();
        // Of a type that was not looked at before, all of the window.
        let of_before = |name: &String| prices.keys().any(|pool| pool.instance_type == *name);
        let new: Vec<String> = names.iter().filter(|name| !of_before(name)).cloned().collect();
        names.retain(|name| !new.contains(name));
        for (names, since) in [(names, since), (new, window)] {
            let points = self.region.price_history(&names, &[], since).await;
            let points = self.told("describe-spot-price-history", points)?;
            prices = grown(&prices, points, window);
        }
        prices.retain(|pool, _| types.catalogue.named(&pool.instance_type).is_some());
        if prices.is_empty() {
            return Err("EC2 tells no spot price of these types".to_owned());
        }
        Ok(prices)
    }

    async fn placement(&self) -> Result<BTreeMap<String, PlacementScore>, String> {
        let (types, capacity) = (&self.sources.placement_types, self.sources.placement_capacity);
        let scores = self.region.placement_scores(types, capacity).await;
        let scores = self.told("get-spot-placement-scores", scores)?;
        let names = self.region.zone_names().await;
        let names: BTreeMap<_, _> = self
            .told("describe-availability-zones", names)?
            .into_iter()
            .collect();
        Ok(scores
            .into_iter()
            .filter_map(|one| Some((names.get(&one.zone_id)?.clone(), one.score)))
            .collect())
    }

    fn told<T>(&self, call: &'static str, answer: Result<T, Refusal>) -> Result<T, String> {
        self.telemetry.called(call, &answer);
        answer.map_err(|refusal| refusal.to_string())
    }
}
