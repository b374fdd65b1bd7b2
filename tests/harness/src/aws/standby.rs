//! Members that are put aside.

use super::query::Call;
use super::scaling::decrement;
use super::strict::{Stop, Strict, World};

impl Strict {
    pub(super) async fn enter_standby(&self, world: &mut World, call: &Call) -> Result<(), Stop> {
        let decrement = decrement(call)?;
        let group = world.of(call)?;
        group.enter_standby(&call.list("InstanceIds"), decrement)?;
        let name = group.name.clone();
        self.settle(world, &call.region, &name).await
    }
}
