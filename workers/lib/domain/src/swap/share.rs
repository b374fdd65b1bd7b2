//! How many members of a group are on demand once the swaps that are open have ended.
//!
//! While a swap goes on its group has a member too many, and what it launched for the share is no member yet. The record says so,
//! and it may be newer than the look at the group.

use std::collections::BTreeSet;

use hollowtrees_schemas::{names::result, proto};

use super::{
    book::is_open,
    policy::Share,
    world::{Member, Standing},
};

/// Members by one look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roster {
    /// Ids of those that stay by themselves.
    pub members: BTreeSet<String>,
    /// Those of them that are on demand.
    pub on_demand: BTreeSet<String>,
    /// Members besides, that whoever asks is about to replace.
    pub replaced: usize,
}

/// What a group will have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outlook {
    /// Members.
    pub members: usize,
    /// Those on demand that no swap takes out.
    pub staying: usize,
    /// Those on demand that swaps are about to attach.
    pub to_come: usize,
}

/// Ids of the members that stay by themselves, apart from `old`.
#[must_use]
pub fn others(members: &[Member], old: Option<&str>) -> BTreeSet<String> {
    let goes = |member: &Member| matches!(member.standing, Standing::Leaving | Standing::Warm);
    let stays = |member: &&Member| !goes(member) && Some(member.instance.as_str()) != old;
    let staying = members.iter().filter(stays);
    staying.map(|member| member.instance.clone()).collect()
}

impl Roster {
    /// As the record, which was read after it, makes it: what swaps of other actions change, those included that ended since.
    #[must_use]
    pub fn outlook(&self, record: &proto::Group, action: &str) -> Outlook {
        let swaps: Vec<_> = record
            .swaps
            .iter()
            .filter(|swap| swap.action_id != action && self.is_under_way(swap))
            .collect();
        let going: BTreeSet<&str> = swaps.iter().map(|swap| swap.instance.as_str()).collect();
        let stays = |id: &&String| !going.contains(id.as_str());
        // Where the group itself launches it is not known what, and it is a member soon after the other one has left.
        let comes = |swap: &&&proto::GroupSwap| {
            !self.members.contains(&swap.replacement)
                && (swap.weight > 0 || self.members.contains(&swap.instance))
        };
        let to_come: Vec<_> = swaps.iter().filter(comes).collect();
        Outlook {
            members: self.members.iter().filter(stays).count() + to_come.len() + self.replaced,
            staying: self.on_demand.iter().filter(stays).count(),
            to_come: to_come.iter().filter(|swap| swap.on_demand).count(),
        }
    }

    /// Whether the look has not seen its end.
    fn is_under_way(&self, swap: &proto::GroupSwap) -> bool {
        let ended_since = swap.result == result::SUCCEEDED && self.members.contains(&swap.instance);
        is_open(swap) || ended_since
    }
}

impl Outlook {
    /// Whether the share is met, whatever comes for those that whoever asks replaces.
    #[must_use]
    pub fn meets(&self, share: Share) -> bool {
        self.staying + self.to_come >= self.needed(share)
    }

    /// Whether it is met by those alone that stay: what is to come may not.
    #[must_use]
    pub fn keeps(&self, share: Share) -> bool {
        self.staying >= self.needed(share)
    }

    /// How many are to be on demand.
    #[must_use]
    pub fn needed(&self, share: Share) -> usize {
        let all = u32::try_from(self.members).unwrap_or(u32::MAX);
        usize::try_from(share.of(all)).unwrap_or(usize::MAX)
    }
}
