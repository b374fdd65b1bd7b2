//! Protection from scale-in, which a replacement takes over from the old one.
//!
//! What is attached is protected only where its group protects all that is new, and what is detached is not any more (Auto
//! Scaling user guide, "instance scale-in protection"). So where the old one is protected and its replacement is not, the latter
//! is before the former goes: a group that scales in meanwhile may not end just that one. Only what is in service, or put aside,
//! can be protected. It is asked for once, so that whoever takes the protection away again has the last word.

use super::{
    Checkpoint, Next, Seen,
    world::{Member, Standing},
};

/// Keeps how the old one was protected when it was last seen in its group.
pub(super) fn notice(checkpoint: &mut Checkpoint, seen: &Seen) {
    if let Some(old) = seen.member(&seen.old_id) {
        checkpoint.old.protected = old.protected;
    }
}

/// Protects the replacement, where the old one is protected and it is not.
pub(super) fn copy(checkpoint: &mut Checkpoint, seen: &Seen) -> Option<Next> {
    let new = replacement(checkpoint, seen).filter(|_| is_asked(checkpoint))?;
    if new.protected {
        checkpoint.protection = Some(String::new());
        return None;
    }
    let may_be = matches!(new.standing, Standing::InService | Standing::Standby);
    may_be.then(|| Next::Protect {
        instance: new.instance.clone(),
    })
}

/// Whether the swap, whose old one is out, stays until its replacement can be protected. Where that does not join any more it is
/// noted that it was not.
pub(super) fn is_awaited(checkpoint: &mut Checkpoint, joins: bool) -> bool {
    let is_asked = is_asked(checkpoint);
    if is_asked && !joins {
        checkpoint.protection = Some("it was not in service in time".to_owned());
    }
    is_asked && joins
}

/// For a person: a sentence after that of the swap, where it is not protected as it was to be.
pub(super) fn sentence(checkpoint: &Checkpoint) -> String {
    match checkpoint.protection.as_deref() {
        Some(why) if !why.is_empty() && !checkpoint.lost => {
            format!(" It is not protected from scale-in, as the old one was: {why}.")
        }
        _ => String::new(),
    }
}

fn is_asked(checkpoint: &Checkpoint) -> bool {
    checkpoint.old.protected && checkpoint.protection.is_none() && !checkpoint.lost
}

fn replacement<'a>(checkpoint: &Checkpoint, seen: &'a Seen) -> Option<&'a Member> {
    seen.member(checkpoint.launched.as_deref()?)
}
