//! One request to the API server, and what its answer means to us.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, header::RETRY_AFTER};
use http_body_util::BodyExt;
use k8s_openapi::{
    api::{
        core::v1::{Event, Node, Pod},
        policy::v1::Eviction,
    },
    apimachinery::pkg::apis::meta::v1::{DeleteOptions, ObjectMeta, Preconditions},
};
use kube::{
    Client, Resource,
    core::{Status, params, request},
};
use serde::Serialize;

/// Why the API server did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no such object (any more).
    #[error("not found")]
    Missing,
    /// The object by this name is another one.
    #[error("another object has its name now")]
    Replaced,
    /// A test of a patch did not hold (422), or it is no longer the version that was read (409).
    #[error("it has changed meanwhile")]
    Changed,
    /// A disruption budget is in the way (429).
    #[error("{message}")]
    Budget {
        /// The server's words.
        message: String,
        /// Not before.
        after: Option<Duration>,
    },
    /// The server wants fewer requests (429 by priority and fairness).
    #[error("the API server asks for fewer requests")]
    Throttled {
        /// Not before.
        after: Option<Duration>,
    },
    /// May go better later: a server error, no answer in time, a broken connection.
    #[error("{message}")]
    Transient {
        /// What happened.
        message: String,
        /// Not before.
        after: Option<Duration>,
    },
    /// It will not do this: no permission, an admission webhook, a request it does not understand.
    #[error("{message}")]
    Denied {
        /// The server's words.
        message: String,
    },
}

/// Makes requests, each within a time limit and none of them twice.
#[derive(Clone)]
pub(crate) struct Requests {
    client: Client,
    limit: Duration,
}

type Built = Result<Request<Vec<u8>>, request::Error>;

impl Requests {
    pub(crate) fn new(client: Client, limit: Duration) -> Self {
        Self { client, limit }
    }

    /// Asks for a pod's eviction, of this very pod.
    ///
    /// Not through kube's own `evict`: it writes the options under a name the server does not read.
    pub(crate) async fn evict(
        &self,
        namespace: &str,
        name: &str,
        uid: &str,
        grace: Option<u32>,
    ) -> Result<(), Refusal> {
        let eviction = Eviction {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                namespace: Some(namespace.to_owned()),
                ..ObjectMeta::default()
            },
            delete_options: Some(DeleteOptions {
                grace_period_seconds: grace.map(i64::from),
                preconditions: Some(Preconditions {
                    uid: Some(uid.to_owned()),
                    resource_version: None,
                }),
                ..DeleteOptions::default()
            }),
        };
        let pods = request::Request::new(Pod::url_path(&(), Some(namespace)));
        let built =
            pods.create_subresource("eviction", name, &params::PostParams::default(), body(&eviction)?);
        self.send(built).await.map(drop)
    }

    /// Deletes this very pod, whatever its budget says; without `grace` with its own.
    pub(crate) async fn delete(
        &self,
        namespace: &str,
        name: &str,
        uid: &str,
        grace: Option<u32>,
    ) -> Result<(), Refusal> {
        let options = params::DeleteParams {
            grace_period_seconds: grace,
            preconditions: Some(params::Preconditions {
                uid: Some(uid.to_owned()),
                resource_version: None,
            }),
            ..params::DeleteParams::default()
        };
        let pods = request::Request::new(Pod::url_path(&(), Some(namespace)));
        self.send(pods.delete(name, &options)).await.map(drop)
    }

    /// Applies a JSON Patch to a node.
    pub(crate) async fn patch_node(&self, name: &str, patch: &serde_json::Value) -> Result<Bytes, Refusal> {
        let path = format!("{}/{name}", Node::url_path(&(), None));
        let built = Request::patch(path)
            .header(http::header::CONTENT_TYPE, "application/json-patch+json")
            .header(http::header::ACCEPT, "application/json")
            .body(body(patch)?)
            .map_err(request::Error::BuildRequest);
        self.send(built).await
    }

    /// Deletes this very node, as it was read.
    pub(crate) async fn delete_node(&self, name: &str, uid: &str, version: &str) -> Result<(), Refusal> {
        let options = params::DeleteParams {
            preconditions: Some(params::Preconditions {
                uid: Some(uid.to_owned()),
                resource_version: Some(version.to_owned()),
            }),
            ..params::DeleteParams::default()
        };
        let nodes = request::Request::new(Node::url_path(&(), None));
        self.send(nodes.delete(name, &options)).await.map(drop)
    }

    /// Reads a node.
    pub(crate) async fn node(&self, name: &str) -> Result<Bytes, Refusal> {
        let nodes = request::Request::new(Node::url_path(&(), None));
        self.send(nodes.get(name, &params::GetParams::default())).await
    }

    /// Stores an event.
    pub(crate) async fn event(&self, namespace: &str, event: &Event) -> Result<(), Refusal> {
        let events = request::Request::new(Event::url_path(&(), Some(namespace)));
        self.send(events.create(&params::PostParams::default(), body(event)?))
            .await
            .map(drop)
    }

    async fn send(&self, built: Built) -> Result<Bytes, Refusal> {
        let request = built.map_err(|error| Refusal::Denied {
            message: error.to_string(),
        })?;
        let transient = |message: String| Refusal::Transient { message, after: None };
        let answered = tokio::time::timeout(self.limit, async {
            let answer = self
                .client
                .send(request.map(kube::client::Body::from))
                .await
                .map_err(|error| transient(error.to_string()))?;
            let (head, body) = answer.into_parts();
            let body = body
                .collect()
                .await
                .map_err(|error| transient(error.to_string()))?
                .to_bytes();
            if head.status.is_success() {
                Ok(body)
            } else {
                Err(classify(head.status, &head.headers, &body))
            }
        });
        answered.await.unwrap_or_else(|_| {
            Err(transient(format!(
                "no answer within {} s",
                self.limit.as_secs_f64()
            )))
        })
    }
}

fn body(of: &impl Serialize) -> Result<Vec<u8>, Refusal> {
    serde_json::to_vec(of).map_err(|error| Refusal::Denied {
        message: error.to_string(),
    })
}

/// What an answer that is no success means.
///
/// A budget's refusal carries a cause `DisruptionBudget` (`pkg/registry/core/pod/storage/eviction.go`); a 429
/// without it comes from priority and fairness, whose body is plain text. Two budgets for one pod are a 500.
fn classify(code: StatusCode, headers: &HeaderMap, body: &[u8]) -> Refusal {
    let status: Option<Status> = serde_json::from_slice(body).ok();
    let details = status.as_ref().and_then(|status| status.details.as_ref());
    let has_cause = |reason: &str| {
        details.is_some_and(|details| details.causes.iter().any(|cause| cause.reason == reason))
    };
    let message = status
        .as_ref()
        .map(|status| status.message.clone())
        .filter(|message| !message.is_empty())
        .unwrap_or_else(|| {
            let text: String = String::from_utf8_lossy(body).trim().chars().take(200).collect();
            if text.is_empty() { code.to_string() } else { text }
        });
    let in_header = headers
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    let in_body = details
        .map(|details| u64::from(details.retry_after_seconds))
        .filter(|seconds| *seconds > 0);
    let after = in_header.or(in_body).map(Duration::from_secs);
    match code {
        StatusCode::NOT_FOUND => Refusal::Missing,
        StatusCode::CONFLICT if message.contains("UID in precondition") => Refusal::Replaced,
        StatusCode::CONFLICT if message.contains("ResourceVersion in precondition") => Refusal::Changed,
        StatusCode::UNPROCESSABLE_ENTITY => Refusal::Changed,
        StatusCode::TOO_MANY_REQUESTS if has_cause("DisruptionBudget") => Refusal::Budget { message, after },
        StatusCode::TOO_MANY_REQUESTS => Refusal::Throttled { after },
        StatusCode::INTERNAL_SERVER_ERROR if message.contains("more than one PodDisruptionBudget") => {
            Refusal::Budget { message, after }
        }
        StatusCode::FORBIDDEN if has_cause("NamespaceTerminating") => Refusal::Transient { message, after },
        StatusCode::CONFLICT | StatusCode::REQUEST_TIMEOUT | StatusCode::UNAUTHORIZED => {
            Refusal::Transient { message, after }
        }
        code if code.is_server_error() => Refusal::Transient { message, after },
        _ => Refusal::Denied { message },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_means_one_thing() {
        let check = |code: u16, retry_after: Option<&str>, body: &str, expected: Refusal| {
            let mut headers = HeaderMap::new();
            if let Some(seconds) = retry_after {
                headers.insert(RETRY_AFTER, seconds.parse().unwrap());
            }
            let code = StatusCode::from_u16(code).unwrap();
            assert_eq!(
                classify(code, &headers, body.as_bytes()),
                expected,
                "{code} {body}"
            );
        };
        let status = |message: &str, cause: &str, after: u32| {
            json!({
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message,
                "reason": "TooManyRequests",
                "details": {"causes": [{"reason": cause, "message": "needs 2"}], "retryAfterSeconds": after},
                "code": 429,
            })
            .to_string()
        };
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        let text = |text: &str| text.to_owned();
        let budget = |after| Refusal::Budget {
            message: text("no"),
            after,
        };
        let transient = |message: &str, after| Refusal::Transient {
            message: text(message),
            after,
        };

        check(429, None, &status("no", "DisruptionBudget", 0), budget(None));
        check(
            429,
            None,
            &status("no", "DisruptionBudget", 10),
            budget(seconds(10)),
        );
        check(
            429,
            Some("7"),
            &status("no", "DisruptionBudget", 10),
            budget(seconds(7)),
        );
        check(
            429,
            Some("1"),
            "Too many requests, please try again later.",
            Refusal::Throttled { after: seconds(1) },
        );
        check(429, None, "", Refusal::Throttled { after: None });
        let two = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";
        let message = |message: &str| json!({"message": message}).to_string();
        check(
            500,
            None,
            &message(two),
            Refusal::Budget {
                message: text(two),
                after: None,
            },
        );
        check(500, None, &message("boom"), transient("boom", None));
        check(
            503,
            Some("3"),
            "",
            transient("503 Service Unavailable", seconds(3)),
        );
        check(
            504,
            None,
            &status("conflicts", "", 10),
            transient("conflicts", seconds(10)),
        );
        check(
            401,
            None,
            &message("Unauthorized"),
            transient("Unauthorized", None),
        );
        check(
            403,
            None,
            &message("you cannot"),
            Refusal::Denied {
                message: text("you cannot"),
            },
        );
        check(
            403,
            None,
            &status("ending", "NamespaceTerminating", 0),
            transient("ending", None),
        );
        check(404, None, "", Refusal::Missing);
        check(
            409,
            None,
            &message("Precondition failed: UID in precondition: a, UID in object meta: b"),
            Refusal::Replaced,
        );
        check(
            409,
            None,
            &message("the object has been modified"),
            transient("the object has been modified", None),
        );
        check(422, None, "", Refusal::Changed);
        check(
            400,
            None,
            "",
            Refusal::Denied {
                message: text("400 Bad Request"),
            },
        );
    }
}
