//! What the page says, where a test can take it at its word.

use hollowtrees_harness::nats::User;

use crate::language::{Example, docs};

/// A user with just the permissions the page lists for an example: lines `publish SUBJECT` and `subscribe SUBJECT` of the
/// block that follows the line `<!-- permissions: NAME -->`.
pub(crate) fn user(example: Example) -> User {
    let page = std::fs::read_to_string(docs().join("custom-consumers.md")).unwrap();
    let marker = format!("<!-- permissions: {} -->", example.name());
    let block = page
        .split(&marker)
        .nth(1)
        .expect("the page lists the permissions");
    let block = block.split("```").nth(1).expect("a block follows");
    let subjects = |verb: &str| -> Vec<String> {
        let lines = block.lines().filter_map(|line| line.trim().strip_prefix(verb));
        lines.map(|subject| subject.trim().to_owned()).collect()
    };
    let (publish, subscribe) = (subjects("publish "), subjects("subscribe "));
    assert!(!publish.is_empty() && !subscribe.is_empty(), "{block}");
    User::new(example.name(), "secret")
        .publish(publish)
        .subscribe(subscribe)
}
