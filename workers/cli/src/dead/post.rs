//! A dead letter of the gateway's, posted to it again and removed once it is taken.

use bytes::Bytes;
use hollowtrees_bus::Bus;
use hollowtrees_schemas::{
    names::{
        AWS_EVENTS,
        header::{CE_PREFIX, CONTENT_TYPE, REDRIVE},
    },
    proto,
};
use http::StatusCode;
use serde_json::{Value, json};

use crate::{
    exit::Failure,
    gateway::{Answer, Client},
    output::Output,
};

/// Beginnings of headers that say what a body is; the others are not a gateway's.
const KEPT: [&str; 5] = [CONTENT_TYPE, CE_PREFIX, "aeg-", "sqs-", "correlation-id"];

/// Whether the gateway took it.
pub(super) async fn run(
    bus: &Bus,
    gateway: &Client,
    letter: &proto::DeadLetter,
    output: &mut Output,
) -> Result<bool, Failure> {
    let number = letter.sequence;
    let answer = match headers(letter) {
        Some(headers) => {
            let (path, body) = (path(letter), Bytes::from(letter.body.clone()));
            told(number, &gateway.post(&path, &headers, body).await?)?
        }
        None => Told::Refused {
            status: None,
            why: "only the beginning of its body is kept; it can be discarded".to_owned(),
        },
    };
    match answer {
        Told::Taken { status, said } => {
            bus.dead_discard(number).await?;
            if output.is_json() {
                let answer = json!({"number": number, "taken": true, "status": status, "answer": said});
                output.json(&answer)?;
            } else {
                output.line(format!(
                    "dead letter {number} is taken by the gateway{}, and gone",
                    counted(&said)
                ))?;
            }
            Ok(true)
        }
        Told::Refused { status, why } => {
            if output.is_json() {
                let answer = json!({"number": number, "taken": false, "status": status, "error": why});
                output.json(&answer)?;
            } else {
                let status = status.map_or_else(String::new, |status| format!(" ({status})"));
                output.line(format!(
                    "dead letter {number} is not taken, and stays{status}: {why}"
                ))?;
            }
            Ok(false)
        }
    }
}

enum Told {
    Taken { status: u16, said: Value },
    Refused { status: Option<u16>, why: String },
}

/// What an answer means.
///
/// # Errors
/// It says nothing of the letter, and would say the same of any other.
fn told(number: u64, answer: &Answer) -> Result<Told, Failure> {
    let status = answer.status;
    let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    // A gateway that does not know of redriving acknowledges to some senders what it has put aside.
    let refused = said.get("refused").and_then(Value::as_array);
    let refused = refused.filter(|refused| !refused.is_empty());
    if let (true, None) = (status.is_success(), refused) {
        return Ok(Told::Taken {
            status: status.as_u16(),
            said,
        });
    }
    let error = said.get("error").unwrap_or(&said).as_str();
    let why = match (error, refused) {
        (Some(error), _) => error.to_owned(),
        (None, Some(refused)) => Value::from(refused.clone()).to_string(),
        (None, None) => status.canonical_reason().unwrap_or("no reason").to_owned(),
    };
    if status == StatusCode::UNAUTHORIZED {
        return Err(Failure::usage(format!(
            "the gateway does not know us: {why}; set HOLLOWTREES_GATEWAY_TOKEN, or see --help"
        )));
    }
    if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() {
        return Err(Failure::unavailable(format!(
            "dead letter {number} stays, for the gateway cannot take it now ({}): {why}",
            status.as_u16()
        )));
    }
    Ok(Told::Refused {
        status: Some(status.as_u16()),
        why,
    })
}

/// What became of its parts, where the answer says it.
fn counted(said: &Value) -> String {
    let counts = ["stored", "repeated", "ignored"].into_iter();
    let counts = counts.filter_map(|name| {
        let count = said.get(name)?.as_u64().filter(|count| *count > 0)?;
        Some(format!("{count} {name}"))
    });
    let counts: Vec<_> = counts.collect();
    if counts.is_empty() {
        String::new()
    } else {
        format!(" ({})", counts.join(", "))
    }
}

/// Where it is posted: to its own path, or, of a queue, to the path for what queues deliver.
fn path(letter: &proto::DeadLetter) -> String {
    if letter.subject.starts_with('/') {
        return letter.subject.clone();
    }
    let mut named = form_urlencoded::Serializer::new(String::new());
    named.append_pair("queue", &letter.subject);
    format!("{AWS_EVENTS}?{}", named.finish())
}

/// What it is posted with. None: without any, the bus took the beginning of its body only.
fn headers(letter: &proto::DeadLetter) -> Option<Vec<(String, String)>> {
    if letter.headers.is_empty() {
        return None;
    }
    let kept = letter.headers.iter().filter(|header| {
        let name = header.name.to_ascii_lowercase();
        KEPT.iter().any(|kept| name.starts_with(kept))
    });
    let kept = kept.map(|header| (header.name.clone(), header.value.clone()));
    Some(
        kept.chain([(REDRIVE.to_owned(), letter.sequence.to_string())])
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(subject: &str) -> proto::DeadLetter {
        proto::DeadLetter {
            subject: subject.to_owned(),
            ..proto::DeadLetter::default()
        }
    }

    #[test]
    fn a_letter_goes_to_its_own_path_and_one_of_a_queue_to_that_for_queues() {
        for (subject, expected) in [
            ("/api/v2/alerts", "/api/v2/alerts"),
            ("/events?cluster=a+b", "/events?cluster=a+b"),
            (
                "https://sqs.eu-west-1.amazonaws.com/1/q",
                "/aws/events?queue=https%3A%2F%2Fsqs.eu-west-1.amazonaws.com%2F1%2Fq",
            ),
        ] {
            assert_eq!(path(&letter(subject)), expected);
        }
    }

    #[test]
    fn an_answer_takes_the_letter_only_where_nothing_of_it_is_refused() {
        let check = |status: u16, body: &str| {
            let answer = Answer {
                status: StatusCode::from_u16(status).unwrap(),
                body: Bytes::copy_from_slice(body.as_bytes()),
            };
            match told(1, &answer) {
                Ok(Told::Taken { .. }) => "taken".to_owned(),
                Ok(Told::Refused { why, .. }) => why,
                Err(Failure::Said { exit, .. }) => format!("{exit:?}"),
                Err(Failure::Unread) => "unread".to_owned(),
            }
        };
        for (status, body, expected) in [
            (200, "", "taken"),
            (200, r#"{"stored":1,"repeated":0,"ignored":0}"#, "taken"),
            (200, r#"{"stored":0,"refused":[]}"#, "taken"),
            (200, r#"{"refused":[{"index":0}]}"#, r#"[{"index":0}]"#),
            (202, "anything", "taken"),
            (301, "", "Moved Permanently"),
            (400, r#""number 0: no""#, "number 0: no"),
            (403, r#"{"error":"not yours"}"#, "not yours"),
            (404, "<html>", "Not Found"),
            (401, "", "Usage"),
            (429, "", "Unavailable"),
            (503, r#"{"error":"later"}"#, "Unavailable"),
        ] {
            assert_eq!(check(status, body), expected, "{status} {body}");
        }
    }

    #[test]
    fn only_what_says_what_a_body_is_goes_with_it() {
        let mut letter = letter("/events");
        assert_eq!(headers(&letter), None);
        for name in ["content-type", "ce-id", "Authorization", "user-agent", "host"] {
            letter.headers.push(proto::Header {
                name: name.to_owned(),
                value: "v".to_owned(),
            });
        }
        letter.sequence = 7;
        let names = headers(&letter).unwrap();
        let names: Vec<_> = names.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["content-type", "ce-id", REDRIVE]);
    }
}
