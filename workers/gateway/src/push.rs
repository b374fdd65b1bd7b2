//! What clouds push: Pub/Sub messages and audit logs of Google, events of Azure and of Oracle.

pub mod audit;
pub mod azure;
pub mod event_grid;
pub mod oracle;
pub mod pubsub;
