//! Answers, in the words of each interface.

use hollowtrees_runtime::http::{Answer, typed};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use crate::settle::{Refusal, Report};

const JSON: &str = "application/json";

/// How an interface writes its answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Alertmanager's v2: nothing, or a JSON string.
    V2,
    /// The original's v1: `status`, `data`, `message`, `error`.
    V1,
    /// Our own: how many of what.
    Report,
}

/// An answer of JSON.
pub fn json(status: StatusCode, body: &Value) -> Answer {
    typed(status, JSON, body.to_string())
}

/// A request that was not looked into, or a body that cannot be read.
pub fn failure(style: Style, status: StatusCode, message: &str, error: &str) -> Answer {
    match style {
        Style::V2 => json(status, &json!(error)),
        Style::V1 => json(
            status,
            &json!({"status": status.as_u16(), "message": message, "error": error}),
        ),
        Style::Report => json(status, &json!({"error": error})),
    }
}

/// What became of each thing in a request. Where one was refused the others are taken all the same.
pub fn report(style: Style, report: &Report) -> Answer {
    let refused: Vec<Value> = report.refused.iter().map(refusal).collect();
    if refused.is_empty() {
        return match style {
            Style::V2 => typed(StatusCode::OK, JSON, ""),
            Style::V1 => json(StatusCode::OK, &json!({"status": 200, "data": "ok"})),
            Style::Report => json(StatusCode::OK, &counts(report)),
        };
    }
    let all_forbidden = report.taken() == 0 && report.refused.iter().all(|refusal| refusal.problem.forbidden);
    let status = if all_forbidden {
        StatusCode::FORBIDDEN
    } else {
        StatusCode::BAD_REQUEST
    };
    let said: Vec<_> = report.refused.iter().map(ToString::to_string).collect();
    let said = said.join("; ");
    match style {
        Style::V2 => json(status, &json!(said)),
        Style::V1 => json(
            status,
            &json!({"status": status.as_u16(), "message": "invalid alert", "error": said, "refused": refused}),
        ),
        Style::Report => {
            let mut body = counts(report);
            if let Some(body) = body.as_object_mut() {
                body.insert("error".to_owned(), json!(said));
                body.insert("refused".to_owned(), Value::Array(refused));
            }
            json(status, &body)
        }
    }
}

/// As [`report`] for who would send the same for ever: what was refused has been put aside, and that is enough.
pub fn taken(report: &Report) -> Answer {
    let mut body = counts(report);
    if let Some(body) = body.as_object_mut() {
        let refused = report.refused.iter().map(refusal).collect();
        body.insert("refused".to_owned(), Value::Array(refused));
    }
    json(StatusCode::OK, &body)
}

/// Has the client come back after so many seconds.
pub fn later(mut answer: Answer, seconds: u64) -> Answer {
    answer
        .headers_mut()
        .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    answer
}

/// Sets a header, where the value can be one.
pub fn with(mut answer: Answer, name: header::HeaderName, value: &str) -> Answer {
    if let Ok(value) = HeaderValue::from_str(value) {
        answer.headers_mut().insert(name, value);
    }
    answer
}

fn counts(report: &Report) -> Value {
    json!({"stored": report.stored, "repeated": report.repeated, "ignored": report.ignored})
}

fn refusal(refusal: &Refusal) -> Value {
    json!({
        "index": refusal.index,
        "field": refusal.problem.field,
        "problem": refusal.problem.problem,
    })
}
