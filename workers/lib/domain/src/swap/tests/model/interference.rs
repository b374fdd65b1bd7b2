//! What is late, lags or is somebody else's doing, at every moment, alone and with every other mishap at every moment: launches
//! that take effect or show late, reads of EC2 or of the group that are behind the other, edits of the group.

use super::*;

/// Alone, and with each of these others. How many were played.
pub(super) fn every_one_with_every(
    settings: &[Setting],
    ones: &[(usize, Mishap)],
    others: &[(usize, Mishap)],
) -> usize {
    let mut played = 0;
    for setting in settings {
        for one in ones {
            play_mishaps(*setting, &[*one]);
            for other in others.iter().filter(|other| !exclude(*one, **other)) {
                play_mishaps(*setting, &[*one, *other]);
                played += 1;
            }
        }
    }
    played
}

/// Of one swap, of two, and of two in one call. What is certain ends by itself: no more can go wrong.
fn settings(room: u32) -> [Setting; 3] {
    [(1, false), (2, false), (2, true)].map(|(sagas, together)| Setting {
        sagas,
        together,
        certain: false,
        room,
        leases: false,
    })
}

/// Launches that are late, and reads that are behind.
fn late() -> Vec<(usize, Mishap)> {
    let fates = [Fate::LaunchLate(2), Fate::Hidden(3, false), Fate::Hidden(3, true)];
    let reads = [Mishap::Before(Happening::InstancesLag(3)), Mishap::Lags];
    at_every_moment(fates.map(Mishap::Fate).into_iter().chain(reads))
}

fn edits() -> Vec<(usize, Mishap)> {
    let edits = FOREIGN.into_iter().chain([Foreign::Deletes]);
    at_every_moment(edits.map(|edit| Mishap::Before(Happening::Foreign(edit))))
}

#[test]
fn what_is_late_with_every_mishap_at_every_moment() {
    every_one_with_every(&settings(0), &late(), &usual());
}

#[test]
fn two_that_are_late_at_every_moment() {
    every_one_with_every(&settings(0), &late(), &late());
}

#[test]
fn what_somebody_else_does_with_every_mishap_at_every_moment() {
    every_one_with_every(&settings(0), &edits(), &usual());
}

#[test]
fn what_somebody_else_does_where_one_has_room_and_another_has_none() {
    every_one_with_every(&settings(1)[1..2], &edits(), &usual());
}

/// One swap, up to where it detaches the old one, having decided that it does.
fn about_to_detach() -> World {
    let mut world = World::new(1, false, 0);
    while !matches!(world.decide(0, false), Some((Next::Detach { .. }, _))) {
        world.step(0, Fate::Done, false);
        world.tick();
    }
    world
}

/// The process died before it detached the old one, which left by itself and which EC2 shows running for a while.
#[test]
fn what_left_by_itself_was_not_detached_though_it_seems_to_run() {
    let happenings = [
        Happening::InstancesLag(5),
        Happening::OldLeaves(0),
        Happening::Tick,
        Happening::Step(0, Fate::Done),
    ];
    play_in(about_to_detach(), &happenings);
}

/// Whether the detachment was answered or not.
#[test]
fn what_was_detached_is_ended_though_its_group_is_gone() {
    for fate in [Fate::Done, Fate::DiesAfter] {
        let happenings = [Happening::Step(0, fate), Happening::Foreign(Foreign::Deletes)];
        play_in(about_to_detach(), &happenings);
    }
}

/// A pool answered that it had none and gave one all the same, while the attachment of another pool's was held up; then the old
/// one left.
#[test]
fn what_was_launched_late_is_ended_where_the_replacement_stays() {
    let happenings = [
        Happening::Step(0, Fate::Done),
        Happening::Step(0, Fate::LaunchLate(2)),
        Happening::Step(0, Fate::NotThere),
        Happening::Step(0, Fate::Done),
        Happening::Tick,
        Happening::Step(0, Fate::Late(3)),
        Happening::OldLeaves(0),
        Happening::Tick,
        Happening::Tick,
        // It is about to end both.
        Happening::Step(0, Fate::DiesBefore),
        Happening::Tick,
    ];
    let mut world = World::new(1, false, 1);
    // Nothing comes before the attachment.
    world.group.suspended = vec![balance::REBALANCE.to_owned()];
    world.suspended_by_others = true;
    play_in(world, &happenings);
}
