//! Suspended processes, and the instance maintenance policy.

use super::{
    super::{
        Checkpoint, Next, Orders, Strategy,
        processes::{ADD_TO_LOAD_BALANCER, LAUNCH, Maintenance, TERMINATE},
        world::{Group, Life},
    },
    steps::{SERVES, decided, group, instance, launched, next, orders, seen},
};

#[test]
fn ways_that_need_a_process_of_the_group_are_not_gone_without_it() {
    let check = |process: &str, strategy: Strategy, skipped: bool| {
        let group = Group {
            suspended: vec!["HealthCheck".to_owned(), process.to_owned()],
            ..group((0, 1, 1), &[("old", SERVES)])
        };
        let orders = Orders { strategy, ..orders() };
        match next(&Checkpoint::default(), &seen(group), &orders) {
            Next::Finish(end) => {
                assert!(skipped, "{end:?}");
                assert_eq!(end.reason, "process-suspended");
                assert!(end.message.contains(process), "{}", end.message);
            }
            next => assert!(next == Next::Begin && !skipped, "{process} {strategy}: {next:?}"),
        }
    };
    for (process, by_strategy) in [
        (LAUNCH, [false, true, true]),
        (TERMINATE, [false, false, true]),
        (ADD_TO_LOAD_BALANCER, [false, false, false]),
        ("ReplaceUnhealthy", [false, false, false]),
        ("AZRebalance", [false, false, false]),
    ] {
        let strategies = [Strategy::Swap, Strategy::Detach, Strategy::Terminate];
        for (strategy, skipped) in strategies.into_iter().zip(by_strategy) {
            check(process, strategy, skipped);
        }
    }
}

#[test]
fn what_no_load_balancer_gets_is_noted_before_it_is_attached() {
    let unregistered = |suspended: &[&str], balancers: &[&str]| {
        let mut group = group((0, 1, 2), &[("old", SERVES)]);
        group.suspended = suspended.iter().map(|&process| process.to_owned()).collect();
        group.classic_balancers = balancers.iter().map(|&name| name.to_owned()).collect();
        let mut seen = seen(group);
        seen.ours = vec![instance("new", Life::Running)];
        let decision = decided(&launched(), &seen, &orders(), 110);
        assert!(
            matches!(decision.next, Next::Attach { .. }),
            "{:?}",
            decision.next
        );
        decision.checkpoint.unregistered
    };
    assert!(unregistered(&[ADD_TO_LOAD_BALANCER], &["web"]));
    assert!(!unregistered(&[ADD_TO_LOAD_BALANCER], &[]));
    assert!(!unregistered(&[LAUNCH], &["web"]));
}

#[test]
fn how_many_there_may_be_beside_those_that_are_desired() {
    for (most, desired, weight, expected) in [
        (110, 10, 1, 1),
        (110, 19, 1, 1),
        (110, 20, 1, 2),
        (200, 3, 1, 3),
        // A swap launches first, whatever is asked.
        (100, 50, 1, 1),
        (110, 5, 1, 1),
        (90, 5, 1, 1),
        (150, 16, 4, 2),
        (150, 4, 4, 1),
        (u32::MAX, u32::MAX, 1, u32::MAX),
    ] {
        let policy = Maintenance { most };
        assert_eq!(
            policy.beside(desired, weight),
            expected,
            "{most} {desired} {weight}"
        );
    }
}
