use std::collections::BTreeMap;

use hollowtrees_schemas::proto;
use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::notice::Notice;
use crate::words::{OnFailure, WhenExpired};

fn notice(change: impl FnOnce(&mut proto::Notice)) -> Notice {
    let detail =
        r#"{"instance-action":"terminate","score":0.5,"deep":{"a.b":{"c":true}},"list":[{"id":"x"}]}"#;
    let mut message = proto::Notice {
        cluster: "prod".into(),
        provider: "aws".into(),
        instance: "i-1".into(),
        kind: "spot-interruption".into(),
        labels: BTreeMap::from([("app.kubernetes.io/name".to_owned(), "shop".to_owned())]),
        detail: serde_json::from_str(detail).unwrap(),
        ..Default::default()
    };
    change(&mut message);
    Notice::parse(
        message,
        "/aws/1/eu/imds",
        Timestamp::from_second(1_800_000_000).unwrap(),
    )
    .unwrap()
}

fn attributes() -> Attributes {
    [
        ("type", "io.hollowtrees.notice.v1"),
        ("source", "/aws/1/eu/imds"),
        ("id", "n1"),
        ("team", "red"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

fn rule_of(filter: &str) -> String {
    format!("version: 1\nrules:\n  - name: r\n    match: {filter}\n    steps:\n      - actions: [drain]\n")
}

#[track_caller]
fn matches(filter: &str, expected: bool) {
    let rules = Rules::parse(&rule_of(filter), "r.yaml").unwrap();
    let (attributes, notice) = (attributes(), notice(|_| {}));
    let candidate = Candidate {
        attributes: &attributes,
        notice: &notice,
    };
    assert_eq!(rules.matching(&candidate).count() == 1, expected, "{filter}");
    let explanation = &rules.explain(&candidate)[0];
    assert_eq!(explanation.matched, expected, "{filter}");
    assert_eq!(
        explanation.reasons.is_empty(),
        expected,
        "{filter}: {:?}",
        explanation.reasons
    );
}

#[test]
fn dialects() {
    matches("{ exact: { type: io.hollowtrees.notice.v1 } }", true);
    matches("{ exact: { type: io.hollowtrees } }", false);
    matches("{ prefix: { type: io.hollowtrees } }", true);
    matches("{ suffix: { type: .v1, source: imds } }", true);
    matches("{ suffix: { type: .v1, source: sqs } }", false);
    matches("{ exact: { team: red } }", true);
    matches("{ exact: { absent: red } }", false);
    matches("{ not: { exact: { absent: red } } }", true);
    matches("{ all: [] }", true);
    matches(
        "{ all: [ { prefix: { id: n } }, { exact: { team: blue } } ] }",
        false,
    );
    matches(
        "{ any: [ { prefix: { id: n } }, { exact: { team: blue } } ] }",
        true,
    );
    matches("[ { prefix: { id: n } }, { exact: { team: red } } ]", true);
    matches("{ not: { any: [ { exact: { team: red } } ] } }", false);
}

#[test]
fn fields_of_the_data() {
    matches("{ exact: { data.kind: spot-interruption } }", true);
    matches(
        "{ exact: { data.state: active, data.certainty: certain, data.mode: live } }",
        true,
    );
    matches("{ exact: { data.providerAction: terminate } }", false);
    matches("{ exact: { data.labels.app.kubernetes.io/name: shop } }", true);
    matches("{ exact: { data.detail.instance-action: terminate } }", true);
    matches("{ exact: { data.detail.score: 0.5 } }", true);
    matches("{ exact: { data.detail.deep.a.b.c: true } }", true);
    matches("{ exact: { data.detail.list.0.id: x } }", true);
    matches("{ exact: { data.detail.list.1.id: x } }", false);
    matches("{ prefix: { data.noticed_at: '2027-' } }", true);
    matches("{ prefix: { data.deadline: '2027-01-15T08:02:00Z' } }", true);
}

#[test]
fn a_withdrawal_starts_nothing_and_says_so() {
    let rules = Rules::parse(&rule_of("{ all: [] }"), "r.yaml").unwrap();
    let (attributes, notice) = (attributes(), notice(|n| n.state = "cancelled".into()));
    let candidate = Candidate {
        attributes: &attributes,
        notice: &notice,
    };
    assert_eq!(rules.matching(&candidate).count(), 0);
    assert_eq!(
        rules.explain(&candidate)[0].reasons[0].text,
        "the notice is cancelled: it withdraws, and starts nothing"
    );
}

#[test]
fn why_a_rule_did_not_apply() {
    let filter = "{ all: [ { exact: { data.kind: preempted } }, { not: { prefix: { team: r } } }, { exact: { x: y } } ] }";
    let rules = Rules::parse(&rule_of(filter), "r.yaml").unwrap();
    let (attributes, notice) = (attributes(), notice(|_| {}));
    let reasons = &rules.explain(&Candidate {
        attributes: &attributes,
        notice: &notice,
    })[0]
        .reasons;
    let texts: Vec<&str> = reasons.iter().map(|reason| reason.text.as_str()).collect();
    assert_eq!(
        texts,
        [
            "data.kind must have exact \"preempted\": it is \"spot-interruption\"",
            "team must not have prefix \"r\": it is \"red\"",
            "x must have exact \"y\": it is absent",
        ]
    );
}

#[test]
fn default_rules_drain_and_swap_together_then_tell() {
    let rules = Rules::parse(Rules::default_text(), "default").unwrap();
    assert_eq!(rules, Rules::default_rules());
    let attributes = attributes();
    let steps = |kind: &str| {
        let notice = notice(|n| n.kind = kind.into());
        let candidate = Candidate {
            attributes: &attributes,
            notice: &notice,
        };
        let kinds = |rule: &Rule| -> Vec<Vec<String>> {
            rule.steps
                .iter()
                .map(|step| step.actions.iter().map(|action| action.kind.clone()).collect())
                .collect()
        };
        rules.matching(&candidate).map(kinds).collect::<Vec<_>>()
    };
    let expected = vec![vec![
        vec!["drain".to_owned(), "asg-swap".to_owned()],
        vec!["notify".to_owned()],
    ]];
    assert_eq!(steps("spot-interruption"), expected);
    assert_eq!(steps("preempted"), expected);
    for other in [
        "rebalance-recommendation",
        "scheduled-maintenance",
        "alert",
        "asg-terminating",
    ] {
        assert!(steps(other).is_empty(), "{other} is recorded only");
    }
}

#[test]
fn a_full_rule() {
    let text = "
version: 1
rules:
  - name: full
    description: everything
    match: { all: [] }
    steps:
      - name: first
        before_deadline: 30m
        on_failure: continue
        on_skipped: stop
        expired: run
        deadline_reserve: 10s
        timeout: 5m
        actions:
          - drain
          - kind: mine
            effect: per-action
            expired: skip
            deadline_reserve: 1s
            timeout: 1m
            params: { text: hello, count: 3, deep: { list: [true, null] } }
    on_cancel: [uncordon]
";
    let rules = Rules::parse(text, "r.yaml").unwrap();
    let rule = rules.get("full").unwrap();
    let step = &rule.steps[0];
    let (drain, mine) = (&step.actions[0], &step.actions[1]);
    assert_eq!(
        (
            step.on_failure,
            step.on_skipped,
            step.before_deadline.map(|d| d.as_secs())
        ),
        (OnFailure::Continue, OnFailure::Stop, Some(1800))
    );
    assert_eq!(
        (drain.effect, drain.when_expired),
        (Effect::PerInstance, WhenExpired::Run)
    );
    assert_eq!(
        (
            drain.deadline_reserve.as_secs(),
            drain.timeout.map(|d| d.as_secs())
        ),
        (10, Some(300))
    );
    assert_eq!(
        (mine.effect, mine.when_expired),
        (Effect::PerAction, WhenExpired::Skip)
    );
    assert_eq!(
        (mine.deadline_reserve.as_secs(), mine.timeout.map(|d| d.as_secs())),
        (1, Some(60))
    );
    assert!(
        serde_json::to_string(&proto::PlannedAction::from(mine).params)
            .unwrap()
            .contains("hello"),
        "params travel"
    );
    assert_eq!(rule.on_cancel[0].kind, "uncordon");
    let other = Rules::parse(&text.replace("hello", "hallo"), "r.yaml").unwrap();
    let same = Rules::parse(&text.replace("everything", "something"), "r.yaml").unwrap();
    assert_ne!(rule.version, other.get("full").unwrap().version);
    assert_eq!(rule.version, same.get("full").unwrap().version);
}

#[track_caller]
fn refused(text: &str, expected: &[&str]) {
    let errors = Rules::parse(text, "r.yaml").unwrap_err();
    let texts: Vec<String> = errors.0.iter().map(ToString::to_string).collect();
    assert_eq!(texts.len(), expected.len(), "{texts:#?}");
    for (text, expected) in texts.iter().zip(expected) {
        assert!(text.starts_with(expected), "{text}\nexpected {expected}");
    }
}

#[test]
fn mistakes_are_told_with_file_line_key_and_what_was_expected() {
    refused("", &["r.yaml"]);
    refused(
        "version: 1\n",
        &["r.yaml:1: rules: expected a list of rules (`[]` for none), found nothing"],
    );
    refused(
        "version: 2\nrules: []\n",
        &["r.yaml:1: version: expected 1, found `2`"],
    );
    refused("version: 1\nrules: [\n", &["r.yaml:"]);
    refused(
        "version: 1
rules:
  - name: bad name
    match:
      exakt: { type: x }
    steps:
      - actions: [drain]
        on_failure: halt
      - actions: []
        before_deadline: 30
      - action: [drain]
  - match:
      exact: { data.knd: x, Type: y, team: [] }
    steps: drain
  - name: two
    match: { exact: { type: a }, prefix: { type: b } }
    steps:
      - actions:
          - kind: drain
            expired: never
            params: 3
          - kindd: x
      - actions: [drain, { kind: notify, timeout: soon }, notify, 'a b']
",
        &[
            "r.yaml:3: rules[0].name: expected a name of 1 to 63 letters, digits, `-` and `_`, found `bad name`",
            "r.yaml:5: rules[0].match.exakt: expected one of the keys exact, prefix, suffix, all, any, not, found `exakt`",
            "r.yaml:8: rules[0].steps[0].on_failure: expected `continue` or `stop`, found `halt`",
            "r.yaml:9: rules[0].steps[1].actions: expected at least one action, found `[]`",
            "r.yaml:10: rules[0].steps[1].before_deadline: expected a duration like `30s` or `1h30m`, found `30`",
            "r.yaml:11: rules[0].steps[2].action: expected one of the keys name, actions,",
            "r.yaml:11: rules[0].steps[2].actions: expected a list of actions, found nothing",
            "r.yaml:12: rules[1].name: expected a name, found nothing",
            "r.yaml:13: rules[1].match.exact.data.knd: expected a field of a notice, one of data.cluster,",
            "r.yaml:13: rules[1].match.exact.Type: expected the name of a CloudEvents attribute",
            "r.yaml:13: rules[1].match.exact.team: expected a text of at least one character, found a list",
            "r.yaml:14: rules[1].steps: expected a list of steps, found `drain`",
            "r.yaml:15: rules[2]: expected `drain` once",
            "r.yaml:16: rules[2].match.prefix: expected one filter in a mapping, found `prefix` beside `exact`",
            "r.yaml:20: rules[2].steps[0].actions[0].expired: expected `skip` or `run`, found `never`",
            "r.yaml:21: rules[2].steps[0].actions[0].params: expected a mapping of parameters, found `3`",
            "r.yaml:22: rules[2].steps[0].actions[1].kindd: expected one of the keys kind, params",
            "r.yaml:22: rules[2].steps[0].actions[1].kind: expected a kind like `drain`, found nothing",
            "r.yaml:23: rules[2].steps[1].actions[1].timeout: expected a duration",
            "r.yaml:23: rules[2].steps[1].actions[3]: expected a kind of 1 to 63",
        ],
    );
}

#[test]
fn plans_that_outgrow_their_record_are_refused() {
    let with = |actions: &str| {
        format!("version: 1\nrules:\n- name: r\n  match: {{ all: [] }}\n  steps:\n  - actions: [{actions}]\n")
    };
    refused(
        &with(&"notify, ".repeat(65)),
        &["r.yaml:3: rules[0]: expected at most 64 actions"],
    );
    let large = format!("{{ kind: notify, params: {{ text: {} }} }}", "x".repeat(17_000));
    refused(
        &with(&large),
        &["r.yaml:3: rules[0]: expected a plan of at most 16384 bytes"],
    );
    let twice = "version: 1\nrules:\n- { name: r, match: { all: [] } }\n- { name: r, match: { all: [] } }\n";
    refused(
        twice,
        &["r.yaml:4: rules[1].name: expected a name of its own, found a second `r`"],
    );
    refused("version: 1\nversion: 1\nrules: []\n", &["r.yaml:2"]);
}

proptest! {
    #[test]
    fn garbage_is_refused_without_panic(text in "[a-z:\\[\\]{} \n,'\"&*!|>-]{0,80}") {
        let _unused = Rules::parse(&text, "r.yaml");
    }
}

/// How many rules files a page shows; all of them can be read.
fn examples(page: &str, name: &str) -> usize {
    let blocks = page.split("```yaml\n").skip(1);
    let texts = blocks.map(|block| block.split("```").next().unwrap());
    texts
        .inspect(|text| drop(Rules::parse(text, name).unwrap()))
        .count()
}

#[test]
fn the_rules_of_the_page_on_draining_can_be_read() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../docs/draining.md");
    assert_eq!(
        examples(&std::fs::read_to_string(page).unwrap(), "draining.md"),
        3
    );
}

#[test]
fn the_page_on_rules_is_true() {
    let page =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../docs/rules.md")).unwrap();
    assert_eq!(examples(&page, "rules.md"), 4);
    let limits = format!(
        "{} rules a file, {} steps and {} actions a rule, {} KiB",
        crate::limits::RULES_MAX,
        crate::limits::STEPS_MAX,
        crate::limits::ACTIONS_MAX,
        crate::limits::PLAN_BYTES_MAX / 1024
    );
    assert!(page.contains(&limits), "{limits}");
}

#[test]
fn the_commented_examples_of_the_default_rules_are_rules() {
    let (_, examples) = Rules::default_text().split_once("For example:\n").unwrap();
    let text: String = examples
        .lines()
        .map(|line| format!("{}\n", line.trim_start_matches('#')))
        .collect();
    let rules = Rules::parse(&format!("version: 1\nrules:\n{text}"), "examples").unwrap();
    assert_eq!(rules.as_slice().len(), 3);
}

#[test]
fn an_arrival_is_only_for_rules_about_arrivals() {
    let arrives = notice(|message| message.kind = "asg-launching".into());
    let attributes = attributes();
    let candidate = Candidate {
        attributes: &attributes,
        notice: &arrives,
    };
    for (filter, expected) in [
        ("{ exact: { data.kind: asg-launching } }", true),
        (
            "{ all: [{ exact: { data.kind: asg-launching } }, { exact: { team: red } }] }",
            true,
        ),
        ("{ prefix: { data.kind: asg-l } }", true),
        ("{ prefix: { data.kind: asg- } }", false),
        ("{ exact: { data.cluster: prod } }", false),
        ("{ not: { exact: { data.kind: alert } } }", false),
        (
            "{ any: [{ exact: { data.kind: asg-launching } }, { exact: { data.kind: asg-terminating } }] }",
            false,
        ),
        ("{ exact: { data.kind: asg-terminating } }", false),
        ("{ exact: { data.kind: spot-again } }", false),
    ] {
        let rules = Rules::parse(&rule_of(filter), "r.yaml").unwrap();
        assert_eq!(rules.matching(&candidate).count() == 1, expected, "{filter}");
        let explanation = &rules.explain(&candidate)[0];
        assert_eq!(
            (explanation.matched, explanation.reasons.is_empty()),
            (expected, expected),
            "{filter}"
        );
    }
}
