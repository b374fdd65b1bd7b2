// Generated from schemas/proto; do not edit. To write it anew:
// UPDATE_GENERATED=1 cargo test -p hollowtrees-schemas --test generated
/// What is known of the instance an action is about.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct Target {
    #[prost(string, tag = "1")]
    pub provider: ::prost::alloc::string::String,
    #[prost(string, tag = "2")]
    pub account: ::prost::alloc::string::String,
    #[prost(string, tag = "3")]
    pub region: ::prost::alloc::string::String,
    #[prost(string, tag = "4")]
    pub zone: ::prost::alloc::string::String,
    /// Kubernetes node name; empty where no origin knew it.
    #[prost(string, tag = "5")]
    pub node: ::prost::alloc::string::String,
    /// Auto-scaling group; empty where no origin knew it.
    #[prost(string, tag = "6")]
    pub group: ::prost::alloc::string::String,
    #[prost(string, tag = "7")]
    pub instance_type: ::prost::alloc::string::String,
}
impl ::prost::Name for Target {
    const NAME: &'static str = "Target";
    const PACKAGE: &'static str = "hollowtrees.v1";
    fn full_name() -> ::prost::alloc::string::String {
        "hollowtrees.v1.Target".into()
    }
    fn type_url() -> ::prost::alloc::string::String {
        "/hollowtrees.v1.Target".into()
    }
}
/// A command to one kind of worker about one instance.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct Action {
    /// Hash of content (see `id`): the same plan gives the same id.
    #[prost(string, tag = "1")]
    pub id: ::prost::alloc::string::String,
    #[prost(string, tag = "2")]
    pub cluster: ::prost::alloc::string::String,
    /// `cordon`, `drain`, `uncordon`, `asg-swap`, `notify`, or one of one's own.
    #[prost(string, tag = "3")]
    pub kind: ::prost::alloc::string::String,
    #[prost(string, tag = "4")]
    pub instance: ::prost::alloc::string::String,
    /// Generation of the incident (1 is the first).
    #[prost(uint64, tag = "5")]
    pub generation: u64,
    /// `certain`, `scheduled` or `advisory`: what the incident was when this was planned.
    #[prost(string, tag = "6")]
    pub certainty: ::prost::alloc::string::String,
    /// `live`, `dry-run` or `test`.
    #[prost(string, tag = "7")]
    pub mode: ::prost::alloc::string::String,
    /// `per-instance` (once an incident and certainty) or `per-action` (once a place in a plan).
    #[prost(string, tag = "8")]
    pub effect: ::prost::alloc::string::String,
    /// The rule and place that asked first.
    #[prost(string, tag = "9")]
    pub rule: ::prost::alloc::string::String,
    #[prost(uint32, tag = "10")]
    pub step: u32,
    #[prost(uint32, tag = "11")]
    pub place: u32,
    /// The incident's first notice, as the origin saw it.
    #[prost(message, optional, tag = "12")]
    pub noticed_at: ::core::option::Option<::pbjson_types::Timestamp>,
    #[prost(message, optional, tag = "13")]
    pub created_at: ::core::option::Option<::pbjson_types::Timestamp>,
    /// Not to be started before; unset: at once.
    #[prost(message, optional, tag = "14")]
    pub start_at: ::core::option::Option<::pbjson_types::Timestamp>,
    /// The last moment of an effect on the old node; unset: none is known.
    #[prost(message, optional, tag = "15")]
    pub deadline: ::core::option::Option<::pbjson_types::Timestamp>,
    /// The outcome is due; after it the router closes the action as failed.
    #[prost(message, optional, tag = "16")]
    pub close_at: ::core::option::Option<::pbjson_types::Timestamp>,
    /// How much earlier than the incident's deadline this action's is: a worker
    /// that sees the incident's deadline move subtracts it.
    #[prost(message, optional, tag = "17")]
    pub deadline_reserve: ::core::option::Option<::pbjson_types::Duration>,
    /// When it has not started by its deadline: `skip` (outcome `expired`) or `run`.
    #[prost(string, tag = "18")]
    pub when_expired: ::prost::alloc::string::String,
    #[prost(message, optional, tag = "19")]
    pub params: ::core::option::Option<::pbjson_types::Struct>,
    #[prost(message, optional, tag = "20")]
    pub target: ::core::option::Option<Target>,
    /// 0 first; each redrive of its dead letter counts one up.
    #[prost(uint32, tag = "21")]
    pub redrive: u32,
    /// It undoes what a withdrawn incident had asked for, so the withdrawal does not stop it.
    #[prost(bool, tag = "22")]
    pub on_cancel: bool,
}
impl ::prost::Name for Action {
    const NAME: &'static str = "Action";
    const PACKAGE: &'static str = "hollowtrees.v1";
    fn full_name() -> ::prost::alloc::string::String {
        "hollowtrees.v1.Action".into()
    }
    fn type_url() -> ::prost::alloc::string::String {
        "/hollowtrees.v1.Action".into()
    }
}
/// What is known of a message nobody could use. On the bus the original bytes
/// are the body and these fields are headers; this message is how tools show it.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct DeadLetter {
    /// Sequence in HT_DEAD; the name `dead show`, `redrive` and `discard` take.
    #[prost(uint64, tag = "1")]
    pub sequence: u64,
    #[prost(string, tag = "2")]
    pub cluster: ::prost::alloc::string::String,
    /// Stream the original was on, or the source that delivered it.
    #[prost(string, tag = "3")]
    pub stream: ::prost::alloc::string::String,
    #[prost(string, tag = "4")]
    pub consumer: ::prost::alloc::string::String,
    #[prost(string, tag = "5")]
    pub subject: ::prost::alloc::string::String,
    #[prost(uint64, tag = "6")]
    pub original_sequence: u64,
    /// One word: `undecodable`, `invalid`, `poison`, `rejected`, ...
    #[prost(string, tag = "7")]
    pub error_class: ::prost::alloc::string::String,
    #[prost(string, tag = "8")]
    pub reason: ::prost::alloc::string::String,
    #[prost(uint32, tag = "9")]
    pub attempts: u32,
    #[prost(string, tag = "10")]
    pub worker: ::prost::alloc::string::String,
    #[prost(string, tag = "11")]
    pub worker_version: ::prost::alloc::string::String,
    #[prost(message, optional, tag = "12")]
    pub first_at: ::core::option::Option<::pbjson_types::Timestamp>,
    #[prost(message, optional, tag = "13")]
    pub dead_at: ::core::option::Option<::pbjson_types::Timestamp>,
    /// Headers of the original, in order.
    #[prost(message, repeated, tag = "14")]
    pub headers: ::prost::alloc::vec::Vec<Header>,
    #[prost(bytes = "vec", tag = "15")]
    pub body: ::prost::alloc::vec::Vec<u8>,
    /// Action id, where the original was an action.
    #[prost(string, tag = "16")]
    pub action_id: ::prost::alloc::string::String,
}
impl ::prost::Name for DeadLetter {
    const NAME: &'static str = "DeadLetter";
    const PACKAGE: &'static str = "hollowtrees.v1";
    fn full_name() -> ::prost::alloc::string::String {
        "hollowtrees.v1.DeadLetter".into()
    }
    fn type_url() -> ::prost::alloc::string::String {
        "/hollowtrees.v1.DeadLetter".into()
    }
}
/// One header of a message.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct Header {
    #[prost(string, tag = "1")]
    pub name: ::prost::alloc::string::String,
    #[prost(string, tag = "2")]
    pub value: ::prost::alloc::string::String,
}
impl ::prost::Name for Header {
    const NAME: &'static str = "Header";
    const PACKAGE: &'static str = "hollowtrees.v1";
    fn full_name() -> ::prost::alloc::string::String {
        "hollowtrees.v1.Header".into()
    }
    fn type_url() -> ::prost::alloc::string::String {
        "/hollowtrees.v1.Header".into()
    }
}
/// Who worked.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct Worker {
    /// Kind of process: `drain`, `router`, ...
    #[prost(string, tag = "1")]
    pub kind: ::prost::alloc::string::String,
    /// Unique to one start of one process.
    #[prost(string, tag = "2")]
    pub process: ::prost::alloc::string::String,
    #[prost(string, tag = "3")]
    pub version: ::prost::alloc::string::String,
}
impl ::prost::Name for Worker {
    const NAME: &'static str = "Worker";
    const PACKAGE: &'static str = "hollowtrees.v1";
    fn full_name() -> ::prost::alloc::string::String {
        "hollowtrees.v1.Worker".into()
    }
    fn type_url() -> ::prost::alloc::string::String {
        "/hollowtrees.v1.Worker".into()
    }
}
/// When what happened, for histograms without memory. Unset: it did not happen.
#[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
pub struct Times {
    #[prost(message, optional, tag = "1")]
    pub noticed_at: ::core::option::Option<::pbjson_types::Timestamp>,
    /// The action was put on its stream.
    #[prost(message, optional, tag = "2")]
    pub published_at: ::core::option::Option<::pbjson_types::Timestamp>,
    /// A worker took it.
    #[prost(message, optional, tag = "3")]
    pub accepted_at: ::core::option::Option<::pbjson_types::Timestamp>,
    #[prost(message, optional, tag = "4")]
    pub started_at: ::core::option::Option<::pbjson_types::Timestamp>,
    #[prost(message, optional, tag = "5")]
    pub cordoned_at: ::core::option::Option<::pbjson_types::Timestamp>,
    #[prost(message, optional, tag = "6")]
    pub ended_at: ::core::option::Option<::pbjson_types::Timestamp>,
}
impl ::prost::Name for Times {
    const NAME: &'static str = "Times";
    const PACKAGE: &'static str = "hollowtrees.v1";
    fn full_name() -> ::prost::alloc::string::String {
        "hollowtrees.v1.Times".into()
    }
    fn type_url() -> ::prost::alloc::string::String {
        "/hollowtrees.v1.Times".into()
    }
}
/// The result of an action: one final one, and `progress` facts before it.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct Outcome {
    #[prost(string, tag = "1")]
    pub action_id: ::prost::alloc::string::String,
    #[prost(string, tag = "2")]
    pub cluster: ::prost::alloc::string::String,
    /// Kind of the action.
    #[prost(string, tag = "3")]
    pub kind: ::prost::alloc::string::String,
    #[prost(string, tag = "4")]
    pub instance: ::prost::alloc::string::String,
    #[prost(uint64, tag = "5")]
    pub generation: u64,
    /// `succeeded`, `failed`, `expired`, `cancelled`, `skipped`, or `progress`.
    #[prost(string, tag = "6")]
    pub result: ::prost::alloc::string::String,
    /// One word a program can match: `deadline`, `node-not-found`, `dry-run`, ...
    #[prost(string, tag = "7")]
    pub reason: ::prost::alloc::string::String,
    /// A sentence for a person.
    #[prost(string, tag = "8")]
    pub message: ::prost::alloc::string::String,
    #[prost(string, tag = "9")]
    pub mode: ::prost::alloc::string::String,
    #[prost(message, optional, tag = "10")]
    pub worker: ::core::option::Option<Worker>,
    /// Starts of the handler, this one included.
    #[prost(uint32, tag = "11")]
    pub attempt: u32,
    #[prost(message, optional, tag = "12")]
    pub times: ::core::option::Option<Times>,
    #[prost(message, optional, tag = "13")]
    pub deadline: ::core::option::Option<::pbjson_types::Timestamp>,
    /// A final outcome that came after another final one had won.
    #[prost(bool, tag = "14")]
    pub late: bool,
    #[prost(message, optional, tag = "15")]
    pub detail: ::core::option::Option<::pbjson_types::Struct>,
    #[prost(uint32, tag = "16")]
    pub redrive: u32,
    #[prost(string, tag = "17")]
    pub provider: ::prost::alloc::string::String,
    #[prost(string, tag = "18")]
    pub certainty: ::prost::alloc::string::String,
}
impl ::prost::Name for Outcome {
    const NAME: &'static str = "Outcome";
    const PACKAGE: &'static str = "hollowtrees.v1";
    fn full_name() -> ::prost::alloc::string::String {
        "hollowtrees.v1.Outcome".into()
    }
    fn type_url() -> ::prost::alloc::string::String {
        "/hollowtrees.v1.Outcome".into()
    }
}
/// Who may change a group's sizes now; nobody where it is unset or past.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct GroupLease {
    #[prost(message, optional, tag = "1")]
    pub holder: ::core::option::Option<Worker>,
    #[prost(string, tag = "2")]
    pub action_id: ::prost::alloc::string::String,
    #[prost(message, optional, tag = "3")]
    pub until: ::core::option::Option<::pbjson_types::Timestamp>,
}
impl ::prost::Name for GroupLease {
    const NAME: &'static str = "GroupLease";
    const PACKAGE: &'static str = "hollowtrees.v1";
    fn full_name() -> ::prost::alloc::string::String {
        "hollowtrees.v1.GroupLease".into()
    }
    fn type_url() -> ::prost::alloc::string::String {
        "/hollowtrees.v1.GroupLease".into()
    }
}
/// One swap of an instance of a group: open, or ended not long ago.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct GroupSwap {
    #[prost(string, tag = "1")]
    pub action_id: ::prost::alloc::string::String,
    #[prost(string, tag = "2")]
    pub cluster: ::prost::alloc::string::String,
    /// The instance that goes.
    #[prost(string, tag = "3")]
    pub instance: ::prost::alloc::string::String,
    #[prost(uint64, tag = "4")]
    pub generation: u64,
    /// The instance that comes; empty until it is launched.
    #[prost(string, tag = "5")]
    pub replacement: ::prost::alloc::string::String,
    /// Units of MaxSize above desired that it made room for and has not used yet.
    #[prost(uint32, tag = "6")]
    pub room: u32,
    /// Units of desired capacity its attached replacement added and its detached instance has not yet taken away.
    #[prost(uint32, tag = "7")]
    pub surplus: u32,
    /// Empty while it is open, then `succeeded`, `failed`, `cancelled` or `skipped`.
    #[prost(string, tag = "8")]
    pub result: ::prost::alloc::string::String,
    #[prost(message, optional, tag = "9")]
    pub opened_at: ::core::option::Option<::pbjson_types::Timestamp>,
    #[prost(message, optional, tag = "10")]
    pub ended_at: ::core::option::Option<::pbjson_types::Timestamp>,
    /// Units that attaching the replacement adds to desired capacity, while it is not known whether that was done. Once the
    /// replacement is a member it was.
    #[prost(uint32, tag = "11")]
    pub attaching: u32,
    /// Units of what it launches; 0: it launches nothing.
    #[prost(uint32, tag = "12")]
    pub weight: u32,
    /// What it launches is to be on demand: for the share that the group's policy asks for, or as what goes is.
    #[prost(bool, tag = "13")]
    pub on_demand: bool,
}
impl ::prost::Name for GroupSwap {
    const NAME: &'static str = "GroupSwap";
    const PACKAGE: &'static str = "hollowtrees.v1";
    fn full_name() -> ::prost::alloc::string::String {
        "hollowtrees.v1.GroupSwap".into()
    }
    fn type_url() -> ::prost::alloc::string::String {
        "/hollowtrees.v1.GroupSwap".into()
    }
}
/// A write of a group's sizes that is about to happen: from what the group shows then, whoever comes next can tell
/// whether it did.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct GroupWrite {
    /// Who writes it, under the lease.
    #[prost(string, tag = "1")]
    pub action_id: ::prost::alloc::string::String,
    /// MaxSize it makes; unset: it leaves it.
    #[prost(uint32, optional, tag = "2")]
    pub max: ::core::option::Option<u32>,
    /// Desired capacity it makes; unset: it leaves it.
    #[prost(uint32, optional, tag = "3")]
    pub desired: ::core::option::Option<u32>,
    /// The surplus of its swap once it has happened; of changes of desired capacity only.
    #[prost(uint32, tag = "4")]
    pub surplus: u32,
    /// When it was noted.
    #[prost(message, optional, tag = "5")]
    pub at: ::core::option::Option<::pbjson_types::Timestamp>,
    /// The actions whose swaps it changes, where one call does it for several; empty: that of `action_id`.
    #[prost(string, repeated, tag = "6")]
    pub actions: ::prost::alloc::vec::Vec<::prost::alloc::string::String>,
}
impl ::prost::Name for GroupWrite {
    const NAME: &'static str = "GroupWrite";
    const PACKAGE: &'static str = "hollowtrees.v1";
    fn full_name() -> ::prost::alloc::string::String {
        "hollowtrees.v1.GroupWrite".into()
    }
    fn type_url() -> ::prost::alloc::string::String {
        "/hollowtrees.v1.GroupWrite".into()
    }
}
/// A size as a change of ours left it, and when: what is read soon after may be older.
#[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
pub struct GroupSize {
    #[prost(uint32, tag = "1")]
    pub size: u32,
    #[prost(message, optional, tag = "2")]
    pub at: ::core::option::Option<::pbjson_types::Timestamp>,
}
impl ::prost::Name for GroupSize {
    const NAME: &'static str = "GroupSize";
    const PACKAGE: &'static str = "hollowtrees.v1";
    fn full_name() -> ::prost::alloc::string::String {
        "hollowtrees.v1.GroupSize".into()
    }
    fn type_url() -> ::prost::alloc::string::String {
        "/hollowtrees.v1.GroupSize".into()
    }
}
/// Members that a call of ours takes out: what is read soon after, and shows one of them in its place still, is older.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct GroupExit {
    /// Who makes the call, under the lease.
    #[prost(string, tag = "1")]
    pub action_id: ::prost::alloc::string::String,
    #[prost(string, repeated, tag = "2")]
    pub instances: ::prost::alloc::vec::Vec<::prost::alloc::string::String>,
    /// When it was noted, before the call.
    #[prost(message, optional, tag = "3")]
    pub at: ::core::option::Option<::pbjson_types::Timestamp>,
}
impl ::prost::Name for GroupExit {
    const NAME: &'static str = "GroupExit";
    const PACKAGE: &'static str = "hollowtrees.v1";
    fn full_name() -> ::prost::alloc::string::String {
        "hollowtrees.v1.GroupExit".into()
    }
    fn type_url() -> ::prost::alloc::string::String {
        "/hollowtrees.v1.GroupExit".into()
    }
}
/// A call that was made and, as far as is known, not answered: until some time later it may take effect.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct GroupAsked {
    /// The process that made it.
    #[prost(string, tag = "1")]
    pub process: ::prost::alloc::string::String,
    /// When it was noted, before the call.
    #[prost(message, optional, tag = "2")]
    pub at: ::core::option::Option<::pbjson_types::Timestamp>,
}
impl ::prost::Name for GroupAsked {
    const NAME: &'static str = "GroupAsked";
    const PACKAGE: &'static str = "hollowtrees.v1";
    fn full_name() -> ::prost::alloc::string::String {
        "hollowtrees.v1.GroupAsked".into()
    }
    fn type_url() -> ::prost::alloc::string::String {
        "/hollowtrees.v1.GroupAsked".into()
    }
}
/// An auto-scaling group with its swaps: what its MaxSize was before the first open one, what we last wrote, and who
/// may change it now.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct Group {
    /// Version of this record's layout; who meets a higher one does not write it.
    #[prost(uint32, tag = "1")]
    pub schema: u32,
    #[prost(string, tag = "2")]
    pub account: ::prost::alloc::string::String,
    #[prost(string, tag = "3")]
    pub region: ::prost::alloc::string::String,
    #[prost(string, tag = "4")]
    pub name: ::prost::alloc::string::String,
    #[prost(message, optional, tag = "5")]
    pub lease: ::core::option::Option<GroupLease>,
    /// MaxSize before we raised it; meaningful while `written_max` is set.
    #[prost(uint32, tag = "6")]
    pub base_max: u32,
    /// MaxSize as we last wrote it; 0: we raised nothing.
    #[prost(uint32, tag = "7")]
    pub written_max: u32,
    #[prost(message, repeated, tag = "8")]
    pub swaps: ::prost::alloc::vec::Vec<GroupSwap>,
    /// Tells this write from any other.
    #[prost(string, tag = "9")]
    pub nonce: ::prost::alloc::string::String,
    /// Desired capacity as our last change left it; unset: we changed nothing.
    #[prost(uint32, optional, tag = "10")]
    pub written_desired: ::core::option::Option<u32>,
    #[prost(message, optional, tag = "11")]
    pub pending: ::core::option::Option<GroupWrite>,
    /// Kept when the last swap ends, for the next one may read too early.
    #[prost(message, optional, tag = "12")]
    pub latest_max: ::core::option::Option<GroupSize>,
    #[prost(message, optional, tag = "13")]
    pub latest_desired: ::core::option::Option<GroupSize>,
    /// We are about to suspend its process AZRebalance, or have; until it is resumed.
    #[prost(bool, tag = "14")]
    pub rebalance_suspended: bool,
    /// When we last resumed it, or were about to: what is read soon after may show it suspended still.
    #[prost(message, optional, tag = "15")]
    pub rebalance_resumed_at: ::core::option::Option<::pbjson_types::Timestamp>,
    #[prost(message, optional, tag = "16")]
    pub latest_exit: ::core::option::Option<GroupExit>,
    /// That its process AZRebalance be suspended. Who resumes it waits until that has no effect any more.
    #[prost(message, optional, tag = "17")]
    pub rebalance_asked: ::core::option::Option<GroupAsked>,
}
impl ::prost::Name for Group {
    const NAME: &'static str = "Group";
    const PACKAGE: &'static str = "hollowtrees.v1";
    fn full_name() -> ::prost::alloc::string::String {
        "hollowtrees.v1.Group".into()
    }
    fn type_url() -> ::prost::alloc::string::String {
        "/hollowtrees.v1.Group".into()
    }
}
/// The newest notice of one kind or one provider event.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct Fact {
    #[prost(string, tag = "1")]
    pub kind: ::prost::alloc::string::String,
    #[prost(string, tag = "2")]
    pub event_id: ::prost::alloc::string::String,
    /// A notice's state, or `past`: carried over from an earlier generation so that a late duplicate stays known.
    #[prost(string, tag = "3")]
    pub state: ::prost::alloc::string::String,
    #[prost(string, tag = "4")]
    pub certainty: ::prost::alloc::string::String,
    #[prost(string, tag = "5")]
    pub provider_action: ::prost::alloc::string::String,
    #[prost(message, optional, tag = "6")]
    pub noticed_at: ::core::option::Option<::pbjson_types::Timestamp>,
    /// When the bus stored the notice.
    #[prost(message, optional, tag = "7")]
    pub received_at: ::core::option::Option<::pbjson_types::Timestamp>,
    #[prost(message, optional, tag = "8")]
    pub deadline: ::core::option::Option<::pbjson_types::Timestamp>,
    #[prost(string, tag = "9")]
    pub notice_id: ::prost::alloc::string::String,
    /// `ce-source` of the notice.
    #[prost(string, tag = "10")]
    pub source: ::prost::alloc::string::String,
}
impl ::prost::Name for Fact {
    const NAME: &'static str = "Fact";
    const PACKAGE: &'static str = "hollowtrees.v1";
    fn full_name() -> ::prost::alloc::string::String {
        "hollowtrees.v1.Fact".into()
    }
    fn type_url() -> ::prost::alloc::string::String {
        "/hollowtrees.v1.Fact".into()
    }
}
/// A run this incident has, by the two words that tell it from its siblings.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct RunRef {
    #[prost(string, tag = "1")]
    pub rule: ::prost::alloc::string::String,
    #[prost(string, tag = "2")]
    pub certainty: ::prost::alloc::string::String,
}
impl ::prost::Name for RunRef {
    const NAME: &'static str = "RunRef";
    const PACKAGE: &'static str = "hollowtrees.v1";
    fn full_name() -> ::prost::alloc::string::String {
        "hollowtrees.v1.RunRef".into()
    }
    fn type_url() -> ::prost::alloc::string::String {
        "/hollowtrees.v1.RunRef".into()
    }
}
/// One episode of one instance, joined from all its notices.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct Incident {
    /// Version of this record's layout; who meets a higher one does not write it.
    #[prost(uint32, tag = "1")]
    pub schema: u32,
    #[prost(string, tag = "2")]
    pub cluster: ::prost::alloc::string::String,
    #[prost(string, tag = "3")]
    pub instance: ::prost::alloc::string::String,
    #[prost(string, tag = "4")]
    pub mode: ::prost::alloc::string::String,
    #[prost(uint64, tag = "5")]
    pub generation: u64,
    /// `open`, `cancelled` (all facts withdrawn, runs under way) or `closed`.
    #[prost(string, tag = "6")]
    pub state: ::prost::alloc::string::String,
    #[prost(message, repeated, tag = "7")]
    pub facts: ::prost::alloc::vec::Vec<Fact>,
    /// Facts over the limit of 64, counted only.
    #[prost(uint32, tag = "8")]
    pub facts_dropped: u32,
    #[prost(message, optional, tag = "9")]
    pub opened_at: ::core::option::Option<::pbjson_types::Timestamp>,
    #[prost(message, optional, tag = "10")]
    pub noticed_at: ::core::option::Option<::pbjson_types::Timestamp>,
    #[prost(message, optional, tag = "11")]
    pub last_noticed_at: ::core::option::Option<::pbjson_types::Timestamp>,
    #[prost(message, optional, tag = "12")]
    pub closed_at: ::core::option::Option<::pbjson_types::Timestamp>,
    #[prost(message, optional, tag = "13")]
    pub deadline: ::core::option::Option<::pbjson_types::Timestamp>,
    #[prost(string, tag = "14")]
    pub certainty: ::prost::alloc::string::String,
    #[prost(message, optional, tag = "15")]
    pub target: ::core::option::Option<Target>,
    #[prost(message, repeated, tag = "16")]
    pub runs: ::prost::alloc::vec::Vec<RunRef>,
    /// Number of changes so far: the sequence of its events.
    #[prost(uint64, tag = "17")]
    pub changes: u64,
}
impl ::prost::Name for Incident {
    const NAME: &'static str = "Incident";
    const PACKAGE: &'static str = "hollowtrees.v1";
    fn full_name() -> ::prost::alloc::string::String {
        "hollowtrees.v1.Incident".into()
    }
    fn type_url() -> ::prost::alloc::string::String {
        "/hollowtrees.v1.Incident".into()
    }
}
/// Who does an action, and what came of it: one record an action.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct LedgerEntry {
    /// Version of this record's layout; who meets a higher one does not write it.
    #[prost(uint32, tag = "1")]
    pub schema: u32,
    /// `running` or `done`.
    #[prost(string, tag = "2")]
    pub state: ::prost::alloc::string::String,
    /// Process that runs it; a key of `ht_workers` is `<kind>.<process>`.
    #[prost(message, optional, tag = "3")]
    pub owner: ::core::option::Option<Worker>,
    /// Starts so far that ended without a settle, this one included.
    #[prost(uint32, tag = "4")]
    pub attempt: u32,
    /// Tells this write from any other, so that a write whose reply was lost can be read back.
    #[prost(string, tag = "5")]
    pub nonce: ::prost::alloc::string::String,
    /// What the handler needs to go on after a crash.
    #[prost(message, optional, tag = "6")]
    pub checkpoint: ::core::option::Option<::pbjson_types::Struct>,
    #[prost(message, optional, tag = "7")]
    pub started_at: ::core::option::Option<::pbjson_types::Timestamp>,
    #[prost(message, optional, tag = "8")]
    pub outcome: ::core::option::Option<Outcome>,
    /// Generation by redrive: an action with a higher `redrive` reopens a done entry.
    #[prost(uint32, tag = "9")]
    pub redrive: u32,
    #[prost(message, optional, tag = "10")]
    pub accepted_at: ::core::option::Option<::pbjson_types::Timestamp>,
    /// Starts among `attempt` that a worker which was told to stop handed over: they count against nobody.
    #[prost(uint32, tag = "11")]
    pub handovers: u32,
    /// It has effects to finish or to undo as long as it has a checkpoint, also after its outcome was due.
    #[prost(bool, tag = "12")]
    pub saga: bool,
}
impl ::prost::Name for LedgerEntry {
    const NAME: &'static str = "LedgerEntry";
    const PACKAGE: &'static str = "hollowtrees.v1";
    fn full_name() -> ::prost::alloc::string::String {
        "hollowtrees.v1.LedgerEntry".into()
    }
    fn type_url() -> ::prost::alloc::string::String {
        "/hollowtrees.v1.LedgerEntry".into()
    }
}
/// One live process.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct Liveness {
    #[prost(message, optional, tag = "1")]
    pub worker: ::core::option::Option<Worker>,
    /// Kinds of action it serves; empty for one that serves none.
    #[prost(string, repeated, tag = "2")]
    pub serves: ::prost::alloc::vec::Vec<::prost::alloc::string::String>,
    #[prost(message, optional, tag = "3")]
    pub started_at: ::core::option::Option<::pbjson_types::Timestamp>,
    /// Subject on which processes of the same consumer give it actions that it is to do; empty: it takes none so.
    #[prost(string, tag = "4")]
    pub takes_at: ::prost::alloc::string::String,
}
impl ::prost::Name for Liveness {
    const NAME: &'static str = "Liveness";
    const PACKAGE: &'static str = "hollowtrees.v1";
    fn full_name() -> ::prost::alloc::string::String {
        "hollowtrees.v1.Liveness".into()
    }
    fn type_url() -> ::prost::alloc::string::String {
        "/hollowtrees.v1.Liveness".into()
    }
}
/// One word from one origin about one instance: it is going, may go, or no
/// longer goes, at a time where one is known.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct Notice {
    /// Cluster the instance belongs to, as the agents of that cluster are configured.
    #[prost(string, tag = "1")]
    pub cluster: ::prost::alloc::string::String,
    /// Cloud: `aws`, `gcp`, `azure`, ... ; free text for others.
    #[prost(string, tag = "2")]
    pub provider: ::prost::alloc::string::String,
    /// AWS account, GCP project, Azure subscription; empty where unknown.
    #[prost(string, tag = "3")]
    pub account: ::prost::alloc::string::String,
    #[prost(string, tag = "4")]
    pub region: ::prost::alloc::string::String,
    #[prost(string, tag = "5")]
    pub zone: ::prost::alloc::string::String,
    /// The provider's unique id (EC2 instance id, GCP numeric id, Azure vmId).
    #[prost(string, tag = "6")]
    pub instance: ::prost::alloc::string::String,
    /// `spot-interruption`, `preempted`, `rebalance-recommendation`,
    /// `scheduled-maintenance`, `asg-terminating`, `asg-launching`,
    /// `instance-state-change`, `capacity-reservation-interruption`, `spot-again`,
    /// `alert`, or a kind of one's own.
    #[prost(string, tag = "7")]
    pub kind: ::prost::alloc::string::String,
    /// `active` (it stands), `cancelled` (the provider took it back) or
    /// `resolved` (an alert that no longer fires). Empty reads as `active`.
    #[prost(string, tag = "8")]
    pub state: ::prost::alloc::string::String,
    /// `certain`, `scheduled` or `advisory`. Empty reads as the kind's default.
    #[prost(string, tag = "9")]
    pub certainty: ::prost::alloc::string::String,
    /// `live`, `dry-run` or `test`. Empty reads as `live`.
    #[prost(string, tag = "10")]
    pub mode: ::prost::alloc::string::String,
    /// The provider's event id; empty where the provider gives none.
    #[prost(string, tag = "11")]
    pub event_id: ::prost::alloc::string::String,
    /// What the provider will do: `terminate`, `stop`, `hibernate`, `reboot`, ...
    #[prost(string, tag = "12")]
    pub provider_action: ::prost::alloc::string::String,
    /// When the origin first saw it.
    #[prost(message, optional, tag = "13")]
    pub noticed_at: ::core::option::Option<::pbjson_types::Timestamp>,
    /// When the instance goes; unset where the provider says none.
    #[prost(message, optional, tag = "14")]
    pub deadline: ::core::option::Option<::pbjson_types::Timestamp>,
    /// Kubernetes node name, where the origin knows it.
    #[prost(string, tag = "15")]
    pub node: ::prost::alloc::string::String,
    /// Auto-scaling group, where the origin knows it.
    #[prost(string, tag = "16")]
    pub group: ::prost::alloc::string::String,
    #[prost(string, tag = "17")]
    pub instance_type: ::prost::alloc::string::String,
    /// Labels of an alert, tags of an instance: for rules to match.
    #[prost(btree_map = "string, string", tag = "18")]
    pub labels: ::prost::alloc::collections::BTreeMap<
        ::prost::alloc::string::String,
        ::prost::alloc::string::String,
    >,
    /// The origin's own document, as it came.
    #[prost(message, optional, tag = "19")]
    pub detail: ::core::option::Option<::pbjson_types::Struct>,
}
impl ::prost::Name for Notice {
    const NAME: &'static str = "Notice";
    const PACKAGE: &'static str = "hollowtrees.v1";
    fn full_name() -> ::prost::alloc::string::String {
        "hollowtrees.v1.Notice".into()
    }
    fn type_url() -> ::prost::alloc::string::String {
        "/hollowtrees.v1.Notice".into()
    }
}
/// One action as the rule asks for it.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct PlannedAction {
    #[prost(string, tag = "1")]
    pub kind: ::prost::alloc::string::String,
    #[prost(string, tag = "2")]
    pub effect: ::prost::alloc::string::String,
    #[prost(message, optional, tag = "3")]
    pub params: ::core::option::Option<::pbjson_types::Struct>,
    #[prost(message, optional, tag = "4")]
    pub deadline_reserve: ::core::option::Option<::pbjson_types::Duration>,
    #[prost(string, tag = "5")]
    pub when_expired: ::prost::alloc::string::String,
    /// Outcome due this long after the start where no deadline is known.
    #[prost(message, optional, tag = "6")]
    pub timeout: ::core::option::Option<::pbjson_types::Duration>,
}
impl ::prost::Name for PlannedAction {
    const NAME: &'static str = "PlannedAction";
    const PACKAGE: &'static str = "hollowtrees.v1";
    fn full_name() -> ::prost::alloc::string::String {
        "hollowtrees.v1.PlannedAction".into()
    }
    fn type_url() -> ::prost::alloc::string::String {
        "/hollowtrees.v1.PlannedAction".into()
    }
}
/// Actions that start together.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct PlannedStep {
    #[prost(string, tag = "1")]
    pub name: ::prost::alloc::string::String,
    #[prost(message, repeated, tag = "2")]
    pub actions: ::prost::alloc::vec::Vec<PlannedAction>,
    /// Not before this long ahead of the incident's deadline; unset: at once.
    #[prost(message, optional, tag = "3")]
    pub before_deadline: ::core::option::Option<::pbjson_types::Duration>,
    /// `continue` or `stop`.
    #[prost(string, tag = "4")]
    pub on_failure: ::prost::alloc::string::String,
    /// `continue` or `stop`, where one of its actions was skipped. Empty reads as `continue`.
    #[prost(string, tag = "5")]
    pub on_skipped: ::prost::alloc::string::String,
}
impl ::prost::Name for PlannedStep {
    const NAME: &'static str = "PlannedStep";
    const PACKAGE: &'static str = "hollowtrees.v1";
    fn full_name() -> ::prost::alloc::string::String {
        "hollowtrees.v1.PlannedStep".into()
    }
    fn type_url() -> ::prost::alloc::string::String {
        "/hollowtrees.v1.PlannedStep".into()
    }
}
/// Where an action of a run stands.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct ActionState {
    #[prost(string, tag = "1")]
    pub id: ::prost::alloc::string::String,
    #[prost(uint32, tag = "2")]
    pub step: u32,
    #[prost(uint32, tag = "3")]
    pub place: u32,
    #[prost(string, tag = "4")]
    pub kind: ::prost::alloc::string::String,
    /// `planned`, `published`, `started` (someone was at it when its deadline came) or `done`.
    #[prost(string, tag = "5")]
    pub state: ::prost::alloc::string::String,
    #[prost(string, tag = "6")]
    pub result: ::prost::alloc::string::String,
    #[prost(string, tag = "7")]
    pub reason: ::prost::alloc::string::String,
    #[prost(string, tag = "8")]
    pub message: ::prost::alloc::string::String,
    #[prost(message, optional, tag = "9")]
    pub start_at: ::core::option::Option<::pbjson_types::Timestamp>,
    #[prost(message, optional, tag = "10")]
    pub deadline: ::core::option::Option<::pbjson_types::Timestamp>,
    #[prost(message, optional, tag = "11")]
    pub close_at: ::core::option::Option<::pbjson_types::Timestamp>,
    #[prost(message, optional, tag = "12")]
    pub published_at: ::core::option::Option<::pbjson_types::Timestamp>,
    #[prost(message, optional, tag = "13")]
    pub ended_at: ::core::option::Option<::pbjson_types::Timestamp>,
}
impl ::prost::Name for ActionState {
    const NAME: &'static str = "ActionState";
    const PACKAGE: &'static str = "hollowtrees.v1";
    fn full_name() -> ::prost::alloc::string::String {
        "hollowtrees.v1.ActionState".into()
    }
    fn type_url() -> ::prost::alloc::string::String {
        "/hollowtrees.v1.ActionState".into()
    }
}
/// One rule applied to one incident at one certainty.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct Run {
    /// Version of this record's layout; who meets a higher one does not write it.
    #[prost(uint32, tag = "1")]
    pub schema: u32,
    #[prost(string, tag = "2")]
    pub cluster: ::prost::alloc::string::String,
    #[prost(string, tag = "3")]
    pub instance: ::prost::alloc::string::String,
    #[prost(string, tag = "4")]
    pub mode: ::prost::alloc::string::String,
    #[prost(uint64, tag = "5")]
    pub generation: u64,
    #[prost(string, tag = "6")]
    pub rule: ::prost::alloc::string::String,
    /// Hash of the rule as it was when the plan was pinned.
    #[prost(string, tag = "7")]
    pub rule_version: ::prost::alloc::string::String,
    #[prost(string, tag = "8")]
    pub certainty: ::prost::alloc::string::String,
    #[prost(message, repeated, tag = "9")]
    pub steps: ::prost::alloc::vec::Vec<PlannedStep>,
    #[prost(message, repeated, tag = "10")]
    pub on_cancel: ::prost::alloc::vec::Vec<PlannedAction>,
    /// `running`, `cancelling` or `finished`.
    #[prost(string, tag = "11")]
    pub phase: ::prost::alloc::string::String,
    /// `succeeded`, `failed` or `cancelled` once finished.
    #[prost(string, tag = "12")]
    pub result: ::prost::alloc::string::String,
    /// Index of the step under way.
    #[prost(uint32, tag = "13")]
    pub step: u32,
    #[prost(message, repeated, tag = "14")]
    pub actions: ::prost::alloc::vec::Vec<ActionState>,
    #[prost(message, optional, tag = "15")]
    pub started_at: ::core::option::Option<::pbjson_types::Timestamp>,
    #[prost(message, optional, tag = "16")]
    pub finished_at: ::core::option::Option<::pbjson_types::Timestamp>,
    /// The next moment the router has to act for it; unset: none.
    #[prost(message, optional, tag = "17")]
    pub due_at: ::core::option::Option<::pbjson_types::Timestamp>,
    /// The incident's deadline as last seen, and what is known of the instance.
    #[prost(message, optional, tag = "18")]
    pub deadline: ::core::option::Option<::pbjson_types::Timestamp>,
    #[prost(message, optional, tag = "19")]
    pub target: ::core::option::Option<Target>,
    #[prost(message, optional, tag = "20")]
    pub noticed_at: ::core::option::Option<::pbjson_types::Timestamp>,
}
impl ::prost::Name for Run {
    const NAME: &'static str = "Run";
    const PACKAGE: &'static str = "hollowtrees.v1";
    fn full_name() -> ::prost::alloc::string::String {
        "hollowtrees.v1.Run".into()
    }
    fn type_url() -> ::prost::alloc::string::String {
        "/hollowtrees.v1.Run".into()
    }
}
