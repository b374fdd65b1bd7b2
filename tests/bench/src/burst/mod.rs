//! Many nodes at once on a real API server: notice -> all cordoned, -> all drained; and what that costs.

mod ground;
mod ours;

use std::time::{Duration, Instant};

use anyhow::Result;
use hollowtrees_harness::{
    ControlPlane,
    control_plane::{Part, fixtures},
    kubectl,
};
use jiff::SignedDuration;
use serde_json::{Value, json};

use ground::{Ground, Way};
use hollowtrees_bench::{sample::Latencies, table::Table};
use ours::{Drained, Ours, Told};

/// As many cordons and requests about pods as the drain worker has under way at once.
const CORDONS: usize = 32;
const AT_ONCE: usize = 64;
/// The notice that a spot instance is given.
const NOTICE: SignedDuration = SignedDuration::from_mins(2);
/// Longer than any burst takes, for rows that are not about deadlines.
const LONG: SignedDuration = SignedDuration::from_mins(15);

/// A process has given back by then what it does not need any more.
const SETTLED: Duration = Duration::from_secs(20);

/// A burst of so many nodes with so many pods each, by evictions.
pub(crate) async fn burst(table: &mut Table, nodes: usize, pods: usize) -> Result<()> {
    let plane = ControlPlane::start().await?;
    let floor = Ground::prepare(&plane, "floor", nodes, pods, |_| "x").await?;
    let floor = floor.bare(Way::Evict, CORDONS, AT_ONCE).await?;
    let ground = Ground::prepare(&plane, "ours", nodes, pods, |_| "x").await?;
    let ours = Ours::start(&plane, &[("HT_PODS__UNBUDGETED", "evict")]).await?;
    let told = Box::pin(ours.drain(&ground, |_| LONG)).await?;
    let what = format!("burst, {nodes} nodes x {pods} pods");
    let (cordoned, drained) = (cordoned(&told.nodes), drained(&told.nodes));
    table.ratio(
        &format!("{what}, notice -> all cordoned"),
        cordoned.max(),
        floor.cordoned,
        Some(2.0),
    );
    table.limit(
        &format!("{what}, notice -> cordoned, p50"),
        cordoned.quantile(0.5).as_secs_f64(),
        "s",
        Some(1.0),
    );
    table.ratio(
        &format!("{what}, notice -> all drained"),
        drained.max(),
        floor.drained,
        Some(1.15),
    );
    let evictions = format!("{what}, all drained, beside the evictions alone");
    table.ratio(&evictions, drained.max(), floor.asked, None);
    let half = drained.quantile(0.5).as_secs_f64() / drained.max().as_secs_f64();
    table.limit(
        &format!("{what}, half of them drained, of the whole time"),
        half * 100.0,
        "%",
        Some(60.0),
    );
    overdue(table, &what, &told);
    costs(table, &what, &told, nodes, pods);
    Ok(())
}

/// The same by deletions, since no budget covers any pod.
pub(crate) async fn delete(table: &mut Table, nodes: usize, pods: usize) -> Result<()> {
    let plane = ControlPlane::start().await?;
    let floor = Ground::prepare(&plane, "floor", nodes, pods, |_| "x").await?;
    let floor = floor.bare(Way::Delete, CORDONS, AT_ONCE).await?;
    let ground = Ground::prepare(&plane, "ours", nodes, pods, |_| "x").await?;
    let ours = Ours::start(&plane, &[("HT_PODS__UNBUDGETED", "delete")]).await?;
    let told = Box::pin(ours.drain(&ground, |_| LONG)).await?;
    let what = format!("burst by deletions, {nodes} nodes x {pods} pods");
    let drained = drained(&told.nodes).max();
    table.ratio(
        &format!("{what}, notice -> all drained"),
        drained,
        floor.drained,
        Some(1.15),
    );
    table.ratio(
        &format!("{what}, all drained, beside the deletions alone"),
        drained,
        floor.asked,
        None,
    );
    overdue(table, &what, &told);
    costs(table, &what, &told, nodes, pods);
    Ok(())
}

/// A tenth of the nodes is kept by a budget that allows nothing; the others must not notice.
pub(crate) async fn blocked(table: &mut Table, nodes: usize, pods: usize) -> Result<()> {
    let plane = ControlPlane::start().await?;
    let options = [("HT_PODS__UNBUDGETED", "evict")];
    let free = Ground::prepare(&plane, "free", nodes - nodes / 10, pods, |_| "x").await?;
    let ours = Ours::start(&plane, &options).await?;
    let alone = drained(&Box::pin(ours.drain(&free, |_| NOTICE)).await?.nodes).max();
    drop(ours);
    let is_blocked = |node: usize| node.is_multiple_of(10);
    let app = |node| if is_blocked(node) { "kept" } else { "x" };
    let ground = Ground::prepare(&plane, "mixed", nodes, pods, app).await?;
    ground.forbid("kept").await?;
    let ours = Ours::start(&plane, &options).await?;
    let told = Box::pin(ours.drain(&ground, |_| NOTICE)).await?;
    let kept: Vec<String> = (0..nodes)
        .filter(|node| is_blocked(*node))
        .map(|node| fixtures::instance_id(&ground.name, node))
        .collect();
    let (blocked, free): (Vec<Drained>, Vec<Drained>) = told
        .nodes
        .into_iter()
        .partition(|node| kept.contains(&node.instance));
    let what = format!("{nodes} nodes x {pods} pods, {} of them blocked", blocked.len());
    table.ratio(
        &format!("{what}: the free ones, beside as many alone"),
        drained(&free).max(),
        alone,
        Some(1.1),
    );
    let late = blocked.iter().filter(|node| !node.in_time).count();
    table.limit(
        &format!("{what}: blocked ones not drained in time"),
        count(late),
        "",
        Some(0.0),
    );
    let forced: usize = blocked.iter().map(|node| node.count("forced")).sum();
    table.limit(
        &format!("{what}: pods deleted past their budgets"),
        count(forced),
        "",
        None,
    );
    let tries = told.tries.values().copied().max().unwrap_or_default();
    table.limit(
        &format!("{what}: tries of a pod, at most"),
        count(tries),
        "",
        Some(20.0),
    );
    table.limit(
        &format!("{what}: answered 409, 422 or 429"),
        count(told.repeated),
        "",
        None,
    );
    Ok(())
}

/// All at once, with deadlines from two minutes on, spread over ten.
pub(crate) async fn spread(table: &mut Table, nodes: usize, pods: usize) -> Result<()> {
    let plane = ControlPlane::start().await?;
    let ground = Ground::prepare(&plane, "spread", nodes, pods, |_| "x").await?;
    let ours = Ours::start(&plane, &[]).await?;
    let span = i64::try_from(nodes)?;
    let deadline = |node: usize| {
        let node = i64::try_from(node).unwrap_or_default();
        NOTICE + SignedDuration::from_millis(node * 600_000 / span)
    };
    let told = Box::pin(ours.drain(&ground, deadline)).await?;
    let what = format!("{nodes} nodes x {pods} pods, deadlines over ten minutes");
    let late = told.nodes.iter().filter(|node| !node.in_time).count();
    table.limit(
        &format!("{what}: not drained in time"),
        count(late),
        "",
        Some(0.0),
    );
    let (cordoned, drained) = (cordoned(&told.nodes), drained(&told.nodes));
    table.limit(
        &format!("{what}: all cordoned"),
        cordoned.max().as_secs_f64(),
        "s",
        None,
    );
    table.limit(
        &format!("{what}: all drained"),
        drained.max().as_secs_f64(),
        "s",
        None,
    );
    costs(table, &what, &told, nodes, pods);
    Ok(())
}

/// Start and memory of the drain worker in a large cluster that does not move.
pub(crate) async fn cache(table: &mut Table, nodes: usize, pods: usize) -> Result<()> {
    let plane = ControlPlane::start().await?;
    let empty = Ours::start(&plane, &[]).await?;
    tokio::time::sleep(SETTLED).await;
    let (base, _) = empty.memory()?;
    drop(empty);
    // Its pods never start: only their objects count.
    plane.kill(Part::Kubelet);
    let admin = plane.client()?;
    admin.namespace("large").await?;
    admin
        .post_all("/api/v1/nodes", fixtures::nodes("large", nodes))
        .await?;
    let all = (0..nodes * pods).map(|i| realistic(i, &format!("large-{}", i % nodes)));
    admin.post_all(&ground::pods_path("large"), all).await?;
    let began = Instant::now();
    let ours = Ours::start(&plane, &[]).await?;
    let started = began.elapsed();
    let (_, peak) = ours.memory()?;
    // What was needed to read it all is given back some seconds later.
    tokio::time::sleep(SETTLED).await;
    let (now, _) = ours.memory()?;
    let what = format!("drain worker, {nodes} nodes, {} pods", nodes * pods);
    table.limit(
        &format!("{what}: started and ready, the router before it included"),
        started.as_secs_f64(),
        "s",
        Some(5.0),
    );
    table.limit(&format!("{what}: resident"), now, "MiB", Some(120.0));
    table.limit(
        &format!("{what}: most resident ever, while all was read"),
        peak,
        "MiB",
        Some(120.0),
    );
    let a_pod = (now - base) * 1024.0 / count(nodes * pods);
    table.limit(
        &format!("{what}: a pod, over the same without any"),
        a_pod,
        "KiB",
        Some(1.5),
    );
    Ok(())
}

/// The bare requests, so many at once.
pub(crate) async fn floors(table: &mut Table, nodes: usize, pods: usize) -> Result<()> {
    for at_once in [1, 16, 64] {
        // One at a time takes its time.
        let nodes = if at_once == 1 { (nodes / 10).max(1) } else { nodes };
        let plane = ControlPlane::start().await?;
        for (way, asked) in [(Way::Evict, "evictions"), (Way::Delete, "deletions")] {
            let ground = Ground::prepare(&plane, asked, nodes, pods, |_| "x").await?;
            let bare = ground.bare(way, at_once, at_once).await?;
            let rate = |count: usize, took: Duration| self::count(count) / took.as_secs_f64();
            let what = format!("floor, {at_once} at once");
            table.limit(
                &format!("{what}: cordons"),
                rate(nodes, bare.cordoned),
                "/s",
                None,
            );
            table.limit(
                &format!("{what}: {asked}"),
                rate(nodes * pods, bare.asked),
                "/s",
                None,
            );
        }
    }
    Ok(())
}

/// What `kubectl drain` is made of, with two minutes.
pub(crate) async fn peers(table: &mut Table, nodes: usize, pods: usize) -> Result<()> {
    for (goroutines, qps) in [(10, 5), (10, 200), (100, 5), (100, 200)] {
        let plane = ControlPlane::start().await?;
        let ground = Ground::prepare(&plane, "peer", nodes, pods, |_| "x").await?;
        let names = (0..ground.nodes()).map(|node| format!("peer-{node}"));
        let limit = Duration::try_from(NOTICE)?;
        let report = kubectl::Drain::of(names)
            .with("force", true)
            .with("goroutines", goroutines)
            .with("within", format!("{}s", limit.as_secs()))
            .client(qps, qps)
            .run(plane.kubeconfig(), limit * 3)
            .await?;
        let by = |at: Option<Duration>| at.is_some_and(|at| at <= limit);
        let cordoned = report.nodes.iter().filter(|node| by(node.cordoned)).count();
        let is_drained = |node: &&kubectl::Drained| node.errors.is_empty() && by(Some(node.drained));
        let drained = report.nodes.iter().filter(is_drained).count();
        let what = format!(
            "kubectl's drain, {goroutines} goroutines, {qps} requests a second, {nodes} nodes x {pods} pods"
        );
        table.limit(
            &format!("{what}: cordoned after two minutes"),
            count(cordoned),
            "",
            None,
        );
        table.limit(
            &format!("{what}: drained after two minutes"),
            count(drained),
            "",
            None,
        );
        table.limit(
            &format!("{what}: ended after"),
            report.took.as_secs_f64(),
            "s",
            None,
        );
    }
    Ok(())
}

fn costs(table: &mut Table, what: &str, told: &Told, nodes: usize, pods: usize) {
    table.limit(
        &format!("{what}, requests a node"),
        count(told.requests) / count(nodes),
        "",
        Some(count(pods + 3)),
    );
    table.limit(
        &format!("{what}, answered 409, 422 or 429"),
        count(told.repeated),
        "",
        None,
    );
    let (ours, server) = told.cpu;
    let share = 100.0 * ours.as_secs_f64() / server.as_secs_f64();
    table.limit(
        &format!("{what}, processor time of the drain worker, of the API server's"),
        share,
        "%",
        Some(15.0),
    );
    table.limit(
        &format!("{what}, drain worker's most memory"),
        told.peak_mib,
        "MiB",
        // The bar is that of 1,000 nodes; it grows with them.
        (nodes <= 1_000).then_some(120.0),
    );
}

/// Where all nodes have the notice that EC2 gives.
fn overdue(table: &mut Table, what: &str, told: &Told) {
    let over = |node: &&Drained| node.drained > Duration::from_secs(120);
    table.limit(
        &format!("{what}, drained after more than 120 s"),
        count(told.nodes.iter().filter(over).count()),
        "",
        None,
    );
}

fn cordoned(nodes: &[Drained]) -> Latencies {
    Latencies::of(nodes.iter().map(|node| node.cordoned).collect())
}

fn drained(nodes: &[Drained]) -> Latencies {
    Latencies::of(nodes.iter().map(|node| node.drained).collect())
}

#[allow(clippy::cast_precision_loss, reason = "a count")]
fn count(of: usize) -> f64 {
    of as f64
}

/// A pod with as much about it as those of a real cluster have, about 4 KiB.
fn realistic(i: usize, node: &str) -> Value {
    let app = format!("service-{}", i / 30);
    let mut pod = fixtures::pod("", "", node);
    let env: Vec<Value> = (0..20)
        .map(|n| json!({"name": format!("SETTING_{n}"), "value": format!("a value of some length for {n}")}))
        .collect();
    let metadata = json!({
        "name": format!("{app}-{i:x}"),
        "labels": {
            "app": app,
            "app.kubernetes.io/name": app,
            "app.kubernetes.io/instance": app,
            "app.kubernetes.io/version": "1.2.3",
            "pod-template-hash": format!("{:010x}", i / 30),
        },
        "annotations": {
            "prometheus.io/scrape": "true",
            "checksum/config": "0123456789abcdef".repeat(4),
            "example.com/last-applied": "x".repeat(1_000),
        },
    });
    let container = json!({"name": "main", "image": "simulated", "env": env});
    for (pointer, part) in [("/metadata", metadata), ("/spec/containers/0", container)] {
        if let Some(place) = pod.pointer_mut(pointer) {
            *place = part;
        }
    }
    pod
}
