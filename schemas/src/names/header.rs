//! Names of message headers. Look-ups on NATS are case-sensitive (ADR-4): write these, read any case.

/// Deduplication id of JetStream: a message with an id seen within the stream's `duplicate_window` is
/// acknowledged as a duplicate and not stored again.
pub const MESSAGE_ID: &str = "Nats-Msg-Id";

/// Content type of the body; starts with `application/cloudevents` in structured mode only.
pub const CONTENT_TYPE: &str = "content-type";

/// Prefix of a CloudEvents attribute in binary mode.
pub const CE_PREFIX: &str = "ce-";

/// On a redriven message: how often it was redriven; beats the action's own `redrive`. On a request to the gateway: the
/// number of the dead letter whose body it is, of which no other is made.
pub const REDRIVE: &str = "Ht-Redrive";

/// On a redriven action: the deadline it has now (RFC 3339); beats the action's own and its incident's.
pub const DEADLINE: &str = "Ht-Deadline";

/// Context attributes and extensions Hollowtrees writes, as headers of binary mode (NATS binding 1.0.3-wip
/// section 3.1.3): lower case, `ce-` before the attribute's name.
pub mod ce {
    /// Version of CloudEvents: `1.0`.
    pub const SPECVERSION: &str = "ce-specversion";
    /// With `ce-source`, unique to what is said.
    pub const ID: &str = "ce-id";
    /// URI reference of the origin, never of a process.
    pub const SOURCE: &str = "ce-source";
    /// [`crate::envelope::Message::TYPE`].
    pub const TYPE: &str = "ce-type";
    /// [`crate::envelope::DataFormat::content_type`].
    pub const DATACONTENTTYPE: &str = "ce-datacontenttype";
    /// [`crate::envelope::Message::DATASCHEMA`].
    pub const DATASCHEMA: &str = "ce-dataschema";
    /// The instance.
    pub const SUBJECT: &str = "ce-subject";
    /// When it happened, RFC 3339.
    pub const TIME: &str = "ce-time";
    /// The instance: what to keep in order by (Partitioning extension).
    pub const PARTITIONKEY: &str = "ce-partitionkey";
    /// After this it is of no use, RFC 3339 (Expiry Time extension).
    pub const EXPIRYTIME: &str = "ce-expirytime";
    /// W3C trace context of the incident (Distributed Tracing extension).
    pub const TRACEPARENT: &str = "ce-traceparent";
}

/// Headers of a dead letter; its body and its other headers are the original's.
pub mod dead {
    /// Stream the original was on, or the source that delivered it.
    pub const STREAM: &str = "Ht-Dead-Stream";
    /// Consumer that could not use it.
    pub const CONSUMER: &str = "Ht-Dead-Consumer";
    /// Subject of the original.
    pub const SUBJECT: &str = "Ht-Dead-Subject";
    /// Sequence of the original in its stream.
    pub const SEQUENCE: &str = "Ht-Dead-Sequence";
    /// One of [`crate::names::error_class`].
    pub const CLASS: &str = "Ht-Dead-Class";
    /// A sentence for a person.
    pub const REASON: &str = "Ht-Dead-Reason";
    /// How often it was tried.
    pub const ATTEMPTS: &str = "Ht-Dead-Attempts";
    /// `<kind>.<process>` of who gave up.
    pub const WORKER: &str = "Ht-Dead-Worker";
    /// Version of who gave up.
    pub const WORKER_VERSION: &str = "Ht-Dead-Worker-Version";
    /// When the original was stored, RFC 3339.
    pub const FIRST_AT: &str = "Ht-Dead-First-At";
    /// When it was given up, RFC 3339.
    pub const AT: &str = "Ht-Dead-At";
    /// Id of the action, where the original was one.
    pub const ACTION_ID: &str = "Ht-Dead-Action-Id";
    /// On a redriven message: sequence of the dead letter it was made from.
    pub const REDRIVE_OF: &str = "Ht-Dead-Redrive-Of";

    /// All of them.
    pub const ALL: [&str; 13] = [
        STREAM,
        CONSUMER,
        SUBJECT,
        SEQUENCE,
        CLASS,
        REASON,
        ATTEMPTS,
        WORKER,
        WORKER_VERSION,
        FIRST_AT,
        AT,
        ACTION_ID,
        REDRIVE_OF,
    ];
}
