//! Capacity reservations, of which moto knows nothing in launches.

use super::Aws;
use super::query::{Call, Refusal};
use super::strict::Strict;

impl Aws {
    /// From now on so many instances more run in this capacity reservation: the id of one, or the ARN of a group of them.
    /// Nothing is reserved at first.
    pub fn set_reserved(&self, target: &str, instances: u32) {
        let reserved = &mut self.strict.knobs().reserved;
        reserved.insert(target.to_owned(), instances);
    }
}

impl Strict {
    /// Takes the place of a launch in the reservation that it names (EC2 API reference, "Error codes").
    pub(super) fn take_reserved(&self, call: &Call) -> Result<(), Refusal> {
        let target = ["CapacityReservationId", "CapacityReservationResourceGroupArn"]
            .into_iter()
            .find_map(|name| {
                call.get(&format!(
                    "CapacityReservationSpecification.CapacityReservationTarget.{name}"
                ))
            });
        let Some(target) = target else {
            return Ok(());
        };
        match self.knobs().reserved.get_mut(target) {
            Some(left) if *left > 0 => {
                *left -= 1;
                Ok(())
            }
            _ => Err(Refusal::new(
                "ReservationCapacityExceeded",
                format!("The targeted Capacity Reservation {target} has no available capacity."),
            )),
        }
    }
}
