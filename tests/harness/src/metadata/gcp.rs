//! A simulated Google Compute Engine metadata server, after Google Cloud's pages "About VM metadata", "Query VM metadata"
//! and "Spot VMs": the header both ways, ETags, requests that wait for a change.

use super::service::{Service, Shared, service};
use crate::Result;
use crate::http_server::{self, Body};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

const BASE: &str = "/computeMetadata/v1/";
const FLAVOR: &str = "metadata-flavor";

/// The metadata server of one instance, on a loopback port. It stops when it is dropped.
#[derive(Debug)]
pub struct Gcp(Service<State>);

#[derive(Debug)]
struct State {
    /// Pages by their path below [`BASE`].
    pages: BTreeMap<String, String>,
    /// Counts changes of any page.
    version: watch::Sender<u64>,
    flavor: bool,
    waits: bool,
}

service!(Gcp);

impl Gcp {
    /// Starts one for the instance 4520031799277581759, `pool-1-abc`, of project `my-project` in `europe-west1-b`.
    ///
    /// # Errors
    /// If no port is free.
    pub async fn start() -> Result<Self> {
        Self::on(None).await
    }

    /// Starts one on a given address.
    ///
    /// # Errors
    /// If the address is taken.
    pub async fn start_on(addr: SocketAddr) -> Result<Self> {
        Self::on(Some(addr)).await
    }

    async fn on(addr: Option<SocketAddr>) -> Result<Self> {
        let pages = [
            ("instance/id", "4520031799277581759"),
            ("instance/name", "pool-1-abc"),
            ("instance/zone", "projects/12345/zones/europe-west1-b"),
            (
                "instance/machine-type",
                "projects/12345/machineTypes/n2-standard-4",
            ),
            ("instance/preempted", "FALSE"),
            ("instance/maintenance-event", "NONE"),
            ("instance/scheduling/preemptible", "TRUE"),
            ("project/project-id", "my-project"),
        ];
        let pages = pages.map(|(path, text)| (path.to_owned(), text.to_owned()));
        let state = State {
            pages: pages.into(),
            version: watch::Sender::new(0),
            flavor: true,
            waits: true,
        };
        Ok(Self(Service::start(addr, state, answer).await?))
    }

    /// Sets a page by its path below `/computeMetadata/v1/`, such as `instance/preempted`; none: it is not there.
    pub fn set(&self, path: &str, text: Option<&str>) {
        let mut state = self.0.state();
        match text {
            Some(text) => state.pages.insert(path.to_owned(), text.to_owned()),
            None => state.pages.remove(path),
        };
        state.version.send_modify(|version| *version += 1);
    }

    /// Preempts the instance.
    pub fn preempt(&self) {
        self.set("instance/preempted", Some("TRUE"));
    }

    /// Whether answers bear Google's header, as genuine ones do.
    pub fn set_flavor(&self, flavor: bool) {
        self.0.state().flavor = flavor;
    }

    /// Whether requests that ask to wait are let wait.
    pub fn set_waits(&self, waits: bool) {
        self.0.state().waits = waits;
    }
}

/// Differs with the text, not with the time.
fn etag(text: &str) -> String {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
}

async fn answer(shared: Arc<Shared<State>>, request: Request<Bytes>) -> Response<Body> {
    let asked = request
        .headers()
        .get(FLAVOR)
        .is_some_and(|flavor| flavor == "Google");
    let proxied = request.headers().contains_key("x-forwarded-for");
    if request.method() != Method::GET {
        return http_server::text(StatusCode::METHOD_NOT_ALLOWED, "only GET");
    }
    if !asked || proxied {
        return http_server::text(StatusCode::FORBIDDEN, "Missing Metadata-Flavor:Google header.");
    }
    let query: BTreeMap<String, String> =
        form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes())
            .into_owned()
            .collect();
    let path = request
        .uri()
        .path()
        .strip_prefix(BASE)
        .unwrap_or_default()
        .to_owned();
    let (mut changes, waits) = {
        let state = shared.state();
        (state.version.subscribe(), state.waits)
    };
    let page = || shared.state().pages.get(&path).cloned();
    let waiting = waits && query.get("wait_for_change").is_some_and(|wait| wait == "true");
    if let (true, Some(last)) = (waiting, query.get("last_etag")) {
        let limit = query.get("timeout_sec").and_then(|seconds| seconds.parse().ok());
        let change = async {
            while page().is_some_and(|text| etag(&text) == *last) {
                if changes.changed().await.is_err() {
                    return;
                }
            }
        };
        // Without a change it answers what there is.
        tokio::time::timeout(limit.map_or(Duration::MAX, Duration::from_secs), change)
            .await
            .unwrap_or_default();
    }
    let mut answer = match page() {
        Some(text) => {
            let etag = etag(&text);
            let mut answer = http_server::with_type(StatusCode::OK, "application/text", text);
            let etag = HeaderValue::from_str(&etag).expect("hex digits");
            answer.headers_mut().insert(header::ETAG, etag);
            answer
        }
        None => http_server::text(StatusCode::NOT_FOUND, "<!DOCTYPE html>\n<html lang=en>404"),
    };
    if shared.state().flavor {
        answer
            .headers_mut()
            .insert(FLAVOR, HeaderValue::from_static("Google"));
    }
    answer
}
