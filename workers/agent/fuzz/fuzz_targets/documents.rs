//! Bodies of metadata services: read or refused, never a panic; what is read can be said, and what an event list has
//! said is taken back once it has it no longer.
//!
//! Input: one byte that chooses the document, then bodies, an empty line between two.

#![no_main]

use std::collections::BTreeSet;

use hollowtrees_agent::{
    decide::{Observation, Reading, Said},
    document::{Document, Garbage, Heard, Pauses, alibaba, azure, ec2, gcp},
};
use jiff::{SignedDuration, Timestamp};
use libfuzzer_sys::fuzz_target;

const DOCUMENTS: [Document; 9] = [
    Document::Ec2Spot,
    Document::Ec2Rebalance,
    Document::Ec2Maintenance,
    Document::Ec2Lifecycle,
    Document::GcpPreempted,
    Document::GcpMaintenance,
    Document::AzureEvents,
    Document::AzureEvents,
    Document::AlibabaSpot,
];

fn parse(document: Document, body: &[u8]) -> Result<Heard, Garbage> {
    match document {
        Document::Ec2Spot => ec2::instance_action(body).or_else(|_| ec2::termination_time(body)),
        Document::Ec2Rebalance => ec2::rebalance(body),
        Document::Ec2Maintenance => ec2::maintenance(body),
        Document::Ec2Lifecycle => ec2::lifecycle(body),
        Document::GcpPreempted => gcp::preempted(body, Some(SignedDuration::from_secs(30))),
        Document::GcpMaintenance => gcp::maintenance_event(body, Some("etag"), Pauses::Advisory),
        Document::AzureEvents => azure::events(body, "vm", Pauses::Scheduled),
        Document::AlibabaSpot => alibaba::termination_time(body),
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((choice, mut rest)) = input.split_first() else { return };
    let Some(document) = DOCUMENTS.get(usize::from(*choice) % DOCUMENTS.len()) else { return };
    let mut said = Said::default();
    let mut standing = BTreeSet::new();
    let mut at = Timestamp::from_second(1_800_000_000).expect("a time");
    while !rest.is_empty() {
        let end = rest.windows(2).position(|pair| pair == b"\n\n").unwrap_or(rest.len());
        let (body, next) = rest.split_at(end);
        rest = next.get(2..).unwrap_or_default();
        drop((ec2::identity(body), ec2::instance_id(body), azure::identity(body), alibaba::identity(body)));
        let heard = parse(*document, body);
        let reading = match &heard {
            Ok(heard) => Reading::Says(heard.clone()),
            Err(garbage) => {
                assert!(garbage.to_string().len() < 2000, "a log line");
                Reading::Unknown
            }
        };
        at += SignedDuration::from_secs(20);
        let (next, facts) = said.decide(&Observation { at, document: *document, reading });
        said = next;
        for fact in facts {
            assert!(fact.action.len() <= 64 && fact.event_id.len() <= 128);
            if fact.state == "active" {
                standing.insert(fact.event_id);
            } else {
                standing.remove(&fact.event_id);
            }
        }
        if let (Ok(heard), true) = (heard, document.withdraws()) {
            let listed: BTreeSet<_> = heard.words.iter().filter(|word| !word.over).map(|word| &word.slot).collect();
            let is_list = listed.iter().any(|slot| !slot.is_empty());
            if heard.odd.is_none() && is_list {
                assert!(standing.iter().all(|event| heard.words.iter().any(|word| word.slot == *event)));
            }
        }
    }
});
