//! Where in EC2 a group has its instances: a placement group, capacity reservations.
//!
//! A group says more of reservations than a launch can (Auto Scaling API reference, `CapacityReservationSpecification`; EC2 API
//! reference, the type of the same name): it may name several and have others after them, a launch names one and runs in it or not
//! at all. So what a group says becomes a list of launches. A spot instance runs in no reservation: they are of capacity on demand.

use serde::{Deserialize, Serialize};

use super::{
    choice::{Choice, FALLBACKS, LONGEST, NoChoice, shorten},
    world::Instance,
};

/// What a group itself says, over its template.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placement {
    /// The name of its placement group; none: as the template says.
    pub group: Option<String>,
    /// Its word on capacity reservations.
    pub reservations: Reservations,
}

/// What a group says of capacity reservations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Reservations {
    /// As the template says (`default`).
    #[default]
    AsTemplate,
    /// In none (`none`).
    Never,
    /// In these first, in any open one where none is named; and where they have no room, without
    /// (`capacity-reservations-first`).
    First(Vec<Target>),
    /// In these, or where none is named in any, or not at all (`capacity-reservations-only`).
    Only(Vec<Target>),
    /// A word that is not known here.
    Unknown(String),
}

/// A reservation, or several as one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// `cr-...`
    Reservation(String),
    /// `arn:aws:resource-groups:...`
    ResourceGroup(String),
}

/// What one launch says of reservations. Its words are those of a saved choice.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reserved {
    /// It runs in none.
    Never,
    /// It runs in an open one that matches, or without.
    Open,
    /// It runs in one, whichever matches, or not at all.
    Any,
    /// It runs in this, or not at all.
    Into(Target),
}

/// Whether the group's word is known, and lets spot instances be launched; `Ok(false)`: it does not.
pub(super) fn takes_spot(of: &Reservations) -> Result<bool, NoChoice> {
    match of {
        Reservations::Unknown(word) => Err(NoChoice::Reservations(word.clone())),
        Reservations::Only(_) => Ok(false),
        Reservations::AsTemplate | Reservations::Never | Reservations::First(_) => Ok(true),
    }
}

/// Pools on demand with what is said of reservations, in the order in which they are tried: all that go into a named one before any
/// that does not.
pub(super) fn reserve(pools: Vec<Choice>, of: &Reservations, old: &Instance) -> Vec<Choice> {
    let all = |reserved: &Reserved| pools.iter().map(|pool| with(pool, reserved)).collect();
    let into = |targets: &[Target]| -> Vec<Choice> {
        let each = |pool| {
            targets
                .iter()
                .map(move |target| with(pool, &Reserved::Into(target.clone())))
        };
        pools.iter().flat_map(each).collect()
    };
    match of {
        Reservations::AsTemplate | Reservations::Unknown(_) => pools,
        Reservations::Never => all(&Reserved::Never),
        Reservations::First(targets) => {
            let mut found = into(targets);
            shorten(&mut found, LONGEST - FALLBACKS, old);
            found.extend::<Vec<_>>(all(&Reserved::Open));
            found
        }
        Reservations::Only(targets) if targets.is_empty() => all(&Reserved::Any),
        Reservations::Only(targets) => into(targets),
    }
}

fn with(pool: &Choice, reserved: &Reserved) -> Choice {
    let mut choice = pool.clone();
    if let Reserved::Into(Target::Reservation(name) | Target::ResourceGroup(name)) = reserved {
        choice.why.push_str(&format!(", into {name}"));
    }
    choice.reserved = Some(reserved.clone());
    choice
}
