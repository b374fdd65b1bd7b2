//! Policies as AWS's pages have them, and what each of them says of a call.

use super::{super::Check, Policy, like};

fn policy(statements: &str) -> Policy {
    Policy::parse(&format!(
        r#"{{"Version": "2012-10-17", "Statement": [{statements}]}}"#
    ))
    .unwrap()
}

/// Of one that allows all under this condition: whether it allows a call with these keys.
fn holds(condition: &str, keys: &[(&str, &str)]) -> bool {
    let all =
        format!(r#"{{"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {{{condition}}}}}"#);
    let check = keys
        .iter()
        .fold(Check::new("ec2:RunInstances", "*"), |check, (key, value)| {
            check.with(key, value)
        });
    policy(&all).allows(&check)
}

#[test]
fn patterns() {
    for (pattern, text) in [
        ("*", ""),
        ("*", "arn:aws:ec2:us-east-1:1:instance/i-1"),
        ("a*", "a"),
        ("a*c", "abcbc"),
        ("a?c", "abc"),
        (
            "arn:aws:ec2:*:*:instance/*",
            "arn:aws:ec2:us-east-1:123456789012:instance/i-1",
        ),
        ("a**", "ab"),
    ] {
        assert!(like(pattern, text), "{pattern} {text}");
    }
    for (pattern, text) in [
        ("", "a"),
        ("a", ""),
        ("a?c", "ac"),
        ("a*c", "abcd"),
        ("arn:aws:ec2:*:*:instance/*", "arn:aws:ec2:us-east-1:1:volume/i-1"),
        ("A", "a"),
    ] {
        assert!(!like(pattern, text), "{pattern} {text}");
    }
}

#[test]
fn an_action_and_a_resource() {
    let said = policy(
        r#"{"Effect": "Allow", "Action": ["ec2:terminate*", "ec2:RunInstances"],
            "Resource": ["arn:aws:ec2:*:*:instance/*", "arn:aws:ec2:*:*:volume/vol-1"]}"#,
    );
    let allows = |action: &str, resource: &str| said.allows(&Check::new(action, resource));
    let instance = "arn:aws:ec2:us-east-1:1:instance/i-1";
    assert!(allows("ec2:TerminateInstances", instance));
    assert!(allows("ec2:RunInstances", "arn:aws:ec2:us-east-1:1:volume/vol-1"));
    assert!(!allows(
        "ec2:RunInstances",
        "arn:aws:ec2:us-east-1:1:volume/vol-2"
    ));
    assert!(!allows("ec2:StopInstances", instance));
    // Where AWS knows no resource of a call, only `*` is it.
    assert!(!allows("ec2:TerminateInstances", "*"));
    assert!(!policy("").allows(&Check::new("ec2:RunInstances", instance)));
}

#[test]
fn what_is_denied_stays_denied() {
    let said = policy(
        r#"{"Effect": "Allow", "Action": "ec2:*", "Resource": "*"},
           {"Effect": "Deny", "Action": "ec2:TerminateInstances", "Resource": "*",
            "Condition": {"StringEquals": {"aws:ResourceTag/keep": "true"}}}"#,
    );
    let check = Check::new("ec2:TerminateInstances", "arn:aws:ec2:us-east-1:1:instance/i-1");
    assert!(said.allows(&check));
    assert!(said.allows(&check.clone().with("aws:ResourceTag/keep", "no")));
    let kept = check.with("aws:ResourceTag/keep", "true");
    assert!(!said.allows(&kept));
    assert_eq!(
        said.denied(&[Check::new("ec2:RunInstances", "*"), kept.clone()]),
        Some(&kept)
    );
    let less = said.without_each_statement();
    let allow: Vec<_> = less.iter().map(|(_, left)| left.allows(&kept)).collect();
    assert_eq!(allow, [false, true]);
    let freed = said.without_each_condition();
    assert_eq!(freed.len(), 1);
    assert!(!freed[0].1.allows(&Check::new("ec2:TerminateInstances", "*")));
}

#[test]
fn texts_of_a_key() {
    let tag = "aws:ResourceTag/team";
    for (condition, yes, no) in [
        (
            r#""StringEquals": {"aws:ResourceTag/team": ["a", "b*"]}"#,
            "a",
            "bc",
        ),
        (r#""StringEquals": {"AWS:resourceTag/Team": "a"}"#, "a", "A"),
        (
            r#""StringLike": {"aws:ResourceTag/team": ["a", "b*"]}"#,
            "bc",
            "c",
        ),
        (
            r#""StringNotEquals": {"aws:ResourceTag/team": ["a", "b"]}"#,
            "c",
            "b",
        ),
        (
            r#""StringNotLike": {"aws:ResourceTag/team": ["a", "b*"]}"#,
            "c",
            "bc",
        ),
        (r#""Bool": {"aws:ResourceTag/team": true}"#, "true", "false"),
    ] {
        assert!(holds(condition, &[(tag, yes)]), "{condition} {yes}");
        assert!(!holds(condition, &[(tag, no)]), "{condition} {no}");
    }
    assert!(holds(
        r#""Null": {"aws:ResourceTag/team": "false"}"#,
        &[(tag, "")]
    ));
    assert!(!holds(
        r#""Null": {"aws:ResourceTag/team": "true"}"#,
        &[(tag, "a")]
    ));
}

#[test]
fn a_key_that_is_missing() {
    for (condition, expected) in [
        (r#""StringEquals": {"aws:ResourceTag/team": "a"}"#, false),
        (r#""StringEqualsIfExists": {"aws:ResourceTag/team": "a"}"#, true),
        (r#""StringLike": {"aws:ResourceTag/team": "*"}"#, false),
        (r#""StringNotEquals": {"aws:ResourceTag/team": "a"}"#, true),
        (r#""StringNotLike": {"aws:ResourceTag/team": "*"}"#, true),
        (r#""Bool": {"aws:ResourceTag/team": "false"}"#, false),
        (r#""Null": {"aws:ResourceTag/team": "true"}"#, true),
        (r#""Null": {"aws:ResourceTag/team": "false"}"#, false),
        (r#""ForAllValues:StringEquals": {"aws:TagKeys": "a"}"#, true),
        (r#""ForAnyValue:StringEquals": {"aws:TagKeys": "a"}"#, false),
        (r#""ForAnyValue:StringNotEquals": {"aws:TagKeys": "a"}"#, false),
    ] {
        assert_eq!(holds(condition, &[]), expected, "{condition}");
    }
}

#[test]
fn keys_of_many_values() {
    let [a, b] = [("aws:TagKeys", "a"), ("aws:TagKeys", "b")];
    for (condition, keys, expected) in [
        (
            r#""ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]}"#,
            vec![a, b],
            true,
        ),
        (
            r#""ForAllValues:StringEquals": {"aws:TagKeys": "a"}"#,
            vec![a, b],
            false,
        ),
        (
            r#""ForAnyValue:StringEquals": {"aws:TagKeys": "a"}"#,
            vec![a, b],
            true,
        ),
        (
            r#""ForAnyValue:StringEquals": {"aws:TagKeys": "a"}"#,
            vec![b],
            false,
        ),
        (
            r#""ForAllValues:StringNotLike": {"aws:TagKeys": "a*"}"#,
            vec![a, b],
            false,
        ),
    ] {
        assert_eq!(holds(condition, &keys), expected, "{condition}");
    }
}

#[test]
fn all_operators_and_all_keys_have_to_hold() {
    let condition = r#""StringEquals": {"aws:ResourceTag/team": "a", "aws:RequestedRegion": "us-east-1"},
                       "StringLike": {"aws:ResourceTag/name": "n*"}"#;
    let all = [
        ("aws:ResourceTag/team", "a"),
        ("aws:RequestedRegion", "us-east-1"),
        ("aws:ResourceTag/name", "n1"),
    ];
    assert!(holds(condition, &all));
    for missing in 0..all.len() {
        let mut keys = all.to_vec();
        keys.remove(missing);
        assert!(!holds(condition, &keys), "{missing}");
    }
}

#[test]
fn what_is_not_known_is_an_error() {
    let refused = |statement: &str, expected: &str| {
        let text = format!(r#"{{"Version": "2012-10-17", "Statement": [{statement}]}}"#);
        let error = Policy::parse(&text).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    let with = |condition: &str| {
        format!(r#"{{"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {{{condition}}}}}"#)
    };
    refused(
        &with(r#""NumericEquals": {"aws:RequestedRegion": "1"}"#),
        "operator NumericEquals",
    );
    refused(
        &with(r#""ForSome:StringEquals": {"aws:TagKeys": "1"}"#),
        "operator ForSome",
    );
    refused(
        &with(r#""NullIfExists": {"aws:RequestedRegion": "true"}"#),
        "operator NullIfExists",
    );
    refused(
        &with(r#""StringEquals": {"aws:SourceIp": "1"}"#),
        "key aws:SourceIp",
    );
    refused(
        &with(r#""StringEquals": {"aws:TagKeys": "a"}"#),
        "number of values",
    );
    refused(
        &with(r#""ForAnyValue:StringEquals": {"aws:RequestedRegion": "a"}"#),
        "number of values",
    );
    refused(&with(r#""Bool": {"aws:ResourceTag/a": "yes"}"#), "true or false");
    refused(
        &with(r#""StringEquals": {"aws:ResourceTag/a": "${aws:username}"}"#),
        "variables",
    );
    refused(
        r#"{"Effect": "Allow", "NotAction": "*", "Resource": "*"}"#,
        "element NotAction",
    );
    refused(r#"{"Effect": "Allow", "Action": "*"}"#, "Resource is missing");
    refused(
        r#"{"Effect": "Permit", "Action": "*", "Resource": "*"}"#,
        "no effect",
    );
    refused(r#"{"Effect": "Allow", "Action": [], "Resource": "*"}"#, "no text");
    assert!(Policy::parse(r#"{"Version": "2008-10-17", "Statement": []}"#).is_err());
    assert!(Policy::parse("{").is_err());
}

#[test]
fn one_narrowed_by_others() {
    let wide = policy(
        r#"{"Effect": "Allow", "Action": "ec2:TerminateInstances", "Resource": "*"},
           {"Effect": "Allow", "Action": "ec2:RunInstances", "Resource": "*"}"#,
    );
    let narrower = policy(
        r#"{"Effect": "Allow", "Action": ["ec2:TerminateInstances"], "Resource": "*",
            "Condition": {"StringEquals": {"aws:ResourceTag/ours": "true"}}}"#,
    );
    let narrowed = wide.narrowed_by(&narrower);
    let ends = Check::new("ec2:TerminateInstances", "*");
    assert!(wide.allows(&ends) && !narrowed.allows(&ends));
    assert!(narrowed.allows(&ends.with("aws:ResourceTag/ours", "true")));
    assert!(narrowed.allows(&Check::new("ec2:RunInstances", "*")));
}
