//! Bodies as AWS sends them, in `bodies/`: each in one line.

use std::{collections::BTreeMap, fs, path::Path};

use hollowtrees_schemas::proto::time::text;
use proptest::prelude::*;

use super::*;

/// Every file with what is expected of it: a line for each event, each idle one and each that is unusable.
const EXPECTED: &[(&str, &[&str])] = &[
    ("asg-launched", &["idle scaling-activity"]),
    ("capacity-block", &["idle reservation"]),
    ("cloudtrail", &["idle cloudtrail"]),
    ("deep", &["unusable: it is no JSON"]),
    ("deep-text", &["unusable: it is wrapped more than 8 times"]),
    ("empty", &["unusable: it is no JSON"]),
    ("group-notification", &["idle scaling-activity"]),
    (
        "health-closed",
        &[
            "scheduled-maintenance cancelled scheduled i-0aaaaaaaaaaaaaaa1 eu-west-1 instance-retirement 2026-03-13T15:10:09Z #arn:aws:health:eu-west-1::event/EC2/AWS_EC2_PERSISTENT_INSTANCE_RETIREMENT_SCHEDULED/AWS_EC2_PERSISTENT_INSTANCE_RETIREMENT_SCHEDULED_90353408594353980",
        ],
    ),
    ("health-host", &["idle health"]),
    ("health-issue", &["idle health"]),
    (
        "health-old",
        &[
            "scheduled-maintenance active scheduled i-abcd1111 us-west-2 system-reboot 2016-06-05T15:10:09Z #arn:aws:health:us-west-2::event/AWS_EC2_SYSTEM_REBOOT_MAINTENANCE_SCHEDULED_1",
        ],
    ),
    ("health-other-service", &["idle health"]),
    (
        "health-two-instances",
        &[
            "scheduled-maintenance active scheduled i-0aaaaaaaaaaaaaaa1 eu-west-1 instance-retirement 2026-03-13T15:10:09Z #arn:aws:health:eu-west-1::event/EC2/AWS_EC2_PERSISTENT_INSTANCE_RETIREMENT_SCHEDULED/AWS_EC2_PERSISTENT_INSTANCE_RETIREMENT_SCHEDULED_90353408594353980",
            "scheduled-maintenance cancelled scheduled i-0aaaaaaaaaaaaaaa2 eu-west-1 instance-retirement 2026-03-13T15:10:09Z #arn:aws:health:eu-west-1::event/EC2/AWS_EC2_PERSISTENT_INSTANCE_RETIREMENT_SCHEDULED/AWS_EC2_PERSISTENT_INSTANCE_RETIREMENT_SCHEDULED_90353408594353980",
        ],
    ),
    (
        "hook-direct",
        &[
            "asg-terminating active certain i-0633ac2b0d9769723 eu-north-1 terminate hook:workers-blue/drain #87654321-4321-4321-4321-210987654321",
        ],
    ),
    ("hook-direct-launch", &["idle launch"]),
    (
        "hook-direct-other",
        &["unusable: `EC2 Instance-terminate Lifecycle Action`: field `LifecycleTransition`"],
    ),
    ("hook-launch", &["idle launch"]),
    (
        "hook-terminate",
        &[
            "asg-terminating active certain i-0633ac2b0d9769723 eu-west-1 terminate hook:workers-blue/drain #87654321-4321-4321-4321-210987654321",
        ],
    ),
    ("hook-test", &["idle test-notification"]),
    (
        "no-detail",
        &["unusable: `EC2 Spot Instance Interruption Warning`: field `detail`"],
    ),
    ("other-object", &["unusable: it is neither"]),
    (
        "pipes",
        &[
            "spot-interruption active certain i-0b662ef9931388ba0 eu-west-1 terminate 2026-03-02T08:22:00Z",
            "spot-interruption active certain i-0c eu-west-1 stop 2026-03-02T08:22:00Z",
            "idle state-change",
        ],
    ),
    ("pipes-empty", &["idle empty"]),
    (
        "pipes-one-bad",
        &[
            "spot-interruption active certain i-0b662ef9931388ba0 eu-west-1 terminate 2026-03-02T08:22:00Z",
            "unusable: events `Order Placed` of `shop` are unknown here",
            "unusable: it is neither",
        ],
    ),
    (
        "pipes-records",
        &[
            "spot-interruption active certain i-0b662ef9931388ba0 eu-west-1 terminate 2026-03-02T08:22:00Z",
            "asg-terminating active certain i-0633ac2b0d9769723 eu-north-1 terminate hook:workers-blue/drain #87654321-4321-4321-4321-210987654321",
        ],
    ),
    (
        "rebalance",
        &["rebalance-recommendation active advisory i-0b662ef9931388ba0 eu-west-1 - -"],
    ),
    (
        "records-sns",
        &[
            "asg-terminating active certain i-0633ac2b0d9769723 eu-north-1 terminate hook:workers-blue/drain #87654321-4321-4321-4321-210987654321",
        ],
    ),
    (
        "reservation",
        &["capacity-reservation-interruption active certain i-0cc eu-west-1 terminate 2026-03-02T10:02:30Z"],
    ),
    (
        "reservation-interruptible",
        &["capacity-reservation-interruption active certain i-0cc eu-west-1 terminate 2026-03-02T10:02:00Z"],
    ),
    ("reservation-reclaimed", &["idle reservation"]),
    (
        "reservation-underscore",
        &["capacity-reservation-interruption active certain i-0cc eu-west-1 terminate 2026-03-02T10:02:30Z"],
    ),
    ("sns-confirmation", &["idle subscription"]),
    (
        "sns-hook",
        &[
            "asg-terminating active certain i-0633ac2b0d9769723 eu-north-1 terminate hook:workers-blue/drain #87654321-4321-4321-4321-210987654321",
        ],
    ),
    ("sns-hook-test", &["idle test-notification"]),
    (
        "sns-spot",
        &["spot-interruption active certain i-0b662ef9931388ba0 eu-west-1 terminate 2026-03-02T08:22:00Z"],
    ),
    ("sns-text", &["unusable: it is no JSON"]),
    (
        "spot",
        &["spot-interruption active certain i-0b662ef9931388ba0 eu-west-1 terminate 2026-03-02T08:22:00Z"],
    ),
    (
        "spot-hibernate",
        &["spot-interruption active certain i-0b662ef9931388ba0 eu-west-1 hibernate 2026-03-02T08:20:00Z"],
    ),
    (
        "spot-no-instance",
        &["unusable: `EC2 Spot Instance Interruption Warning`: field `instance-id`"],
    ),
    (
        "spot-odd-instance",
        &["unusable: `EC2 Spot Instance Interruption Warning`: field `instance-id`"],
    ),
    ("spot-request", &["idle reservation"]),
    (
        "spot-without-time",
        &["spot-interruption active certain i-0b662ef9931388ba0 eu-west-1 terminate 2026-01-01T00:02:00Z"],
    ),
    (
        "state-dancing",
        &["unusable: `EC2 Instance State-change Notification`: field `state`"],
    ),
    ("state-pending", &["idle state-change"]),
    ("state-running", &["idle state-change"]),
    (
        "state-shutting-down",
        &[
            "instance-state-change active certain i-abcd1111 eu-west-1 terminate - #7bf73129-1428-4cd3-a780-95db273d1602",
        ],
    ),
    (
        "state-stopped",
        &[
            "instance-state-change active certain i-abcd1111 eu-west-1 stop - #7bf73129-1428-4cd3-a780-95db273d1602",
        ],
    ),
    (
        "state-stopping",
        &[
            "instance-state-change active certain i-abcd1111 eu-west-1 stop - #7bf73129-1428-4cd3-a780-95db273d1602",
        ],
    ),
    (
        "state-terminated",
        &[
            "instance-state-change active certain i-abcd1111 eu-west-1 terminate - #7bf73129-1428-4cd3-a780-95db273d1602",
        ],
    ),
    (
        "text-in-text",
        &["spot-interruption active certain i-0b662ef9931388ba0 eu-west-1 terminate 2026-03-02T08:22:00Z"],
    ),
    ("truncated", &["unusable: it is no JSON"]),
    (
        "unknown-type",
        &["unusable: events `EC2 AMI State Change` of `aws.ec2` are unknown here"],
    ),
    ("yaml", &["unusable: it is no JSON"]),
];

fn origin() -> Origin {
    Origin {
        account: "444455556666".to_owned(),
        region: "eu-north-1".to_owned(),
        sent_at: Some("2026-01-01T00:00:00Z".parse().unwrap()),
        launches: false,
    }
}

fn bodies() -> BTreeMap<String, String> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/sqs/read/bodies");
    fs::read_dir(directory)
        .unwrap()
        .map(|file| {
            let path = file.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect()
}

fn or_dash(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}

fn line(event: &Event) -> String {
    let deadline = match &event.deadline {
        Deadline::Unknown => "-".to_owned(),
        Deadline::At(at) => text(*at),
        Deadline::Hook(hook) => format!("hook:{}/{hook}", event.group),
    };
    let id = if event.event_id.is_empty() {
        String::new()
    } else {
        format!(" #{}", event.event_id)
    };
    format!(
        "{} {} {} {} {} {} {deadline}{id}",
        event.kind,
        event.state,
        event.certainty,
        event.instance,
        event.region,
        or_dash(&event.action)
    )
}

fn lines(contents: &Contents) -> Vec<String> {
    let events = contents.events.iter().map(line);
    let idle = contents.idle.iter().map(|idle| format!("idle {}", idle.as_str()));
    let unusable = contents.unusable.iter().map(|why| format!("unusable: {why}"));
    events.chain(idle).chain(unusable).collect()
}

#[test]
fn bodies_as_they_come() {
    let mut bodies = bodies();
    for (name, expected) in EXPECTED {
        let body = bodies
            .remove(*name)
            .unwrap_or_else(|| panic!("there is no {name}.json"));
        let found = lines(&contents(&body, &origin()));
        assert_eq!(found.len(), expected.len(), "{name}: {found:#?}");
        for (found, expected) in found.iter().zip(*expected) {
            let same = if expected.starts_with("unusable") {
                found.starts_with(expected)
            } else {
                found == expected
            };
            assert!(same, "{name}: found\n{found}\nexpected\n{expected}");
        }
    }
    assert!(bodies.is_empty(), "not in the table: {:?}", bodies.keys());
}

#[test]
fn an_event_says_where_it_comes_from_or_the_queue_does() {
    let bodies = bodies();
    for (name, account) in [
        ("spot", "111122223333"),
        ("hook-direct", "111122223333"),
        ("health-old", "111122223333"),
    ] {
        let event = contents(&bodies[name], &origin()).events.remove(0);
        assert_eq!(event.account, account, "{name}");
    }
    let bare = r#"{"LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING", "EC2InstanceId": "i-1"}"#;
    let event = contents(bare, &origin()).events.remove(0);
    assert_eq!(
        (event.account.as_str(), event.deadline),
        ("444455556666", Deadline::Unknown)
    );
    assert_eq!(event.at, origin().sent_at);
}

#[test]
fn a_place_that_cannot_be_is_that_of_the_queue() {
    let spot = &bodies()["spot"];
    for (region, account, expected) in [
        ("us-gov-east-1", "111122223333", ("us-gov-east-1", "111122223333")),
        ("eu-west-1.evil.example/#", "1", ("eu-north-1", "444455556666")),
        ("eu-west-256", "11112222333x", ("eu-north-1", "444455556666")),
        ("", "", ("eu-north-1", "444455556666")),
        ("EU-WEST-1", "role/other/123", ("eu-north-1", "444455556666")),
    ] {
        let mut document: Document = serde_json::from_str(spot).unwrap();
        document.insert("region".to_owned(), region.into());
        document.insert("account".to_owned(), account.into());
        let body = serde_json::to_string(&document).unwrap();
        let event = contents(&body, &origin()).events.remove(0);
        assert_eq!((event.region.as_str(), event.account.as_str()), expected);
    }
}

#[test]
fn a_maintenance_of_many_tells_each_of_itself() {
    let events = contents(&bodies()["health-two-instances"], &origin()).events;
    for event in &events {
        let detail = serde_json::to_string(&event.detail).unwrap();
        assert!(detail.contains(&event.instance), "{detail}");
        let others = events.iter().filter(|other| other.instance != event.instance);
        for other in others {
            assert!(!detail.contains(&other.instance), "{detail}");
        }
    }
}

#[test]
fn by_eventbridge_or_directly_it_is_one_fact() {
    let bodies = bodies();
    let key = |name: &str| {
        let event = contents(&bodies[name], &origin()).events.remove(0);
        (event.kind, event.account, event.instance, event.event_id)
    };
    assert_eq!(key("hook-terminate"), key("hook-direct"));
    assert_eq!(key("hook-terminate"), key("sns-hook"));
}

#[test]
fn a_list_is_read_so_far_and_no_further() {
    let one = &bodies()["state-running"];
    let many = format!("[{}]", vec![one.as_str(); 1200].join(","));
    let found = contents(&many, &origin());
    assert_eq!((found.idle.len(), found.unusable.len()), (1000, 1));
    assert_eq!(found.unusable[0], Unusable::TooMany(1000));
}

#[test]
fn nothing_of_a_body_is_in_what_is_said_of_it() {
    let body = r#"{"detail-type": "EC2 Spot Instance Interruption Warning", "source": "aws.ec2", "detail": {"instance-id": "secret"}}"#;
    for body in [body, "secret", r#"{"x": "secret""#, r#"["secret"]"#] {
        for why in contents(body, &origin()).unusable {
            assert!(!why.to_string().contains("secret"), "{why}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Whatever comes: no panic, and nothing of it without a word.
    #[test]
    fn any_text(body in ".{0,400}") {
        prop_assert!(!lines(&contents(&body, &origin())).is_empty());
    }

    /// Bodies with a piece cut out, doubled or replaced.
    #[test]
    fn broken_bodies(pick in any::<prop::sample::Index>(), from in any::<prop::sample::Index>(),
                     length in 0usize..80, with in ".{0,12}") {
        let bodies = bodies();
        let names: Vec<_> = bodies.keys().collect();
        let body = &bodies[*pick.get(&names)];
        let chars: Vec<char> = body.chars().collect();
        let from = if chars.is_empty() { 0 } else { from.index(chars.len()) };
        let to = (from + length).min(chars.len());
        let broken: String = chars[..from].iter().copied().chain(with.chars()).chain(chars[to..].iter().copied()).collect();
        let found = contents(&broken, &origin());
        prop_assert!(!lines(&found).is_empty());
        for event in found.events {
            prop_assert!(event.instance.starts_with("i-"));
        }
    }

    /// Any JSON at all in place of any field of an event.
    #[test]
    fn any_value_in_any_field(pick in any::<prop::sample::Index>(), field in any::<prop::sample::Index>(), value in json()) {
        let bodies = bodies();
        let objects: Vec<Document> = bodies.values().filter_map(|body| serde_json::from_str(body).ok()).collect();
        let mut document = pick.get(&objects).clone();
        let keys: Vec<String> = document.keys().cloned().collect();
        if !keys.is_empty() {
            document.insert(field.get(&keys).clone(), value);
        }
        let body = serde_json::to_string(&document).unwrap();
        prop_assert!(!lines(&contents(&body, &origin())).is_empty());
    }
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
        "i-[0-9a-f]{1,17}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map("[a-zA-Z-]{1,12}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

#[test]
fn a_launch_is_told_where_it_is_asked_for() {
    let asked = Origin {
        launches: true,
        ..origin()
    };
    let bodies = bodies();
    let told: Vec<_> = ["hook-launch", "hook-direct-launch"]
        .map(|name| contents(&bodies[name], &asked).events.remove(0))
        .into_iter()
        .map(|event| {
            (
                event.kind,
                event.certainty,
                event.instance,
                event.event_id,
                event.action,
                event.deadline,
            )
        })
        .collect();
    assert_eq!(told[0], told[1], "one fact, whichever way it comes");
    assert_eq!(
        told[0],
        (
            "asg-launching",
            "advisory",
            "i-0633ac2b0d9769723".to_owned(),
            "87654321-4321-4321-4321-210987654321".to_owned(),
            "launch".to_owned(),
            Deadline::Unknown,
        )
    );
}
