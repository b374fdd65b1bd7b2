//! A full queue of SQS to the bus, beside a bare loop that only takes and deletes.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use hollowtrees_aws::{Aws, Keys, Options};
use hollowtrees_bench::table::Table;
use hollowtrees_bus::read::{From, Until};
use hollowtrees_harness as harness;
use hollowtrees_schemas::names::Stream;

use crate::{roles::Role, setup::Setup};

const REGION: &str = "us-east-1";
/// Polls at once: the gateway's default, and the floor's.
const POLLS: usize = 8;
/// As long as the gateway's default.
const HIDDEN: Duration = Duration::from_secs(20);
/// Calls in which the instances of a thousand messages are looked up, at most.
const LOOKUPS: f64 = 20.0;
/// Longest time for either.
const BOUND: Duration = Duration::from_secs(900);

/// Messages in moto's SQS, all on the stream; the floor: all taken and deleted, as many polls at once. The floor goes
/// before and after ours, and the mean of both counts: moto and the machine are not the same twice.
pub(crate) async fn sqs(table: &mut Table, count: usize) -> Result<()> {
    let cloud = harness::Aws::start().await?;
    let ids = cloud
        .launch(REGION, count, &[("hollowtrees.io/cluster", "bench")])
        .await?;
    let before = floor(&cloud, "floor-before", &ids).await?;
    let (ours, calls) = ours(&cloud, &ids).await?;
    let after = floor(&cloud, "floor-after", &ids).await?;
    let floor = (before + after) / 2;
    table.ratio(
        &format!("{count} SQS messages on the stream"),
        ours,
        floor,
        Some(2.0),
    );
    #[allow(clippy::cast_precision_loss, reason = "a count of calls")]
    table.limit(
        "`DescribeInstances` for them",
        calls as f64,
        "calls",
        Some(LOOKUPS),
    );
    Ok(())
}

/// From the start of the gateway's polls (it is ready) to the last notice on the stream.
async fn ours(cloud: &harness::Aws, ids: &[String]) -> Result<(Duration, usize)> {
    let setup = Setup::start().await?;
    let queue = cloud.create_queue(REGION, "ours").await?;
    fill(cloud, &queue, ids).await?;
    cloud.forget_calls();
    let mut env = cloud.env(REGION).to_vec();
    env.extend([
        ("HT_HTTP__ENABLED", "false".to_owned()),
        ("HT_SQS__QUEUES", queue),
        ("HT_SQS__POLLS", POLLS.to_string()),
    ]);
    let began = Instant::now();
    let _gateway = setup.process(Role::Gateway, &env).await?;
    let deadline = began + BOUND;
    let mut reading = setup
        .bus
        .read(Stream::Notices, &[], From::First, Until::Stopped)
        .await?;
    for told in 0..ids.len() {
        let left = deadline.saturating_duration_since(Instant::now());
        let next = tokio::time::timeout(left, reading.next()).await;
        if next
            .with_context(|| format!("only {told} of {} notices came", ids.len()))??
            .is_none()
        {
            bail!("the stream ended after {told} notices");
        }
    }
    Ok((began.elapsed(), cloud.count("DescribeInstances")))
}

/// The same messages taken and deleted, by as many polls, and nothing else.
async fn floor(cloud: &harness::Aws, name: &str, ids: &[String]) -> Result<Duration> {
    let url = cloud.create_queue(REGION, name).await?;
    fill(cloud, &url, ids).await?;
    let options = Options {
        region: Some(REGION.to_owned()),
        endpoint: Some(cloud.url()),
        keys: Some(Keys::new("testbed", "testbed")),
        ..Options::default()
    };
    let queue = Box::pin(Aws::connect(&options)).await?.region(REGION).queue(&url);
    let began = Instant::now();
    let polls = (0..POLLS).map(|_| {
        let queue = queue.clone();
        tokio::spawn(async move {
            let mut deleted = 0;
            loop {
                let taken = queue.take(Duration::ZERO, HIDDEN).await?;
                if taken.is_empty() {
                    return anyhow::Ok(deleted);
                }
                let receipts: Vec<_> = taken.into_iter().map(|taken| taken.receipt).collect();
                queue.delete(&receipts).await?;
                deleted += receipts.len();
            }
        })
    });
    let mut deleted = 0;
    for poll in polls.collect::<Vec<_>>() {
        deleted += poll.await??;
    }
    let took = began.elapsed();
    if deleted < ids.len() {
        bail!("the bare loop deleted {deleted} of {}", ids.len());
    }
    Ok(took)
}

async fn fill(cloud: &harness::Aws, queue: &str, ids: &[String]) -> Result<()> {
    let bodies: Vec<_> = ids
        .iter()
        .map(|id| {
            format!(
                "{{\"version\": \"0\", \"id\": \"1e5527d7-bb36-4607-3370-4164db56a40e\", \"detail-type\": \"EC2 Spot \
                 Instance Interruption Warning\", \"source\": \"aws.ec2\", \"account\": \"123456789012\", \"time\": \
                 \"2026-03-02T08:20:00Z\", \"region\": \"{REGION}\", \"resources\": \
                 [\"arn:aws:ec2:us-east-1a:instance/{id}\"], \"detail\": {{\"instance-id\": \"{id}\", \
                 \"instance-action\": \"terminate\"}}}}"
            )
        })
        .collect();
    cloud.send(REGION, queue, &bodies).await?;
    Ok(())
}
