use std::{io::Write, process::Stdio};

use crate::support::{Said, program, run};

fn ask(arguments: &[&str]) -> Said {
    run(program(arguments))
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

const GOOD: &str = "version: 1
rules:
  - name: alerts
    match: { all: [ { exact: { data.kind: alert } }, { prefix: { data.labels.team: plat } } ] }
    steps:
      - actions: [drain, asg-swap]
      - actions: [notify]
  - name: mine
    match: { prefix: { source: /aws/ } }
    steps: []
";

#[test]
fn rules_are_checked() {
    let good = file(GOOD);
    let path = good.path().to_str().unwrap();
    ask(&["rules", "check", path])
        .ended(0)
        .says("alerts: drain + asg-swap, then notify\n")
        .says("mine: records only\n")
        .says("2 rules, no mistakes");
    let told = ask(&["rules", "check", path, "--output", "json"])
        .ended(0)
        .object();
    assert_eq!(
        told["rules"][0]["steps"],
        serde_json::json!([["drain", "asg-swap"], ["notify"]])
    );

    let bad = file(
        &GOOD
            .replace("exact", "exactly")
            .replace("actions: [notify]", "actions: []"),
    );
    let path = bad.path().to_str().unwrap();
    ask(&["rules", "check", path])
        .ended(1)
        .says(&format!("{path}:4: rules[0].match"))
        .says("exactly");
    let told = ask(&["rules", "check", path, "--output", "json"])
        .ended(1)
        .object();
    assert_eq!(told["valid"], false);
    assert_eq!(told["mistakes"][0]["line"], 4);

    ask(&["rules", "check", "/nowhere.yaml"])
        .ended(2)
        .complains("error: cannot read /nowhere.yaml: No such file");

    let mut command = program(&["rules", "check", "-"]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(GOOD.as_bytes()).unwrap();
    Said::from(child.wait_with_output().unwrap())
        .ended(0)
        .says("-: 2 rules, no mistakes");
}

#[test]
fn what_rules_make_of_a_notice_is_explained() {
    ask(&["rules", "explain", "--default"])
        .ended(0)
        .says("spot-interruption: applies: drain + asg-swap, then notify");
    ask(&["rules", "explain", "--default", "--kind", "alert"])
        .ended(1)
        .says("spot-interruption: does not apply\n")
        .says("    data.kind must have exact \"spot-interruption\": it is \"alert\"\n");

    let good = file(GOOD);
    let path = good.path().to_str().unwrap();
    let told = ask(&[
        "rules",
        "explain",
        path,
        "--kind",
        "alert",
        "--label",
        "team=platform",
        "--output",
        "json",
    ])
    .ended(0)
    .object();
    assert_eq!(told["notice"]["labels"]["team"], "platform");
    assert_eq!(
        (&told["rules"][0]["applies"], &told["rules"][1]["applies"]),
        (&true.into(), &false.into())
    );
    assert_eq!(
        told["rules"][1]["reasons"][0],
        "source must have prefix \"/aws/\": it is \"/hollowtrees/example/cli\""
    );
    ask(&["rules", "explain", path, "--kind", "alert", "--state", "resolved"])
        .ended(1)
        .says("the notice is resolved: it withdraws, and starts nothing");

    // A notice of one's own: the data alone, or the whole event.
    let data = r#"{"cluster":"prod","instance":"i-1","kind":"alert","labels":{"team":"web"}}"#;
    let plain = file(data);
    ask(&[
        "rules",
        "explain",
        path,
        "--notice",
        plain.path().to_str().unwrap(),
    ])
    .ended(1)
    .says("data.labels.team must have prefix \"plat\": it is \"web\"");
    let event = file(&format!(
        r#"{{"specversion":"1.0","type":"io.hollowtrees.notice.v1","id":"1","source":"/aws/1","data":{data}}}"#
    ));
    ask(&[
        "rules",
        "explain",
        path,
        "--notice",
        event.path().to_str().unwrap(),
    ])
    .ended(0)
    .says("mine: applies: records only");

    for (text, code, complaint) in [
        ("{", 2, "is no notice: EOF"),
        (
            r#"{"cluster":"c","instance":"i"}"#,
            1,
            "a router would refuse this notice: notice field `kind`: is empty",
        ),
        (r#"{"specversion":"1.0"}"#, 2, "is no notice: "),
    ] {
        let wrong = file(text);
        ask(&[
            "rules",
            "explain",
            path,
            "--notice",
            wrong.path().to_str().unwrap(),
        ])
        .ended(code)
        .complains(complaint);
    }
    ask(&["rules", "explain"]).ended(2).complains("<FILE>");
    ask(&["rules", "explain", path, "--default"])
        .ended(2)
        .complains("cannot be used with");
    ask(&["rules", "explain", path, "--notice", "x", "--kind", "alert"])
        .ended(2)
        .complains("cannot be used with");
}
