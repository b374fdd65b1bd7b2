//! A replacement goes where its group has its instances: into a placement group, into capacity reservations.

use hollowtrees_harness::aws::{Call, NewGroup};
use hollowtrees_schemas::proto;
use serde_json::json;

use crate::world::{World, detail, params};

const RESERVATIONS: &str = "CapacityReservationSpecification";
const RACK: (&str, &str) = ("PlacementGroup", "rack");

/// The preference of a launch, and the reservation that it names.
fn reserved(call: &Call) -> (Option<&str>, Option<&str>) {
    let target = format!("{RESERVATIONS}.CapacityReservationTarget");
    (
        call.get(&format!("{RESERVATIONS}.CapacityReservationPreference")),
        call.get(&format!("{target}.CapacityReservationId"))
            .or_else(|| call.get(&format!("{target}.CapacityReservationResourceGroupArn"))),
    )
}

/// A group with this preference, which names two reservations and a group of them.
fn preferring(name: &str, preference: &str) -> NewGroup {
    let target = format!("{RESERVATIONS}.CapacityReservationTarget");
    let arns = format!("{target}.CapacityReservationResourceGroupArns.member.1");
    NewGroup::new(name)
        .said(
            &format!("{RESERVATIONS}.CapacityReservationPreference"),
            preference,
        )
        .said(&format!("{target}.CapacityReservationIds.member.1"), "cr-1")
        .said(&format!("{target}.CapacityReservationIds.member.2"), "cr-2")
        .said(&arns, "arn:of-some")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_groups_placement_group_stands_over_its_templates() {
    let mut world = World::new().await;
    let worker = world.worker().await;
    let own = |name: &str| {
        NewGroup::new(name)
            .template("Placement.Tenancy", "dedicated")
            .template("Placement.GroupName", "of-the-template")
    };
    for (name, group, expected) in [
        ("none", own("none"), (None, None)),
        (
            "own",
            own("own").said(RACK.0, RACK.1),
            (Some("rack"), Some("dedicated")),
        ),
        (
            "spot",
            NewGroup::new("spot").spot().said(RACK.0, RACK.1),
            (Some("rack"), None),
        ),
        (
            "lc",
            NewGroup::new("lc")
                .configuration("PlacementTenancy", "dedicated")
                .said(RACK.0, RACK.1),
            (Some("rack"), Some("dedicated")),
        ),
    ] {
        let old = world.group(&group).await.remove(0);
        world.send(&world.action(&old, "certain")).await;
        let outcome = world.end().await;
        assert_eq!(outcome.result, "succeeded", "{outcome:?}");
        world.swapped(name, &old, (1, 1, 2)).await;
        let calls = world.launches();
        assert_eq!(calls.len(), 1);
        let said = ["GroupName", "Tenancy"].map(|of| calls[0].get(&format!("Placement.{of}")));
        assert_eq!((said[0], said[1]), expected, "{name}");
        assert_eq!(reserved(&calls[0]), (None, None), "{name}");
        assert_eq!(detail(&outcome)["placement_group"], json!(expected.0), "{name}");
    }
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reservations_are_tried_in_turn_and_where_they_only_come_first_capacity_without() {
    let mut world = World::new().await;
    let worker = world.worker().await;
    let only = Some("capacity-reservations-only");
    for (preference, room, expected, left) in [
        (
            "capacity-reservations-only",
            Some("cr-2"),
            vec![Some("cr-1"), Some("cr-2")],
            "succeeded",
        ),
        (
            "capacity-reservations-only",
            Some("arn:of-some"),
            vec![Some("cr-1"), Some("cr-2"), Some("arn:of-some")],
            "succeeded",
        ),
        (
            "capacity-reservations-first",
            None,
            vec![Some("cr-1"), Some("cr-2"), Some("arn:of-some"), None],
            "succeeded",
        ),
        (
            "capacity-reservations-only",
            None,
            vec![Some("cr-1"), Some("cr-2"), Some("arn:of-some")],
            "failed",
        ),
    ] {
        let name = format!("{preference}-{}", room.unwrap_or("full"));
        let old = world.group(&preferring(&name, preference)).await.remove(0);
        if let Some(target) = room {
            world.aws.set_reserved(target, 1);
        }
        world.send(&world.action(&old, "certain")).await;
        let outcome = world.end().await;
        assert_eq!(outcome.result, left, "{outcome:?}");
        let calls = world.launches();
        let said: Vec<_> = calls.iter().map(reserved).collect();
        let asked: Vec<_> = expected
            .iter()
            .map(|target| (target.and(only).or(Some("open")), *target))
            .collect();
        assert_eq!(said, asked, "{name}");
        if left == "failed" {
            assert_eq!(outcome.reason, "no-capacity", "{outcome:?}");
            let refused = detail(&outcome)["refused"].clone();
            let codes = refused.as_array().unwrap().iter();
            assert!(
                codes
                    .map(|one| one["why"].as_str().unwrap())
                    .all(|why| why.starts_with("ReservationCapacityExceeded")),
                "{refused}"
            );
            world.unswapped(&name, &old, (1, 1, 2)).await;
        } else {
            world.swapped(&name, &old, (1, 1, 2)).await;
        }
    }
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_template_says_stays_where_the_group_says_nothing_else() {
    let mut world = World::new().await;
    let worker = world.worker().await;
    for (preference, expected) in [("default", None), ("none", Some("none"))] {
        let said = format!("{RESERVATIONS}.CapacityReservationPreference");
        let group = NewGroup::new(preference).said(&said, preference);
        let old = world.group(&group).await.remove(0);
        world.send(&world.action(&old, "certain")).await;
        let outcome = world.end().await;
        assert_eq!(outcome.result, "succeeded", "{outcome:?}");
        assert_eq!(reserved(&world.launches()[0]), (expected, None));
    }
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_spot_instance_is_launched_for_a_group_of_reservations_only() {
    let mut world = World::new().await;
    let worker = world.worker().await;
    let old = world
        .group(
            &preferring("only", "capacity-reservations-only")
                .spot()
                .types(&["m5.large"]),
        )
        .await
        .remove(0);
    world.send(&world.action(&old, "certain")).await;
    let outcome = world.end().await;
    assert_eq!(
        (outcome.result.as_str(), outcome.reason.as_str()),
        ("failed", "no-choice"),
        "{outcome:?}"
    );
    assert!(
        outcome.message.contains("capacity reservations only"),
        "{outcome:?}"
    );
    assert_eq!(world.aws.writes(), []);
    // Where the policy falls back on demand, there it may.
    world.aws.set_reserved("cr-1", 1);
    let action = proto::Action {
        id: "f".repeat(32),
        params: params(json!({"fallback": "on-demand"})),
        ..world.action(&old, "certain")
    };
    world.send(&action).await;
    let outcome = world.end().await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    assert!(!world.swapped("only", &old, (1, 1, 2)).await.spot);
    let calls = world.launches();
    assert_eq!(reserved(&calls[0]).1, Some("cr-1"));
    assert_eq!(calls[0].get("InstanceMarketOptions.MarketType"), None);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_launch_is_repeated_unchanged_though_the_group_says_something_else_by_then() {
    let mut world = World::new().await;
    let group = preferring("edited", "capacity-reservations-only").said(RACK.0, RACK.1);
    let old = world.group(&group).await.remove(0);
    world.aws.set_reserved("cr-1", 9);
    world.dies_unanswered(&old).await;
    let preference = format!("{RESERVATIONS}.CapacityReservationPreference");
    for (name, value) in [("PlacementGroup", "other"), (preference.as_str(), "none")] {
        let update = [("AutoScalingGroupName", "edited"), (name, value)];
        let service = hollowtrees_harness::aws::Service::AutoScaling;
        let updated = world.aws.call(service, "UpdateAutoScalingGroup", &update).await;
        updated.unwrap();
    }
    world.aws.heal();
    let second = world.worker().await;
    let outcome = world.end().await;
    assert_eq!(outcome.result, "succeeded", "{outcome:?}");
    world.swapped("edited", &old, (1, 1, 2)).await;
    assert_eq!(world.aws.instances().await.unwrap().len(), 2);
    let calls = world.launches();
    for call in &calls {
        assert_eq!(call.params, calls[0].params);
        assert_eq!(call.get("Placement.GroupName"), Some("rack"));
        assert_eq!(reserved(call).1, Some("cr-1"));
    }
    second.stop().await;
}
