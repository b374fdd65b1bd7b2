//! Pods from a watch in Kubernetes' protobuf encoding.
//!
//! An API server keeps what it has encoded for all who watch in the same encoding, and its own controllers watch in
//! protobuf: for us it then encodes nothing more. In JSON a burst of a thousand nodes costs it a tenth of its processor
//! time. Numbers of fields: `k8s.io/api/core/v1/generated.proto`, `k8s.io/apimachinery/pkg/apis/meta/v1/generated.proto`,
//! `k8s.io/apimachinery/pkg/runtime/generated.proto`; the framing: Kubernetes documentation, "API concepts", "Protobuf
//! encoding". Fields nobody looks at are not even parsed.

use std::{collections::BTreeMap, io};

use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt, stream::BoxStream};
use http::{HeaderValue, StatusCode, header};
use http_body_util::BodyExt;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{
    Client,
    api::{WatchEvent, WatchParams},
    client::Body,
    core::{
        Request, Status, TypeMeta,
        watch::{Bookmark, BookmarkMeta},
    },
};
use prost::Message;
use serde::de::IgnoredAny;
use tokio_util::{
    codec::{FramedRead, LengthDelimitedCodec, LinesCodec},
    io::StreamReader,
};

use super::{
    objects::{
        ClaimSource, Condition, ContainerState, ContainerStatus, PodSpec, PodStatus, RawPod, Toleration,
        Volume, WatchedPod,
    },
    watched::{Meta, OwnerReference},
};

const ACCEPT: &str = "application/vnd.kubernetes.protobuf;stream=watch";
const CONTENT_TYPE: &str = "application/vnd.kubernetes.protobuf";
/// Begins every object that is no part of another.
const MAGIC: &[u8] = b"k8s\0";
/// etcd holds 1.5 MiB of an object; a frame has one.
const FRAME: usize = 16 << 20;

/// Events of a watch.
pub(super) type Events<W> = BoxStream<'static, Result<WatchEvent<W>, kube::Error>>;

/// Watches pods in protobuf, or as whatever stands before the server answers; `None` where it has no protobuf and says so.
pub(super) async fn pods(
    client: &Client,
    params: &WatchParams,
    version: &str,
) -> Result<Option<Events<WatchedPod>>, kube::Error> {
    let mut request = Request::new("/api/v1/pods")
        .watch(params, version)
        .map_err(kube::Error::BuildRequest)?;
    let headers = request.headers_mut();
    headers.insert(header::ACCEPT, HeaderValue::from_static(ACCEPT));
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    let (head, body) = client.send(request.map(Body::from)).await?.into_parts();
    if head.status == StatusCode::NOT_ACCEPTABLE {
        return Ok(None);
    }
    let is_ours = head
        .headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|found| found.as_bytes().starts_with(CONTENT_TYPE.as_bytes()));
    if !head.status.is_success() {
        let body = body.collect().await?.to_bytes();
        return Err(kube::Error::Api(refusal(head.status, &body, is_ours).boxed()));
    }
    let bytes = body.into_data_stream().map_err(io::Error::other);
    Ok(Some(if is_ours {
        events(bytes).boxed()
    } else {
        lines(bytes).boxed()
    }))
}

fn refusal(status: StatusCode, body: &[u8], is_ours: bool) -> Status {
    let read = if is_ours {
        unknown::<ApiStatus>(body).ok().map(ApiStatus::into_status)
    } else {
        serde_json::from_slice(body).ok()
    };
    read.unwrap_or_else(|| {
        let text: String = String::from_utf8_lossy(body).chars().take(200).collect();
        Status::failure(&text, "").with_code(status.as_u16())
    })
}

fn events(
    bytes: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
) -> impl Stream<Item = Result<WatchEvent<WatchedPod>, kube::Error>> + Send {
    let frames = LengthDelimitedCodec::builder()
        .length_field_length(4)
        .max_frame_length(FRAME)
        .new_codec();
    FramedRead::new(StreamReader::new(bytes), frames).map(|frame| {
        let frame = frame.map_err(kube::Error::ReadEvents)?;
        event(&frame)
            .map_err(|error| kube::Error::ReadEvents(io::Error::new(io::ErrorKind::InvalidData, error)))
    })
}

/// The same in JSON, one event a line.
fn lines(
    bytes: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
) -> impl Stream<Item = Result<WatchEvent<WatchedPod>, kube::Error>> + Send {
    FramedRead::new(StreamReader::new(bytes), LinesCodec::new_with_max_length(FRAME)).map(|line| {
        let line = line.map_err(|error| kube::Error::ReadEvents(io::Error::other(error)))?;
        serde_json::from_str(&line).map_err(kube::Error::SerdeError)
    })
}

/// One event of the watch.
fn event(frame: &[u8]) -> Result<WatchEvent<WatchedPod>, prost::DecodeError> {
    let event = Event::decode(frame)?;
    let object = event.object.unwrap_or_default().raw;
    Ok(match event.kind.as_str() {
        "ADDED" => WatchEvent::Added(pod(&object)?),
        "MODIFIED" => WatchEvent::Modified(pod(&object)?),
        "DELETED" => WatchEvent::Deleted(pod(&object)?),
        "BOOKMARK" => {
            let meta = unknown::<Pod>(&object)?.metadata.unwrap_or_default();
            WatchEvent::Bookmark(Bookmark {
                types: TypeMeta::default(),
                metadata: BookmarkMeta {
                    resource_version: meta.resource_version,
                    annotations: meta.annotations,
                },
            })
        }
        "ERROR" => WatchEvent::Error(unknown::<ApiStatus>(&object)?.into_status().boxed()),
        other => {
            let what = format!(
                "`{}` is no kind of event",
                other.chars().take(32).collect::<String>()
            );
            WatchEvent::Error(Status::failure(&what, "").boxed())
        }
    })
}

fn pod(object: &[u8]) -> Result<WatchedPod, prost::DecodeError> {
    unknown::<Pod>(object).map(|pod| pod.into_raw().into())
}

/// An object in the envelope that says of what type it is.
fn unknown<M: Message + Default>(object: &[u8]) -> Result<M, prost::DecodeError> {
    // What is no envelope is no message either, most likely: the decoder says why.
    let envelope = Unknown::decode(object.strip_prefix(MAGIC).unwrap_or(object))?;
    M::decode(envelope.raw.as_slice())
}

#[derive(Clone, PartialEq, Message)]
struct Event {
    #[prost(string, tag = "1")]
    kind: String,
    #[prost(message, optional, tag = "2")]
    object: Option<RawExtension>,
}

#[derive(Clone, PartialEq, Message)]
struct RawExtension {
    #[prost(bytes = "vec", tag = "1")]
    raw: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct Unknown {
    #[prost(bytes = "vec", tag = "2")]
    raw: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct ApiStatus {
    #[prost(string, tag = "3")]
    message: String,
    #[prost(string, tag = "4")]
    reason: String,
    #[prost(int32, tag = "6")]
    code: i32,
}

impl ApiStatus {
    fn into_status(self) -> Status {
        Status::failure(&self.message, &self.reason).with_code(u16::try_from(self.code).unwrap_or_default())
    }
}

#[derive(Clone, PartialEq, Message)]
struct Empty {}

#[derive(Clone, Copy, PartialEq, Message)]
struct Instant {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

impl Instant {
    fn time(self) -> Option<Time> {
        Timestamp::new(self.seconds, self.nanos).ok().map(Time)
    }
}

#[derive(Clone, PartialEq, Message)]
struct ObjectMeta {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "3")]
    namespace: String,
    #[prost(string, tag = "5")]
    uid: String,
    #[prost(string, tag = "6")]
    resource_version: String,
    #[prost(int64, tag = "7")]
    generation: i64,
    #[prost(message, optional, tag = "9")]
    deletion_timestamp: Option<Instant>,
    #[prost(int64, optional, tag = "10")]
    deletion_grace_period_seconds: Option<i64>,
    #[prost(btree_map = "string, string", tag = "11")]
    labels: BTreeMap<String, String>,
    #[prost(btree_map = "string, string", tag = "12")]
    annotations: BTreeMap<String, String>,
    #[prost(message, repeated, tag = "13")]
    owner_references: Vec<Owner>,
    #[prost(string, repeated, tag = "14")]
    finalizers: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
struct Owner {
    #[prost(string, tag = "1")]
    kind: String,
    #[prost(bool, optional, tag = "6")]
    controller: Option<bool>,
}

impl ObjectMeta {
    fn into_raw(self) -> Meta {
        Meta {
            name: self.name,
            namespace: self.namespace,
            uid: self.uid,
            resource_version: Some(self.resource_version).filter(|version| !version.is_empty()),
            labels: Some(self.labels),
            annotations: Some(self.annotations),
            owner_references: self
                .owner_references
                .into_iter()
                .map(|owner| OwnerReference {
                    kind: owner.kind,
                    controller: owner.controller,
                })
                .collect(),
            generation: self.generation,
            finalizers: self.finalizers,
            deletion_timestamp: self.deletion_timestamp.and_then(Instant::time),
            deletion_grace_period_seconds: self.deletion_grace_period_seconds,
        }
    }
}

#[derive(Clone, PartialEq, Message)]
struct Pod {
    #[prost(message, optional, tag = "1")]
    metadata: Option<ObjectMeta>,
    #[prost(message, optional, tag = "2")]
    spec: Option<Spec>,
    #[prost(message, optional, tag = "3")]
    status: Option<PodState>,
}

#[derive(Clone, PartialEq, Message)]
struct Spec {
    #[prost(message, repeated, tag = "1")]
    volumes: Vec<PodVolume>,
    #[prost(int64, optional, tag = "4")]
    termination_grace_period_seconds: Option<i64>,
    #[prost(string, tag = "10")]
    node_name: String,
    #[prost(message, repeated, tag = "22")]
    tolerations: Vec<Tolerated>,
    #[prost(string, tag = "24")]
    priority_class_name: String,
    #[prost(int32, optional, tag = "25")]
    priority: Option<i32>,
}

#[derive(Clone, PartialEq, Message)]
struct PodVolume {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, optional, tag = "2")]
    source: Option<VolumeSource>,
}

#[derive(Clone, PartialEq, Message)]
struct VolumeSource {
    #[prost(message, optional, tag = "2")]
    empty_dir: Option<Empty>,
    #[prost(message, optional, tag = "10")]
    claim: Option<Claim>,
    #[prost(message, optional, tag = "29")]
    ephemeral: Option<Empty>,
}

#[derive(Clone, PartialEq, Message)]
struct Claim {
    #[prost(string, tag = "1")]
    name: String,
}

#[derive(Clone, PartialEq, Message)]
struct Tolerated {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(string, tag = "2")]
    operator: String,
    #[prost(string, tag = "3")]
    value: String,
    #[prost(string, tag = "4")]
    effect: String,
}

#[derive(Clone, PartialEq, Message)]
struct PodState {
    #[prost(string, tag = "1")]
    phase: String,
    #[prost(message, repeated, tag = "2")]
    conditions: Vec<State>,
    #[prost(message, optional, tag = "7")]
    start_time: Option<Instant>,
    #[prost(message, repeated, tag = "8")]
    containers: Vec<Container>,
    #[prost(message, repeated, tag = "10")]
    init_containers: Vec<Container>,
}

#[derive(Clone, PartialEq, Message)]
struct State {
    #[prost(string, tag = "1")]
    kind: String,
    #[prost(string, tag = "2")]
    status: String,
}

#[derive(Clone, PartialEq, Message)]
struct Container {
    #[prost(message, optional, tag = "2")]
    state: Option<Doing>,
}

#[derive(Clone, PartialEq, Message)]
struct Doing {
    #[prost(message, optional, tag = "2")]
    running: Option<Empty>,
    #[prost(message, optional, tag = "3")]
    terminated: Option<Empty>,
}

fn is_there(what: Option<&Empty>) -> Option<IgnoredAny> {
    what.map(|_| IgnoredAny)
}

impl Container {
    fn into_raw(self) -> ContainerStatus {
        let state = self.state.unwrap_or_default();
        ContainerStatus {
            state: ContainerState {
                running: is_there(state.running.as_ref()),
                terminated: is_there(state.terminated.as_ref()),
            },
        }
    }
}

impl Pod {
    fn into_raw(self) -> RawPod {
        let (spec, status) = (self.spec.unwrap_or_default(), self.status.unwrap_or_default());
        let volume = |volume: PodVolume| {
            let source = volume.source.unwrap_or_default();
            Volume {
                name: volume.name,
                empty_dir: is_there(source.empty_dir.as_ref()),
                persistent_volume_claim: source.claim.map(|claim| ClaimSource {
                    claim_name: claim.name,
                }),
                ephemeral: is_there(source.ephemeral.as_ref()),
            }
        };
        let toleration = |toleration: Tolerated| Toleration {
            key: toleration.key,
            operator: toleration.operator,
            value: toleration.value,
            effect: toleration.effect,
        };
        let condition = |condition: State| Condition {
            kind: condition.kind,
            status: condition.status,
        };
        let containers = |all: Vec<Container>| all.into_iter().map(Container::into_raw).collect();
        RawPod {
            metadata: self.metadata.unwrap_or_default().into_raw(),
            spec: PodSpec {
                node_name: spec.node_name,
                termination_grace_period_seconds: spec.termination_grace_period_seconds,
                priority: spec.priority.map(i64::from),
                priority_class_name: spec.priority_class_name,
                volumes: spec.volumes.into_iter().map(volume).collect(),
                tolerations: spec.tolerations.into_iter().map(toleration).collect(),
            },
            status: PodStatus {
                phase: status.phase,
                start_time: status.start_time.and_then(Instant::time),
                conditions: status.conditions.into_iter().map(condition).collect(),
                container_statuses: containers(status.containers),
                init_container_statuses: containers(status.init_containers),
            },
        }
    }
}

#[cfg(test)]
mod tests;
