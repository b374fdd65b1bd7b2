//! Whatever happens in whatever order, every action ends once and every run finishes.

use std::collections::{BTreeMap, VecDeque};

use proptest::prelude::*;

use super::settling::router;
use super::*;
use crate::settle::{Settlement, ended, settle};

/// What may happen to a run, in any order.
#[derive(Debug, Clone)]
enum Happening {
    Publish,
    Outcome(usize, Outcome),
    Start(usize),
    Progress(usize),
    Due,
    Wait(i64),
    Move(i64),
    Withdraw,
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        Just(Happening::Publish),
        (0usize..8, prop::sample::select(Outcome::ALL))
            .prop_map(|(at, result)| Happening::Outcome(at, result)),
        (0usize..8).prop_map(Happening::Start),
        (0usize..8).prop_map(Happening::Progress),
        Just(Happening::Due),
        (0i64..400).prop_map(Happening::Wait),
        (-100i64..4000).prop_map(Happening::Move),
        Just(Happening::Withdraw),
    ]
}

fn plan() -> impl Strategy<Value = String> {
    let action = prop::sample::select(vec!["notify", "a", "b", "c"]);
    let step = (
        prop::collection::btree_set(action, 1..3),
        prop::sample::select(vec![
            "",
            "    on_failure: continue\n",
            "    before_deadline: 5m\n",
            "    expired: run\n",
        ]),
    );
    (prop::collection::vec(step, 0..4), any::<bool>()).prop_map(|(steps, cancels)| {
        let mut text = String::from("  steps:\n");
        for (at, (kinds, option)) in steps.iter().enumerate() {
            let kinds: Vec<String> = kinds
                .iter()
                .map(|kind| {
                    if *kind == "notify" {
                        (*kind).to_owned()
                    } else {
                        format!("{kind}{at}")
                    }
                })
                .collect();
            text.push_str(&format!("  - actions: [{}]\n{option}", kinds.join(", ")));
        }
        if steps.is_empty() {
            text = String::new();
        }
        if cancels {
            text.push_str("  on_cancel: [uncordon]\n");
        }
        text
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn every_action_ends_once_and_every_run_finishes(
        plan in plan(),
        deadline in prop::option::of(-100i64..4000),
        happenings in prop::collection::vec(happening(), 0..30),
    ) {
        let mut known = incident(deadline);
        let mut story = Story::new(&plan, &known);
        let mut ends: BTreeMap<(u32, u32), Ended> = BTreeMap::new();
        let mut ledger: BTreeMap<String, proto::LedgerEntry> = BTreeMap::new();
        let mut steps = happenings.len() + 400;
        let mut happenings = happenings.into_iter();
        let mut changes = 0;
        loop {
            steps -= 1;
            prop_assert!(steps > 0, "does not finish: {:?}", story.run);
            let happening = happenings.next();
            let nth = |run: &Run, at: usize| run.actions.get(at % run.actions.len().max(1)).map(|a| a.id.clone());
            let commands = match happening {
                Some(Happening::Publish) => {
                    let begun = story.run.actions.iter().filter(|action| action.start_at.is_some());
                    let ids: Vec<ActionId> = begun.map(|action| action.id.clone()).collect();
                    story.tell(Event::Published(&ids))
                }
                Some(Happening::Outcome(at_, result)) => match nth(&story.run, at_) {
                    Some(id) => story.tell(Event::OutcomeIn { action: &id, ended: &Ended::new(result, "", "", at(0)) }),
                    None => Vec::new(),
                },
                Some(Happening::Start(at)) => match nth(&story.run, at) {
                    Some(id) => {
                        ledger.entry(id.to_string()).or_insert_with(|| proto::LedgerEntry {
                            state: "running".into(),
                            ..Default::default()
                        });
                        Vec::new()
                    }
                    None => Vec::new(),
                },
                // A fact of a worker that keeps no ledger.
                Some(Happening::Progress(at)) => match nth(&story.run, at) {
                    Some(id) => story.tell(Event::Started(&id)),
                    None => Vec::new(),
                },
                Some(Happening::Due) => story.tell(Event::Due),
                Some(Happening::Wait(seconds)) => {
                    story.now += seconds;
                    Vec::new()
                }
                Some(Happening::Move(deadline)) => {
                    changes += 1;
                    known = moved(&known, changes, deadline);
                    story.tell(Event::IncidentChanged(&known))
                }
                Some(Happening::Withdraw) => {
                    known = withdrawn(&known);
                    story.tell(Event::IncidentChanged(&known))
                }
                // Then only time goes by, and nobody works.
                None => match story.run.due_at() {
                    None => break,
                    Some(due) => {
                        story.now = story.now.max(due.as_second() - 1_800_000_000 + 1);
                        story.tell(Event::Due)
                    }
                },
            };
            // The router does as it is told.
            let mut commands = VecDeque::from(commands);
            while let Some(command) = commands.pop_front() {
                let more = match command {
                    Command::Publish(actions) => {
                        let ids: Vec<ActionId> = actions.iter().map(|action| action.id.parse().unwrap()).collect();
                        for id in &ids {
                            prop_assert!(story.run.waits_for(id));
                        }
                        story.tell(Event::Published(&ids))
                    }
                    Command::Settle { action, why } => {
                        let id: ActionId = action.id.parse().unwrap();
                        let entry = ledger.get(&action.id).cloned();
                        match settle(why, &action, entry.as_ref(), &router(), true, "n", at(story.now)) {
                            Settlement::Write(entry) => {
                                let done = ended(&entry, at(story.now)).unwrap();
                                ledger.insert(action.id.clone(), *entry);
                                story.tell(Event::OutcomeIn { action: &id, ended: &done })
                            }
                            Settlement::Done(outcome) => {
                                let done = Ended::of(&outcome, at(story.now)).unwrap();
                                story.tell(Event::OutcomeIn { action: &id, ended: &done })
                            }
                            Settlement::Running => story.tell(Event::Started(&id)),
                        }
                    }
                    Command::Finish(_) => Vec::new(),
                };
                commands.extend(more);
            }
            for action in &story.run.actions {
                if let Some(ended) = action.ended() {
                    let first = ends.entry((action.step, action.place)).or_insert_with(|| ended.clone());
                    prop_assert_eq!(&*first, ended, "an outcome never changes");
                }
            }
        }
        prop_assert!(story.run.is_finished() && story.run.result.is_some());
        prop_assert!(story.run.actions.iter().all(ActionState::is_done));
        let finishes = story.said.iter().filter(|said| said.starts_with("finish")).count();
        prop_assert!((1..=2).contains(&finishes), "{:?}", story.said);
        if known.withdrawn() && story.run.on_cancel.len() == 1 {
            prop_assert_eq!(story.run.result, Some(RunResult::Cancelled));
            prop_assert!(story.run.actions.iter().any(|action| action.kind == "uncordon"));
        }
    }
}
