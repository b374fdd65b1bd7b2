//! The gauges of the original exporters, and the alert rules that were made for them.

use std::{fmt::Write as _, fs, time::Duration};

use hollowtrees_harness::{
    Metadata, Nats,
    metadata::{Azure, Event, Gcp, Instance},
    promtool::Promtool,
};

use crate::rig::{Stream, agent};

const INSTANCE: &str = "i-0d2aab13057917887";
const TWO_MINUTES: Duration = Duration::from_secs(120);

/// Name and labels of all samples whose name begins so, sorted.
async fn families(agent: &crate::rig::Agent, prefix: &str) -> Vec<String> {
    let (_, text) = agent.get("/metrics").await;
    let samples = text.lines().filter(|line| line.starts_with(prefix));
    let mut samples: Vec<_> = samples
        .filter_map(|line| Some(line.rsplit_once(' ')?.0.to_owned()))
        .collect();
    samples.sort();
    samples
}

#[tokio::test]
async fn those_of_the_termination_handler_by_its_own_variables() {
    let (nats, service) = (
        Nats::start().await.unwrap(),
        Metadata::start(Instance::new(INSTANCE, "eu-west-1a"))
            .await
            .unwrap(),
    );
    let mut stream = Stream::of(&nats).await;
    let agent = agent(
        &service.url(),
        &nats.url(),
        &[
            ("STH_LOG_LEVEL", "info"),
            ("STH_DRAINER_ENABLED", "true"),
            ("HT_EXPORTERS__SPOT_TERMINATION_EXPORTER", "false"),
        ],
    );
    agent.ready().await;
    agent
        .shows(
            "sth_instance_termination_imminent",
            &format!("sth_instance_termination_imminent{{action=\"\",instance_id=\"{INSTANCE}\"}} 0"),
        )
        .await;
    service.interrupt("stop", TWO_MINUTES);
    stream.next().await;
    agent
        .shows(
            "sth_instance_termination_imminent",
            &format!("sth_instance_termination_imminent{{action=\"stop\",instance_id=\"{INSTANCE}\"}} 1"),
        )
        .await;
    assert_eq!(
        families(&agent, "sth_").await,
        [
            format!("sth_instance_metadata_service_available{{instance_id=\"{INSTANCE}\"}}"),
            format!("sth_instance_termination_imminent{{action=\"stop\",instance_id=\"{INSTANCE}\"}}"),
            format!("sth_instance_termination_within_seconds{{action=\"stop\",instance_id=\"{INSTANCE}\"}}"),
        ]
    );
    let within = agent.samples("sth_instance_termination_within_seconds").await;
    let seconds: f64 = within[0].rsplit(' ').next().unwrap().parse().unwrap();
    assert!((60.0..120.0).contains(&seconds), "{within:?}");
    // Its own are off.
    assert_eq!(families(&agent, "aws_").await, Vec::<String>::new());
    let log = agent.worker.log().unwrap();
    assert!(
        log.contains("STH_LOG_LEVEL as HT_LOG__FILTER")
            && log.contains("STH_DRAINER_ENABLED: the agent drains nothing"),
        "{log}"
    );
}

#[tokio::test]
async fn those_of_the_preemption_exporter() {
    let (nats, service) = (Nats::start().await.unwrap(), Gcp::start().await.unwrap());
    let mut stream = Stream::of(&nats).await;
    let agent = agent(
        &service.url(),
        &nats.url(),
        &[
            ("HT_PROVIDER", "gcp"),
            ("HT_EXPORTERS__PREEMPTION_EXPORTER", "true"),
        ],
    );
    agent.ready().await;
    let labels = "{instance_id=\"4520031799277581759\",instance_name=\"pool-1-abc\"}";
    let imminent = |value| format!("gcp_instance_termination_imminent{labels} {value}");
    agent
        .shows("gcp_instance_termination_imminent", &imminent(0))
        .await;
    assert!(agent.samples("gcp_instance_termination_in").await.is_empty());
    service.preempt();
    stream.next().await;
    agent
        .shows("gcp_instance_termination_imminent", &imminent(1))
        .await;
    assert_eq!(
        families(&agent, "gcp_").await,
        [
            "metadata_service_available",
            "termination_imminent",
            "termination_in"
        ]
        .map(|name| format!("gcp_instance_{name}{labels}"))
    );
    assert_eq!(families(&agent, "aws_").await, Vec::<String>::new());
}

#[tokio::test]
async fn the_handlers_on_another_cloud() {
    let (nats, service) = (Nats::start().await.unwrap(), Azure::start("vm").await.unwrap());
    let mut stream = Stream::of(&nats).await;
    let agent = agent(
        &service.url(),
        &nats.url(),
        &[
            ("HT_PROVIDER", "azure"),
            ("HT_EXPORTERS__SPOT_TERMINATION_HANDLER", "true"),
        ],
    );
    agent.ready().await;
    // A reboot is no interruption.
    service.schedule(&[Event::new("E1", "Reboot", "vm", TWO_MINUTES)]);
    stream.next().await;
    let sample = |action, value| {
        let id = "02aab8a4-74ef-476e-8182-f6d2ba4166a6";
        format!("sth_instance_termination_imminent{{action=\"{action}\",instance_id=\"{id}\"}} {value}")
    };
    agent
        .shows("sth_instance_termination_imminent", &sample("", 0))
        .await;
    service.schedule(&[
        Event::new("E1", "Reboot", "vm", TWO_MINUTES),
        Event::new("E2", "Preempt", "vm", TWO_MINUTES),
    ]);
    agent
        .shows("sth_instance_termination_imminent", &sample("preempt", 1))
        .await;
    service.schedule(&[]);
    agent
        .shows("sth_instance_termination_imminent", &sample("", 0))
        .await;
}

/// A scrape that stays the same for ten seconds, and what `rules` (as `promtool` reads them) make of it after five.
fn rules_say(promtool: &Promtool, prefixes: &[&str], scrape: &str, rules: &str, expected: &str) {
    let directory = tempfile::tempdir().unwrap();
    let rules = format!("groups:\n- name: old\n  rules:\n{rules}");
    fs::write(directory.path().join("rules.yml"), rules).unwrap();
    let mut test =
        "rule_files: [rules.yml]\nevaluation_interval: 1s\ntests:\n- interval: 1s\n  input_series:\n"
            .to_owned();
    let ours = |line: &&str| prefixes.iter().any(|prefix| line.starts_with(prefix));
    for sample in scrape.lines().filter(ours) {
        let (series, value) = sample.rsplit_once(' ').unwrap();
        writeln!(test, "  - {{series: '{series}', values: '{value}x10'}}").unwrap();
    }
    writeln!(test, "  alert_rule_test:\n{expected}").unwrap();
    let file = directory.path().join("test.yml");
    fs::write(&file, &test).unwrap();
    let (content, said) = promtool
        .run(["test".into(), "rules".into(), file.into_os_string()], "")
        .unwrap();
    assert!(content, "{said}\n{test}");
    let (content, said) = promtool.run(["check", "metrics"], scrape).unwrap();
    assert!(content && said.trim().is_empty(), "{said}");
}

/// The rule the original published for its exporter, and what its readers made of the others', over what this agent shows.
#[tokio::test]
async fn old_alert_rules_fire_on_our_scrape() {
    let Some(promtool) = Promtool::find() else {
        return;
    };
    let nats = Nats::start().await.unwrap();
    let mut stream = Stream::of(&nats).await;
    let service = Metadata::start(Instance::new(INSTANCE, "eu-west-1a"))
        .await
        .unwrap();
    let agent = agent(&service.url(), &nats.url(), &[("STH_METRICS_ENABLED", "true")]);
    agent.ready().await;
    service.interrupt("terminate", TWO_MINUTES);
    stream.next().await;
    let imminent = format!(
        "aws_instance_termination_imminent{{instance_action=\"terminate\",instance_id=\"{INSTANCE}\"}} 1"
    );
    agent.shows("aws_instance_termination_imminent", &imminent).await;
    let (_, scrape) = agent.get("/metrics").await;

    let rules = "\
        \x20 - {alert: SpotTerminationNotice, expr: 'aws_instance_termination_imminent > 0', for: 1s}\n\
        \x20 - {alert: HandlerTerminationNotice, expr: 'sth_instance_termination_imminent > 0 and on(instance_id) sth_instance_termination_within_seconds < 300'}\n\
        \x20 - {alert: MetadataServiceAway, expr: 'aws_instance_metadata_service_available == 0'}\n";
    let expected = format!(
        "\
        \x20 - {{eval_time: 5s, alertname: SpotTerminationNotice, exp_alerts: [{{exp_labels: {{instance_action: terminate, instance_id: {INSTANCE}}}}}]}}\n\
        \x20 - {{eval_time: 5s, alertname: HandlerTerminationNotice, exp_alerts: [{{exp_labels: {{action: terminate, instance_id: {INSTANCE}}}}}]}}\n\
        \x20 - {{eval_time: 5s, alertname: MetadataServiceAway, exp_alerts: []}}"
    );
    rules_say(&promtool, &["aws_", "sth_"], &scrape, rules, &expected);
}

/// The same of preemption-exporter's gauges, before and after.
#[tokio::test]
async fn old_alert_rules_of_preemptions_fire_on_our_scrape() {
    let Some(promtool) = Promtool::find() else {
        return;
    };
    let (nats, service) = (Nats::start().await.unwrap(), Gcp::start().await.unwrap());
    let mut stream = Stream::of(&nats).await;
    let env = [
        ("HT_PROVIDER", "gcp"),
        ("HT_EXPORTERS__PREEMPTION_EXPORTER", "true"),
    ];
    let agent = agent(&service.url(), &nats.url(), &env);
    agent.ready().await;
    let rules = "\
        \x20 - {alert: Preempted, expr: 'gcp_instance_termination_imminent > 0', for: 1s}\n\
        \x20 - {alert: GoesSoon, expr: 'gcp_instance_termination_in < 60'}\n\
        \x20 - {alert: MetadataServiceAway, expr: 'gcp_instance_metadata_service_available == 0'}\n";
    let says = |name: &str, alerts: &str| {
        format!("  - {{eval_time: 5s, alertname: {name}, exp_alerts: [{alerts}]}}\n")
    };
    let quiet = ["Preempted", "GoesSoon", "MetadataServiceAway"]
        .map(|name| says(name, ""))
        .concat();
    let (_, calm) = agent.get("/metrics").await;
    assert!(calm.contains("gcp_instance_termination_imminent{"), "{calm}");
    rules_say(&promtool, &["gcp_"], &calm, rules, &quiet);

    service.preempt();
    stream.next().await;
    let imminent = "gcp_instance_termination_imminent{instance_id=\"4520031799277581759\",instance_name=\"pool-1-abc\"} 1";
    agent.shows("gcp_instance_termination_imminent", imminent).await;
    let (_, scrape) = agent.get("/metrics").await;
    let goes = "{exp_labels: {instance_id: '4520031799277581759', instance_name: pool-1-abc}}";
    let expected = [
        says("Preempted", goes),
        says("GoesSoon", goes),
        says("MetadataServiceAway", ""),
    ];
    rules_say(&promtool, &["gcp_"], &scrape, rules, &expected.concat());
}
