//! Bodies of metadata services, one reading after the other: what is read can be said, and what a list has said is taken back
//! once it has it no longer.
//!
//! Input: one byte that chooses the document, then bodies, an empty line between two.

use std::collections::BTreeSet;

use hollowtrees_agent::{
    decide::{Observation, Reading, Said},
    document::{Document, Garbage, Heard, Pauses, alibaba, azure, ec2, gcp},
};
use jiff::{SignedDuration, Timestamp};

const DOCUMENTS: [Document; 8] = [
    Document::Ec2Spot,
    Document::Ec2Rebalance,
    Document::Ec2Maintenance,
    Document::Ec2Lifecycle,
    Document::GcpPreempted,
    Document::GcpMaintenance,
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

pub(crate) fn reads(input: &[u8]) -> bool {
    let Some((choice, rest)) = crate::choice(input, DOCUMENTS.len()) else {
        return false;
    };
    let document = DOCUMENTS[choice];
    let mut said = Said::default();
    let mut standing = BTreeSet::new();
    let mut spoke = false;
    let mut at = Timestamp::from_second(1_800_000_000).expect("a time");
    for body in crate::parts(rest) {
        let heard = parse(document, body);
        let reading = match &heard {
            Ok(heard) => Reading::Says(heard.clone()),
            Err(garbage) => {
                assert!(garbage.to_string().len() < 2000, "a log line");
                Reading::Unknown
            }
        };
        at += SignedDuration::from_secs(20);
        let (next, facts) = said.decide(&Observation {
            at,
            document,
            reading,
        });
        said = next;
        for fact in facts {
            spoke = true;
            assert!(fact.action.len() <= 64 && fact.event_id.len() <= 128);
            if fact.state == "active" {
                standing.insert(fact.event_id);
            } else {
                standing.remove(&fact.event_id);
            }
        }
        if let (Ok(heard), true) = (heard, document.withdraws()) {
            let is_list = heard.words.iter().any(|word| !word.over && !word.slot.is_empty());
            if heard.odd.is_none() && is_list {
                let listed = |event: &String| heard.words.iter().any(|word| word.slot == *event);
                assert!(standing.iter().all(listed), "{standing:?}");
            }
        }
    }
    spoke
}
