use hollowtrees_schemas::proto::time::to_proto;
use jiff::SignedDuration;

use super::*;
use crate::incident::merge;
use crate::notice::Notice;
use crate::record::RecordError;
use crate::rule::Rules;
use crate::words::Outcome;

mod any_order;
mod settling;
mod started;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn message(state: &str, seen: i64, deadline: Option<i64>) -> proto::Notice {
    proto::Notice {
        cluster: "prod".into(),
        instance: "i-1".into(),
        kind: "scheduled-maintenance".into(),
        event_id: "e".into(),
        state: state.into(),
        certainty: "certain".into(),
        noticed_at: Some(to_proto(at(seen))),
        deadline: deadline.map(|seconds| to_proto(at(seconds))),
        ..Default::default()
    }
}

fn notice(state: &str, seen: i64, deadline: Option<i64>) -> Notice {
    Notice::parse(message(state, seen, deadline), "/test", at(1_000_000)).unwrap()
}

fn incident(deadline: Option<i64>) -> Incident {
    merge(None, &notice("active", 0, deadline), at(0)).incident
}

fn withdrawn(incident: &Incident) -> Incident {
    merge(Some(incident), &notice("cancelled", 500_000, None), at(0)).incident
}

fn moved(incident: &Incident, seen: i64, deadline: i64) -> Incident {
    merge(Some(incident), &notice("active", seen, Some(deadline)), at(0)).incident
}

fn rule(steps: &str) -> Rule {
    let text = format!("version: 1\nrules:\n- name: r\n  match: {{ all: [] }}\n{steps}");
    Rules::parse(&text, "r.yaml").unwrap().as_slice()[0].clone()
}

const TWO_STEPS: &str =
    "  steps:\n  - actions: [drain, asg-swap]\n  - actions: [notify]\n  on_cancel: [uncordon]\n";

/// A run and the commands it gave, in few words.
struct Story {
    run: Run,
    now: i64,
    said: Vec<String>,
}

impl Story {
    fn new(steps: &str, incident: &Incident) -> Self {
        let run = Run::plan(&rule(steps), incident, at(0));
        let mut story = Self {
            run,
            now: 0,
            said: Vec::new(),
        };
        story.tell(Event::Created);
        story
    }

    fn tell(&mut self, event: Event<'_>) -> Vec<Command> {
        let decision = self.run.decide(event, at(self.now));
        let again = decision.run.decide(event, at(self.now));
        assert_eq!(again.run, decision.run, "the same event twice");
        self.run = decision.run;
        let stored = proto::Run::from(&self.run);
        assert_eq!(
            Run::try_from(stored).as_ref(),
            Ok(&self.run),
            "the record reads back"
        );
        for command in &decision.commands {
            self.said.push(match command {
                Command::Publish(actions) => {
                    let kinds: Vec<&str> = actions.iter().map(|action| action.kind.as_str()).collect();
                    format!("publish {}", kinds.join(" "))
                }
                Command::Settle { action, why } => format!("{why:?} {}", action.kind).to_lowercase(),
                Command::Finish(result) => format!("finish {result}"),
            });
        }
        decision.commands
    }

    fn id(&self, kind: &str) -> ActionId {
        self.run
            .actions
            .iter()
            .find(|action| action.kind == kind)
            .unwrap()
            .id
            .clone()
    }

    fn ends(&mut self, kind: &str, result: Outcome) {
        let id = self.id(kind);
        self.tell(Event::OutcomeIn {
            action: &id,
            ended: &Ended::new(result, "", "", at(self.now)),
        });
    }

    fn published(&mut self) {
        let begun = self.run.actions.iter().filter(|action| action.start_at.is_some());
        let ids: Vec<ActionId> = begun.map(|action| action.id.clone()).collect();
        self.tell(Event::Published(&ids));
    }

    fn due(&mut self) {
        self.now = self.run.due_at().unwrap().as_second() - 1_800_000_000;
        self.tell(Event::Due);
    }

    #[track_caller]
    fn said(&mut self, expected: &[&str]) {
        assert_eq!(std::mem::take(&mut self.said), expected);
    }

    fn result_of(&self, kind: &str) -> Option<(Outcome, String)> {
        let action = self.run.actions.iter().find(|action| action.kind == kind)?;
        action.ended().map(|ended| (ended.result, ended.reason.clone()))
    }
}

#[test]
fn steps_follow_outcomes() {
    let mut story = Story::new(TWO_STEPS, &incident(Some(120)));
    story.said(&["publish drain asg-swap"]);
    story.published();
    story.ends("drain", Outcome::Succeeded);
    story.said(&[]);
    story.ends("asg-swap", Outcome::Skipped);
    story.said(&["publish notify"]);
    story.ends("notify", Outcome::Succeeded);
    story.said(&["finish succeeded"]);
    assert_eq!((story.run.phase, story.run.due_at()), (Phase::Finished, None));
}

#[test]
fn a_failed_step_stops_the_rest_unless_told_otherwise() {
    let mut story = Story::new(TWO_STEPS, &incident(Some(120)));
    story.ends("drain", Outcome::Failed);
    story.said(&["publish drain asg-swap"]);
    story.ends("asg-swap", Outcome::Succeeded);
    story.said(&["finish failed"]);
    assert_eq!(
        story.result_of("notify"),
        Some((Outcome::Skipped, "earlier-step-failed".into()))
    );

    let going_on = TWO_STEPS.replace("swap]", "swap]\n    on_failure: continue");
    let mut story = Story::new(&going_on, &incident(Some(120)));
    story.ends("drain", Outcome::Failed);
    story.ends("asg-swap", Outcome::Succeeded);
    story.ends("notify", Outcome::Succeeded);
    story.said(&["publish drain asg-swap", "publish notify", "finish failed"]);
}

#[test]
fn what_was_skipped_stops_the_rest_where_the_rule_says_so() {
    let steps = "  steps:\n  - actions: [asg-swap]\n  - actions: [drain]\n";
    let mut story = Story::new(steps, &incident(Some(120)));
    story.ends("asg-swap", Outcome::Skipped);
    story.said(&["publish asg-swap", "publish drain"]);

    let strict = steps.replace("swap]", "swap]\n    on_skipped: stop");
    let mut story = Story::new(&strict, &incident(Some(120)));
    let read_again = Run::try_from(proto::Run::from(&story.run)).unwrap();
    assert_eq!(read_again, story.run);
    story.ends("asg-swap", Outcome::Skipped);
    story.said(&["publish asg-swap", "finish succeeded"]);
    assert_eq!(
        story.result_of("drain"),
        Some((Outcome::Skipped, "earlier-step-skipped".into()))
    );
    // What was done is done.
    let mut story = Story::new(&strict, &incident(Some(120)));
    story.ends("asg-swap", Outcome::Succeeded);
    story.said(&["publish asg-swap", "publish drain"]);
}

#[test]
fn a_message_nobody_delivered_does_not_fail_the_run() {
    let mut story = Story::new(TWO_STEPS, &incident(Some(120)));
    story.ends("drain", Outcome::Succeeded);
    story.ends("asg-swap", Outcome::Succeeded);
    story.ends("notify", Outcome::Expired);
    story.said(&["publish drain asg-swap", "publish notify", "finish succeeded"]);
    let mut story = Story::new("  steps:\n  - actions: [drain]\n", &incident(Some(120)));
    story.ends("drain", Outcome::Expired);
    story.said(&["publish drain", "finish failed"]);
}

/// `deadline` and `close_at` of an action published at 0 or at 200, seconds.
#[track_caller]
fn limits(action: &str, incident_deadline: Option<i64>, expected: (Option<i64>, i64)) {
    let steps = format!("  steps:\n  - actions: [{action}]\n");
    let story = Story::new(&steps, &incident(incident_deadline));
    let action = &story.run.actions[0];
    assert_eq!(
        (action.deadline, action.close_at),
        (expected.0.map(at), Some(at(expected.1))),
        "{steps}"
    );
}

#[test]
fn deadlines() {
    limits("drain", Some(120), (Some(120), 420));
    limits(
        "{ kind: drain, deadline_reserve: 20s }",
        Some(120),
        (Some(100), 400),
    );
    limits("drain", None, (None, 3600));
    limits("{ kind: drain, timeout: 10m }", None, (None, 600));
    limits("{ kind: drain, timeout: 10m }", Some(120), (Some(120), 420));
    limits("drain", Some(-10), (Some(-10), 300));
    limits("notify", Some(120), (Some(120), 420));
    limits("notify", Some(10), (Some(60), 360));
    limits("{ kind: notify, timeout: 5m }", Some(10), (Some(300), 600));
    limits("notify", None, (Some(60), 360));
}

#[test]
fn what_nobody_starts_expires_and_what_nobody_ends_is_closed() {
    let mut story = Story::new("  steps:\n  - actions: [drain, asg-swap]\n", &incident(Some(120)));
    story.published();
    story.due();
    story.said(&["publish drain asg-swap", "expired drain", "expired asg-swap"]);
    assert_eq!(story.now, 121, "a second for the workers to say it themselves");
    story.ends("asg-swap", Outcome::Expired);
    let drain = story.id("drain");
    story.tell(Event::Started(&drain));
    assert_eq!(story.run.due_at(), Some(at(420)));
    story.due();
    story.said(&["stalled drain"]);

    let mut story = Story::new(
        "  steps:\n  - actions: [drain]\n    expired: run\n",
        &incident(Some(120)),
    );
    story.published();
    assert_eq!(story.run.due_at(), Some(at(420)), "runs late, until it is closed");
}

#[test]
fn what_was_not_noted_as_published_is_published_again() {
    let mut story = Story::new(TWO_STEPS, &incident(Some(120)));
    story.said(&["publish drain asg-swap"]);
    let first = story.run.republish();
    let drain = story.id("drain");
    story.tell(Event::Published(&[drain]));
    story.due();
    story.said(&["publish asg-swap"]);
    assert_eq!(story.now, 10);
    assert_eq!(story.run.republish(), first, "the same messages, whenever asked");
    story.ends("drain", Outcome::Succeeded);
    assert_eq!(story.run.republish().len(), 1);
}

#[test]
fn a_step_ahead_of_the_deadline_waits_and_moves_with_it() {
    let steps = "  steps:\n  - actions: [drain]\n    before_deadline: 30m\n";
    let known = incident(Some(7200));
    let mut story = Story::new(steps, &known);
    assert_eq!(story.run.due_at(), Some(at(5400)));
    story.now = 5399;
    story.tell(Event::Due);
    story.said(&[]);
    let later = moved(&known, 10, 10_000);
    story.tell(Event::IncidentChanged(&later));
    assert_eq!(story.run.due_at(), Some(at(8200)));
    story.due();
    story.said(&["publish drain"]);
    let message = &story.run.republish()[0];
    assert_eq!(message.start_at, Some(to_proto(at(8200))));
    // The deadline of what is under way moves too.
    story.tell(Event::IncidentChanged(&moved(&later, 20, 9_000)));
    assert_eq!(story.run.actions[0].deadline, Some(at(9_000)));
    assert_eq!(story.run.republish()[0].id, message.id);
}

#[test]
fn a_step_ahead_of_an_unknown_deadline_is_given_up_after_a_day() {
    let steps = "  steps:\n  - actions: [drain]\n    before_deadline: 30m\n  - actions: [notify]\n";
    let mut story = Story::new(steps, &incident(None));
    story.due();
    assert_eq!(story.now, 86_400);
    story.said(&["publish notify"]);
    assert_eq!(
        story.result_of("drain"),
        Some((Outcome::Skipped, "no-deadline".into()))
    );
}

#[test]
fn cancelling_ends_the_queue_waits_for_the_rest_and_cleans_up() {
    let known = incident(Some(120));
    let mut story = Story::new(TWO_STEPS, &known);
    story.published();
    story.tell(Event::IncidentChanged(&withdrawn(&known)));
    story.said(&["publish drain asg-swap", "withdrawn drain", "withdrawn asg-swap"]);
    assert_eq!(
        story.result_of("notify"),
        Some((Outcome::Cancelled, "incident-withdrawn".into()))
    );
    story.ends("drain", Outcome::Cancelled);
    story.said(&[]);
    story.ends("asg-swap", Outcome::Succeeded);
    story.said(&["publish uncordon"]);
    story.tell(Event::IncidentChanged(&withdrawn(&known)));
    story.said(&[]);
    story.ends("uncordon", Outcome::Succeeded);
    story.said(&["finish cancelled"]);
    assert_eq!(story.run.result, Some(RunResult::Cancelled));
    story.tell(Event::IncidentChanged(&withdrawn(&known)));
    story.said(&[]);
}

#[test]
fn cancelling_after_the_end_cleans_up_too() {
    let known = incident(Some(120));
    let mut story = Story::new(
        "  steps:\n  - actions: [drain]\n  on_cancel: [uncordon]\n",
        &known,
    );
    story.ends("drain", Outcome::Succeeded);
    story.said(&["publish drain", "finish succeeded"]);
    story.tell(Event::IncidentChanged(&withdrawn(&known)));
    story.said(&["publish uncordon"]);
    assert_eq!((story.run.phase, story.run.result), (Phase::Cancelling, None));
    story.published();
    story.due();
    story.said(&["overdue uncordon"]);
    story.ends("uncordon", Outcome::Expired);
    story.said(&["finish cancelled"]);

    let mut story = Story::new("  steps:\n  - actions: [drain]\n", &known);
    story.ends("drain", Outcome::Succeeded);
    story.tell(Event::IncidentChanged(&withdrawn(&known)));
    story.said(&["publish drain", "finish succeeded"]);
    assert_eq!(
        story.run.result,
        Some(RunResult::Succeeded),
        "nothing to undo, nothing to change"
    );
}

#[test]
fn two_rules_share_what_exists_once() {
    let known = incident(Some(120));
    let a = Run::plan(&rule("  steps:\n  - actions: [drain, notify]\n"), &known, at(0));
    let mut other = rule("  steps:\n  - actions: [notify]\n  - actions: [drain]\n");
    other.name = "other".into();
    let b = Run::plan(&other, &known, at(0)).decide(Event::Created, at(0)).run;
    let id = |run: &Run, kind: &str| run.actions.iter().find(|a| a.kind == kind).unwrap().id.clone();
    assert_eq!(id(&a, "drain"), id(&b, "drain"));
    assert_ne!(id(&a, "notify"), id(&b, "notify"));
    // Its outcome counts also where its step has not begun; it is not asked for again.
    let (drain, notify) = (id(&b, "drain"), id(&b, "notify"));
    let done = Ended::new(Outcome::Succeeded, "", "", at(1));
    let b = b
        .decide(
            Event::OutcomeIn {
                action: &drain,
                ended: &done,
            },
            at(1),
        )
        .run;
    let decision = b.decide(
        Event::OutcomeIn {
            action: &notify,
            ended: &done,
        },
        at(1),
    );
    assert_eq!(decision.commands, [Command::Finish(RunResult::Succeeded)]);
    // A surer incident has actions of its own.
    let advice = Run {
        certainty: Certainty::Advisory,
        actions: Vec::new(),
        ..a.clone()
    };
    assert_ne!(advice.id(), a.id());
    assert_ne!(advice.store_key(), a.store_key());
}

#[test]
fn of_another_generation_or_instance_nothing_is_taken() {
    let known = incident(Some(120));
    let run = Run::plan(&rule(TWO_STEPS), &known, at(0))
        .decide(Event::Created, at(0))
        .run;
    let older = Incident {
        generation: 0,
        ..withdrawn(&known)
    };
    assert_eq!(run.decide(Event::IncidentChanged(&older), at(1)).run, run);
    let newer = Incident {
        generation: 2,
        ..known
    };
    assert_eq!(
        run.decide(Event::IncidentChanged(&newer), at(1)).run.phase,
        Phase::Cancelling
    );
}

#[test]
fn records_of_newer_releases_and_torn_ones_are_refused() {
    let run = Run::plan(&rule(TWO_STEPS), &incident(Some(120)), at(0));
    let record = proto::Run::from(&run);
    let newer = proto::Run {
        schema: 7,
        ..record.clone()
    };
    assert_eq!(
        Run::try_from(newer),
        Err(RecordError::NewerSchema { found: 7, known: 1 })
    );
    let torn = proto::Run {
        steps: Vec::new(),
        on_cancel: Vec::new(),
        ..record
    };
    assert!(matches!(
        Run::try_from(torn),
        Err(RecordError::Corrupt { field: "actions", .. })
    ));
}

#[test]
fn the_largest_run_fits_its_record() {
    use crate::limits;
    let text = "x".repeat(limits::PLAN_BYTES_MAX - 64 * 190);
    let kind = |at: usize| format!("{at:02}{}", "k".repeat(limits::NAME_BYTES_MAX - 2));
    let mut actions: Vec<String> = (0..63)
        .map(|at| format!("{{ kind: {}, effect: per-action }}", kind(at)))
        .collect();
    actions.push(format!("{{ kind: drain, params: {{ t: {text} }} }}"));
    let rule = rule(&format!("  steps:\n  - actions: [{}]\n", actions.join(", ")));
    let mut known = incident(Some(120));
    let long = || "\"".repeat(limits::TEXT_BYTES_MAX);
    known.target = proto::Target {
        provider: long(),
        account: long(),
        region: long(),
        zone: long(),
        node: long(),
        group: long(),
        instance_type: long(),
    };
    let nanos = SignedDuration::from_nanos(123_456_789);
    let mut run = Run::plan(&rule, &known, at(0) + nanos)
        .decide(Event::Created, at(0) + nanos)
        .run;
    let ids: Vec<ActionId> = run.actions.iter().map(|action| action.id.clone()).collect();
    run = run.decide(Event::Published(&ids), at(0) + nanos).run;
    for id in &ids {
        let ended = Ended::new(
            Outcome::Succeeded,
            &"\"".repeat(500),
            &"\"".repeat(500),
            at(0) + nanos,
        );
        run = run
            .decide(
                Event::OutcomeIn {
                    action: id,
                    ended: &ended,
                },
                at(0) + nanos,
            )
            .run;
    }
    let size = serde_json::to_string(&proto::Run::from(&run)).unwrap().len();
    assert!(size <= limits::RUN_BYTES_MAX, "{size} bytes");
}
