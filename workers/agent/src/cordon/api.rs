//! One request to the API server, with the token of the pod's service account.

use std::{fs, io, path::Path, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::Full;
use tokio::time::timeout;

use crate::{
    connection::{Base, Connection, Failed, Trust},
    settings,
};

/// Most a request may take, the connection included.
const LIMIT: Duration = Duration::from_secs(5);
/// No answer is larger, in bytes.
const MOST: usize = 64 * 1024;

/// For a node that is neither cordoned nor held by anybody: the annotation of the drain worker with no holder in it, so that
/// the worker takes this cordon for one of its own. Tests for null hold where nothing is; a node without any annotation, as no
/// kubelet leaves it, is cordoned without.
const MARKED: &str = concat!(
    r#"[{"op":"test","path":"/spec/unschedulable","value":null},"#,
    r#"{"op":"test","path":"/metadata/annotations/hollowtrees.io~1cordon","value":null},"#,
    r#"{"op":"add","path":"/metadata/annotations/hollowtrees.io~1cordon","value":"{\"holders\":[]}"},"#,
    r#"{"op":"add","path":"/spec/unschedulable","value":true}]"#,
);
/// For any other.
const PLAIN: &str = r#"{"spec":{"unschedulable":true}}"#;

/// Why a node is not cordoned.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of the service account.
    #[error(
        "cannot read {path} ({cause}); has the pod a token of its service account? see cordon.credentials"
    )]
    Credentials {
        /// Which.
        path: String,
        /// What the system said.
        cause: io::Error,
    },
    /// No address of an API server, or a token that is none.
    #[error("{0}")]
    Unusable(String),
    /// No answer.
    #[error("cannot ask the API server ({0}); see cordon.server")]
    Unreachable(String),
    /// An answer that is no yes.
    #[error("the API server answered {status}: {said}")]
    Refused {
        /// Its status.
        status: StatusCode,
        /// The beginning of what it said.
        said: String,
    },
}

/// Cordons the node. Whether the cordon is marked as ours: not where somebody else's stood there before.
///
/// # Errors
/// It is not cordoned, as far as is known; asking again is safe.
pub(super) async fn cordon(settings: &settings::Cordon, node: &str) -> Result<bool, Error> {
    let read = |name: &str| {
        let path = Path::new(&settings.credentials).join(name);
        fs::read(&path).map_err(|cause| Error::Credentials {
            path: path.display().to_string(),
            cause,
        })
    };
    // Both are renewed on disk: they are read each time.
    let trust = Trust::in_pem(&read("ca.crt")?).map_err(|cause| Error::Credentials {
        path: format!("{}/ca.crt", settings.credentials),
        cause,
    })?;
    let bearer = [b"Bearer ", read("token")?.trim_ascii()].concat();
    let unusable = |error: http::header::InvalidHeaderValue| Error::Unusable(error.to_string());
    let mut bearer = HeaderValue::from_bytes(&bearer).map_err(unusable)?;
    bearer.set_sensitive(true);
    let base = Base::parse_https(&settings.server).map_err(Error::Unusable)?;
    let mut api = Api {
        connection: Connection::secure(base, trust),
        bearer,
        node,
    };
    match api.patch("application/json-patch+json", MARKED).await {
        // It is not as the patch has it, or may not be.
        Err(Error::Refused {
            status: StatusCode::UNPROCESSABLE_ENTITY | StatusCode::BAD_REQUEST,
            ..
        }) => api
            .patch("application/merge-patch+json", PLAIN)
            .await
            .map(|()| false),
        answered => answered.map(|()| true),
    }
}

struct Api<'a> {
    connection: Connection,
    bearer: HeaderValue,
    node: &'a str,
}

impl Api<'_> {
    async fn patch(&mut self, content: &'static str, body: &'static str) -> Result<(), Error> {
        // A node's name is a DNS subdomain: nothing in it has to be escaped.
        let uri = format!("/api/v1/nodes/{}?fieldManager=hollowtrees-agent", self.node);
        let uri = uri
            .parse::<Uri>()
            .map_err(|error| Error::Unusable(error.to_string()))?;
        let mut request = Request::new(Full::new(Bytes::from_static(body.as_bytes())));
        *request.method_mut() = Method::PATCH;
        *request.uri_mut() = uri;
        let headers = request.headers_mut();
        headers.insert(header::AUTHORIZATION, self.bearer.clone());
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content));
        // A node lists its images: the rest of it is not asked for.
        let accept = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json";
        headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
        match timeout(LIMIT, self.connection.send(request, "/api/v1/nodes", MOST)).await {
            Ok(Ok(answer)) => judge(&answer),
            Ok(Err(Failed::Connect { url, error })) => Err(Error::Unreachable(format!("{url}: {error}"))),
            Ok(Err(Failed::Exchange(cause))) => Err(Error::Unreachable(cause)),
            Err(_) => Err(Error::Unreachable(format!("no answer within {LIMIT:?}"))),
        }
    }
}

fn judge(answer: &Response<Bytes>) -> Result<(), Error> {
    if answer.status().is_success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(answer.body());
    Err(Error::Refused {
        status: answer.status(),
        said: said.chars().take(500).collect(),
    })
}
