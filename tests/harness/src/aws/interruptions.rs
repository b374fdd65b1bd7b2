//! What EC2 does to spot instances, and what their groups make of it.

use super::Aws;
use super::strict::{Stop, Strict, World};
use crate::{Error, Result};

impl Aws {
    /// Ends an instance as an interruption does: EC2 terminates it, and its group loses it and makes up for it, unless
    /// that is held back ([`Aws::hold_replacements`]).
    ///
    /// # Errors
    /// If there is none.
    pub async fn interrupt(&self, instance: &str) -> Result<()> {
        let mut world = self.strict.world.lock().await;
        self.strict.end("us-east-1", instance).await?;
        self.strict.gone(&mut world, "us-east-1", &[instance]).await
    }

    /// Recommends to move away from a spot instance. A group with Capacity Rebalancing launches another one for it, unless that is
    /// held back, and ends it once that is in service.
    ///
    /// # Errors
    /// If it is a member of no group of us-east-1.
    pub async fn recommend_rebalance(&self, instance: &str) -> Result<()> {
        {
            let mut world = self.strict.world.lock().await;
            let group = world
                .group_of("us-east-1", instance)
                .ok_or_else(|| Error::new(format!("{instance} is in no group")))?;
            group.recommend_rebalance(instance);
        }
        self.strict.settle_all().await
    }
}

impl Strict {
    /// Ends members at risk for which another one is in service by now.
    pub(super) async fn end_rebalanced(&self, world: &mut World) -> Result<(), Stop> {
        for group in &mut world.groups {
            while let Some(id) = group.rebalanced() {
                group.leave(&id);
                let region = group.region.clone();
                self.end(&region, &id).await?;
            }
        }
        Ok(())
    }
}
