//! The ways in: the label `source` of metrics, the first word of a dead letter's source, and what a client may be held to.

/// Alerts, from Prometheus as to an Alertmanager, and from Alertmanager's webhook.
pub const ALERTMANAGER: &str = "alertmanager";
/// CloudEvents over HTTP.
pub const CLOUDEVENTS: &str = "cloudevents";
/// Pushes of Google's Pub/Sub.
pub const PUBSUB: &str = "pubsub";
/// Pushes of Azure's Event Grid.
pub const EVENT_GRID: &str = "event-grid";
/// Topics of Amazon's SNS.
pub const SNS: &str = "sns";
/// Events of AWS that are posted as a queue would deliver them.
pub const EVENTBRIDGE: &str = "eventbridge";
/// Topics of Oracle's Notifications.
pub const ORACLE: &str = "oracle-notifications";

/// All that come by HTTP.
pub const ALL: [&str; 7] = [
    ALERTMANAGER,
    CLOUDEVENTS,
    PUBSUB,
    EVENT_GRID,
    SNS,
    EVENTBRIDGE,
    ORACLE,
];
