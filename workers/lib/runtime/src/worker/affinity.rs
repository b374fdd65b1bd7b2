//! Which process does what belongs together: all who know the same processes say the same one, and nothing is stored.

use hollowtrees_bus::liveness::Taker;
use hollowtrees_schemas::{filter, id::Hash};

use super::Settings;

/// Where processes take what others give them.
#[derive(Debug)]
pub(crate) struct Affinity {
    /// What the subjects of all that serve the same begin with.
    pub(super) beginning: String,
    /// This one's.
    pub(super) own: String,
}

impl Affinity {
    pub(super) fn of(settings: &Settings, process: &str) -> Self {
        let at = |process| filter::forward(settings.cluster.as_deref(), &settings.worker, process);
        Self {
            // An empty name is one token.
            beginning: at("").trim_end_matches('=').to_owned(),
            own: at(process),
        }
    }
}

/// Of these the one that does what belongs to `what`: by the highest hash of both, so that one that comes or goes moves only its
/// own share (rendezvous hashing). `None`: there is nobody.
pub(super) fn home(what: &[&str], takers: Vec<Taker>) -> Option<Taker> {
    let weight = |taker: &Taker| {
        let hash = Hash::new("home").field(&taker.at);
        what.iter().fold(hash, Hash::field).finish()
    };
    takers.into_iter().max_by_key(weight)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn takers(names: &[&str]) -> Vec<Taker> {
        let taker = |name: &&str| Taker {
            worker: hollowtrees_schemas::proto::Worker::default(),
            at: (*name).to_owned(),
        };
        names.iter().map(taker).collect()
    }

    fn homes(names: &[&str]) -> BTreeMap<u32, String> {
        let home = |what: u32| home(&[&what.to_string()], takers(names)).map(|taker| (what, taker.at));
        (0..3_000).filter_map(home).collect()
    }

    #[test]
    fn all_have_a_like_share_and_the_order_they_are_known_in_is_nothing() {
        let three = homes(&["a", "b", "c"]);
        assert_eq!(three, homes(&["c", "a", "b"]));
        for name in ["a", "b", "c"] {
            let share = three.values().filter(|home| *home == name).count();
            assert!((900..=1_100).contains(&share), "{name}: {share}");
        }
        assert_eq!(home(&["g"], Vec::new()), None);
    }

    #[test]
    fn who_comes_or_goes_moves_only_its_own_share() {
        let (three, two) = (homes(&["a", "b", "c"]), homes(&["a", "b"]));
        assert!(three.iter().all(|(what, home)| home == "c" || two[what] == *home));
    }
}
