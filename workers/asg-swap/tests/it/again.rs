//! What fell back to on demand goes back to spot.

use std::time::Duration;

use hollowtrees_asg_swap::config::Orphans;
use hollowtrees_bus::read::{From, Until};
use hollowtrees_harness::{
    aws::{NewGroup, Service},
    eventually,
};
use hollowtrees_schemas::{
    envelope::Envelope,
    id::IncidentKey,
    key,
    names::Stream,
    proto::{self, time::to_proto},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::{
    sweep::{Replica, over},
    world::{ACCOUNT, BOUND, CLUSTER, REGION, World, detail, params},
};

const ZONE: &str = "us-east-1a";
const TAG: &str = "hollowtrees.io/fell-back";
/// As long as a test may wait for the second span.
const EVERY: Duration = Duration::from_secs(10);

fn group(name: &str) -> NewGroup {
    NewGroup::new(name)
        .zones(&[ZONE])
        .types(&["m5.large", "m4.large", "c5.large"])
        .sizes(1, 1, 2)
        .spot()
        .tag("hollowtrees.io/fallback", "on-demand", false)
}

/// EC2 has no spot instances to give.
fn no_spot(world: &World) {
    let fault = Service::Ec2
        .fault("InsufficientInstanceCapacity", 500)
        .containing("Action=RunInstances&")
        .containing("MarketType=spot");
    world.aws.inject(fault);
}

/// Members of a new group that fell back while there was no spot, and what the rule says then.
async fn fallen(world: &mut World, group: &NewGroup, name: &str, rule: serde_json::Value) -> Vec<String> {
    no_spot(world);
    let olds = world.group(group).await;
    let mut fallen = Vec::new();
    for old in &olds {
        let action = proto::Action {
            params: params(rule.clone()),
            ..world.action(old, "certain")
        };
        world.send(&action).await;
        let outcome = world.end().await;
        assert_eq!(outcome.result, "succeeded", "{outcome:?}");
        let new = world.replacements(old).await.remove(0);
        assert_eq!((new.spot, new.tags[TAG].as_str()), (false, "true"), "{new:?}");
        fallen.push(new.id);
    }
    let mut members = world.members(name).await;
    members.sort();
    let mut expected = fallen.clone();
    expected.sort();
    assert_eq!(members, expected);
    fallen
}

fn fact(kind: &str, event: &str, state: &str, at: Timestamp) -> proto::Fact {
    proto::Fact {
        kind: kind.to_owned(),
        event_id: event.to_owned(),
        state: state.to_owned(),
        noticed_at: Some(to_proto(at)),
        ..proto::Fact::default()
    }
}

/// Writes an incident as the router makes it of such notices, with a run in this phase that drains nothing.
async fn incident(world: &World, instance: &str, state: &str, facts: Vec<proto::Fact>, phase: &str) {
    incident_in("live", world, instance, state, facts, phase).await;
}

async fn incident_in(
    mode: &str,
    world: &World,
    instance: &str,
    state: &str,
    facts: Vec<proto::Fact>,
    phase: &str,
) {
    let record = proto::Incident {
        schema: 1,
        cluster: CLUSTER.to_owned(),
        instance: instance.to_owned(),
        mode: mode.to_owned(),
        generation: 1,
        state: state.to_owned(),
        facts,
        runs: vec![proto::RunRef {
            rule: "again".to_owned(),
            certainty: "advisory".to_owned(),
        }],
        ..proto::Incident::default()
    };
    let run = proto::Run {
        schema: 1,
        cluster: CLUSTER.to_owned(),
        instance: instance.to_owned(),
        generation: 1,
        rule: "again".to_owned(),
        certainty: "advisory".to_owned(),
        phase: phase.to_owned(),
        ..proto::Run::default()
    };
    let of = IncidentKey::new(CLUSTER, instance, mode);
    world
        .bus
        .incidents()
        .put(&key::incident(&of), &record)
        .await
        .unwrap();
    let key = key::run(&of, 1, "again", "advisory");
    world.bus.runs().put(&key, &run).await.unwrap();
}

/// An attempt stands.
async fn may_go_back(world: &World, instance: &str) {
    let stands = fact("spot-again", "from-1", "active", Timestamp::now());
    incident(world, instance, "open", vec![stands], "running").await;
}

/// All notices, in their order.
async fn notices(world: &World) -> Vec<proto::Notice> {
    let reading = world
        .bus
        .read(Stream::Notices, &[], From::First, Until::Present)
        .await;
    let mut reading = reading.unwrap();
    let mut found = Vec::new();
    while let Some(message) = reading.next().await.unwrap() {
        found.push(Envelope::<proto::Notice>::decode(&message.wire).unwrap().data);
    }
    found
}

/// A sweep by this replica, whoever had the turn before: what was told.
async fn sweep(world: &World, replica: &Replica) -> Vec<String> {
    over(world).await;
    replica.sweep(world).await.again
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_told_once_a_while_of_what_fell_back_though_two_replicas_sweep() {
    let mut world = World::with(&[("HT_SWAP__SPOT_AGAIN", "1h")]).await;
    let worker = world.worker().await;
    let instance = fallen(&mut world, &group("told"), "told", json!({}))
        .await
        .remove(0);
    let patient = Replica::new(&world, Orphans::Report).await;
    assert_eq!(
        sweep(&world, &patient).await,
        Vec::<String>::new(),
        "it is too young"
    );
    world.settings.swap.spot_again = Duration::ZERO;
    let never = Replica::new(&world, Orphans::Report).await;
    world.settings.swap.spot_again = EVERY;
    // Orphans are nobody's concern here.
    let (a, b) = (
        Replica::new(&world, Orphans::Off).await,
        Replica::new(&world, Orphans::Report).await,
    );
    let begun = vec![format!("{instance} begun")];
    eventually("an attempt to be told", BOUND, async || {
        let told = sweep(&world, &a).await;
        if told == begun {
            Ok(())
        } else {
            Err(format!("{told:?}"))
        }
    })
    .await;
    // The router is away: nobody knows of it. It is the same notice.
    assert_eq!(sweep(&world, &b).await, begun);
    let told = notices(&world).await;
    assert_eq!(told.len(), 1, "{told:?}");
    let notice = &told[0];
    assert_eq!(
        (
            notice.cluster.as_str(),
            notice.kind.as_str(),
            notice.instance.as_str()
        ),
        (CLUSTER, "spot-again", instance.as_str())
    );
    assert_eq!(
        (
            notice.account.as_str(),
            notice.region.as_str(),
            notice.group.as_str()
        ),
        (ACCOUNT, REGION, "told")
    );
    assert_eq!((notice.certainty.as_str(), &notice.deadline), ("advisory", &None));
    assert_eq!(sweep(&world, &never).await, Vec::<String>::new(), "it is off");

    // While its runs are under way nothing is told, however long; then it is withdrawn, once.
    let long_ago = Timestamp::now() - SignedDuration::from_mins(5);
    let facts = |state: &str, at| vec![fact("spot-again", &notice.event_id, state, at)];
    incident(&world, &instance, "open", facts("active", long_ago), "running").await;
    assert_eq!(sweep(&world, &a).await, Vec::<String>::new());
    incident(&world, &instance, "open", facts("active", long_ago), "finished").await;
    let over = vec![format!("{instance} over")];
    assert_eq!(sweep(&world, &a).await, over);
    assert_eq!(sweep(&world, &b).await, over);
    let told = notices(&world).await;
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(
        (told[1].state.as_str(), &told[1].event_id),
        ("cancelled", &notice.event_id)
    );
    // The router closes its incident; the next attempt comes when it is time.
    incident(
        &world,
        &instance,
        "closed",
        facts("cancelled", Timestamp::now()),
        "finished",
    )
    .await;
    assert_eq!(sweep(&world, &a).await, Vec::<String>::new());
    incident(
        &world,
        &instance,
        "closed",
        facts("cancelled", long_ago),
        "finished",
    )
    .await;
    eventually("the next attempt", BOUND, async || {
        assert_eq!(sweep(&world, &a).await, begun);
        let told = notices(&world).await;
        // In the span of the first it is the same notice.
        told.get(2).is_some_and(|next| next.event_id != notice.event_id)
    })
    .await;
    // One that goes anyway is left alone.
    let goes = fact("scheduled-maintenance", "e", "active", long_ago);
    incident(&world, &instance, "open", vec![goes], "running").await;
    assert_eq!(sweep(&world, &a).await, Vec::<String>::new());
    assert!(a.shows("hollowtrees_asg_swap_back_to_spot_total{what=\"over\"} 1"));
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_of_a_group_at_once_than_may_be() {
    let mut world = World::with(&[("HT_SWAP__SPOT_AGAIN_AT_ONCE", "1")]).await;
    let worker = world.worker().await;
    let fallen = fallen(&mut world, &group("few").sizes(3, 3, 6), "few", json!({})).await;
    world.settings.swap.spot_again = EVERY;
    let replica = Replica::new(&world, Orphans::Report).await;
    eventually("an attempt to be told", BOUND, async || {
        !sweep(&world, &replica).await.is_empty()
    })
    .await;
    let told = notices(&world).await;
    assert_eq!(told.len(), 1, "{told:?}");
    may_go_back(&world, &told[0].instance).await;
    assert_eq!(
        sweep(&world, &replica).await,
        Vec::<String>::new(),
        "one is under way"
    );
    let facts = vec![fact("spot-again", "from-1", "cancelled", Timestamp::now())];
    incident(&world, &told[0].instance, "closed", facts, "finished").await;
    // Another one's turn.
    let next = eventually("another attempt to be told", BOUND, async || {
        let next = sweep(&world, &replica).await;
        if next.is_empty() { Err("none") } else { Ok(next) }
    })
    .await;
    assert_eq!(next.len(), 1, "{next:?}");
    assert!(!next[0].contains(&told[0].instance), "{next:?}");
    assert!(fallen.iter().any(|id| next[0].contains(id)), "{next:?}");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_replaced_on_spot_and_ends_once_spot_is_back() {
    let mut world = World::new().await;
    let worker = world.worker().await;
    let old = fallen(&mut world, &group("back"), "back", json!({}))
        .await
        .remove(0);
    world.aws.heal();
    may_go_back(&world, &old).await;
    world.send(&world.action(&old, "advisory")).await;
    let outcome = world.end().await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    let new = world.swapped("back", &old, (1, 1, 2)).await;
    assert!(new.spot && !new.tags.contains_key(TAG), "{new:?}");
    assert_eq!(detail(&outcome)["market"], "spot");
    eventually("the old one to end", BOUND, async || {
        matches!(
            world.instance(&old).await.state.as_str(),
            "shutting-down" | "terminated"
        )
    })
    .await;
    // It is on spot: another attempt would find nothing to do.
    may_go_back(&world, &new.id).await;
    world.send(&world.action(&new.id, "advisory")).await;
    let outcome = world.end().await;
    assert_eq!(
        (outcome.result.as_str(), outcome.reason.as_str()),
        ("skipped", "on-spot"),
        "{outcome:?}"
    );
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_says_what_would_be_done_and_no_other_strategy_brings_it_back() {
    let mut world = World::new().await;
    let worker = world.worker().await;
    let old = fallen(&mut world, &group("dry"), "dry", json!({}))
        .await
        .remove(0);
    world.aws.heal();
    let rehearsed = proto::Action {
        mode: "dry-run".to_owned(),
        ..world.action(&old, "advisory")
    };
    let stands = fact("spot-again", "from-1", "active", Timestamp::now());
    incident_in("dry-run", &world, &old, "open", vec![stands], "running").await;
    world.aws.forget_calls();
    world.send(&rehearsed).await;
    let outcome = world.end().await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    let told = detail(&outcome);
    let choices = told["choices"].as_array().unwrap();
    assert_eq!(choices.len(), 3, "spot alone: {told}");
    assert_eq!(world.aws.writes(), []);

    may_go_back(&world, &old).await;
    let detached = proto::Action {
        params: params(json!({"strategy": "detach"})),
        // Another action than the one that was rehearsed.
        ..world.action(&old, "certain")
    };
    world.send(&detached).await;
    let outcome = world.end().await;
    assert_eq!(
        (outcome.result.as_str(), outcome.reason.as_str()),
        ("skipped", "not-by-swap"),
        "{outcome:?}"
    );
    world.unswapped("dry", &old, (1, 1, 2)).await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_spot_is_out_it_is_skipped_and_nothing_has_changed() {
    let mut world = World::new().await;
    let worker = world.worker().await;
    let old = fallen(&mut world, &group("out"), "out", json!({}))
        .await
        .remove(0);
    world.aws.forget_calls();
    may_go_back(&world, &old).await;
    world.send(&world.action(&old, "advisory")).await;
    let outcome = world.end().await;
    assert_eq!(
        (outcome.result.as_str(), outcome.reason.as_str()),
        ("skipped", "no-spot"),
        "{outcome:?}"
    );
    assert!(
        outcome.message.contains("InsufficientInstanceCapacity"),
        "{}",
        outcome.message
    );
    let told = detail(&outcome);
    assert_eq!(
        told["refused"].as_array().unwrap().len(),
        3,
        "each spot pool, and nothing on demand: {told}"
    );
    world.unswapped("out", &old, (1, 1, 2)).await;
    assert_eq!(
        world
            .aws
            .writes()
            .iter()
            .filter(|call| call.action != "RunInstances")
            .count(),
        0
    );

    // The policy leaves no pool: nothing is asked for.
    let other = proto::Action {
        id: hollowtrees_schemas::id::ActionId::per_instance(
            &IncidentKey::new(CLUSTER, &old, "live"),
            1,
            "asg-swap",
            "scheduled",
        )
        .to_string(),
        params: params(json!({"allowed_types": "r5.*"})),
        ..world.action(&old, "advisory")
    };
    world.aws.forget_calls();
    world.send(&other).await;
    let outcome = world.end().await;
    assert_eq!(
        (outcome.result.as_str(), outcome.reason.as_str()),
        ("skipped", "no-spot"),
        "{outcome:?}"
    );
    assert_eq!(world.aws.count("RunInstances"), 0);
    world.unswapped("out", &old, (1, 1, 2)).await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_share_needs_stays_on_demand_however_many_could_go_back_at_once() {
    let mut world = World::new().await;
    let workers = [world.worker().await, world.worker().await];
    let shared = group("shared")
        .sizes(2, 2, 4)
        .tag("hollowtrees.io/on-demand", "1", false);
    // A rule had them fall back regardless of the share.
    let fallen = fallen(&mut world, &shared, "shared", json!({"on_demand": 0})).await;
    world.settings.swap.spot_again = EVERY;
    let replica = Replica::new(&world, Orphans::Report).await;
    eventually("an attempt to be told", BOUND, async || {
        !sweep(&world, &replica).await.is_empty()
    })
    .await;
    assert_eq!(notices(&world).await.len(), 1, "one is for the share");
    world.aws.heal();
    for old in &fallen {
        may_go_back(&world, old).await;
        world.send(&world.action(old, "advisory")).await;
    }
    let mut ends = Vec::new();
    for _ in &fallen {
        let outcome = world.end().await;
        ends.push((outcome.result, outcome.reason));
    }
    ends.sort();
    let expected = [("skipped", "on-demand-share"), ("succeeded", "")];
    assert_eq!(
        ends,
        expected.map(|(result, reason)| (result.to_owned(), reason.to_owned()))
    );
    assert_eq!(world.sizes("shared").await, (2, 2, 4));
    let members = world.members("shared").await;
    let on_demand: Vec<_> = members.iter().filter(|id| fallen.contains(id)).collect();
    assert_eq!((members.len(), on_demand.len()), (2, 1), "{members:?}");
    // It is tagged still, and that is no reason any more.
    let closed = vec![fact(
        "spot-again",
        "from-1",
        "cancelled",
        Timestamp::now() - SignedDuration::from_mins(5),
    )];
    incident(&world, on_demand[0], "closed", closed, "finished").await;
    assert_eq!(sweep(&world, &replica).await, Vec::<String>::new());
    for worker in workers {
        worker.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_goes_is_replaced_on_demand_as_it_was_and_goes_on_waiting_for_spot() {
    let mut world = World::new().await;
    let worker = world.worker().await;
    let old = fallen(&mut world, &group("goes"), "goes", json!({}))
        .await
        .remove(0);
    let both =
        ["spot-again", "scheduled-maintenance"].map(|kind| fact(kind, "e", "active", Timestamp::now()));
    incident(&world, &old, "open", both.into(), "running").await;
    world.send(&world.action(&old, "scheduled")).await;
    let outcome = world.end().await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    let new = world.swapped("goes", &old, (1, 1, 2)).await;
    assert_eq!(
        (new.spot, new.tags.get(TAG).map(String::as_str)),
        (false, Some("true"))
    );
    worker.stop().await;
}
