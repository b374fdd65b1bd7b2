//! Placement groups and capacity reservations, from a group's form to a launch's.

use aws_sdk_autoscaling::types as asg;
use aws_sdk_ec2::types as ec2;
use hollowtrees_domain::swap::placement::{Placement, Reservations, Reserved, Target};

/// What a group says.
pub(crate) fn of(from: &asg::AutoScalingGroup) -> Placement {
    Placement {
        group: from
            .placement_group()
            .filter(|name| !name.is_empty())
            .map(str::to_owned),
        reservations: from
            .capacity_reservation_specification()
            .map(reservations)
            .unwrap_or_default(),
    }
}

fn reservations(from: &asg::CapacityReservationSpecification) -> Reservations {
    let named = || {
        from.capacity_reservation_target()
            .map(targets)
            .unwrap_or_default()
    };
    let word = from
        .capacity_reservation_preference()
        .map_or("", asg::CapacityReservationPreference::as_str);
    match word {
        "" | "default" => Reservations::AsTemplate,
        "none" => Reservations::Never,
        "capacity-reservations-first" => Reservations::First(named()),
        "capacity-reservations-only" => Reservations::Only(named()),
        other => Reservations::Unknown(other.to_owned()),
    }
}

fn targets(from: &asg::CapacityReservationTarget) -> Vec<Target> {
    let ids = from.capacity_reservation_ids().iter().cloned();
    let groups = from.capacity_reservation_resource_group_arns().iter().cloned();
    ids.map(Target::Reservation)
        .chain(groups.map(Target::ResourceGroup))
        .collect()
}

/// A template's placement with this placement group; none: nothing is to be said over the template.
///
/// Its zone goes by the subnet, its partition and a group named by id are those of another placement group.
pub(crate) fn over(
    template: Option<&ec2::LaunchTemplatePlacement>,
    group: Option<&str>,
) -> Option<ec2::Placement> {
    let group = group?;
    let placement = ec2::Placement::builder().group_name(group);
    let Some(from) = template.cloned() else {
        return Some(placement.build());
    };
    let same = from.group_name.as_deref() == Some(group);
    Some(
        placement
            .set_affinity(from.affinity)
            .set_host_id(from.host_id)
            .set_tenancy(from.tenancy)
            .set_spread_domain(from.spread_domain)
            .set_host_resource_group_arn(from.host_resource_group_arn)
            .set_partition_number(from.partition_number.filter(|_| same))
            .build(),
    )
}

/// What a launch says of capacity reservations.
pub(crate) fn reserved(of: &Reserved) -> ec2::CapacityReservationSpecification {
    use ec2::CapacityReservationPreference::{CapacityReservationsOnly, None as Never, Open};
    let target = ec2::CapacityReservationTarget::builder;
    let (preference, target) = match of {
        Reserved::Never => (Never, None),
        Reserved::Open => (Open, None),
        Reserved::Any => (CapacityReservationsOnly, None),
        Reserved::Into(Target::Reservation(id)) => (
            CapacityReservationsOnly,
            Some(target().capacity_reservation_id(id)),
        ),
        Reserved::Into(Target::ResourceGroup(arn)) => (
            CapacityReservationsOnly,
            Some(target().capacity_reservation_resource_group_arn(arn)),
        ),
    };
    ec2::CapacityReservationSpecification::builder()
        .capacity_reservation_preference(preference)
        .set_capacity_reservation_target(target.map(|target| target.build()))
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_group_says() {
        let said = |word: Option<&str>, ids: &[&str], arns: &[&str]| {
            let named = |names: &[&str]| Some(names.iter().map(|&name| name.to_owned()).collect());
            let target = asg::CapacityReservationTarget::builder()
                .set_capacity_reservation_ids(named(ids))
                .set_capacity_reservation_resource_group_arns(named(arns));
            let specification = asg::CapacityReservationSpecification::builder()
                .set_capacity_reservation_preference(word.map(asg::CapacityReservationPreference::from))
                .capacity_reservation_target(target.build());
            let group = asg::AutoScalingGroup::builder();
            of(&group
                .capacity_reservation_specification(specification.build())
                .build())
            .reservations
        };
        let both = vec![
            Target::Reservation("cr-1".to_owned()),
            Target::ResourceGroup("arn:1".to_owned()),
        ];
        for (word, expected) in [
            (None, Reservations::AsTemplate),
            (Some("default"), Reservations::AsTemplate),
            (Some("none"), Reservations::Never),
            (
                Some("capacity-reservations-first"),
                Reservations::First(both.clone()),
            ),
            (Some("capacity-reservations-only"), Reservations::Only(both)),
            (Some("soon"), Reservations::Unknown("soon".to_owned())),
        ] {
            assert_eq!(said(word, &["cr-1"], &["arn:1"]), expected, "{word:?}");
        }
        let group = |name: &str| of(&asg::AutoScalingGroup::builder().placement_group(name).build()).group;
        assert_eq!((group("rack"), group("")), (Some("rack".to_owned()), None));
        assert_eq!(
            of(&asg::AutoScalingGroup::builder().build()),
            Placement::default()
        );
    }

    #[test]
    fn a_placement_group_over_a_template() {
        let template = |group: &str| {
            ec2::LaunchTemplatePlacement::builder()
                .group_name(group)
                .availability_zone("us-east-1a")
                .tenancy(ec2::Tenancy::Host)
                .host_id("h-1")
                .affinity("host")
                .partition_number(3)
                .build()
        };
        assert_eq!(over(Some(&template("own")), None), None);
        let other = over(Some(&template("own")), Some("rack")).unwrap();
        assert_eq!(
            (other.group_name(), other.partition_number()),
            (Some("rack"), None)
        );
        assert_eq!(
            (other.tenancy(), other.host_id(), other.affinity()),
            (Some(&ec2::Tenancy::Host), Some("h-1"), Some("host"))
        );
        assert_eq!(other.availability_zone(), None);
        let same = over(Some(&template("rack")), Some("rack")).unwrap();
        assert_eq!(same.partition_number(), Some(3));
    }
}
