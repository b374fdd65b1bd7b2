//! How groups are manned, under the names of the original exporter.

use std::{
    collections::BTreeSet,
    io::Write,
    time::{Duration, Instant},
};

use hollowtrees_harness::{
    Worker,
    aws::{Call, NewGroup, Service},
    eventually, http_get,
    ports::Port,
    proxy::Fault,
    supervise::Signal,
};
use hollowtrees_schemas::{
    key,
    proto::{
        self,
        time::{from_proto, to_proto},
    },
};
use jiff::{SignedDuration, Timestamp};

use crate::{
    health::{balanced, nobody_is_healthy, waiting},
    policy,
    rights::listed,
    world::{BOUND, World},
};

/// The value of a series; none where it is not there.
async fn value(port: &Port, series: &str) -> Option<f64> {
    let (_, body) = http_get::get(&format!("http://{}/metrics", port.addr()))
        .await
        .unwrap();
    let text = String::from_utf8_lossy(&body).into_owned();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))?;
    line.parse().ok()
}

async fn shows(port: &Port, series: &str, expected: Option<f64>) {
    eventually(format!("{series} to be {expected:?}"), BOUND, async || {
        let found = value(port, series).await;
        let is_near = |(found, expected): (f64, f64)| (found - expected).abs() < 1e-9;
        if found == expected || found.zip(expected).is_some_and(is_near) {
            Ok(())
        } else {
            Err(format!("{found:?}"))
        }
    })
    .await;
}

/// A process that reads groups so often, ready.
async fn started(world: &World, every: &str, env: &[(&str, &str)]) -> (Worker, Port) {
    let port = Port::reserve().unwrap();
    let mut process = world.process(&port).env("HT_EXPORTER__EVERY", every);
    for (name, value) in env {
        process = process.env(*name, *value);
    }
    let process = process.start().unwrap();
    let ready = format!("http://{}/readyz", port.addr());
    process.ready(&ready, BOUND).await.unwrap();
    (process, port)
}

fn of(name: &str, group: &str) -> String {
    format!("aws_autoscaling_{name}_total{{asg_name=\"{group}\",region=\"us-east-1\"}}")
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_are_shown_as_they_are_now_and_what_they_lack() {
    let world = World::new().await;
    let members = world.group(&NewGroup::new("blue").sizes(1, 4, 4)).await;
    world.group(&NewGroup::new("green").sizes(0, 1, 1).spot()).await;
    for (member, state) in [
        (&members[0], "Pending:Wait"),
        (&members[1], "Terminating:Wait"),
        (&members[2], "Standby"),
    ] {
        world.aws.set_member_state(member, Some(state)).await.unwrap();
    }
    let (_process, port) = started(&world, "1s", &[]).await;
    for (name, expected) in [
        ("instances", 4.0),
        ("pending_instances", 1.0),
        ("inservice_instances", 1.0),
        ("standby_instances", 1.0),
        ("terminating_instances", 1.0),
    ] {
        shows(&port, &of(name, "blue"), Some(expected)).await;
    }
    shows(&port, &of("inservice_instances", "green"), Some(1.0)).await;
    shows(&port, &of("spot_instances", "green"), Some(1.0)).await;
    shows(&port, &of("spot_instances", "blue"), Some(0.0)).await;

    // Three of four lack, a read a second.
    let dip = "hollowtrees_asg_swap_capacity_dip_seconds_total{asg_name=\"blue\",region=\"us-east-1\"}";
    eventually("a dip", BOUND, async || {
        let found = value(&port, dip).await;
        if found.is_some_and(|found| found >= 9.0) {
            Ok(())
        } else {
            Err(format!("{found:?}"))
        }
    })
    .await;
    let nothing = dip.replace("blue", "green");
    assert_eq!(value(&port, &nothing).await, Some(0.0));

    // What cannot be read stays as it was, and is said.
    let fault = Service::AutoScaling.fault("InternalFailure", 500);
    world
        .aws
        .inject(fault.containing("Action=DescribeAutoScalingGroups&"));
    shows(&port, "aws_autoscaling_scrape_error", Some(1.0)).await;
    shows(&port, &of("instances", "blue"), Some(4.0)).await;
    world.aws.heal();
    shows(&port, "aws_autoscaling_scrape_error", Some(0.0)).await;

    world.aws.delete_group("green").await;
    shows(&port, &of("instances", "green"), None).await;
    shows(&port, &of("instances", "blue"), Some(4.0)).await;
    assert!(value(&port, "aws_autoscaling_scrapes_total").await.unwrap() >= 3.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_off_unless_it_is_asked_for() {
    let world = World::new().await;
    let (_process, port) = started(&world, "0s", &[]).await;
    assert_eq!(value(&port, "aws_autoscaling_scrapes_total").await, None);
    assert_eq!(world.aws.count("DescribeAutoScalingGroups"), 0);
}

const ZONE: &str = "us-east-1a";

/// The series of an instance of this group and type.
fn of_instance(name: &str, (group, instance, instance_type): (&str, &str, &str)) -> String {
    format!(
        "aws_instance_{name}{{asg_name=\"{group}\",availability_zone=\"{ZONE}\",instance_id=\"{instance}\",\
         instance_type=\"{instance_type}\",region=\"us-east-1\"}}"
    )
}

fn of_group(name: &str, group: &str) -> String {
    format!("hollowtrees_asg_swap_{name}{{asg_name=\"{group}\",region=\"us-east-1\"}}")
}

fn spot(name: &str, instance_type: &str, size: u32) -> NewGroup {
    NewGroup::new(name)
        .zones(&[ZONE])
        .types(&[instance_type])
        .sizes(0, size, size)
        .spot()
}

/// A file of prices on demand.
fn on_demand(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

#[tokio::test(flavor = "multi_thread")]
async fn spot_instances_are_priced_and_what_is_not_known_is_not_told() {
    let world = World::new().await;
    let cheap = world.group(&spot("cheap", "m5.large", 2)).await;
    let other = world.group(&spot("other", "c5.large", 1)).await;
    world
        .group(&NewGroup::new("bought").zones(&[ZONE]).sizes(0, 1, 1))
        .await;
    let [kept, goes] = [&cheap[0], &cheap[1]].map(|id| ("cheap", id.as_str(), "m5.large"));
    let unknown = ("other", other[0].as_str(), "c5.large");
    // m4.large is like m5.large (2 vCPUs, 8 GiB); a price of another zone, and of another size, say nothing of it.
    for (instance_type, zone, dollars) in [
        ("m5.large", ZONE, 0.05),
        ("m5a.large", ZONE, 0.04),
        ("m4.large", ZONE, 0.08),
        ("m4.large", "us-east-1b", 0.01),
        ("m5.4xlarge", ZONE, 0.9),
        ("c5.large", ZONE, 0.03),
    ] {
        world.aws.set_spot_price(instance_type, zone, dollars);
    }
    world.aws.set_bid(kept.1, 0.096);
    let file = on_demand(r#"{"us-east-1": {"m5.large": 0.1}, "eu-west-1": {"c5.large": 9.0}}"#);
    let env = [
        ("HT_EXPORTER__PRICES_EVERY", "1s"),
        ("HT_SWAP__ON_DEMAND", file.path().to_str().unwrap()),
    ];
    let (_process, port) = started(&world, "1s", &env).await;
    for (name, expected) in [
        ("current_price", 0.05),
        ("on_demand_price", 0.1),
        ("optimal_bid_price", 0.1),
        ("spot_bid_price", 0.096),
        ("cost_score", 0.75),
    ] {
        shows(&port, &of_instance(name, kept), Some(expected)).await;
    }
    shows(&port, &of_instance("current_price", goes), Some(0.05)).await;
    shows(&port, &of_instance("current_price", unknown), Some(0.03)).await;
    for (name, of) in [
        ("spot_bid_price", goes),
        ("on_demand_price", unknown),
        ("optimal_bid_price", unknown),
        ("stability_score", kept),
    ] {
        assert_eq!(value(&port, &of_instance(name, of)).await, None, "{name} {of:?}");
    }
    let saved = |group| of_group("saved_dollars_per_hour", group);
    shows(&port, &saved("cheap"), Some(0.1)).await;
    shows(&port, &of_group("unpriced_instances", "cheap"), Some(0.0)).await;
    shows(&port, &saved("other"), None).await;
    shows(&port, &of_group("unpriced_instances", "other"), Some(1.0)).await;
    shows(&port, &saved("bought"), Some(0.0)).await;

    // A price changes, an instance goes, a group goes.
    world.aws.set_spot_price("m5.large", ZONE, 0.06);
    shows(&port, &of_instance("current_price", kept), Some(0.06)).await;
    shows(&port, &of_instance("cost_score", kept), Some(0.5)).await;
    world.aws.hold_replacements(true).await.unwrap();
    world.aws.interrupt(goes.1).await.unwrap();
    shows(&port, &of_instance("current_price", goes), None).await;
    shows(&port, &saved("cheap"), Some(0.04)).await;
    world.aws.delete_group("other").await;
    shows(&port, &of_instance("current_price", unknown), None).await;
    shows(&port, &of_group("unpriced_instances", "other"), None).await;

    // Prices that cannot be read are said to be missing, and are those of now for a while only; the rest is shown.
    let fault = Service::Ec2.fault("UnauthorizedOperation", 403);
    world
        .aws
        .inject(fault.containing("Action=DescribeSpotPriceHistory&"));
    shows(&port, "aws_autoscaling_scrape_error", Some(1.0)).await;
    shows(&port, &of_instance("current_price", kept), None).await;
    shows(&port, &saved("cheap"), None).await;
    assert_eq!(
        value(&port, &of_instance("spot_bid_price", kept)).await,
        Some(0.096)
    );
    assert_eq!(value(&port, &of("instances", "cheap")).await, Some(1.0));
    world.aws.heal();
    shows(&port, &saved("cheap"), Some(0.04)).await;
    shows(&port, "aws_autoscaling_scrape_error", Some(0.0)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_read_of_prices_holds_no_scrape_up() {
    let world = World::new().await;
    world.group(&spot("slow", "m5.large", 1)).await;
    let slow = Fault::slow(Duration::from_secs(60));
    world
        .aws
        .inject(slow.containing("Action=DescribeSpotPriceHistory&"));
    let env = [("HT_EXPORTER__PRICES_EVERY", "1s")];
    let (_process, port) = started(&world, "1s", &env).await;
    eventually("prices to be asked for", BOUND, async || {
        if world.aws.count("DescribeInstanceTypes") > 0 {
            Ok(())
        } else {
            Err("nobody has")
        }
    })
    .await;
    // While the read waits: how the group is manned is shown before it, and is answered at once.
    shows(&port, &of("instances", "slow"), Some(1.0)).await;
    assert_eq!(value(&port, "aws_autoscaling_scrapes_total").await, Some(0.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_calls_what_the_page_of_rights_says() {
    let ours = listed("### Rights in AWS");
    let more = listed("With `exporter.prices_every`");
    let world = World::new().await;
    world.group(&spot("all", "m5.large", 1)).await;
    let (_process, port) = started(&world, "1s", &[("HT_EXPORTER__PRICES_EVERY", "1s")]).await;
    shows(&port, &of("instances", "all"), Some(1.0)).await;
    let made = || -> BTreeSet<String> { world.aws.calls().iter().map(Call::right).collect() };
    eventually("all reads of prices", BOUND, async || {
        let made = made();
        if made.is_superset(&more) {
            Ok(())
        } else {
            Err(format!("{made:?}"))
        }
    })
    .await;
    let beyond: Vec<_> = made()
        .into_iter()
        .filter(|call| !ours.contains(call) && !more.contains(call))
        .collect();
    assert!(beyond.is_empty(), "the page does not name {beyond:?}");
    assert!(more.is_disjoint(&ours), "the page names something twice");
    policy::assert_allowed(&world, &policy::page()).await;
}

/// The record of whose turn it is to show groups of this region.
async fn lease(world: &World) -> Option<proto::GroupLease> {
    let record = world.bus.groups().get(&key::group("", "us-east-1", "")).await;
    record.unwrap().and_then(|record| record.value.lease)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_replica_reads_and_shows_and_leaves_it_to_another_when_it_goes() {
    let world = World::new().await;
    world.group(&NewGroup::new("blue").sizes(1, 4, 4)).await;
    let first = started(&world, "1s", &[]).await;
    shows(&first.1, &of("instances", "blue"), Some(4.0)).await;
    world.aws.forget_calls();
    let second = started(&world, "1s", &[]).await;
    let reads = value(&first.1, "aws_autoscaling_scrapes_total").await.unwrap();
    eventually("some reads of the first", BOUND, async || {
        value(&first.1, "aws_autoscaling_scrapes_total").await.unwrap() > reads + 3.0
    })
    .await;
    let hidden = [of("instances", "blue"), of("inservice_instances", "blue")];
    for series in &hidden {
        assert_eq!(value(&second.1, series).await, None, "{series}");
    }
    assert_eq!(value(&second.1, "aws_autoscaling_scrapes_total").await, Some(0.0));

    // It goes in peace, and leaves it to the next.
    let of_first = lease(&world).await.unwrap().holder.unwrap().process;
    first.0.signal(Signal::TERM).unwrap();
    let status = first.0.exited(BOUND).await.unwrap();
    assert!(status.success(), "{status}");
    let left = lease(&world).await.map(|lease| lease.holder.unwrap().process);
    assert_ne!(left, Some(of_first), "it was given back");
    let gone = Instant::now();
    shows(&second.1, &of("instances", "blue"), Some(4.0)).await;
    let took = gone.elapsed();
    assert!(took <= hidden_for("When it ends"), "{took:?}");
}

/// How long nobody shows groups at most after this became of who did: as docs/operating.md says.
fn hidden_for(what: &str) -> Duration {
    let page = include_str!("../../../../docs/operating.md");
    let text = page.split_whitespace().collect::<Vec<_>>().join(" ");
    let said = text.split(what).nth(1).expect("the page says so");
    let seconds = said.split(" within ").nth(1).unwrap();
    Duration::from_secs(seconds.split(' ').next().unwrap().parse().unwrap())
}

/// When the turn ends that was renewed just now.
async fn renewed(world: &World) -> Timestamp {
    let until = async || from_proto(&lease(world).await.unwrap().until.unwrap()).unwrap();
    let before = until().await;
    eventually("the turn to be renewed", BOUND, async || {
        let now = until().await;
        if now > before {
            Ok(now)
        } else {
            Err(now.to_string())
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_shows_groups_dies_and_another_one_shows_them_within_what_the_page_says() {
    let world = World::new().await;
    world.group(&NewGroup::new("blue").sizes(1, 4, 4)).await;
    // Read as seldom as the page proposes: who takes over reads then, and not when it would have.
    let first = started(&world, "60s", &[]).await;
    shows(&first.1, &of("instances", "blue"), Some(4.0)).await;
    let second = started(&world, "60s", &[]).await;
    // Right after it renewed its turn nobody knows of it for longest.
    let until = renewed(&world).await;
    first.0.kill();
    let died = Instant::now();
    assert_eq!(value(&second.1, &of("instances", "blue")).await, None);
    shows(&second.1, &of("instances", "blue"), Some(4.0)).await;
    let (took, now) = (died.elapsed(), Timestamp::now());
    assert!(took <= hidden_for("when it dies"), "{took:?}");
    assert!(
        now >= until,
        "taken over at {now}, while it was another's until {until}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_passed_over_shows_nothing_until_it_has_its_turn_again() {
    let world = World::new().await;
    world.group(&NewGroup::new("blue").sizes(1, 4, 4)).await;
    let (_process, port) = started(&world, "1s", &[]).await;
    shows(&port, &of("instances", "blue"), Some(4.0)).await;
    // Somebody else has it, though this one lives.
    let key = key::group("", "us-east-1", "");
    let mut record = world.bus.groups().get(&key).await.unwrap().unwrap().value;
    let lease = record.lease.as_mut().unwrap();
    lease.action_id = "other".to_owned();
    lease.holder.as_mut().unwrap().process = "other".to_owned();
    let now = Timestamp::now();
    lease.until = Some(to_proto(now + SignedDuration::from_secs(25)));
    world.bus.groups().put(&key, &record).await.unwrap();
    shows(&port, &of("instances", "blue"), None).await;
    let reads = value(&port, "aws_autoscaling_scrapes_total").await;
    // Until that one is over.
    shows(&port, &of("instances", "blue"), Some(4.0)).await;
    assert!(value(&port, "aws_autoscaling_scrapes_total").await > reads);
}

/// How many swaps of a group a process has timed, and how long they took together; none where it shows nothing of the group.
async fn timed(port: &Port, group: &str) -> Option<(f64, f64)> {
    let count = value(port, &of_group("in_service_seconds_count", group)).await?;
    Some((
        count,
        value(port, &of_group("in_service_seconds_sum", group))
            .await
            .unwrap(),
    ))
}

fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64()
}

/// From the notice, whenever that was, to the replacement in service; the names of groups of EKS are longer than most.
#[tokio::test(flavor = "multi_thread")]
async fn swaps_are_timed_by_group_whether_groups_are_read_or_not() {
    let mut world = World::new().await;
    let long = format!("eks-workers-{}", "0123456789".repeat(9));
    let old = world.group(&NewGroup::new(&long)).await.remove(0);
    let other = world.group(&NewGroup::new("quick")).await.remove(0);
    let (_process, port) = started(&world, "0s", &[("HT_SWAP__POLL", "200ms")]).await;
    let (fault, held) = Fault::held_before();
    world
        .aws
        .inject(fault.containing("Action=AttachInstances&").times(1));
    let noticed_at = Timestamp::now() - SignedDuration::from_secs(100);
    let action = proto::Action {
        noticed_at: Some(to_proto(noticed_at)),
        ..world.action(&old, "certain")
    };
    world.send(&action).await;
    tokio::time::timeout(BOUND, held.reached())
        .await
        .expect("it is called");
    assert_eq!(timed(&port, &long).await, None, "it is not attached");
    let attached_from = Timestamp::now();
    world.aws.heal();
    drop(held);
    let outcome = world.end().await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    let ended_at = from_proto(outcome.times.unwrap().ended_at.as_ref().unwrap()).unwrap();
    let (count, sum) = timed(&port, &long).await.unwrap();
    assert_eq!(count, 1.0);
    let bounds = seconds(noticed_at, attached_from)..=seconds(noticed_at, ended_at);
    assert!(bounds.contains(&sum), "{sum} s, in {bounds:?}");

    // Two of the other group, one after the other.
    assert_eq!(timed(&port, "quick").await, None);
    let (mut least, mut most) = (0.0, 0.0);
    let mut goes = other;
    for swaps in 1..=2 {
        let action = world.action(&goes, "certain");
        let noticed_at = from_proto(action.noticed_at.as_ref().unwrap()).unwrap();
        world.send(&action).await;
        let outcome = world.end().await;
        assert_eq!(outcome.result, "succeeded", "{outcome:?}");
        let times = outcome.times.unwrap();
        least += seconds(
            noticed_at,
            from_proto(times.started_at.as_ref().unwrap()).unwrap(),
        );
        most += seconds(noticed_at, from_proto(times.ended_at.as_ref().unwrap()).unwrap());
        let (count, sum) = timed(&port, "quick").await.unwrap();
        assert_eq!(count, f64::from(swaps));
        assert!((least..=most).contains(&sum), "{sum} s, in {least}..={most}");
        goes = world.members("quick").await.remove(0);
    }
    assert_eq!(timed(&port, &long).await, Some((1.0, sum)), "it is another group");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swap_that_is_taken_over_is_timed_once() {
    let mut world = World::new().await;
    let (old, _) = balanced(&world, "g").await;
    // Its replacement serves, and the swap waits for more.
    world.aws.inject(nobody_is_healthy("i-0aaaaaaaaaaaaaaaa"));
    let env = [("HT_SWAP__POLL", "200ms")];
    let (first, port) = started(&world, "0s", &env).await;
    world.send(&waiting(&world, &old, "5m")).await;
    world.fact("in-service").await;
    eventually("the swap to be timed", BOUND, async || {
        timed(&port, "g").await.is_some_and(|(count, _)| count == 1.0)
    })
    .await;
    first.kill();
    let (_second, port) = started(&world, "0s", &env).await;
    // It finds the replacement in service.
    world.fact("in-service").await;
    world.aws.heal();
    let outcome = world.end().await;
    assert_eq!(
        (outcome.result.as_str(), outcome.attempt),
        ("succeeded", 2),
        "{outcome:?}"
    );
    assert_eq!(timed(&port, "g").await, None, "the first one has counted it");
}
