//! Requests to an API server, as plain JSON.

use super::fixtures;
use crate::{Error, Result, http_client, try_eventually};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use http::{HeaderMap, Method, StatusCode};
use serde_json::{Value, json};
use std::fmt;
use std::time::Duration;

const AT_ONCE: usize = 32;
const NAMESPACE_READY: Duration = Duration::from_secs(60);

/// A client for fixtures and for looking at what came of them. Cloning it shares its connections; each test should
/// have its own, since connections belong to the test's runtime.
#[derive(Clone, Debug)]
pub struct Client {
    http: http_client::Client,
    server: String,
    token: Option<String>,
}

/// An answer of the server.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers, `retry-after` among them.
    pub headers: HeaderMap,
    /// Its body; a string if it is no JSON.
    pub body: Value,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = self.body["message"]
            .as_str()
            .map_or_else(|| self.body.to_string(), str::to_owned);
        write!(f, "{}: {message}", self.status)
    }
}

impl Client {
    /// A client for the server at `http://` or `https://`, trusting this authority.
    ///
    /// # Errors
    /// If the authority's certificate is none.
    pub fn new(server: &str, ca_pem: &str, token: Option<&str>) -> Result<Self> {
        Ok(Self {
            http: http_client::Client::trusting(ca_pem)?,
            server: server.to_owned(),
            token: token.map(str::to_owned),
        })
    }

    /// Sends a request with a JSON body, if any; patches are merge patches. Any status is an answer.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn request(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Answer> {
        let content = if method == Method::PATCH {
            "application/merge-patch+json"
        } else {
            "application/json"
        };
        self.send(method, path, content, body).await
    }

    /// Sends a request with a body of this content type.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        content: &str,
        body: Option<&Value>,
    ) -> Result<Answer> {
        let url = format!("{}{path}", self.server);
        let mut headers = vec![
            ("content-type", content.to_owned()),
            ("accept", "application/json".to_owned()),
        ];
        if let Some(token) = &self.token {
            headers.push(("authorization", format!("Bearer {token}")));
        }
        let body = body.map_or_else(Bytes::new, |body| body.to_string().into());
        let answer = self.http.send(method, &url, &headers, body).await?;
        let text = String::from_utf8_lossy(answer.body());
        let body = serde_json::from_str(&text).unwrap_or_else(|_| Value::from(text.into_owned()));
        Ok(Answer {
            status: answer.status(),
            headers: answer.headers().clone(),
            body,
        })
    }

    async fn done(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value> {
        let answer = self.request(method.clone(), path, body).await?;
        if answer.status.is_success() {
            Ok(answer.body)
        } else {
            Err(Error::new(format!("{method} {path}: {answer}")))
        }
    }

    /// Reads an object or a list.
    ///
    /// # Errors
    /// If the answer is not 2xx.
    pub async fn get(&self, path: &str) -> Result<Value> {
        self.done(Method::GET, path, None).await
    }

    /// The items of a list.
    ///
    /// # Errors
    /// If the answer is not 2xx.
    pub async fn list(&self, path: &str) -> Result<Vec<Value>> {
        let mut list = self.get(path).await?;
        match list.get_mut("items").map(Value::take) {
            Some(Value::Array(items)) => Ok(items),
            _ => Err(Error::new(format!("GET {path}: no list but {list}"))),
        }
    }

    /// Creates an object.
    ///
    /// # Errors
    /// If the answer is not 2xx.
    pub async fn post(&self, path: &str, object: &Value) -> Result<Value> {
        self.done(Method::POST, path, Some(object)).await
    }

    /// Creates an object if there is none by its name.
    ///
    /// # Errors
    /// If the answer is neither 2xx nor 409.
    pub async fn ensure(&self, path: &str, object: &Value) -> Result<()> {
        let answer = self.request(Method::POST, path, Some(object)).await?;
        if answer.status.is_success() || answer.status == StatusCode::CONFLICT {
            Ok(())
        } else {
            Err(Error::new(format!("POST {path}: {answer}")))
        }
    }

    /// Creates many objects, some at a time.
    ///
    /// # Errors
    /// The first refusal.
    pub async fn post_all(&self, path: &str, objects: impl IntoIterator<Item = Value>) -> Result<()> {
        stream::iter(objects)
            .map(|object| async move { self.post(path, &object).await.map(drop) })
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await
    }

    /// Changes an object by a merge patch.
    ///
    /// # Errors
    /// If the answer is not 2xx.
    pub async fn patch(&self, path: &str, patch: &Value) -> Result<Value> {
        self.done(Method::PATCH, path, Some(patch)).await
    }

    /// Deletes an object; `options` are the API's `DeleteOptions`, say `{"gracePeriodSeconds": 0}`.
    ///
    /// # Errors
    /// If the answer is not 2xx.
    pub async fn delete(&self, path: &str, options: &Value) -> Result<Value> {
        self.done(Method::DELETE, path, Some(options)).await
    }

    /// Asks for the eviction of a pod; a budget that is in its way answers 429.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn evict(&self, namespace: &str, pod: &str) -> Result<Answer> {
        let eviction = json!({
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": pod, "namespace": namespace},
        });
        let path = format!("/api/v1/namespaces/{namespace}/pods/{pod}/eviction");
        self.request(Method::POST, &path, Some(&eviction)).await
    }

    /// Gives a service account the roles of a manifest, and nothing else: in place of those it names itself.
    ///
    /// # Errors
    /// If it holds an object that is neither a role, a binding nor a service account, or the answer is neither 2xx nor 409.
    pub async fn grant(
        &self,
        manifest: impl IntoIterator<Item = Value>,
        namespace: &str,
        account: &str,
    ) -> Result<()> {
        let group = "/apis/rbac.authorization.k8s.io/v1";
        for mut object in manifest {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let (kind, name) = (text(&object["kind"]), text(&object["metadata"]["name"]));
            let path = match kind.as_str() {
                "ClusterRole" => format!("{group}/clusterroles"),
                "ClusterRoleBinding" => format!("{group}/clusterrolebindings"),
                "Role" => format!(
                    "{group}/namespaces/{}/roles",
                    text(&object["metadata"]["namespace"])
                ),
                "RoleBinding" => {
                    format!(
                        "{group}/namespaces/{}/rolebindings",
                        text(&object["metadata"]["namespace"])
                    )
                }
                "ServiceAccount" => continue,
                other => return Err(Error::new(format!("{other} {name} grants nothing"))),
            };
            if kind.ends_with("Binding") {
                object["metadata"]["name"] = format!("{name}-{namespace}").into();
                object["subjects"] =
                    json!([{"kind": "ServiceAccount", "name": account, "namespace": namespace}]);
            }
            self.ensure(&path, &object).await?;
        }
        Ok(())
    }

    /// Makes a namespace in which pods can be created at once: its default service account is there.
    ///
    /// # Errors
    /// If the answer is neither 2xx nor 409, or the account does not come.
    pub async fn namespace(&self, name: &str) -> Result<()> {
        self.ensure("/api/v1/namespaces", &fixtures::namespace(name))
            .await?;
        let account = format!("/api/v1/namespaces/{name}/serviceaccounts/default");
        try_eventually(format!("the service account of {name}"), NAMESPACE_READY, || {
            self.get(&account)
        })
        .await?;
        Ok(())
    }
}
