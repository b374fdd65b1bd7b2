//! A simulated Azure Instance Metadata Service with scheduled events, after Microsoft's pages "Azure Instance Metadata
//! Service" and "Scheduled Events for Linux VMs".

use super::pages::When;
use super::service::{Service, Shared, service};
use crate::Result;
use crate::http_server::{self, Body};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// The metadata service of one machine of a scale set, on a loopback port. It stops when it is dropped.
#[derive(Debug)]
pub struct Azure(Service<State>);

#[derive(Debug)]
struct State {
    name: String,
    vm_id: String,
    incarnation: u64,
    events: Vec<Value>,
    /// An event whose `NotBefore` is so much after each request.
    moving: Option<(Event, Duration)>,
    /// Ids of events that were approved, in order.
    approved: Vec<String>,
}

/// The machine's id, where no other is given.
const VM_ID: &str = "02aab8a4-74ef-476e-8182-f6d2ba4166a6";

/// A scheduled event.
#[derive(Clone, Debug)]
pub struct Event {
    /// Unique.
    pub id: String,
    /// `Preempt`, `Terminate`, `Reboot`, `Redeploy`, `Freeze`.
    pub kind: String,
    /// Names of the machines it is about.
    pub resources: Vec<String>,
    /// In how long it starts; none: it has started.
    pub after: Option<Duration>,
}

impl Event {
    /// Of one machine.
    pub fn new(id: &str, kind: &str, resource: &str, after: Duration) -> Self {
        Self {
            id: id.to_owned(),
            kind: kind.to_owned(),
            resources: vec![resource.to_owned()],
            after: Some(after),
        }
    }

    /// The same once it has started.
    #[must_use]
    pub fn started(mut self) -> Self {
        self.after = None;
        self
    }

    fn json(&self) -> Value {
        self.not_before(self.after.map(|after| Timestamp::now() + after))
    }

    fn not_before(&self, time: Option<Timestamp>) -> Value {
        let text = |time: Timestamp| time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        json!({
            "EventId": self.id,
            "EventStatus": if time.is_some() { "Scheduled" } else { "Started" },
            "EventType": self.kind,
            "ResourceType": "VirtualMachine",
            "Resources": self.resources,
            "NotBefore": time.map(text).unwrap_or_default(),
            "Description": "",
            "EventSource": "Platform",
            "DurationInSeconds": -1,
        })
    }
}

service!(Azure);

impl Azure {
    /// Starts one for a machine of this name, with the id 02aab8a4-74ef-476e-8182-f6d2ba4166a6.
    ///
    /// # Errors
    /// If no port is free.
    pub async fn start(name: &str) -> Result<Self> {
        Self::on(None, name, VM_ID).await
    }

    /// Starts one for a machine of this name and id: another one of the set.
    ///
    /// # Errors
    /// If no port is free.
    pub async fn start_as(name: &str, vm_id: &str) -> Result<Self> {
        Self::on(None, name, vm_id).await
    }

    /// Starts one on a given address.
    ///
    /// # Errors
    /// If the address is taken.
    pub async fn start_on(addr: SocketAddr, name: &str) -> Result<Self> {
        Self::on(Some(addr), name, VM_ID).await
    }

    async fn on(addr: Option<SocketAddr>, name: &str, vm_id: &str) -> Result<Self> {
        let state = State {
            name: name.to_owned(),
            vm_id: vm_id.to_owned(),
            incarnation: 1,
            events: Vec::new(),
            moving: None,
            approved: Vec::new(),
        };
        Ok(Self(Service::start(addr, state, answer).await?))
    }

    /// What is scheduled from now on; what is missing is over or was cancelled.
    pub fn schedule(&self, events: &[Event]) {
        self.schedule_raw(events.iter().map(Event::json).collect());
    }

    /// Ids of the events that were approved, in order: each starts by that, once.
    pub fn approved(&self) -> Vec<String> {
        self.0.state().approved.clone()
    }

    /// As [`schedule`](Self::schedule), with events as they are written.
    pub fn schedule_raw(&self, events: Vec<Value>) {
        self.0.state().schedule(events, None);
    }

    /// As [`schedule`](Self::schedule), of one event with any time.
    pub fn schedule_when(&self, event: &Event, when: When) {
        match when {
            When::At(time) => self.schedule_raw(vec![event.not_before(Some(time))]),
            When::After(after) => self.0.state().schedule(Vec::new(), Some((event.clone(), after))),
        }
    }
}

const EVENTS: &str = "/metadata/scheduledevents";

impl State {
    fn schedule(&mut self, events: Vec<Value>, moving: Option<(Event, Duration)>) {
        self.incarnation += 1;
        self.events = events;
        self.moving = moving;
    }

    /// Starts the events that `{"StartRequests": [{"EventId": "..."}]}` names; one that has started goes on as it is. None, if
    /// one of them is not there.
    fn approve(&mut self, body: &[u8]) -> Option<()> {
        let document: Value = serde_json::from_slice(body).ok()?;
        let mut found = Vec::new();
        for request in document["StartRequests"].as_array()? {
            let id = request["EventId"].as_str()?;
            let of_id = |event: &Value| {
                event["EventId"]
                    .as_str()
                    .is_some_and(|found| found.eq_ignore_ascii_case(id))
            };
            found.push(self.events.iter().position(of_id)?);
        }
        for event in found {
            let event = &mut self.events[event];
            if event["EventStatus"] == "Scheduled" {
                event["EventStatus"] = "Started".into();
                event["NotBefore"] = "".into();
                self.approved.push(event["EventId"].as_str()?.to_owned());
                self.incarnation += 1;
            }
        }
        Some(())
    }
}

async fn answer(shared: Arc<Shared<State>>, request: Request<Bytes>) -> Response<Body> {
    let refuse = |why: &'static str| {
        http_server::with_type(
            StatusCode::BAD_REQUEST,
            "application/json",
            json!({"error": why}).to_string(),
        )
    };
    let marked = request
        .headers()
        .get("metadata")
        .is_some_and(|value| value == "true");
    if !marked || request.headers().contains_key("x-forwarded-for") {
        return refuse("Bad request. Required metadata header not specified");
    }
    let query = request.uri().query().unwrap_or_default();
    if !query.contains("api-version=20") {
        return refuse("Bad request. api-version was not specified in the request");
    }
    let mut state = shared.state();
    let path = request.uri().path();
    if request.method() == Method::POST && path == EVENTS {
        return match state.approve(request.body()) {
            Some(()) => http_server::text(StatusCode::OK, ""),
            None => refuse("Bad request. StartRequests names no event"),
        };
    }
    if request.method() != Method::GET {
        return http_server::text(StatusCode::METHOD_NOT_ALLOWED, "only GET");
    }
    let document = match path {
        EVENTS => {
            if let Some((event, after)) = state.moving.clone() {
                state.incarnation += 1;
                state.events = vec![event.not_before(Some(Timestamp::now() + after))];
            }
            json!({"DocumentIncarnation": state.incarnation, "Events": state.events})
        }
        "/metadata/instance/compute" => json!({
            "azEnvironment": "AzurePublicCloud",
            "location": "westeurope",
            "name": state.name,
            "osType": "Linux",
            "priority": "Spot",
            "resourceGroupName": "mc_rg",
            "subscriptionId": "8d10da13-8125-4ba9-a717-bf7490507b3d",
            "vmId": state.vm_id,
            "vmScaleSetName": "aks-spot",
            "vmSize": "Standard_D4s_v5",
            "zone": "2",
        }),
        _ => return http_server::text(StatusCode::NOT_FOUND, "{\"error\": \"Not found\"}"),
    };
    http_server::with_type(StatusCode::OK, "application/json", document.to_string())
}
