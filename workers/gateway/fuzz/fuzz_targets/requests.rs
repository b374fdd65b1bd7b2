//! Foreign requests: read or refused part by part, never a panic, and the same for the same.
//!
//! Input: one byte for the path, header lines `name: value`, an empty line, the body.

#![no_main]

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use hollowtrees_gateway::{
    alerts,
    asked::Asked,
    auth::Client,
    config::{DEFAULTS, Settings},
    events, problem::Problem,
    push::{event_grid, oracle, pubsub},
    settle::Part,
};
use hollowtrees_runtime::config::Loader;
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;

static SETTINGS: LazyLock<Settings> = LazyLock::new(|| {
    let env = [("HT_CLUSTER".to_owned(), "home".to_owned())];
    Loader::new(DEFAULTS).env(env.into()).load::<Settings>().expect("the defaults").own
});

fn asked(input: &[u8]) -> Asked {
    let end = input.windows(2).position(|pair| pair == b"\n\n").unwrap_or(input.len());
    let (head, body) = input.split_at(end);
    let headers: HeaderMap = String::from_utf8_lossy(head)
        .lines()
        .filter_map(|line| line.split_once(':'))
        .filter_map(|(name, value)| {
            let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
            Some((name, HeaderValue::from_str(value.trim_start()).ok()?))
        })
        .collect();
    Asked {
        client: Arc::new(Client::unlimited("fuzz")),
        headers,
        body: Bytes::copy_from_slice(body.get(2..).unwrap_or_default()),
        cluster: None,
        queue: None,
        correlation: "fuzz".to_owned(),
        at: Timestamp::UNIX_EPOCH,
    }
}

fn parts(path: u8, asked: &Asked) -> Result<Vec<Part>, Problem> {
    match path % 6 {
        0 => alerts::posted(asked, &SETTINGS),
        1 => alerts::webhook(asked, &SETTINGS),
        2 => events::parts(asked, &SETTINGS),
        3 => oracle::parts(asked, &SETTINGS),
        4 => pubsub::parts(asked, &SETTINGS),
        _ => event_grid::parts(asked, &SETTINGS).map(|parts| parts.unwrap_or_default()),
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((path, rest)) = input.split_first() else {
        return;
    };
    let asked = asked(rest);
    let (first, second) = (parts(*path, &asked), parts(*path, &asked));
    assert_eq!(format!("{first:?}"), format!("{second:?}"));
});
