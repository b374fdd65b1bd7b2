//! What a swap left in its group whose action has ended without it.
//!
//! A worker that dies again and again of an action leaves it to a dead letter; then nobody goes on with its swap, which the record
//! of its group still has as open. What it did is taken back as an undone swap does it, from what that record says.

use hollowtrees_schemas::proto;
use jiff::{SignedDuration, Timestamp};

use super::{
    Checkpoint, Next, Orders, Seen, Strategy, book,
    checkpoint::{Left, Old, Undo},
    choice::Claim,
    decide, fresh,
    rebalance::Watch,
    world::Group,
};
use crate::words::Certainty;

/// Whether it may hold a unit of desired: which cannot be given back without an instance that goes.
#[must_use]
pub fn may_hold_desired(swap: &proto::GroupSwap) -> bool {
    swap.surplus > 0 || swap.attaching > 0
}

/// Whether it does, as this look at its group says long after.
#[must_use]
pub fn holds_desired(swap: &proto::GroupSwap, group: &Group) -> bool {
    swap.surplus > 0 || swap.attaching > 0 && group.has(&swap.replacement)
}

/// The next step of taking back what this swap left, by a look at its group no older than the record; the actions of all swaps that
/// are open there have ended. `Finish`: there is nothing left. With `ends` that is also desired, and with it the replacement where the old instance stays; else MaxSize and AZRebalance.
#[must_use]
pub fn step(
    record: &proto::Group,
    swap: &proto::GroupSwap,
    group: &Group,
    ends: bool,
    now: Timestamp,
) -> Next {
    let replacement = (!swap.replacement.is_empty()).then(|| swap.replacement.clone());
    let mut left = Left::default();
    if !ends {
        left.desired = Some("it is left to somebody".to_owned());
        left.instances.extend(
            replacement
                .clone()
                .map(|id| (id, "it is left to somebody".to_owned())),
        );
    }
    let checkpoint = Checkpoint {
        group: group.name.clone(),
        strategy: Strategy::Swap,
        old: Old {
            weight: swap.weight,
            ..Old::default()
        },
        launched: replacement,
        left,
        undo: Some(Undo::Failed {
            reason: "given-up".to_owned(),
            message: "Its action has ended.".to_owned(),
        }),
        ..Checkpoint::default()
    };
    let mut books = fresh::read(record, &swap.action_id, group, now);
    // Those that stay need no room, nor uneven zones.
    books.others_under_way &= ends;
    let seen = Seen {
        old_id: swap.instance.clone(),
        attached: book::attached(record, &swap.action_id, group),
        spare: book::spare(record, group, books.surplus),
        books,
        group: Some(group.clone()),
        ..Seen::default()
    };
    let orders = Orders {
        strategy: Strategy::Swap,
        managed: true,
        certainty: Certainty::Certain,
        cancelled: false,
        give_up: false,
        watch: Watch::default(),
        drain_over: true,
        running_within: SignedDuration::MAX,
        node_within: SignedDuration::ZERO,
        node_over: true,
        healthy_within: SignedDuration::ZERO,
        in_service_within: SignedDuration::MAX,
    };
    let claim = Claim {
        action: &swap.action_id,
        redrive: 0,
        old: &swap.instance,
    };
    decide(&checkpoint, &seen, &orders, claim, now).next
}
