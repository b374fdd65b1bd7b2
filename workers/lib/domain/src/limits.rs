//! Every bound and every waiting time of the domain, in one place.
//!
//! Sizes are bytes of UTF-8; times are signed durations so that they add to a
//! [`jiff::Timestamp`] without conversion.

use jiff::SignedDuration;

/// Layout of the incident and run records this code writes. A record with a
/// higher number is refused, and never written over.
pub const SCHEMA_VERSION: u32 = 1;

/// Facts an incident keeps; further ones are counted in `facts_dropped`.
pub const FACTS_MAX: usize = 64;

/// Actions a rule may plan, those of `on_cancel` included.
pub const ACTIONS_MAX: usize = 64;

/// Steps a rule may have.
pub const STEPS_MAX: usize = 32;

/// Rules a file may have.
pub const RULES_MAX: usize = 64;

/// A run record, as proto3-JSON.
pub const RUN_BYTES_MAX: usize = 64 * 1024;

/// The pinned plan (steps and `on_cancel`, parameters included) of a run, as
/// proto3-JSON. With [`ACTIONS_MAX`] action states of their largest size this
/// keeps a run under [`RUN_BYTES_MAX`]; a test adds it up.
pub const PLAN_BYTES_MAX: usize = 16 * 1024;

/// The sentence kept of an outcome; the whole is in the outcome message.
pub const MESSAGE_BYTES_MAX: usize = 120;

/// The word kept of an outcome.
pub const REASON_BYTES_MAX: usize = 48;

/// Kind of action, name of a rule or of a step.
pub const NAME_BYTES_MAX: usize = 63;

/// `cluster`, `instance` and `kind` of a notice: they become subject tokens
/// and keys, where the escape may treble them.
pub const TOKEN_BYTES_MAX: usize = 128;

/// Any other single text of a notice.
pub const TEXT_BYTES_MAX: usize = 256;

/// The value of one label.
pub const LABEL_BYTES_MAX: usize = 4096;

/// Labels of one notice.
pub const LABELS_MAX: usize = 64;

/// `on_failure`, `expired` and the rest act on effects per instance until
/// here: the outcome is due this long after the deadline. A swap that was
/// under way at the deadline may end or undo itself within it.
pub const CLOSE_AFTER_DEADLINE: SignedDuration = SignedDuration::from_mins(5);

/// The outcome is due this long after the start where no deadline is known
/// and the rule names no `timeout`.
pub const TIMEOUT_WITHOUT_DEADLINE: SignedDuration = SignedDuration::from_hours(1);

/// A `per-action` effect (telling people) has at least this long, however
/// close the incident's deadline, where the rule names no `timeout`.
pub const TIMEOUT_PER_ACTION: SignedDuration = SignedDuration::from_secs(60);

/// An action nobody started is ended by the router this long after its
/// deadline: the worker that holds it is given the word first.
pub const EXPIRE_AFTER_DEADLINE: SignedDuration = SignedDuration::from_secs(1);

/// A planned action that nobody noted as published is published again after
/// this long: its router stopped between the two.
pub const PUBLISH_AGAIN_AFTER: SignedDuration = SignedDuration::from_secs(10);

/// A step that waits for a time before the deadline, while no deadline is
/// known, is given up this long after the run began.
pub const WAIT_FOR_DEADLINE: SignedDuration = SignedDuration::from_hours(24);

/// An incident whose runs ended closes this long after its deadline: late
/// origins still join it.
pub const CLOSE_INCIDENT_AFTER_DEADLINE: SignedDuration = SignedDuration::from_mins(10);

/// An incident without a deadline closes this long after its last notice.
pub const CLOSE_INCIDENT_WITHOUT_DEADLINE: SignedDuration = SignedDuration::from_hours(24);

/// What closed this long ago is deleted from the store. Until then its facts
/// tell a late duplicate from news.
pub const PURGE_AFTER: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Notice given by EC2 for a spot instance:
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html>.
pub const EC2_SPOT_NOTICE: SignedDuration = SignedDuration::from_secs(120);

/// Notice given by Google Compute Engine
/// (<https://cloud.google.com/compute/docs/instances/preemptible#preemption-process>) and Azure
/// (<https://learn.microsoft.com/azure/virtual-machines/linux/scheduled-events>, `Preempt`).
pub const PREEMPTION_NOTICE: SignedDuration = SignedDuration::from_secs(30);
