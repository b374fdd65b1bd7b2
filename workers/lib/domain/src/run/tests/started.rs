//! Actions that somebody is at without a word in the ledger.

use super::*;

const ONE: &str = "  steps:\n  - actions: [drain]\n  on_cancel: [uncordon]\n";

/// Published, and a `progress` fact came.
fn started() -> Story {
    let mut story = Story::new(ONE, &incident(Some(120)));
    story.published();
    let drain = story.id("drain");
    story.tell(Event::Started(&drain));
    story.said(&["publish drain"]);
    story
}

#[test]
fn what_says_that_it_runs_does_not_expire() {
    let mut story = started();
    assert_eq!(story.run.due_at(), Some(at(420)), "only its outcome is due");
    story.now = 200;
    story.tell(Event::Due);
    story.said(&[]);
    story.ends("drain", Outcome::Succeeded);
    story.said(&["finish succeeded"]);
}

#[test]
fn what_says_that_it_runs_and_never_ends_is_closed_as_stalled() {
    let mut story = started();
    story.due();
    story.said(&["stalled drain"]);
}

#[test]
fn what_says_that_it_runs_ends_by_itself_when_its_incident_is_withdrawn() {
    let mut story = started();
    let gone = withdrawn(&incident(Some(120)));
    story.tell(Event::IncidentChanged(&gone));
    story.said(&[]);
    story.ends("drain", Outcome::Succeeded);
    story.said(&["publish uncordon"]);
}

#[test]
fn a_first_word_before_the_publication_was_noted_loses_neither() {
    let mut story = Story::new(ONE, &incident(Some(120)));
    let drain = story.id("drain");
    story.tell(Event::Started(&drain));
    story.published();
    let action = &story.run.actions[0];
    assert_eq!(
        (&action.standing, action.published_at),
        (&Standing::Started, Some(at(0)))
    );
    // An end that came first leaves the run as it is: one write less.
    story.ends("drain", Outcome::Succeeded);
    let before = story.run.clone();
    story.published();
    assert_eq!(story.run, before);
}
