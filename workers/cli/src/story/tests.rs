//! How messages and records become episodes.

use hollowtrees_schemas::{
    names::Stream,
    proto::{self, time::to_proto},
    subject::IncidentEvent,
};
use jiff::Timestamp;

use super::Story;
use crate::event::{Event, Letter, Said};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn event(seconds: i64, stream: Stream, id: &str, said: Said) -> Event {
    Event {
        stream,
        sequence: u64::try_from(seconds).unwrap(),
        stored_at: at(seconds),
        subject: String::new(),
        cluster: "c".to_owned(),
        instance: "i".to_owned(),
        id: id.to_owned(),
        source: String::new(),
        said,
    }
}

fn notice(seconds: i64, id: &str) -> Event {
    let notice = proto::Notice {
        cluster: "c".to_owned(),
        instance: "i".to_owned(),
        kind: "alert".to_owned(),
        ..proto::Notice::default()
    };
    event(seconds, Stream::Notices, id, Said::Notice(Box::new(notice)))
}

/// A generation that knows notices, each with the moment it was stored.
fn incident(generation: u64, facts: &[(&str, i64, &str)]) -> proto::Incident {
    proto::Incident {
        schema: 1,
        cluster: "c".to_owned(),
        instance: "i".to_owned(),
        generation,
        facts: facts
            .iter()
            .map(|(id, stored, state)| proto::Fact {
                notice_id: (*id).to_owned(),
                received_at: Some(to_proto(at(*stored))),
                state: (*state).to_owned(),
                ..proto::Fact::default()
            })
            .collect(),
        ..proto::Incident::default()
    }
}

fn told(seconds: i64, what: IncidentEvent, incident: proto::Incident) -> Event {
    event(
        seconds,
        Stream::Incidents,
        "",
        Said::Incident(what, Box::new(incident)),
    )
}

fn action(seconds: i64, id: &str, generation: u64) -> Event {
    let action = proto::Action {
        id: id.to_owned(),
        cluster: "c".to_owned(),
        instance: "i".to_owned(),
        generation,
        ..proto::Action::default()
    };
    event(seconds, Stream::Actions, id, Said::Action(Box::new(action)))
}

fn letter(seconds: i64, action_id: &str) -> Event {
    let letter = Letter {
        action_id: action_id.to_owned(),
        ..Letter::default()
    };
    event(seconds, Stream::Dead, "", Said::Dead(letter))
}

/// Episodes as (generation, zero, moments of the events), and the moments of loose events.
type Shape = (Vec<(u64, i64, Vec<i64>)>, Vec<i64>);

fn shape(story: &Story) -> Shape {
    let since = |at: Timestamp| at.as_second() - 1_800_000_000;
    let moments = |events: &[Event]| {
        events
            .iter()
            .map(|event| since(event.stored_at))
            .collect::<Vec<_>>()
    };
    let episodes = story
        .episodes
        .iter()
        .map(|episode| (episode.generation, since(episode.zero), moments(&episode.events)));
    (episodes.collect(), moments(&story.loose))
}

#[track_caller]
fn check(events: Vec<Event>, records: Vec<proto::Incident>, expected: &Shape) {
    assert_eq!(
        &shape(&Story::assemble("i", events, records, Vec::new())),
        expected
    );
}

#[test]
fn a_notice_belongs_to_the_generation_that_knows_it_or_was_open() {
    let first = incident(1, &[("a", 0, "active")]);
    let second = incident(2, &[("a", 0, "cancelled"), ("d", 50, "active")]);
    check(
        vec![
            notice(0, "a"),
            told(1, IncidentEvent::Opened, first),
            // Pushed out of the record by a newer one of its kind: told by time.
            notice(10, "b"),
            notice(50, "d"),
            told(51, IncidentEvent::Opened, second),
            notice(60, "e"),
        ],
        Vec::new(),
        &(vec![(1, 0, vec![0, 1, 10]), (2, 50, vec![50, 51, 60])], vec![]),
    );
}

#[test]
fn a_notice_met_late_by_the_router_is_not_an_episode_of_its_own() {
    // Stored before the one that opened, merged after it.
    check(
        vec![
            notice(0, "a"),
            notice(1, "b"),
            told(2, IncidentEvent::Opened, incident(1, &[("b", 1, "active")])),
            told(
                3,
                IncidentEvent::Changed,
                incident(1, &[("b", 1, "active"), ("a", 0, "active")]),
            ),
        ],
        Vec::new(),
        &(vec![(1, 0, vec![0, 1, 2, 3])], vec![]),
    );
}

#[test]
fn without_events_of_incidents_the_record_tells() {
    check(
        vec![notice(5, "a"), notice(6, "b")],
        vec![incident(1, &[("a", 5, "active")])],
        &(vec![(1, 5, vec![5, 6])], vec![]),
    );
    check(vec![notice(5, "a")], Vec::new(), &(vec![(0, 5, vec![5])], vec![]));
}

#[test]
fn dead_letters_go_with_their_action_in_order() {
    check(
        vec![
            notice(0, "a"),
            told(1, IncidentEvent::Opened, incident(1, &[("a", 0, "active")])),
            letter(2, "x"),
            action(3, "x", 1),
            letter(4, "of another"),
            letter(5, ""),
        ],
        Vec::new(),
        &(vec![(1, 0, vec![0, 1, 2, 3])], vec![4, 5]),
    );
}

#[test]
fn what_speaks_of_another_instance_is_loose() {
    let mut foreign = notice(0, "a");
    if let Said::Notice(notice) = &mut foreign.said {
        notice.instance = "another".to_owned();
    }
    check(vec![foreign], Vec::new(), &(vec![], vec![0]));
}
