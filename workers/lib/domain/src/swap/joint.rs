//! Steps of several swaps of a group as one call.

use super::{
    Next,
    balance::REBALANCE,
    world::{Group, Sizes},
};

/// Instances of one call of `AttachInstances` or `DetachInstances` (Auto Scaling API reference).
pub const MOST: usize = 20;
/// Instances of one call of `SetInstanceProtection`.
const PROTECTED_AT_ONCE: usize = 50;

/// What one swap is to do under the group's lease.
#[derive(Clone, Debug, PartialEq)]
pub struct Wish {
    /// Its action.
    pub action: String,
    /// The instance that goes.
    pub old: String,
    /// Weight of its replacement.
    pub weight: u32,
    /// The step.
    pub step: Next,
}

/// One call that changes a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// Sets MaxSize.
    SetMax {
        /// To this.
        to: u32,
    },
    /// Attaches instances; AWS raises desired with each.
    Attach {
        /// `i-...`, at most [`MOST`].
        instances: Vec<String>,
    },
    /// Protects instances from scale-in.
    Protect {
        /// `i-...`, at most 50.
        instances: Vec<String>,
    },
    /// Detaches instances.
    Detach {
        /// `i-...`, at most [`MOST`].
        instances: Vec<String>,
        /// Whether desired is lowered with them.
        decrement: bool,
    },
    /// Sets desired.
    SetDesired {
        /// To this.
        to: u32,
    },
    /// Suspends or resumes the process AZRebalance.
    Rebalance {
        /// Suspends it.
        suspend: bool,
    },
    /// Ends a member. There is no call for several.
    TerminateMember {
        /// `i-...`
        instance: String,
        /// Whether desired is lowered with it.
        decrement: bool,
    },
}

/// One call, and whose steps it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joint {
    /// The call.
    pub write: Write,
    /// A share for each of these swaps.
    pub shares: Vec<Share>,
}

/// One swap's part of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// Its action.
    pub action: String,
    /// By so much it changes desired, in units of weight.
    pub weight: u32,
    /// What is attached, detached or ended for it; empty where sizes alone are written.
    pub instance: String,
}

impl Write {
    /// Whether it changes a size of the group: what is read that may be older is nothing to do that by.
    #[must_use]
    pub const fn changes_sizes(&self) -> bool {
        !matches!(
            self,
            Self::Detach { decrement: false, .. }
                | Self::TerminateMember { decrement: false, .. }
                | Self::Rebalance { .. }
                | Self::Protect { .. }
        )
    }

    /// Members that it takes out.
    pub(super) fn takes_out(&self) -> &[String] {
        match self {
            Self::Detach { instances, .. } => instances,
            Self::TerminateMember { instance, .. } => std::slice::from_ref(instance),
            _ => &[],
        }
    }

    /// The group as the next look is to show it. None where the write changes who is a member, of which only a look tells.
    #[must_use]
    pub fn shown(&self, mut group: Group) -> Option<Group> {
        match self {
            Self::SetMax { to } => group.sizes.max = *to,
            Self::Rebalance { suspend } => {
                group.suspended.retain(|process| process != REBALANCE);
                if *suspend {
                    group.suspended.push(REBALANCE.to_owned());
                }
            }
            Self::Protect { instances } => {
                let members = group.members.iter_mut();
                for member in members.filter(|member| instances.contains(&member.instance)) {
                    member.protected = true;
                }
            }
            _ => return None,
        }
        Some(group)
    }
}

impl Joint {
    /// By how much desired changes.
    #[must_use]
    pub fn weight(&self) -> u32 {
        self.shares.iter().map(|share| share.weight).sum()
    }

    /// Whether it is a step of this action's swap.
    #[must_use]
    pub fn is_of(&self, action: &str) -> bool {
        self.shares.iter().any(|share| share.action == action)
    }

    pub(super) fn weight_of(&self, action: &str) -> Option<u32> {
        self.shares
            .iter()
            .find(|share| share.action == action)
            .map(|share| share.weight)
    }
}

/// The call that is made next for these swaps, the most urgent first: capacity before all else, then what it replaces,
/// then sizes. Those whose step it is not ask again afterwards, with what the group shows then.
#[must_use]
pub fn join(sizes: Sizes, wishes: &[Wish]) -> Option<Joint> {
    attach(sizes, wishes)
        .or_else(|| make_room(wishes))
        .or_else(|| rebalance(wishes, &Next::SuspendRebalance))
        .or_else(|| protect(wishes))
        .or_else(|| detach(sizes, wishes, true))
        .or_else(|| detach(sizes, wishes, false))
        .or_else(|| lower_desired(sizes, wishes))
        .or_else(|| terminate_member(wishes))
        .or_else(|| restore_max(wishes))
        .or_else(|| rebalance(wishes, &Next::ResumeRebalance))
}

/// As many as there is room for: attaching fails beyond MaxSize.
fn attach(sizes: Sizes, wishes: &[Wish]) -> Option<Joint> {
    let mut desired = sizes.desired;
    let mut shares = Vec::new();
    for (wish, instance) in wishes.iter().filter_map(|wish| match &wish.step {
        Next::Attach { instance } => Some((wish, instance)),
        _ => None,
    }) {
        let more = desired.saturating_add(wish.weight);
        // Whoever is alone was told by its own decision that there is room.
        if shares.len() < MOST && (shares.is_empty() || more <= sizes.max) {
            desired = more;
            shares.push(share(wish, instance));
        }
    }
    let instances = instances(&shares)?;
    Some(Joint {
        write: Write::Attach { instances },
        shares,
    })
}

/// Each has reckoned with what the others are about to need; who looked last knows most.
fn make_room(wishes: &[Wish]) -> Option<Joint> {
    set_max(wishes, |step| match step {
        Next::MakeRoom { max } => Some(*max),
        _ => None,
    })
}

fn restore_max(wishes: &[Wish]) -> Option<Joint> {
    set_max(wishes, |step| match step {
        Next::RestoreMax { to } => Some(*to),
        _ => None,
    })
}

fn set_max(wishes: &[Wish], wanted: impl Fn(&Next) -> Option<u32>) -> Option<Joint> {
    let asked: Vec<_> = wishes
        .iter()
        .filter_map(|wish| Some((wish, wanted(&wish.step)?)))
        .collect();
    let to = asked.iter().map(|(_, max)| *max).max()?;
    Some(Joint {
        write: Write::SetMax { to },
        shares: asked.into_iter().map(|(wish, _)| share(wish, "")).collect(),
    })
}

fn protect(wishes: &[Wish]) -> Option<Joint> {
    let asked = wishes.iter().filter_map(|wish| match &wish.step {
        Next::Protect { instance } => Some(share(wish, instance)),
        _ => None,
    });
    let shares: Vec<_> = asked.take(PROTECTED_AT_ONCE).collect();
    let instances = instances(&shares)?;
    Some(Joint {
        write: Write::Protect { instances },
        shares,
    })
}

/// As many as MinSize lets go, where desired is lowered with them.
fn detach(sizes: Sizes, wishes: &[Wish], decrement: bool) -> Option<Joint> {
    let mut left = sizes.desired;
    let mut shares = Vec::new();
    for wish in wishes
        .iter()
        .filter(|wish| wish.step == Next::Detach { decrement })
        .take(MOST)
    {
        let less = left.saturating_sub(wish.weight);
        if !decrement || shares.is_empty() || less >= sizes.min {
            left = less;
            shares.push(share(wish, &wish.old));
        }
    }
    let instances = instances(&shares)?;
    Some(Joint {
        write: Write::Detach { instances, decrement },
        shares,
    })
}

/// Each takes back its own.
fn lower_desired(sizes: Sizes, wishes: &[Wish]) -> Option<Joint> {
    let mut left = sizes.desired;
    let mut shares = Vec::new();
    for (wish, to) in wishes.iter().filter_map(|wish| match &wish.step {
        Next::LowerDesired { to } => Some((wish, *to)),
        _ => None,
    }) {
        let weight = sizes.desired.saturating_sub(to);
        let less = left.saturating_sub(weight);
        if shares.is_empty() || less >= sizes.min {
            left = less;
            shares.push(Share {
                weight,
                ..share(wish, "")
            });
        }
    }
    (!shares.is_empty()).then_some(Joint {
        write: Write::SetDesired { to: left },
        shares,
    })
}

fn terminate_member(wishes: &[Wish]) -> Option<Joint> {
    let (wish, instance, decrement) = wishes.iter().find_map(|wish| match &wish.step {
        Next::TerminateMember { instance, decrement } => Some((wish, instance, *decrement)),
        Next::EndSpare { instance } => Some((wish, instance, true)),
        _ => None,
    })?;
    Some(Joint {
        write: Write::TerminateMember {
            instance: instance.clone(),
            decrement,
        },
        shares: vec![share(wish, instance)],
    })
}

fn rebalance(wishes: &[Wish], step: &Next) -> Option<Joint> {
    let asked = wishes.iter().filter(|wish| wish.step == *step);
    let shares: Vec<_> = asked.map(|wish| share(wish, "")).collect();
    (!shares.is_empty()).then_some(Joint {
        write: Write::Rebalance {
            suspend: *step == Next::SuspendRebalance,
        },
        shares,
    })
}

fn share(wish: &Wish, instance: &str) -> Share {
    Share {
        action: wish.action.clone(),
        weight: wish.weight,
        instance: instance.to_owned(),
    }
}

fn instances(shares: &[Share]) -> Option<Vec<String>> {
    (!shares.is_empty()).then(|| shares.iter().map(|share| share.instance.clone()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(name: &str, weight: u32, step: Next) -> Wish {
        Wish {
            action: format!("action-{name}"),
            old: format!("i-old-{name}"),
            weight,
            step,
        }
    }

    fn attach_of(name: &str, weight: u32) -> Wish {
        let instance = format!("i-new-{name}");
        wish(name, weight, Next::Attach { instance })
    }

    fn protect_of(name: &str) -> Wish {
        let instance = format!("i-new-{name}");
        wish(name, 1, Next::Protect { instance })
    }

    fn detach_of(name: &str, decrement: bool) -> Wish {
        wish(name, 1, Next::Detach { decrement })
    }

    fn sizes(min: u32, desired: u32, max: u32) -> Sizes {
        Sizes { min, desired, max }
    }

    #[track_caller]
    fn check(sizes: Sizes, wishes: &[Wish], expected: &Write, by: &[&str]) {
        let joint = join(sizes, wishes).unwrap();
        assert_eq!(joint.write, *expected);
        let by: Vec<String> = by.iter().map(|name| format!("action-{name}")).collect();
        let shares: Vec<_> = joint.shares.iter().map(|share| share.action.clone()).collect();
        assert_eq!(shares, by);
    }

    fn ids(kind: &str, names: &[&str]) -> Vec<String> {
        names.iter().map(|name| format!("i-{kind}-{name}")).collect()
    }

    #[test]
    fn as_many_are_attached_as_there_is_room_for() {
        let three = [attach_of("a", 1), attach_of("b", 2), attach_of("c", 1)];
        let all = Write::Attach {
            instances: ids("new", &["a", "b", "c"]),
        };
        check(sizes(0, 3, 7), &three, &all, &["a", "b", "c"]);
        // b does not fit, c does.
        let two = Write::Attach {
            instances: ids("new", &["a", "c"]),
        };
        check(sizes(0, 3, 5), &three, &two, &["a", "c"]);
    }

    #[test]
    fn a_call_has_no_more_than_it_may() {
        let names: Vec<String> = (0..25).map(|number| number.to_string()).collect();
        let many: Vec<_> = names.iter().map(|name| attach_of(name, 1)).collect();
        let Some(Joint {
            write: Write::Attach { instances },
            shares,
        }) = join(sizes(0, 0, 100), &many)
        else {
            panic!("they are attached");
        };
        assert_eq!((instances.len(), shares.len()), (20, 20));
        let many: Vec<_> = names.iter().map(|name| detach_of(name, true)).collect();
        assert_eq!(join(sizes(0, 100, 100), &many).unwrap().shares.len(), 20);
        let names: Vec<String> = (0..60).map(|number| number.to_string()).collect();
        let many: Vec<_> = names.iter().map(|name| protect_of(name)).collect();
        assert_eq!(join(sizes(0, 100, 100), &many).unwrap().shares.len(), 50);
    }

    #[test]
    fn capacity_comes_first_and_room_is_taken_back_last() {
        let restore = wish("r", 1, Next::RestoreMax { to: 3 });
        let room = wish("m", 1, Next::MakeRoom { max: 6 });
        let end = wish(
            "t",
            1,
            Next::TerminateMember {
                instance: "i-new-t".to_owned(),
                decrement: true,
            },
        );
        let mut wishes = vec![
            restore,
            end,
            wish("l", 1, Next::LowerDesired { to: 4 }),
            detach_of("n", false),
            detach_of("d", true),
            protect_of("p"),
            room,
            attach_of("a", 1),
        ];
        let sizes = sizes(1, 5, 6);
        let in_turn = [
            Write::Attach {
                instances: ids("new", &["a"]),
            },
            Write::SetMax { to: 6 },
            Write::Protect {
                instances: ids("new", &["p"]),
            },
            Write::Detach {
                instances: ids("old", &["d"]),
                decrement: true,
            },
            Write::Detach {
                instances: ids("old", &["n"]),
                decrement: false,
            },
            Write::SetDesired { to: 4 },
            Write::TerminateMember {
                instance: "i-new-t".to_owned(),
                decrement: true,
            },
            Write::SetMax { to: 3 },
        ];
        for (write, by) in in_turn.into_iter().zip(["a", "m", "p", "d", "n", "l", "t", "r"]) {
            check(sizes, &wishes, &write, &[by]);
            wishes.pop();
        }
        assert_eq!(join(sizes, &wishes), None);
    }

    #[test]
    fn desired_never_goes_below_min() {
        let three = [detach_of("a", true), detach_of("b", true), detach_of("c", true)];
        let two = Write::Detach {
            instances: ids("old", &["a", "b"]),
            decrement: true,
        };
        check(sizes(3, 5, 9), &three, &two, &["a", "b"]);
        let lower = |name, to| wish(name, 1, Next::LowerDesired { to });
        let both = [lower("a", 4), lower("b", 3)];
        check(sizes(2, 5, 9), &both, &Write::SetDesired { to: 2 }, &["a", "b"]);
        check(sizes(3, 5, 9), &both, &Write::SetDesired { to: 4 }, &["a"]);
    }

    #[test]
    fn room_is_made_for_whoever_needs_most() {
        let room = |name, max| wish(name, 1, Next::MakeRoom { max });
        check(
            sizes(0, 3, 3),
            &[room("a", 4), room("b", 5)],
            &Write::SetMax { to: 5 },
            &["a", "b"],
        );
    }

    #[test]
    fn zones_are_not_evened_out_before_the_first_and_are_after_the_last() {
        let steps = [Next::SuspendRebalance, Next::ResumeRebalance];
        for (step, suspend) in steps.into_iter().zip([true, false]) {
            let wishes = [wish("a", 1, step.clone()), wish("b", 1, step)];
            check(
                sizes(0, 2, 2),
                &wishes,
                &Write::Rebalance { suspend },
                &["a", "b"],
            );
        }
        // Who may be attached, is first.
        let wishes = [wish("a", 1, Next::SuspendRebalance), attach_of("b", 1)];
        let instances = vec!["i-new-b".to_owned()];
        check(sizes(0, 2, 3), &wishes, &Write::Attach { instances }, &["b"]);
        let wishes = [
            wish("a", 1, Next::ResumeRebalance),
            wish("b", 1, Next::RestoreMax { to: 2 }),
        ];
        check(sizes(0, 2, 3), &wishes, &Write::SetMax { to: 2 }, &["b"]);
    }

    #[test]
    fn what_the_group_launched_itself_ends_with_its_part_of_desired() {
        let instance = "i-spare".to_owned();
        let wishes = [wish(
            "a",
            1,
            Next::EndSpare {
                instance: instance.clone(),
            },
        )];
        let decrement = true;
        check(
            sizes(0, 2, 2),
            &wishes,
            &Write::TerminateMember { instance, decrement },
            &["a"],
        );
    }
}
