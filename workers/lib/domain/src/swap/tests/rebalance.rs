//! Groups that replace instances at risk themselves.

use super::{
    super::{Checkpoint, Next, Orders, Seen, Strategy, rebalance::Watch, world::Standing},
    steps::{SERVES, group, next, orders, seen},
};

const JOINS: Standing = Standing::Joining;

fn rebalancing(desired: u32, others: &[(&str, Standing)]) -> Seen {
    let mut members = vec![("old", SERVES)];
    members.extend_from_slice(others);
    let mut group = group((0, desired, 9), &members);
    group.capacity_rebalance = true;
    seen(group)
}

/// The reason of its end, or what is next.
fn shown(seen: &Seen, orders: &Orders) -> String {
    match next(&Checkpoint::default(), seen, orders) {
        Next::Finish(end) => end.reason,
        Next::Wait(wait) => format!("{wait:?}"),
        next => next.name().to_owned(),
    }
}

fn watched(watch: Watch) -> Orders {
    Orders { watch, ..orders() }
}

#[test]
fn what_the_group_has_begun_is_left_to_it_and_what_it_has_not_in_time_is_done() {
    let check = |others: &[(&str, Standing)], expected: [&str; 3]| {
        let seen = rebalancing(2, others);
        let found = [Watch::Never, Watch::Waits, Watch::Over].map(|watch| shown(&seen, &watched(watch)));
        assert_eq!(found, expected, "{others:?}");
    };
    check(
        &[("a", SERVES)],
        ["group-replaces-itself", "GroupReplaces", "begin"],
    );
    check(&[("a", SERVES), ("b", JOINS)], ["group-replaces-it"; 3]);
    check(&[("a", SERVES), ("b", SERVES)], ["group-replaced-it"; 3]);
    // What goes or is put aside replaces nothing.
    for standing in [Standing::Leaving, Standing::Standby, Standing::Warm] {
        check(
            &[("a", SERVES), ("b", standing)],
            ["group-replaces-itself", "GroupReplaces", "begin"],
        );
    }
}

#[test]
fn members_at_risk_replace_nobody_and_what_swaps_added_is_not_lacking() {
    let mut both = rebalancing(2, &[("a", SERVES), ("b", JOINS)]);
    both.at_risk = vec!["a".to_owned()];
    assert_eq!(shown(&both, &watched(Watch::Over)), "begin");
    let mut swapping = rebalancing(3, &[("a", SERVES), ("b", JOINS)]);
    assert_eq!(shown(&swapping, &watched(Watch::Over)), "begin");
    swapping.added = 1;
    assert_eq!(shown(&swapping, &watched(Watch::Over)), "group-replaces-it");
}

#[test]
fn what_the_group_does_not_do_by_itself_is_done_at_once() {
    let mut on_demand = rebalancing(1, &[]);
    on_demand.old.as_mut().unwrap().spot = false;
    assert_eq!(shown(&on_demand, &orders()), "begin");
    let mut launches_nothing = rebalancing(1, &[]);
    let group = launches_nothing.group.as_mut().unwrap();
    group.suspended = vec!["Launch".to_owned()];
    assert_eq!(shown(&launches_nothing, &orders()), "begin");
}

#[test]
fn nothing_but_a_swap_is_done_in_its_place_and_not_too_late() {
    let seen = rebalancing(1, &[]);
    for strategy in [Strategy::Detach, Strategy::Terminate] {
        let orders = Orders {
            strategy,
            ..watched(Watch::Over)
        };
        assert_eq!(shown(&seen, &orders), "group-replaces-itself");
    }
    let late = |watch| Orders {
        give_up: true,
        ..watched(watch)
    };
    assert_eq!(shown(&seen, &late(Watch::Waits)), "group-replaces-itself");
    assert_eq!(shown(&seen, &late(Watch::Over)), "deadline");
}
