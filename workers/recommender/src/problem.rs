//! Why a request is not answered, as RFC 9457 writes it (`application/problem+json`).

use hollowtrees_domain::recommend::{NoPlan, wish::BadWish};
use hollowtrees_runtime::http::{Answer, typed};
use http::{HeaderValue, StatusCode, header};
use serde_json::json;

/// Names of fields, as one interface writes them.
#[derive(Clone, Copy, Debug)]
pub struct Names {
    /// The type to be like.
    pub like: &'static str,
    /// Neither sizes nor a type.
    pub size: &'static str,
    /// vCPUs at most.
    pub most_vcpus: &'static str,
    /// Memory at most.
    pub most_memory: &'static str,
    /// Architectures.
    pub architectures: &'static str,
    /// Zones.
    pub zones: &'static str,
    /// How many.
    pub count: &'static str,
    /// How many on demand.
    pub percent: &'static str,
    /// Allowed and denied types.
    pub types: &'static str,
}

/// What is wrong with a request, or with us.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Problem {
    /// What it is answered with.
    pub status: StatusCode,
    /// The field, as the asker writes it; empty where it is none.
    pub field: String,
    /// What is wrong and what to do.
    pub detail: String,
}

impl Problem {
    /// Of a status, in words.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            status,
            field: String::new(),
            detail: detail.into(),
        }
    }

    /// A field that is not as it should be.
    pub fn field(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            field: name.into(),
            ..Self::new(StatusCode::BAD_REQUEST, detail)
        }
    }

    /// Of a wish that cannot be read.
    pub fn wish(error: &BadWish, names: Names) -> Self {
        let field = match error {
            BadWish::Region { .. } => "region",
            BadWish::Like { .. } => names.like,
            BadWish::Size => names.size,
            BadWish::Bounds { what: "MiB", .. } => names.most_memory,
            BadWish::Bounds { .. } => names.most_vcpus,
            BadWish::Architecture(_) => names.architectures,
            BadWish::Zone { .. } => names.zones,
            BadWish::Count(_) => names.count,
            BadWish::Percent(_) => names.percent,
            BadWish::Pattern(_) => names.types,
        };
        let detail = match error {
            BadWish::Like { .. } => format!("{error} (only types of sources.types are looked at)"),
            _ => error.to_string(),
        };
        Self::field(field, detail)
    }

    /// The answer. `message` is what clients of the original look at.
    pub fn answer(&self) -> Answer {
        let mut body = json!({
            "type": "about:blank",
            "title": self.status.canonical_reason().unwrap_or_default(),
            "status": self.status.as_u16(),
            "detail": self.detail,
            "message": self.detail,
        });
        if let Some(body) = body.as_object_mut()
            && !self.field.is_empty()
        {
            body.insert("field".to_owned(), json!(self.field));
        }
        let mut answer = typed(self.status, "application/problem+json", body.to_string());
        let headers = answer.headers_mut();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        answer
    }
}

impl From<NoPlan> for Problem {
    fn from(error: NoPlan) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error.to_string())
    }
}
