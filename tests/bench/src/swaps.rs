//! Many swaps of many groups at once, beside a bare loop that makes the calls which have to be made and nothing else.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use hollowtrees_aws::{Aws, Keys, Options, Region};
use hollowtrees_bench::table::Table;
use hollowtrees_bus::read::{From, Until};
use hollowtrees_domain::swap::{
    joint,
    world::{Blueprint, Group, Launch, Life, Source, SpotMarket, Standing},
};
use hollowtrees_harness::{self as harness, aws::NewGroup};
use hollowtrees_schemas::{
    envelope::Envelope,
    names::{Stream, result},
    outgoing::Outgoing,
    proto,
};

use crate::{
    roles::Role,
    setup::{Setup, action_of},
};

const REGION: &str = "us-east-1";
const GROUPS: u32 = 20;
/// Longest time for either.
const BOUND: Duration = Duration::from_secs(900);

/// All members of twenty groups replaced, by so many replicas of the worker. The floor goes before and after ours, and the mean
/// of both counts.
pub(crate) async fn swaps(table: &mut Table, count: u32, replicas: usize) -> Result<()> {
    let each = (count / GROUPS).max(1);
    let before = floor(each).await?;
    let (ours, calls) = ours(each, replicas).await?;
    let after = floor(each).await?;
    let swaps = each * GROUPS;
    table.ratio(
        &format!("{swaps} swaps of {GROUPS} groups at once{}", by(replicas)),
        ours,
        (before + after) / 2,
        Some(2.0),
    );
    let others: u32 = calls
        .iter()
        .filter(|(action, _)| *action != "RunInstances")
        .map(|(_, made)| made.count)
        .sum();
    let per_swap = f64::from(others) / f64::from(swaps);
    let row = format!("calls a swap, apart from launches{}", by(replicas));
    table.limit(&row, per_swap, "calls", Some(2.0));
    println!();
    println!("| call | made | first | last |");
    println!("|---|---|---|---|");
    for (action, made) in &calls {
        let [first, last] = [made.first, made.last].map(|at| at.as_secs_f64());
        println!("| {action} | {} | {first:.2} s | {last:.2} s |", made.count);
    }
    println!();
    Ok(())
}

/// Calls of one kind, and when the first and the last of them came, from the first action on.
#[derive(Default)]
struct Made {
    count: u32,
    first: Duration,
    last: Duration,
}

/// Groups, and their members apart from each other as a cloud takes them.
async fn groups(cloud: &harness::Aws, each: u32) -> Result<Vec<String>> {
    let mut olds = Vec::new();
    for number in 0..GROUPS {
        let group = NewGroup::new(&name(number))
            .zones(&["us-east-1a", "us-east-1b"])
            .sizes(each, each, each)
            .spot();
        let made = cloud.create(&group).await?;
        olds.extend(made.members.into_iter().map(|(id, _)| id));
    }
    olds.sort_by_key(|old| old.chars().rev().collect::<String>());
    cloud.forget_calls();
    Ok(olds)
}

/// What a row says of it; nothing of one.
fn by(replicas: usize) -> String {
    match replicas {
        1 => String::new(),
        more => format!(", {more} replicas"),
    }
}

fn name(number: u32) -> String {
    format!("group-{number}")
}

/// From the first action to the last outcome, and the calls that were made.
async fn ours(each: u32, replicas: usize) -> Result<(Duration, BTreeMap<String, Made>)> {
    let cloud = harness::Aws::start().await?;
    let olds = groups(&cloud, each).await?;
    let setup = Setup::start().await?;
    let env = cloud.env(REGION);
    let mut workers = Vec::new();
    for _ in 0..replicas {
        workers.push(setup.process(Role::AsgSwap, &env).await?);
    }
    cloud.forget_calls();
    let began = Instant::now();
    for old in &olds {
        setup.bus.publish(&action(old)?, None).await?;
    }
    let mut reading = setup
        .bus
        .read(Stream::Outcomes, &[], From::First, Until::Stopped)
        .await?;
    let mut ended = 0;
    while ended < olds.len() {
        let left = (began + BOUND).saturating_duration_since(Instant::now());
        let next = tokio::time::timeout(left, reading.next())
            .await
            .with_context(|| format!("only {ended} of {} swaps ended", olds.len()))??;
        let stored = next.context("the stream ended")?;
        let outcome = Envelope::<proto::Outcome>::decode(&stored.wire)?.data;
        if result::is_final(&outcome.result) {
            if outcome.result != result::SUCCEEDED {
                bail!("a swap came to nothing: {outcome:?}");
            }
            ended += 1;
        }
    }
    let took = began.elapsed();
    drop(workers);
    let mut calls: BTreeMap<String, Made> = BTreeMap::new();
    for (at, call) in cloud.timed_calls() {
        let made = calls.entry(call.action).or_default();
        made.last = at.saturating_duration_since(began);
        if made.count == 0 {
            made.first = made.last;
        }
        made.count += 1;
    }
    Ok((took, calls))
}

fn action(old: &str) -> Result<Outgoing> {
    let target = proto::Target {
        provider: "aws".to_owned(),
        account: "123456789012".to_owned(),
        region: REGION.to_owned(),
        ..proto::Target::default()
    };
    action_of("asg-swap", old, Some(target))
}

/// A script that knows what is to be done: all launches at once, everything else for a whole group in one call.
async fn floor(each: u32) -> Result<Duration> {
    let cloud = harness::Aws::start().await?;
    let olds = groups(&cloud, each).await?;
    let options = Options {
        region: Some(REGION.to_owned()),
        endpoint: Some(cloud.url()),
        keys: Some(Keys::new("testbed", "testbed")),
        ..Options::default()
    };
    let region = Box::pin(Aws::connect(&options)).await?.region(REGION);
    let began = Instant::now();
    let mut of_group: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for asked in olds.chunks(hollowtrees_aws::groups::MEMBERSHIPS_AT_ONCE) {
        for (old, membership) in region.memberships(asked).await? {
            of_group.entry(membership.group).or_default().push(old);
        }
    }
    let names: Vec<String> = of_group.keys().cloned().collect();
    let groups = region.groups(&names).await?;
    let mut launches = Vec::new();
    for (name, olds) in &of_group {
        let group = groups.get(name).context("the group")?;
        for old in olds {
            let (region, launch) = (region.clone(), launch(&region, group, old).await?);
            let name = name.clone();
            launches.push(tokio::spawn(async move {
                anyhow::Ok((name, Box::pin(region.launch(&launch)).await?.id))
            }));
        }
    }
    let mut news: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for launch in launches {
        let (name, new) = launch.await??;
        news.entry(name).or_default().push(new);
    }
    let all: Vec<String> = news.values().flatten().cloned().collect();
    for asked in all.chunks(hollowtrees_aws::lookup::AT_ONCE) {
        let seen = region.instances(asked).await?;
        if seen.len() < asked.len() || seen.values().any(|seen| seen.life != Life::Running) {
            bail!("what was launched does not run");
        }
    }
    let changes = of_group.into_iter().map(|(name, olds)| {
        let (region, max) = (region.clone(), groups.get(&name).map(|group| group.sizes.max));
        let new = news.remove(&name).unwrap_or_default();
        tokio::spawn(async move {
            let max = max.context("the group")?;
            region.set_max(&name, max + each).await?;
            for some in new.chunks(joint::MOST) {
                region.attach(&name, some).await?;
            }
            let seen = region.group(&name).await?.context("the group")?;
            let serve = seen
                .members
                .iter()
                .filter(|member| member.standing == Standing::InService);
            if serve.count() < olds.len() + new.len() {
                bail!("what was attached is not in service");
            }
            for some in olds.chunks(joint::MOST) {
                region.detach(&name, some, true).await?;
            }
            region.set_max(&name, max).await?;
            anyhow::Ok(())
        })
    });
    for change in changes.collect::<Vec<_>>() {
        change.await??;
    }
    Ok(began.elapsed())
}

async fn launch(region: &Region, group: &Group, old: &str) -> Result<Launch> {
    let Source::Template(named) = &group.source else {
        bail!("the group has no launch template");
    };
    let template = region.template(named).await?;
    Ok(Launch {
        blueprint: Blueprint::Template(template.resolved),
        image: None,
        instance_type: template.instance_type.context("a type")?,
        subnet: group.subnets.first().context("a subnet")?.id.clone(),
        placement_group: None,
        reserved: None,
        spot: Some(SpotMarket::default()),
        token: format!("bench-{old}"),
        tags: BTreeMap::new(),
    })
}
