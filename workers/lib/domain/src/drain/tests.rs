use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::{
    assess::{HEAD_START, STUCK_AFTER},
    budget::{Budget, Requirement, Selector},
    instance::Machine,
    order::Place,
    *,
};
use crate::words::Certainty;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_900_000_000 + second).unwrap()
}

fn secs(seconds: i64) -> SignedDuration {
    SignedDuration::from_secs(seconds)
}

fn pod(name: &str) -> Pod {
    Pod {
        uid: format!("uid-{name}"),
        namespace: "shop".to_owned(),
        name: name.to_owned(),
        node: "n".to_owned(),
        grace_seconds: 30,
        owner: Owner::Controller,
        ..Pod::default()
    }
}

fn certain(deadline: i64) -> Wish {
    Wish {
        deadline: Some(at(deadline)),
        force: Force::Always,
    }
}

fn deleted(ends_at: i64, grace_seconds: u32) -> Option<Deletion> {
    Some(Deletion {
        ends_at: at(ends_at),
        grace_seconds,
    })
}

fn steps(pods: &[Pod], wish: Wish, refused: bool, now: i64) -> Vec<Step> {
    assess(pods, &Options::default(), &[wish.into()], |_| refused, at(now))
        .pods
        .iter()
        .map(|pod| pod.step)
        .collect()
}

#[test]
fn pods_are_picked_as_kubectl_picks_them() {
    let check = |change: &dyn Fn(&mut Pod), options: &Options, expected: Verdict| {
        let mut pod = pod("p");
        change(&mut pod);
        assert_eq!(options.judge(&pod), expected, "{pod:?}");
    };
    let normal = Options::default();
    let spares = Options {
        bare: false,
        empty_dir: false,
        ..Options::default()
    };
    let daemons = Options {
        daemons: true,
        ..Options::default()
    };
    let goes = Verdict::Goes;
    let stays = Verdict::Stays;
    let opted_out = |pod: &mut Pod| {
        pod.annotations
            .insert("hollowtrees.io/do-not-evict".to_owned(), "true".to_owned());
    };
    let ours = |pod: &mut Pod| {
        Arc::make_mut(&mut pod.labels)
            .insert("app.kubernetes.io/part-of".to_owned(), "hollowtrees".to_owned());
    };
    check(&|_| {}, &normal, goes(Tier::Ordinary));
    check(&|pod| pod.critical = true, &normal, goes(Tier::Critical));
    check(&|pod| pod.owner = Owner::DaemonSet, &normal, stays(Skip::Daemon));
    check(&|pod| pod.owner = Owner::DaemonSet, &daemons, goes(Tier::Daemon));
    check(
        &|pod| (pod.owner, pod.critical) = (Owner::DaemonSet, true),
        &daemons,
        goes(Tier::CriticalDaemon),
    );
    check(&|pod| pod.mirror = true, &daemons, stays(Skip::Mirror));
    check(&|pod| pod.finished = true, &normal, stays(Skip::Finished));
    check(&|pod| pod.owner = Owner::None, &normal, goes(Tier::Ordinary));
    check(&|pod| pod.owner = Owner::None, &spares, stays(Skip::Bare));
    check(
        &|pod| (pod.owner, pod.finished) = (Owner::None, true),
        &spares,
        stays(Skip::Finished),
    );
    check(&|pod| pod.empty_dir = true, &normal, goes(Tier::Ordinary));
    check(&|pod| pod.empty_dir = true, &spares, stays(Skip::EmptyDir));
    check(&opted_out, &normal, stays(Skip::OptedOut));
    check(&ours, &normal, goes(Tier::Last));
}

#[test]
fn tiers_follow_one_another_but_never_into_the_last_seconds() {
    let ordinary = pod("a");
    let critical = Pod {
        critical: true,
        ..pod("b")
    };
    let evict = Step::Evict { grace: None };
    assert_eq!(
        steps(&[ordinary.clone(), critical.clone()], certain(120), false, 0),
        [evict, Step::Gate]
    );
    assert_eq!(
        steps(std::slice::from_ref(&critical), certain(120), false, 0),
        [evict]
    );
    // Head start: 10 s before the critical pod would be forced at 90.
    assert_eq!(
        steps(&[ordinary.clone(), critical.clone()], certain(120), false, 80),
        [evict, evict]
    );
    assert_eq!(
        steps(
            &[ordinary.clone(), critical.clone()],
            Wish::PATIENT,
            false,
            1_000_000
        ),
        [evict, Step::Gate]
    );
    // One that is ending holds the gate until it has outlived its grace.
    let ending = Pod {
        deletion: deleted(30, 30),
        ..ordinary
    };
    assert_eq!(
        steps(&[ending.clone(), critical.clone()], certain(120), false, 34),
        [Step::Await, Step::Gate]
    );
    assert_eq!(
        steps(&[ending.clone(), critical.clone()], certain(120), false, 35),
        [Step::Await, evict]
    );
    let ended = Pod {
        containers_ended: true,
        ..ending
    };
    assert_eq!(
        steps(&[ended, critical], certain(120), false, 1),
        [Step::Ended, evict]
    );
}

#[test]
fn force_comes_when_it_must_and_only_where_it_may() {
    let check = |wish: Wish, refused: bool, now: i64, expected: Step| {
        assert_eq!(
            steps(&[pod("p")], wish, refused, now),
            [expected],
            "{wish:?} {refused} {now}"
        );
    };
    let wish = |certainty, near| Wish {
        deadline: Some(at(120)),
        force: Force::of(certainty, secs(near)),
    };
    let polite = Step::Evict { grace: None };
    for refused in [false, true] {
        check(wish(Certainty::Certain, 0), refused, 89, polite);
        check(wish(Certainty::Advisory, 0), refused, 119, polite);
        check(
            Wish {
                deadline: None,
                force: Force::Always,
            },
            refused,
            1_000,
            polite,
        );
        check(wish(Certainty::Certain, 0), refused, 120, Step::Late);
    }
    check(wish(Certainty::Certain, 0), true, 90, Step::Delete { grace: 30 });
    check(wish(Certainty::Certain, 0), false, 90, polite);
    check(wish(Certainty::Certain, 0), true, 100, Step::Delete { grace: 20 });
    check(
        wish(Certainty::Certain, 0),
        false,
        100,
        Step::Evict { grace: Some(20) },
    );
    check(wish(Certainty::Certain, 0), true, 119, Step::Delete { grace: 1 });
    // Scheduled: near its time only.
    check(wish(Certainty::Scheduled, 20), true, 99, polite);
    check(
        wish(Certainty::Scheduled, 20),
        true,
        100,
        Step::Delete { grace: 20 },
    );
    check(
        wish(Certainty::Scheduled, 600),
        true,
        90,
        Step::Delete { grace: 30 },
    );
}

#[test]
fn what_ends_too_late_is_given_less() {
    let check = |deletion, wish: Wish, now: i64, expected: Step| {
        let pod = Pod {
            deletion,
            grace_seconds: 300,
            ..pod("p")
        };
        assert_eq!(steps(&[pod], wish, false, now), [expected], "{deletion:?} {now}");
    };
    check(deleted(300, 300), certain(120), 10, Step::Shorten { grace: 110 });
    check(deleted(121, 300), certain(120), 10, Step::Await);
    check(deleted(300, 300), certain(120), 120, Step::Await);
    check(
        deleted(300, 300),
        Wish {
            force: Force::Never,
            ..certain(120)
        },
        10,
        Step::Await,
    );
    check(
        deleted(300, 300),
        Wish {
            force: Force::Within(secs(60)),
            ..certain(120)
        },
        59,
        Step::Await,
    );
    check(
        deleted(300, 300),
        Wish {
            force: Force::Within(secs(60)),
            ..certain(120)
        },
        60,
        Step::Shorten { grace: 60 },
    );
    check(deleted(300, 300), Wish::PATIENT, 10, Step::Await);
    // The server takes nothing that is not shorter than what it has.
    check(deleted(400, 60), certain(380), 310, Step::Await);
}

#[test]
fn the_next_look_is_when_something_changes() {
    let due = |pods: &[Pod], wish: Wish, now: i64| {
        assess(pods, &Options::default(), &[wish.into()], |_| true, at(now))
            .due
            .map(|due| (due - at(0)).get_seconds())
    };
    let critical = Pod {
        critical: true,
        ..pod("b")
    };
    assert_eq!(due(&[pod("a")], certain(120), 0), Some(90));
    assert_eq!(due(&[pod("a")], certain(120), 90), Some(120));
    assert_eq!(due(&[pod("a"), critical], certain(120), 0), Some(80));
    assert_eq!(due(&[pod("a")], Wish::PATIENT, 0), None);
    assert_eq!(
        due(
            &[Pod {
                deletion: deleted(40, 30),
                ..pod("a")
            }],
            Wish::PATIENT,
            20
        ),
        Some(45)
    );
    assert_eq!(due(&[], certain(120), 0), None);
}

#[test]
fn an_action_may_spare_pods_and_cap_their_grace() {
    let bare = Pod {
        owner: Owner::None,
        grace_seconds: 300,
        ..pod("bare")
    };
    let want = |deadline: Option<i64>, force, bare, cap| Want {
        wish: Wish {
            deadline: deadline.map(at),
            force,
        },
        terms: Terms {
            bare,
            grace_cap_seconds: cap,
            ..Terms::default()
        },
    };
    let check = |wants: &[Want], refused: bool, now: i64, expected: Step| {
        let found = assess([&bare], &Options::default(), wants, |_| refused, at(now)).pods[0].step;
        assert_eq!(found, expected, "{wants:?} {refused} {now}");
    };
    let evict = |grace| Step::Evict { grace };
    let spares = want(Some(120), Force::Always, Some(false), None);
    let advice = want(Some(600), Force::Never, None, None);
    check(&[spares], true, 119, Step::Skip(Skip::Bare));
    check(
        &[want(None, Force::Never, Some(true), None)],
        false,
        0,
        evict(None),
    );
    // Who spares it lends no force to who does not.
    check(&[spares, advice], true, 119, evict(None));
    check(&[advice, spares], true, 119, evict(None));
    // A cap holds whether or not there is force, and brings the last moment nearer to the deadline.
    check(
        &[want(None, Force::Never, None, Some(20))],
        false,
        0,
        evict(Some(20)),
    );
    check(
        &[want(None, Force::Never, None, Some(400))],
        false,
        0,
        evict(None),
    );
    let capped = want(Some(120), Force::Always, None, Some(20));
    check(&[capped], true, 99, evict(Some(20)));
    check(&[capped], true, 100, Step::Delete { grace: 20 });
    check(&[capped], true, 115, Step::Delete { grace: 5 });
    check(&[capped], false, 115, evict(Some(5)));
    assert_eq!(
        Force::Always.at_most(Force::Within(secs(5))),
        Force::Within(secs(5))
    );
    assert_eq!(Force::Never.at_most(Force::Always), Force::Never);
}

#[test]
fn what_asks_to_be_left_alone_is_until_its_last_moment() {
    let annotated = |key: &str, value: &str| Pod {
        annotations: [(key.to_owned(), value.to_owned())].into(),
        started_at: Some(at(0)),
        ..pod("p")
    };
    let (karpenter, autoscaler) = (
        "karpenter.sh/do-not-disrupt",
        "cluster-autoscaler.kubernetes.io/safe-to-evict",
    );
    let check = |pod: &Pod, wish: Wish, now: i64, expected: Step, due: Option<i64>| {
        let assessment = assess([pod], &Options::default(), &[wish.into()], |_| false, at(now));
        assert_eq!(assessment.pods[0].step, expected, "{pod:?} at {now}");
        assert_eq!(assessment.due, due.map(at), "{pod:?} at {now}");
    };
    let evict = Step::Evict { grace: None };
    for reserved in [annotated(karpenter, "true"), annotated(autoscaler, "false")] {
        check(&reserved, certain(100), 10, Step::Reserve, Some(70));
        check(&reserved, certain(100), 70, evict, Some(100));
        // Where nothing may be forced it stays for good.
        check(&reserved, Wish::PATIENT, 10, Step::Skip(Skip::OptedOut), None);
        let advisory = Wish {
            force: Force::Never,
            ..certain(100)
        };
        check(&reserved, advisory, 99, Step::Skip(Skip::OptedOut), None);
    }
    check(&annotated(autoscaler, "true"), Wish::PATIENT, 0, evict, None);
    // A duration counts from its start, whatever is wanted.
    let five_minutes = annotated(karpenter, "5m");
    check(&five_minutes, Wish::PATIENT, 299, Step::Reserve, Some(300));
    check(&five_minutes, Wish::PATIENT, 300, evict, None);
    check(&five_minutes, certain(600), 10, Step::Reserve, Some(300));
    check(&five_minutes, certain(100), 70, evict, Some(100));
    check(&annotated(karpenter, "soon"), Wish::PATIENT, 0, evict, None);

    // It holds up nobody.
    let critical = Pod {
        critical: true,
        ..pod("critical")
    };
    let both = [annotated(karpenter, "true"), critical];
    assert_eq!(steps(&both, certain(100), false, 10), [Step::Reserve, evict]);
}

#[test]
fn who_tolerates_the_taint_is_treated_as_the_options_say() {
    let pod = Pod {
        tolerates: true,
        ..pod("p")
    };
    let check = |tolerating: Tolerating, wish: Wish, expected: Step| {
        let options = Options {
            tolerating,
            ..Options::default()
        };
        let assessment = assess([&pod], &options, &[wish.into()], |_| false, at(0));
        assert_eq!(assessment.pods[0].step, expected, "{tolerating:?}");
    };
    let evict = Step::Evict { grace: None };
    check(Tolerating::Evict, Wish::PATIENT, evict);
    check(Tolerating::Skip, certain(100), Step::Skip(Skip::Tolerates));
    check(Tolerating::LastMoment, certain(100), Step::Reserve);
    check(Tolerating::LastMoment, certain(30), evict);
    check(Tolerating::LastMoment, Wish::PATIENT, Step::Skip(Skip::Tolerates));
}

#[test]
fn an_action_may_give_another_grace() {
    let want = Want {
        terms: Terms {
            grace_seconds: Some(60),
            grace_cap_seconds: Some(50),
            ..Terms::default()
        },
        ..Wish::PATIENT.into()
    };
    let pod = pod("p");
    let assessment = assess([&pod], &Options::default(), &[want], |_| false, at(0));
    assert_eq!(assessment.pods[0].step, Step::Evict { grace: Some(50) });
}

#[test]
fn wishes_join_without_lending_each_other_force() {
    let advisory = |deadline| Wish {
        deadline: Some(at(deadline)),
        force: Force::Never,
    };
    let check = |a: Wish, b: Wish, expected: Wish| {
        assert_eq!((a.join(b), b.join(a)), (expected, expected), "{a:?} {b:?}");
    };
    check(certain(120), certain(60), certain(60));
    check(certain(120), Wish::PATIENT, certain(120));
    check(advisory(30), certain(120), certain(120));
    check(certain(30), advisory(120), certain(30));
    check(advisory(30), advisory(60), advisory(30));
}

#[test]
fn an_instance_is_known_by_its_id() {
    let check = |provider_id, system_uuid, gke_instance_id, expected: &[&str]| {
        let machine = Machine {
            provider_id,
            system_uuid,
            gke_instance_id,
        };
        assert_eq!(machine.instance_ids(), expected, "{provider_id}");
    };
    check("aws:///us-east-1a/i-0abc", "EC2ABC", "", &["i-0abc"]);
    check(
        "gce://project/europe-west1-b/node-1",
        "",
        "4711",
        &["4711", "node-1"],
    );
    check("gce://project/europe-west1-b/node-1", "", "", &["node-1"]);
    let uuid = "00112233-4455-6677-8899-AABBCCDDEEFF";
    let ids = [
        "33221100-5544-7766-8899-aabbccddeeff",
        "00112233-4455-6677-8899-aabbccddeeff",
    ];
    let set = "azure:///subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachineScaleSets/set/virtualMachines/7";
    check(set, uuid, "", &ids);
    let machine =
        "azure:///subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/vm-1";
    check(machine, uuid, "", &[ids[0], ids[1], "vm-1"]);
    check("", "", "", &[]);
    check("kind://docker/kind/worker", "", "", &["worker"]);

    let ec2 = Machine {
        provider_id: "aws:///us-east-1a/i-0abc",
        ..Machine::default()
    };
    assert!(ec2.is_another("i-0def") && !ec2.is_another("i-0abc") && !ec2.is_another("ip-10-0-0-1"));
}

#[test]
fn budgets_cover_what_they_select() {
    let labelled = |labels: &[(&str, &str)]| {
        let labels = labels
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        Pod {
            labels: Arc::new(labels),
            ..pod("p")
        }
    };
    let requires = |key: &str, operator: &str, values: &[&str]| Requirement {
        key: key.to_owned(),
        operator: operator.to_owned(),
        values: values.iter().map(|value| (*value).to_owned()).collect(),
    };
    let check = |requirements: Vec<Requirement>, pod: &Pod, expected: bool| {
        let selector = Some(Selector {
            requirements: requirements.clone(),
            ..Selector::default()
        });
        let budget = Budget {
            namespace: "shop".to_owned(),
            name: "b".to_owned(),
            selector,
            ..Budget::default()
        };
        assert_eq!(budget.covers(pod), expected, "{requirements:?}");
    };
    let web = labelled(&[("app", "web")]);
    check(vec![], &web, true);
    check(vec![requires("app", "In", &["web", "db"])], &web, true);
    check(vec![requires("app", "NotIn", &["web"])], &web, false);
    check(vec![requires("tier", "NotIn", &["web"])], &web, true);
    check(
        vec![
            requires("app", "Exists", &[]),
            requires("tier", "DoesNotExist", &[]),
        ],
        &web,
        true,
    );
    check(vec![requires("app", "Matches", &["web"])], &web, false);
    check(
        vec![],
        &Pod {
            namespace: "other".to_owned(),
            ..web.clone()
        },
        false,
    );
    let none = Budget {
        namespace: "shop".to_owned(),
        name: "b".to_owned(),
        ..Budget::default()
    };
    assert!(!none.covers(&web));
}

#[test]
fn the_queue_finishes_one_node_before_the_next() {
    let place = |latest: Option<i64>, node: &str, tier, uid: &str| {
        Place::new(latest.map(at), Arc::from(node), tier, Arc::from(uid))
    };
    let mut places = [
        place(None, "a", Tier::Ordinary, "1"),
        place(Some(92), "a", Tier::Critical, "2"),
        place(Some(92), "b", Tier::Ordinary, "3"),
        place(Some(94), "a", Tier::Ordinary, "4"),
        place(Some(60), "c", Tier::Last, "5"),
    ];
    places.sort();
    let order: Vec<&str> = places.iter().map(|place| place.uid().as_ref()).collect();
    assert_eq!(order, ["5", "4", "2", "3", "1"]);
}

prop_compose! {
    fn any_pod()(
        uid in 0_u32..1_000, grace_seconds in 0_u32..700, critical: bool, owner in 0_usize..3, finished: bool,
        deletion in proptest::option::of((0_i64..700, 0_u32..700)), containers_ended: bool,
    ) -> Pod {
        Pod {
            grace_seconds, critical, finished: finished && uid % 5 == 0, containers_ended,
            owner: [Owner::None, Owner::DaemonSet, Owner::Controller][owner],
            deletion: deletion.map(|(ends_at, grace_seconds)| Deletion { ends_at: at(ends_at), grace_seconds }),
            ..pod(&uid.to_string())
        }
    }
}

fn any_wish() -> impl Strategy<Value = Wish> {
    let force = prop_oneof![
        Just(Force::Never),
        Just(Force::Always),
        (0_i64..700).prop_map(|near| Force::Within(secs(near))),
    ];
    (proptest::option::of(0_i64..700), force).prop_map(|(deadline, force)| Wish {
        deadline: deadline.map(at),
        force,
    })
}

fn any_want() -> impl Strategy<Value = Want> {
    let terms = (
        any::<Option<bool>>(),
        any::<Option<bool>>(),
        proptest::option::of(1_u32..700),
    );
    (any_wish(), terms).prop_map(|(wish, (bare, daemons, grace_cap_seconds))| Want {
        wish,
        terms: Terms {
            bare,
            daemons,
            grace_cap_seconds,
            ..Terms::default()
        },
    })
}

proptest! {
    #[test]
    fn force_is_never_used_where_it_may_not_be(
        pods in proptest::collection::vec(any_pod(), 0..12),
        wants in proptest::collection::vec(any_want(), 1..4), refused: bool, now in 0_i64..700, daemons: bool,
    ) {
        let options = Options { daemons, ..Options::default() };
        let assessment = assess(&pods, &options, &wants, |_| refused, at(now));
        prop_assert_eq!(assessment.pods.len(), pods.len());
        for assessed in &assessment.pods {
            // Those who want this very pod gone, each with its own deadline and force.
            let takers: Vec<&Want> = wants
                .iter()
                .filter(|want| matches!(options.judge_on(&want.terms, assessed.pod), Verdict::Goes(_)))
                .collect();
            let all_late = takers.iter().all(|want| want.wish.deadline.is_some_and(|deadline| deadline <= at(now)));
            prop_assert!(!(all_late && assessed.step.is_effect()), "an effect past the deadline: {assessed:?}");
            let own = assessed.pod.grace_seconds;
            let cap = takers.iter().filter_map(|want| want.terms.grace_cap_seconds).min().unwrap_or(u32::MAX);
            match assessed.step {
                Step::Delete { grace } => {
                    prop_assert!(refused && assessed.pod.deletion.is_none());
                    prop_assert!(grace >= 1 && grace <= own.min(cap).max(1));
                    prop_assert!(assessed.latest_start.is_some_and(|latest| latest <= at(now)));
                    prop_assert!(takers.iter().any(|want| want.wish.allows_force(at(now))
                        && at(now) + secs(i64::from(grace)) <= want.wish.deadline.unwrap().max(at(now + 1))));
                }
                Step::Shorten { grace } => {
                    let deletion = assessed.pod.deletion.unwrap();
                    prop_assert!(takers.iter().any(|want| want.wish.allows_force(at(now))));
                    prop_assert!(grace >= 1 && grace < deletion.grace_seconds);
                }
                Step::Evict { grace } => {
                    prop_assert!(assessed.pod.deletion.is_none());
                    prop_assert!(grace.unwrap_or(own) <= own.min(cap).max(1), "{assessed:?}");
                    let forced = takers.iter().any(|want| want.wish.allows_force(at(now)));
                    prop_assert!(grace.is_none() || forced || grace == Some(own.min(cap)), "{assessed:?}");
                }
                Step::Skip(_) => prop_assert!(takers.is_empty()),
                Step::Ended | Step::Await | Step::Gate | Step::Reserve | Step::Late => {}
            }
        }
        if let Some(due) = assessment.due {
            prop_assert!(due > at(now));
        }
        // A pod behind a gate has one of an earlier tier before it that is neither gone nor stuck.
        for gated in assessment.pods.iter().filter(|assessed| assessed.step == Step::Gate) {
            prop_assert!(assessment.pods.iter().any(|other| other.tier < gated.tier && other.tier.is_some()
                && other.pod.deletion.is_none_or(|deletion| deletion.ends_at + STUCK_AFTER > at(now))));
            prop_assert!(gated.latest_start.is_none_or(|latest| latest - HEAD_START > at(now)));
        }
        // Whoever came first makes no difference.
        let turned: Vec<Want> = wants.iter().rev().copied().collect();
        prop_assert_eq!(&assessment, &assess(&pods, &options, &turned, |_| refused, at(now)));
    }

    #[test]
    fn joining_wishes_is_blind_to_order(a in any_wish(), b in any_wish()) {
        prop_assert_eq!(a.join(b), b.join(a));
        prop_assert_eq!(a.join(a), a);
    }
}
