//! What the events on a node say: `kubectl describe node` shows them.

use hollowtrees_cluster::{
    Node,
    cordon::Extent,
    engine::{Blocked, Summary},
};
use hollowtrees_schemas::{id::Hash, proto};
use jiff::Timestamp;

use crate::{
    params::LetGo,
    report::{TimeLeft, head, pods},
};

/// Pods, and budgets, that an event names.
const NAMED: usize = 5;
/// Characters of a refusal in an event.
const LONGEST_WORD: usize = 80;

/// The name of what is told of a node, whoever tells it: an episode of its instance.
pub(crate) fn of(node: &Node, action: &proto::Action) -> String {
    format!("{}.{}", node.uid, action.generation)
}

/// The name of what is told of budgets that keep it.
pub(crate) fn of_blocked(story: &str, blocked: &Blocked) -> String {
    let hash = Hash::new("blocked").number(u64::from(blocked.forced_from.is_some()));
    let hash = blocked.budgets.iter().fold(hash, Hash::field).finish();
    format!("{story}.{hash}")
}

/// The first event. `hurried`: pods with more grace than there is time, and their grace in seconds.
pub(crate) fn beginning(
    action: &proto::Action,
    deadline: Option<Timestamp>,
    hurried: &[(String, u32)],
) -> String {
    let deadline = deadline.map_or_else(|| "none known".to_owned(), moment);
    let mut told = format!(
        "Cordoned and being drained: {} goes ({}), deadline {deadline}.",
        action.instance, action.certainty
    );
    if !hurried.is_empty() {
        let named = named(hurried.iter().map(|(pod, grace)| format!("{pod} ({grace} s)")));
        told.push_str(&format!(
            " {} more grace than there is time: {named}.",
            some_pods(hurried.len(), "has", "have")
        ));
    }
    told
}

/// A cordon alone.
pub(crate) fn cordoned(action: &proto::Action, deadline: Option<Timestamp>, extent: Extent) -> String {
    let done = match extent {
        Extent::Whole => "Cordoned",
        Extent::Taint => "Tainted, and no more",
    };
    format!(
        "{done}: {} goes ({}), deadline {}.",
        action.instance,
        action.certainty,
        deadline.map_or_else(|| "none known".to_owned(), moment)
    )
}

/// The end of a cordon.
pub(crate) fn uncordoned(action: &proto::Action, when: LetGo) -> String {
    let why = match when {
        LetGo::Now => "goes no longer",
        LetGo::AfterReboot => "was started anew",
    };
    format!(
        "Uncordoned: {} {why}, and no other incident holds it.",
        action.instance
    )
}

/// The mark of a node whose instance is gone.
pub(crate) fn out_of_service(action: &proto::Action) -> String {
    format!(
        "Marked out of service: {} is gone and its kubelet silent; its pods and volumes are given up.",
        action.instance
    )
}

/// What budgets keep it.
pub(crate) fn blocked(action: &proto::Action, deadline: Option<Timestamp>, blocked: &Blocked) -> String {
    let budgets = match blocked.budgets.len() {
        1 => "disruption budget",
        _ => "disruption budgets",
    };
    let pods = some_pods(blocked.pods.len(), "is", "are");
    let then = match (blocked.forced_from, deadline) {
        (Some(from), _) => format!(
            "From {} on what is still kept is deleted past its budgets.",
            moment(from)
        ),
        (None, Some(deadline)) => format!(
            "Nothing may be forced ({}): what is still kept at {} stays.",
            action.certainty,
            moment(deadline)
        ),
        (None, None) => "Nothing may be forced and no deadline is known: they are waited for.".to_owned(),
    };
    format!(
        "{pods} kept by the {budgets} {}: {}. {then}",
        named(&blocked.budgets),
        named(&blocked.pods)
    )
}

/// The last event.
pub(crate) fn ending(node: &Node, summary: &Summary, time: TimeLeft) -> String {
    let mut told = format!("{}{}. {}", head(node, summary), time.text(), pods(summary));
    if !summary.forced.is_empty() {
        let forced = summary
            .forced
            .iter()
            .map(|(pod, overridden)| match overridden.budgets.as_slice() {
                [] => pod.clone(),
                budgets => format!("{pod} ({})", budgets.join(", ")),
            });
        told.push_str(&format!(" Forced: {}.", named(forced)));
    }
    if !summary.left.is_empty() {
        let left = summary.left.iter().map(|(pod, why)| {
            let why: String = why.chars().take(LONGEST_WORD).collect();
            format!("{pod} ({})", why.trim_end_matches('.'))
        });
        told.push_str(&format!(" Still there: {}.", named(left)));
    }
    told
}

fn some_pods(count: usize, one: &str, several: &str) -> String {
    match count {
        1 => format!("1 pod {one}"),
        count => format!("{count} pods {several}"),
    }
}

fn moment(at: Timestamp) -> String {
    at.strftime("%FT%TZ").to_string()
}

/// Some of them, and how many more there are.
fn named<T: ToString>(all: impl IntoIterator<Item = T>) -> String {
    let mut all = all.into_iter();
    let some: Vec<String> = all.by_ref().take(NAMED).map(|one| one.to_string()).collect();
    match all.count() {
        0 => some.join(", "),
        more => format!("{} and {more} more", some.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocked(budgets: usize, pods: usize, forced_from: Option<Timestamp>) -> Blocked {
        let names = |kind: &str, count| (0..count).map(|i| format!("s/{kind}{i}")).collect();
        Blocked {
            budgets: names("b", budgets),
            pods: names("p", pods),
            forced_from,
        }
    }

    #[test]
    fn what_keeps_a_node_is_said_whole_and_short() {
        let at = Timestamp::from_second(1_900_000_000).unwrap();
        let action = proto::Action {
            certainty: "advisory".to_owned(),
            ..proto::Action::default()
        };
        let check = |deadline, found: Blocked, expected: &str| {
            assert_eq!(super::blocked(&action, deadline, &found), expected);
        };
        check(
            Some(at),
            blocked(1, 1, Some(at)),
            "1 pod is kept by the disruption budget s/b0: s/p0. From 2030-03-17T17:46:40Z on what is still kept is \
             deleted past its budgets.",
        );
        check(
            Some(at),
            blocked(2, 7, None),
            "7 pods are kept by the disruption budgets s/b0, s/b1: s/p0, s/p1, s/p2, s/p3, s/p4 and 2 more. Nothing may \
             be forced (advisory): what is still kept at 2030-03-17T17:46:40Z stays.",
        );
        check(
            None,
            blocked(1, 1, None),
            "1 pod is kept by the disruption budget s/b0: s/p0. Nothing may be forced and no deadline is known: they are \
             waited for.",
        );
    }

    #[test]
    fn each_set_of_budgets_is_a_story_of_its_own_and_so_is_force() {
        let at = Some(Timestamp::UNIX_EPOCH);
        let name = |budgets, pods, forced_from| of_blocked("u.1", &blocked(budgets, pods, forced_from));
        assert_eq!(name(1, 1, at), name(1, 5, at), "whichever pods");
        assert_ne!(name(1, 1, at), name(2, 1, at));
        assert_ne!(name(1, 1, at), name(1, 1, None));
    }
}
