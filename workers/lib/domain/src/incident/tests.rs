use hollowtrees_schemas::proto::time::to_proto;
use proptest::prelude::*;

use super::*;
use crate::notice::Notice;
use crate::record::RecordError;
use crate::words::Certainty::{Advisory, Certain, Scheduled};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

/// A notice in few words; `deadline` in seconds like `at`.
#[derive(Debug, Clone)]
struct Word {
    kind: &'static str,
    event: &'static str,
    state: &'static str,
    certainty: &'static str,
    seen: i64,
    deadline: Option<i64>,
}

impl Word {
    fn notice(&self) -> Notice {
        let message = proto::Notice {
            cluster: "prod".into(),
            provider: "elsewhere".into(),
            instance: "i-1".into(),
            kind: self.kind.into(),
            event_id: self.event.into(),
            state: self.state.into(),
            certainty: self.certainty.into(),
            noticed_at: Some(to_proto(at(self.seen))),
            deadline: self.deadline.map(|seconds| to_proto(at(seconds))),
            ..Default::default()
        };
        Notice::parse(message, "/test", at(100_000)).unwrap()
    }
}

fn word(
    kind: &'static str,
    event: &'static str,
    state: &'static str,
    seen: i64,
    deadline: Option<i64>,
) -> Word {
    Word {
        kind,
        event,
        state,
        certainty: "",
        seen,
        deadline,
    }
}

fn advice(seen: i64) -> Word {
    word("rebalance-recommendation", "", "active", seen, None)
}

fn spot(seen: i64, deadline: i64) -> Word {
    word("spot-interruption", "", "active", seen, Some(deadline))
}

fn upkeep(event: &'static str, state: &'static str, seen: i64, deadline: Option<i64>) -> Word {
    word("scheduled-maintenance", event, state, seen, deadline)
}

fn tell(words: &[Word]) -> (Incident, Vec<Change>) {
    let mut incident = None;
    let mut changes = Vec::new();
    for word in words {
        let merged = merge(incident.as_ref(), &word.notice(), at(word.seen));
        changes.push(merged.change);
        incident = Some(merged.incident);
    }
    (incident.unwrap(), changes)
}

#[track_caller]
fn check(words: &[Word], changes: &[Change], generation: u64, deadline: Option<i64>, certainty: Certainty) {
    let (incident, seen) = tell(words);
    assert_eq!(seen, changes);
    assert_eq!((incident.generation, incident.certainty), (generation, certainty));
    assert_eq!(incident.deadline, deadline.map(at));
}

const CHANGED: Change = Change::Changed { tell_runs: true };
const JOINED: Change = Change::Changed { tell_runs: false };

#[test]
fn notices_join_one_incident() {
    use Change::{Cancelled, Opened, Recorded, Reopened, Unchanged};
    // Rebalance, then interruption, then the state changes.
    let gone = word("instance-state-change", "", "active", 3, None);
    check(
        &[advice(1), spot(2, 120), gone],
        &[Opened, CHANGED, JOINED],
        1,
        Some(120),
        Certain,
    );
    // The same twice, and a second origin with the same.
    check(
        &[spot(1, 120), spot(1, 120), spot(5, 120)],
        &[Opened, Unchanged, Unchanged],
        1,
        Some(120),
        Certain,
    );
    // Without an event id it only tightens.
    check(
        &[spot(1, 120), spot(2, 100)],
        &[Opened, CHANGED],
        1,
        Some(100),
        Certain,
    );
    check(
        &[spot(1, 120), spot(2, 140)],
        &[Opened, JOINED],
        1,
        Some(120),
        Certain,
    );
    // With one the newest counts, also where it is later, and also out of order.
    let (first, later) = (
        upkeep("e1", "active", 1, Some(500)),
        upkeep("e1", "active", 2, Some(900)),
    );
    check(
        &[first.clone(), later.clone()],
        &[Opened, CHANGED],
        1,
        Some(900),
        Scheduled,
    );
    check(
        &[later, first.clone()],
        &[Opened, Unchanged],
        1,
        Some(900),
        Scheduled,
    );
    // The earliest over what stands.
    let other = upkeep("e2", "active", 3, Some(300));
    check(
        &[first.clone(), other.clone()],
        &[Opened, CHANGED],
        1,
        Some(300),
        Scheduled,
    );
    // Withdrawn: one of two, then both.
    let (off1, off2) = (
        upkeep("e1", "cancelled", 5, None),
        upkeep("e2", "cancelled", 6, None),
    );
    check(
        &[first.clone(), other.clone(), off2.clone()],
        &[Opened, CHANGED, CHANGED],
        1,
        Some(500),
        Scheduled,
    );
    let (incident, seen) = tell(&[first.clone(), other, off2, off1.clone()]);
    assert_eq!(
        (seen[3], incident.state, incident.withdrawn()),
        (Cancelled, IncidentState::Cancelled, true)
    );
    // Withdrawn before it was heard of: remembered, opens nothing.
    check(
        &[off1.clone(), first.clone()],
        &[Recorded, Unchanged],
        0,
        None,
        Advisory,
    );
    check(
        &[off1.clone(), spot(7, 120)],
        &[Recorded, Opened],
        1,
        Some(120),
        Certain,
    );
    // News after a cancellation is the next generation; what was withdrawn stays withdrawn.
    check(
        &[first.clone(), off1.clone(), spot(7, 120)],
        &[Opened, Cancelled, Reopened],
        2,
        Some(120),
        Certain,
    );
    check(
        &[first.clone(), off1, spot(7, 120), first],
        &[Opened, Cancelled, Reopened, Unchanged],
        2,
        Some(120),
        Certain,
    );
    // A resolved alert is withdrawn like a cancelled event.
    let (fires, resolved) = (
        word("alert", "a", "active", 1, None),
        word("alert", "a", "resolved", 2, None),
    );
    check(&[fires, resolved], &[Opened, Cancelled], 1, None, Advisory);
}

#[test]
fn a_wait_that_is_prolonged_moves_its_own_deadline_and_nobody_elses() {
    let wait = |seen, deadline| word("asg-terminating", "token", "active", seen, Some(deadline));
    let by_agent = word("asg-terminating", "", "active", 1, None);
    let (first, longer, longest) = (wait(1, 100), wait(50, 140), wait(100, 190));
    check(
        &[first.clone(), by_agent, longer.clone(), longest.clone()],
        &[Change::Opened, JOINED, CHANGED, CHANGED],
        1,
        Some(190),
        Certain,
    );
    // Said again by the queue, or in another order.
    check(
        &[longest.clone(), longer.clone(), first.clone()],
        &[Change::Opened, Change::Unchanged, Change::Unchanged],
        1,
        Some(190),
        Certain,
    );
    // An interruption that comes earlier stays the deadline, whichever is heard first.
    check(
        &[first.clone(), spot(2, 90), longer, longest.clone()],
        &[Change::Opened, CHANGED, JOINED, JOINED],
        1,
        Some(90),
        Certain,
    );
    check(
        &[first, longest, spot(101, 160), wait(150, 240)],
        &[Change::Opened, CHANGED, CHANGED, JOINED],
        1,
        Some(160),
        Certain,
    );
}

#[test]
fn a_withdrawal_without_event_id_ends_what_is_older() {
    let off = word("spot-interruption", "", "cancelled", 5, None);
    let (incident, _) = tell(&[spot(1, 120), spot(2, 110), off.clone(), spot(3, 90)]);
    assert!(incident.withdrawn());
    let (incident, changes) = tell(&[spot(1, 120), off, spot(6, 300)]);
    assert_eq!((changes[2], incident.deadline), (Change::Reopened, Some(at(300))));
}

fn closed(words: &[Word], now: i64) -> Incident {
    tell(words).0.close(at(now)).unwrap()
}

#[test]
fn after_closing_duplicates_and_late_ones_open_nothing() {
    let incident = closed(&[spot(1, 120)], 720);
    assert_eq!(
        tell(&[spot(1, 120)]).0.close(at(719)),
        None,
        "ten minutes after its deadline"
    );
    let again = |word: Word, now: i64| merge(Some(&incident), &word.notice(), at(now)).change;
    assert_eq!(again(spot(1, 120), 800), Change::Unchanged);
    assert_eq!(
        again(spot(700, 120), 800),
        Change::Unchanged,
        "the same, said again by an agent that restarted"
    );
    let late = word("capacity-reservation-interruption", "", "active", 5, Some(120));
    assert_eq!(
        again(late, 800),
        Change::Recorded,
        "seen before the end, arrived after it"
    );
    assert_eq!(again(spot(790, 1000), 800), Change::Reopened);
    let ahead = upkeep("e", "active", 5, Some(5_000));
    assert_eq!(
        again(ahead, 800),
        Change::Reopened,
        "seen before the end, and still to come"
    );

    let next = merge(Some(&incident), &spot(790, 1000).notice(), at(800)).incident;
    assert_eq!((next.generation, next.runs.len(), next.changes), (2, 0, 3));
    assert_eq!(
        merge(Some(&next), &spot(1, 120).notice(), at(801)).change,
        Change::Unchanged,
        "of generation 1"
    );
    assert_eq!(next.deadline, Some(at(1000)));
}

#[test]
fn what_another_source_says_of_the_same_interruption_ten_minutes_later_joins() {
    use Change::{Opened, Unchanged};
    let alert = |seen| word("alert", "alert-of-it", "active", seen, None);
    let gone = |seen| word("instance-state-change", "", "active", seen, None);
    // Two minutes of notice, as on EC2, and thirty seconds.
    for deadline in [120, 30] {
        let first = spot(0, deadline);
        assert_eq!(
            tell(std::slice::from_ref(&first)).0.close(at(600)),
            None,
            "it is open"
        );
        for (later, change, tightest) in [
            (spot(600, deadline), Unchanged, deadline),
            (spot(600, deadline - 2), CHANGED, deadline - 2),
            (gone(600), JOINED, deadline),
            (alert(600), JOINED, deadline),
        ] {
            check(
                &[first.clone(), later],
                &[Opened, change],
                1,
                Some(tightest),
                Certain,
            );
        }
    }
    // The other way round, as late.
    for first in [alert(0), advice(0), gone(0)] {
        let (incident, changes) = tell(&[first.clone(), spot(600, 720)]);
        assert_eq!(
            (changes, incident.generation, incident.deadline),
            (vec![Opened, CHANGED], 1, Some(at(720))),
            "{first:?}"
        );
    }
}

#[test]
fn when_it_closes() {
    let (incident, _) = tell(&[advice(10)]);
    assert_eq!(
        incident.closes_at(),
        Some(at(10 + 86_400)),
        "a day after its last notice"
    );
    let (incident, _) = tell(&[
        upkeep("e", "active", 1, Some(900)),
        upkeep("e", "cancelled", 2, None),
    ]);
    let done = incident.close(at(2)).unwrap();
    assert_eq!(
        (done.state, done.closes_at(), done.purge_at()),
        (IncidentState::Closed, None, Some(at(2 + 2_592_000)))
    );
}

#[test]
fn a_rule_gets_one_run_a_certainty() {
    let (mut incident, _) = tell(&[advice(1)]);
    let run = incident.wanted_run("r").unwrap();
    assert_eq!(
        run,
        RunRef {
            rule: "r".into(),
            certainty: Advisory
        }
    );
    incident.runs.push(run);
    assert_eq!(incident.wanted_run("r"), None);
    assert!(incident.wanted_run("other").is_some());
    let mut incident = merge(Some(&incident), &spot(2, 120).notice(), at(2)).incident;
    let run = incident.wanted_run("r").unwrap();
    assert_eq!(run.certainty, Certain);
    incident.runs.push(run);
    assert_eq!(incident.wanted_run("r"), None);
    assert_eq!(incident.close(at(10_000)).unwrap().wanted_run("other"), None);
}

#[test]
fn a_test_never_touches_a_live_incident() {
    let live = spot(1, 120).notice();
    let test = Notice::parse(
        proto::Notice {
            mode: "test".into(),
            ..live.message.clone()
        },
        "/t",
        at(5),
    )
    .unwrap();
    let key = hollowtrees_schemas::key::incident;
    assert_ne!(key(&live.key), key(&test.key));
}

#[test]
fn records_read_back_and_newer_ones_are_refused() {
    let (incident, _) = tell(&[advice(1), spot(2, 120), upkeep("e", "cancelled", 3, None)]);
    let record = proto::Incident::from(&incident);
    assert_eq!(Incident::try_from(record.clone()), Ok(incident));
    let newer = proto::Incident {
        schema: 2,
        ..record.clone()
    };
    assert_eq!(
        Incident::try_from(newer),
        Err(RecordError::NewerSchema { found: 2, known: 1 })
    );
    let corrupt = proto::Incident {
        state: "ajar".into(),
        ..record
    };
    assert!(matches!(
        Incident::try_from(corrupt),
        Err(RecordError::Corrupt { field: "state", .. })
    ));
}

#[test]
fn facts_are_bounded_and_the_urgent_ones_stay() {
    let mut facts = Facts::default();
    for event in 0..100_i64 {
        let mut fact = Fact::of(&upkeep("", "active", event, Some(10_000 + event)).notice());
        fact.event_id = event.to_string();
        assert!(facts.add(fact) != Added::Known);
    }
    assert_eq!((facts.iter().count(), facts.dropped()), (64, 36));
    assert_eq!(facts.deadline(), Some(at(10_000)));
    assert_eq!(facts.add(Fact::of(&spot(200, 120).notice())), Added::New);
    assert_eq!(
        (facts.deadline(), facts.certainty()),
        (Some(at(120)), Some(Certain))
    );
}

fn any_word() -> impl Strategy<Value = Word> {
    (
        prop::sample::select(vec!["alert", "scheduled-maintenance"]),
        prop::sample::select(vec!["", "", "e1", "e2"]),
        prop::sample::select(vec!["active", "active", "cancelled"]),
        prop::sample::select(vec!["advisory", "certain"]),
        0i64..6,
        prop::option::of(50i64..55),
    )
        .prop_map(|(kind, event, state, certainty, seen, deadline)| Word {
            kind,
            event,
            state,
            certainty,
            seen,
            deadline,
        })
}

/// Facts by the notices' ids; one id has one `noticed_at` and one certainty, as one notice has.
fn facts_of(words: &[Word]) -> Vec<Fact> {
    let mut facts: Vec<Fact> = Vec::new();
    for fact in words.iter().map(|word| Fact::of(&word.notice())) {
        if facts.iter().all(|known| known.notice_id != fact.notice_id) {
            facts.push(fact);
        }
    }
    facts
}

fn set(facts: &[Fact]) -> Facts {
    let mut set = Facts::default();
    for fact in facts {
        set.add(fact.clone());
    }
    set
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn merging_is_commutative_associative_and_idempotent(
        (words, order) in prop::collection::vec(any_word(), 0..9).prop_flat_map(|words| {
            let order = Just(words.clone()).prop_shuffle();
            (Just(words), order)
        }),
        cut in 0usize..9,
    ) {
        // Ids are told apart in the first order, so that both orders hold the same facts.
        let facts = facts_of(&words);
        let mut shuffled = facts.clone();
        shuffled.sort_by_key(|fact| order.iter().position(|word| Fact::of(&word.notice()).notice_id == fact.notice_id));
        let whole = set(&facts);
        prop_assert_eq!(&whole, &set(&shuffled));
        let (left, right) = facts.split_at(cut.min(facts.len()));
        prop_assert_eq!(&whole, &set(left).merge(set(right)));
        prop_assert_eq!(&whole, &set(right).merge(set(left)));
        prop_assert_eq!(&whole, &whole.clone().merge(whole.clone()));
        for fact in &facts {
            prop_assert!(whole.knows(fact));
        }
    }

    #[test]
    fn the_same_notice_again_changes_nothing(words in prop::collection::vec(any_word(), 1..9), again in 0usize..9) {
        let facts = facts_of(&words);
        let words: Vec<Word> = words
            .into_iter()
            .filter(|word| facts.contains(&Fact::of(&word.notice())))
            .collect();
        let (incident, _) = tell(&words);
        let word = &words[again.min(words.len() - 1)];
        let merged = merge(Some(&incident), &word.notice(), at(50_000));
        prop_assert_eq!(merged.change, Change::Unchanged);
        prop_assert_eq!(merged.incident, incident);
    }

    #[test]
    fn in_any_order_the_same_stands(
        (words, order) in prop::collection::vec(any_word(), 1..9).prop_flat_map(|words| {
            let order = Just(words.clone()).prop_shuffle();
            (Just(words), order)
        }),
    ) {
        // Only active ones: where withdrawals are told in another order, generations differ.
        let active = |words: &[Word]| -> Vec<Word> {
            let mut words: Vec<Word> = words.iter().filter(|word| word.state == "active").cloned().collect();
            words.sort_by_key(|word| word.notice().id.to_string());
            words.dedup_by_key(|word| word.notice().id.to_string());
            words
        };
        let sorted = active(&words);
        let mut shuffled = sorted.clone();
        shuffled.sort_by_key(|word| order.iter().position(|other| other.notice().id == word.notice().id));
        if !sorted.is_empty() {
            let (a, b) = (tell(&sorted).0, tell(&shuffled).0);
            prop_assert_eq!(
                (a.deadline, a.certainty, a.generation, &a.facts, &a.target),
                (b.deadline, b.certainty, b.generation, &b.facts, &b.target)
            );
        }
    }
}

#[test]
fn a_further_origin_of_the_same_word_adds_what_it_knows() {
    let from = |node: &str, group: &str| {
        let message = proto::Notice {
            node: node.into(),
            group: group.into(),
            ..spot(1, 120).notice().message
        };
        Notice::parse(message, "/test", at(5)).unwrap()
    };
    let first = merge(None, &from("", "workers"), at(5)).incident;
    let both = merge(Some(&first), &from("node-a", ""), at(6));
    assert_eq!(both.change, CHANGED);
    assert_eq!(
        (
            both.incident.target.node.as_str(),
            both.incident.target.group.as_str()
        ),
        ("node-a", "workers")
    );
    assert_eq!(
        merge(Some(&both.incident), &from("node-a", ""), at(7)).change,
        Change::Unchanged
    );
}

#[test]
fn that_an_instance_came_is_no_part_of_its_going() {
    use Change::{Opened, Recorded, Reopened, Unchanged};
    let came = |seen| word("asg-launching", "token", "active", seen, None);
    check(&[came(1)], &[Opened], 1, None, Certainty::Advisory);
    check(
        &[came(1), spot(20_000, 20_120), came(1)],
        &[Opened, Reopened, Unchanged],
        2,
        Some(20_120),
        Certain,
    );
    let (goes, _) = tell(&[came(1), spot(20_000, 20_120)]);
    assert_eq!(goes.noticed_at, at(20_000));
    assert!(!goes.facts.announce_arrival());
    // Told late, it is no news; and it does not keep an incident that is withdrawn.
    let back = || word("spot-interruption", "", "cancelled", 3, None);
    let (withdrawn, changes) = tell(&[spot(1, 120), came(2), back()]);
    assert_eq!(changes, [Opened, Unchanged, Change::Cancelled]);
    assert!(withdrawn.withdrawn());
    // What was withdrawn before it was heard of, stays so.
    let (known, changes) = tell(&[came(1), back(), spot(2, 120)]);
    assert_eq!(changes, [Opened, Recorded, Unchanged]);
    assert!(known.facts.announce_arrival());
}
