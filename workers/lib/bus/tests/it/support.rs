//! What the tests share.

use hollowtrees_bus::{
    Bus, Options, apply,
    topology::{self, Profile},
};
use hollowtrees_harness::Nats;
use hollowtrees_schemas::{
    envelope::{self, DataFormat},
    outgoing::{self, Outgoing},
    proto,
};

/// A connection to a server with everything on it.
pub(crate) async fn connected(nats: &Nats) -> Bus {
    let bus = connect(&nats.url()).await;
    apply::apply(&bus, Profile::LOCAL, &topology::consumers())
        .await
        .expect("the topology is applied");
    bus
}

pub(crate) async fn connect(url: &str) -> Bus {
    Bus::connect(&Options::new(url).named("test"))
        .await
        .expect("the server answers")
}

/// A notice about `instance`, in the form an agent sends.
pub(crate) fn notice(instance: &str) -> Outgoing {
    let notice = proto::Notice {
        cluster: "c1".to_owned(),
        provider: "aws".to_owned(),
        instance: instance.to_owned(),
        kind: "spot-interruption".to_owned(),
        ..proto::Notice::default()
    };
    outgoing::notice(&envelope::notice(notice, "/aws/1/eu/imds"), DataFormat::Json)
        .expect("a notice is encoded")
}

/// A ledger record told apart by its nonce.
pub(crate) fn entry(nonce: &str) -> proto::LedgerEntry {
    proto::LedgerEntry {
        schema: 1,
        state: "running".to_owned(),
        nonce: nonce.to_owned(),
        ..proto::LedgerEntry::default()
    }
}
