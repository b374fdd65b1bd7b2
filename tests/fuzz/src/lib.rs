//! Fuzz targets: every parser of foreign bytes. None may panic, whatever comes, and each has more to hold.
//!
//! | target | what it reads |
//! |---|---|
//! | `decode` | messages of the bus |
//! | `documents` | documents of metadata services, reading by reading, with what is said of them |
//! | `identities` | who an instance is, which cloud it is, how long its notice is |
//! | `requests` | what is posted to the gateway: alerts, CloudEvents, pushes |
//! | `queues` | messages of SQS |
//! | `topics` | messages of SNS |
//! | `tokens` | who may speak: the header `Authorization`, claims of signed tokens |
//!
//! `.ci/fuzz` runs them by libFuzzer; `tests/seeds.rs` runs their seeds, in `corpus/` by target and the gateway's own
//! fixtures.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a target is a test: what has to hold is asserted"
)]

mod decode;
mod documents;
mod identities;
mod queues;
mod requests;
mod tokens;
mod topics;

/// A parser, or a few that belong together.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Also the name of its directory of seeds.
    pub name: &'static str,
    /// Whether something of the input was taken for what it should be. Panics where what has to hold does not.
    pub reads: fn(&[u8]) -> bool,
    /// Directories of the repository in which each file is one more seed.
    pub fixtures: &'static [&'static str],
}

const fn target(name: &'static str, reads: fn(&[u8]) -> bool) -> Target {
    Target {
        name,
        reads,
        fixtures: &[],
    }
}

/// All of them.
pub const TARGETS: [Target; 7] = [
    target("decode", decode::reads),
    target("documents", documents::reads),
    target("identities", identities::reads),
    target("requests", requests::reads),
    Target {
        fixtures: &["workers/gateway/src/sqs/read/bodies"],
        ..target("queues", queues::reads)
    },
    Target {
        fixtures: &["workers/gateway/tests/data"],
        ..target("topics", topics::reads)
    },
    target("tokens", tokens::reads),
];

/// The input's parts, with an empty line between two.
fn parts(mut input: &[u8]) -> Vec<&[u8]> {
    let mut parts = Vec::new();
    while let Some(end) = input.windows(2).position(|pair| pair == b"\n\n") {
        let (part, rest) = input.split_at(end);
        parts.push(part);
        input = rest.get(2..).unwrap_or_default();
    }
    parts.push(input);
    parts
}

/// Header lines `name: value`, then an empty line, then a body.
fn message(input: &[u8]) -> (Vec<(String, String)>, &[u8]) {
    let end = input.windows(2).position(|pair| pair == b"\n\n");
    let (head, body) = input.split_at(end.unwrap_or(input.len()));
    let headers = String::from_utf8_lossy(head)
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.trim_start().to_owned()))
        .collect();
    (headers, body.get(2..).unwrap_or_default())
}

/// Which of so many by the first byte, `0` the first, and the rest.
fn choice(input: &[u8], of: usize) -> Option<(usize, &[u8])> {
    let (first, rest) = input.split_first()?;
    Some((usize::from(first.wrapping_sub(b'0')) % of, rest))
}
