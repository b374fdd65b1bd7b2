//! The paths there are.

use hollowtrees_schemas::names;
use http::{Method, StatusCode};

use crate::{http::answer::Style, ways};

/// What a path and method ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// Alerts as to an Alertmanager of today.
    AlertsV2,
    /// Alerts as to the original, and to an Alertmanager before 0.27.
    AlertsV1,
    /// What Alertmanager's webhook posts.
    Webhook,
    /// CloudEvents.
    Events,
    /// A push of Pub/Sub.
    PubSub,
    /// A push of Event Grid.
    EventGrid,
    /// A post of a topic of SNS.
    Sns,
    /// What a queue of AWS would deliver.
    AwsEvents,
    /// A post of a topic of Oracle's Notifications.
    Oracle,
    /// A CloudEvents sender asks whether it may send.
    Handshake,
    /// Alertmanager's status.
    Status,
    /// Whether requests can be taken right now.
    Ready,
    /// Whether the process answers.
    Healthy,
    /// The OpenAPI document.
    OpenApi,
}

/// Each path with its methods. `openapi.yaml` says the same; a test compares them.
pub const PATHS: [(&str, &[(Method, Route)]); 13] = [
    ("/api/v2/alerts", &[(Method::POST, Route::AlertsV2)]),
    ("/api/v1/alerts", &[(Method::POST, Route::AlertsV1)]),
    ("/alertmanager/webhook", &[(Method::POST, Route::Webhook)]),
    (
        "/events",
        &[(Method::POST, Route::Events), (Method::OPTIONS, Route::Handshake)],
    ),
    ("/gcp/pubsub", &[(Method::POST, Route::PubSub)]),
    (
        "/azure/event-grid",
        &[
            (Method::POST, Route::EventGrid),
            (Method::OPTIONS, Route::Handshake),
        ],
    ),
    ("/aws/sns", &[(Method::POST, Route::Sns)]),
    (names::AWS_EVENTS, &[(Method::POST, Route::AwsEvents)]),
    ("/oracle/notifications", &[(Method::POST, Route::Oracle)]),
    ("/api/v2/status", &[(Method::GET, Route::Status)]),
    (
        "/-/ready",
        &[(Method::GET, Route::Ready), (Method::HEAD, Route::Ready)],
    ),
    (
        "/-/healthy",
        &[(Method::GET, Route::Healthy), (Method::HEAD, Route::Healthy)],
    ),
    ("/openapi.yaml", &[(Method::GET, Route::OpenApi)]),
];

impl Route {
    /// The route of a request.
    ///
    /// # Errors
    /// 404, or 405 with what is allowed.
    pub fn of(method: &Method, path: &str) -> Result<Self, (StatusCode, String)> {
        let Some((_, methods)) = PATHS.iter().find(|(known, _)| *known == path) else {
            return Err((StatusCode::NOT_FOUND, String::new()));
        };
        match methods.iter().find(|(known, _)| known == method) {
            Some((_, route)) => Ok(*route),
            None => {
                let allowed: Vec<_> = methods.iter().map(|(method, _)| method.as_str()).collect();
                Err((StatusCode::METHOD_NOT_ALLOWED, allowed.join(", ")))
            }
        }
    }

    /// Its word in metrics.
    pub fn word(self) -> &'static str {
        match self {
            Self::AlertsV2 => "alerts-v2",
            Self::AlertsV1 => "alerts-v1",
            Self::Webhook => "webhook",
            Self::Events => "events",
            Self::PubSub => "pubsub",
            Self::EventGrid => "event-grid",
            Self::Sns => "sns",
            Self::AwsEvents => "aws-events",
            Self::Oracle => "oracle",
            Self::Handshake => "handshake",
            Self::Status => "status",
            Self::Ready => "ready",
            Self::Healthy => "healthy",
            Self::OpenApi => "openapi",
        }
    }

    /// The way in that it belongs to; none is needed to ask how the gateway is.
    pub fn way(self) -> Option<&'static str> {
        match self {
            Self::AlertsV2 | Self::AlertsV1 | Self::Webhook => Some(ways::ALERTMANAGER),
            Self::Events => Some(ways::CLOUDEVENTS),
            Self::PubSub => Some(ways::PUBSUB),
            Self::EventGrid => Some(ways::EVENT_GRID),
            Self::Sns => Some(ways::SNS),
            Self::AwsEvents => Some(ways::EVENTBRIDGE),
            Self::Oracle => Some(ways::ORACLE),
            Self::Handshake | Self::Status | Self::Ready | Self::Healthy | Self::OpenApi => None,
        }
    }

    /// Whether anybody may ask.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Ready | Self::Healthy | Self::OpenApi)
    }

    /// Whether a token may stand in the address: for senders that cannot set a header, and as the original took one.
    pub fn takes_token(self) -> bool {
        matches!(
            self,
            Self::AlertsV1 | Self::PubSub | Self::EventGrid | Self::Sns | Self::Oracle | Self::Handshake
        )
    }

    /// Whether its senders send what was refused again, for days: what was put aside is acknowledged to them.
    pub fn is_insistent(self) -> bool {
        matches!(self, Self::PubSub | Self::EventGrid | Self::Sns | Self::Oracle)
    }

    /// How its answers are written.
    pub fn style(self) -> Style {
        match self {
            Self::AlertsV2 => Style::V2,
            Self::AlertsV1 => Style::V1,
            _ => Style::Report,
        }
    }
}
