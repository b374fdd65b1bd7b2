//! Foreign requests: read or refused part by part, and the same for the same.
//!
//! Input: one byte for the path, header lines `name: value`, an empty line, the body.

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use hollowtrees_gateway::{
    alerts,
    asked::Asked,
    auth::Client,
    config::{DEFAULTS, Settings},
    events,
    problem::Problem,
    push::{event_grid, oracle, pubsub},
    settle::Part,
};
use hollowtrees_runtime::config::Loader;
use http::{HeaderName, HeaderValue};
use jiff::Timestamp;

static SETTINGS: LazyLock<Settings> = LazyLock::new(|| {
    let env = [("HT_CLUSTER".to_owned(), "home".to_owned())];
    let loaded = Loader::new(DEFAULTS).env(env.into()).load::<Settings>();
    loaded.expect("the defaults").own
});

fn asked(input: &[u8]) -> Asked {
    let (headers, body) = crate::message(input);
    let headers = headers.into_iter().filter_map(|(name, value)| {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        Some((name, HeaderValue::from_str(&value).ok()?))
    });
    Asked {
        client: Arc::new(Client::unlimited("fuzz")),
        headers: headers.collect(),
        body: Bytes::copy_from_slice(body),
        cluster: None,
        queue: None,
        correlation: "fuzz".to_owned(),
        at: Timestamp::UNIX_EPOCH,
    }
}

fn parts(path: usize, asked: &Asked) -> Result<Vec<Part>, Problem> {
    match path {
        0 => alerts::posted(asked, &SETTINGS),
        1 => alerts::webhook(asked, &SETTINGS),
        2 => events::parts(asked, &SETTINGS),
        3 => oracle::parts(asked, &SETTINGS),
        4 => pubsub::parts(asked, &SETTINGS),
        _ => event_grid::parts(asked, &SETTINGS).map(Result::unwrap_or_default),
    }
}

pub(crate) fn reads(input: &[u8]) -> bool {
    let Some((path, rest)) = crate::choice(input, 6) else {
        return false;
    };
    let asked = asked(rest);
    let (first, second) = (parts(path, &asked), parts(path, &asked));
    assert_eq!(format!("{first:?}"), format!("{second:?}"));
    first.is_ok()
}
