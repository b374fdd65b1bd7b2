//! `cargo replay`: prints how well each strategy chooses, over many seeds. The generator, the strategies and the figures
//! are explained in docs/recommender.md.
#![allow(clippy::print_stdout, reason = "a program whose output is a table")]

use std::{
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use anyhow::{Context as _, Result, anyhow, ensure};
use clap::Parser;
use hollowtrees_domain::recommend::{Taste, taste::Choices};
use hollowtrees_replay::{
    fleet::{self, Outcome},
    market::{BEFORE, HOURS, Market, REGIONS},
    quote::Coupling,
    strategy::Strategy,
    table::{Figure, HEADER, paired, row, whole},
};

/// How well each strategy chooses, over generated histories.
#[derive(Parser)]
struct Arguments {
    /// The first seed. Parameters were chosen on 1 to 20; what is told is told of others.
    #[arg(long, default_value_t = 1001)]
    from: u64,
    /// How many seeds; each makes a history of three regions.
    #[arg(long, default_value_t = 50)]
    seeds: u64,
    /// Only the strategies whose name has this in it.
    #[arg(long, default_value = "")]
    only: String,
    /// What one interruption is worth to ours, in hours of an on-demand instance; without it the default.
    #[arg(long)]
    interruption_hours: Option<f64>,
    /// The largest share of the fleet that ours has in one pool; without it the default.
    #[arg(long)]
    most_share: Option<f64>,
    /// How much dearer the interruption of a pool's last instance is to ours than of its first; without it the default.
    #[arg(long)]
    crowding: Option<f64>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    ensure!(arguments.seeds > 0, "--seeds is 0; ask for 1 or more");
    let usual = Choices::default();
    let taste = Taste::new(Choices {
        interruption_hours: arguments.interruption_hours.unwrap_or(usual.interruption_hours),
        most_share: arguments.most_share.unwrap_or(usual.most_share),
        crowding: arguments.crowding.unwrap_or(usual.crowding),
        ..usual
    })?;
    let strategies: Vec<Strategy> = Strategy::ALL
        .into_iter()
        .filter(|strategy| strategy.name().contains(&arguments.only))
        .collect();
    ensure!(
        !strategies.is_empty(),
        "no strategy has `{}` in its name",
        arguments.only
    );
    let to = arguments.from + arguments.seeds;
    for coupling in Coupling::ALL {
        let runs = runs(arguments.from..to, &strategies, coupling, taste)?;
        println!(
            "\n{} Seeds {} to {} in {} regions, {} instances for {} days after {}. Mean ± deviation over the runs.\n\n{HEADER}",
            match coupling {
                Coupling::Shortage => "Prices follow capacity.",
                Coupling::Nothing => "Prices say nothing about capacity.",
            },
            arguments.from,
            to - 1,
            REGIONS.len(),
            fleet::SIZE,
            HOURS / 24,
            BEFORE / 24,
        );
        for (of, strategy) in runs.iter().zip(&strategies) {
            println!("{}", row(*strategy, of));
        }
        compare(&runs, &strategies);
    }
    Ok(())
}

/// For each strategy its outcomes, in the order of seeds and regions however the work was shared out.
fn runs(
    seeds: std::ops::Range<u64>,
    strategies: &[Strategy],
    coupling: Coupling,
    taste: Taste,
) -> Result<Vec<Vec<Outcome>>> {
    let next = AtomicU64::new(seeds.start);
    let work = || -> Result<Vec<(u64, Vec<Vec<Outcome>>)>> {
        let mut done = Vec::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return Ok(done);
            }
            let mut of_seed = vec![Vec::new(); strategies.len()];
            for region in 0..REGIONS.len() {
                let market = Market::new(seed, region, coupling)?;
                for (of, strategy) in of_seed.iter_mut().zip(strategies) {
                    of.push(fleet::run(&market, *strategy, taste)?);
                }
            }
            done.push((seed, of_seed));
        }
    };
    let mut all = thread::scope(|scope| -> Result<Vec<_>> {
        let threads = thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let mut all = Vec::new();
        for worker in workers {
            all.extend(
                worker
                    .join()
                    .map_err(|_| anyhow!("a thread of the replay panicked"))??,
            );
        }
        Ok(all)
    })
    .context("the replay did not end")?;
    all.sort_by_key(|(seed, _)| *seed);
    let mut runs = vec![Vec::new(); strategies.len()];
    for (_, of_seed) in all {
        for (of, one) in runs.iter_mut().zip(of_seed) {
            of.extend(one);
        }
    }
    Ok(runs)
}

/// Run by run: ours and each other in the same history.
fn compare(runs: &[Vec<Outcome>], strategies: &[Strategy]) {
    let (Some(first), Some(ours)) = (strategies.first(), runs.first()) else {
        return;
    };
    println!(
        "\n`{}` in the same history, difference ± standard error (below in so many of {} runs):\n\n\
         | against | cost, points | interruptions in 1,000 h | worst hour, points | cost with interruptions at 24 h, points |\n\
         |---|---|---|---|---|",
        first.name(),
        ours.len()
    );
    for (other, strategy) in runs.iter().zip(strategies).skip(1) {
        let figures: [Figure<'_>; 4] = [
            &|of| of.cost * 100.0,
            &|of| of.interruptions,
            &|of| of.worst_hour * 100.0,
            &|of| whole(of, 24.0) * 100.0,
        ];
        let told = figures.map(|figure| {
            let of = |runs: &[Outcome]| runs.iter().map(figure).collect::<Vec<_>>();
            let (below, mean, error) = paired(&of(ours), &of(other));
            format!("{mean:+.2} ± {error:.2} ({below})")
        });
        println!("| {} | {} |", strategy.name(), told.join(" | "));
    }
}
