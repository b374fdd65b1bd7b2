//! Does a group that is swapped have fewer instances in service than the same group left to Auto Scaling?
//!
//! Each run is made from its seed: two equal groups of one simulated AWS, with the same notice at the same time. The one has
//! nobody; the other has the swap worker's process on a bus. Time is a twentieth of what it is.

mod case;
mod play;

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::AtomicU64},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use hollowtrees_bench::{
    curve::Verdict,
    table::{HEADER, Table},
};
use tokio::task::JoinSet;

use self::{
    case::{Case, SCALE},
    play::{Lane, Played},
};

/// What of it is asked for.
pub(crate) struct Asked {
    pub(crate) runs: u64,
    pub(crate) seed: u64,
    pub(crate) lanes: usize,
    /// Processes of the worker in each lane.
    pub(crate) replicas: usize,
}

/// Plays runs and prints what came of them, by class, and the bar: none is ever lower.
pub(crate) async fn capacity(table: &mut Table, asked: &Asked) -> Result<()> {
    let began = Instant::now();
    let next = Arc::new(AtomicU64::new(asked.seed));
    let end = asked.seed.saturating_add(asked.runs);
    let mut lanes = JoinSet::new();
    for _ in 0..asked.lanes {
        let next = Arc::clone(&next);
        let replicas = asked.replicas;
        lanes.spawn(async move { Box::pin(lane(&next, end, replicas)).await });
    }
    let mut played = Vec::new();
    while let Some(ended) = lanes.join_next().await {
        played.extend(ended.context("a lane broke")??);
    }
    played.sort_by_key(|played| played.case.seed);
    println!(
        "Seeds {} to {}, {} lanes, replicas in each: {}, a second for {SCALE}; took {:.0?}.",
        asked.seed,
        end.saturating_sub(1),
        asked.lanes,
        asked.replicas,
        began.elapsed()
    );
    println!();
    classes(&played);
    outcomes(&played);
    lower(&played);
    println!();
    println!("{HEADER}");
    let count = played.iter().filter(|one| one.verdict.is_lower()).count();
    let what = "capacity, runs ever lower with swaps than without";
    table.limit(what, f64::from(u32::try_from(count)?), "runs", Some(0.0));
    Ok(())
}

/// One AWS, one bus, the worker's replicas: runs until there are none left.
async fn lane(next: &AtomicU64, end: u64, replicas: usize) -> Result<Vec<Played>> {
    let lane = Lane::start(replicas).await?;
    let mut played = Vec::new();
    loop {
        let seed = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        if seed >= end {
            return Ok(played);
        }
        let case = Case::of(seed);
        let one = lane.play(case).await;
        played.push(one.with_context(|| format!("seed {seed}"))?);
    }
}

/// A class of runs.
#[derive(Default)]
struct Class {
    runs: usize,
    interrupted: usize,
    swapped: usize,
    ours: f64,
    theirs: f64,
    worst: [u32; 2],
    lower: usize,
    lower_at_all: usize,
}

impl Class {
    fn add(&mut self, played: &Played) {
        let Verdict {
            ours,
            theirs,
            longest_lower,
            ..
        } = played.verdict;
        self.runs += 1;
        self.interrupted += played.case.interrupted;
        self.swapped += played.swapped();
        self.ours += ours.lacked * SCALE;
        self.theirs += theirs.lacked * SCALE;
        for (worst, side) in self.worst.iter_mut().zip([ours, theirs]) {
            *worst = side.deepest.max(*worst);
        }
        self.lower += usize::from(played.verdict.is_lower());
        self.lower_at_all += usize::from(longest_lower > Duration::ZERO);
    }
}

fn classes(played: &[Played]) {
    println!(
        "| a replacement can be in service | runs | interrupted | swapped | unit-seconds below desired, Auto Scaling alone | with swaps | deepest dip, alone | with swaps | runs ever lower | in any sample |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    let mut classes: BTreeMap<String, Class> = BTreeMap::new();
    let mut total = Class::default();
    for one in played {
        classes.entry(one.case.class()).or_default().add(one);
        total.add(one);
    }
    for (name, class) in &classes {
        row(name, class);
    }
    row("all", &total);
}

fn row(name: &str, of: &Class) {
    let [ours, theirs] = of.worst;
    println!(
        "| {name} | {} | {} | {} | {:.0} | {:.0} | {theirs} | {ours} | {} | {} |",
        of.runs, of.interrupted, of.swapped, of.theirs, of.ours, of.lower, of.lower_at_all
    );
}

/// How swaps ended, by class.
fn outcomes(played: &[Played]) {
    let mut ends: BTreeMap<(String, &str), (usize, u64)> = BTreeMap::new();
    for one in played {
        for told in &one.outcomes {
            let end = told.split(':').next().unwrap_or_default();
            let (count, _) = ends.entry((one.case.class(), end)).or_insert((0, one.case.seed));
            *count += 1;
        }
    }
    println!();
    println!("| class | outcome | actions | first seed |");
    println!("|---|---|---|---|");
    for ((class, end), (count, seed)) in ends {
        println!("| {class} | {end} | {count} | {seed} |");
    }
}

/// Runs in which ours was lower, in full; a single run is told in any case.
fn lower(played: &[Played]) {
    let lower = played
        .iter()
        .filter(|one| one.verdict.is_lower() || played.len() == 1);
    for one in lower {
        let verdict = &one.verdict;
        println!();
        println!(
            "Seed {}: lower for {:.2?} from {:.2?} on (tolerance {:.2?}). {}",
            one.case.seed, verdict.longest_lower, verdict.lower_from, verdict.tolerance, one.case
        );
        println!("outcomes: {}", one.outcomes.join("; "));
        println!("in service (offset: alone, with swaps): {}", verdict.told);
    }
}
