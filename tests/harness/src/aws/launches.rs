//! What a group launches by itself.

use super::Service;
use super::groups::{self, By, Joining, Pool, Wanted};
use super::moto::ids_in;
use super::strict::{Stop, Strict};
use crate::Error;

impl Strict {
    /// One instance for a group, from the first of its pools that has capacity.
    pub(super) async fn launch(
        &self,
        region: &str,
        group: &str,
        wanted: Wanted,
        tags: Vec<groups::Tag>,
    ) -> Result<Option<Joining>, Stop> {
        for pool in &wanted.pools {
            let launched = self.launch_from(region, group, &wanted, pool, &tags).await?;
            if launched.is_some() {
                return Ok(launched);
            }
        }
        Ok(None)
    }

    /// From the first subnet in which this type has capacity.
    async fn launch_from(
        &self,
        region: &str,
        group: &str,
        wanted: &Wanted,
        pool: &Pool,
        tags: &[groups::Tag],
    ) -> Result<Option<Joining>, Stop> {
        for subnet in &wanted.subnets {
            let zone = self
                .moto
                .zone_of_subnet(region, subnet)
                .await?
                .unwrap_or_default();
            let (mut params, spot) = self.said_by(region, pool, subnet).await?;
            let instance_type = params
                .iter()
                .find(|(name, _)| name == "InstanceType")
                .map_or_else(String::new, |(_, value)| value.clone());
            if self.has_capacity(&instance_type, &zone).is_err() {
                continue;
            }
            params.extend([
                ("MinCount".to_owned(), "1".to_owned()),
                ("MaxCount".to_owned(), "1".to_owned()),
                (
                    "TagSpecification.1.ResourceType".to_owned(),
                    "instance".to_owned(),
                ),
                (
                    "TagSpecification.1.Tag.1.Key".to_owned(),
                    "aws:autoscaling:groupName".to_owned(),
                ),
                ("TagSpecification.1.Tag.1.Value".to_owned(), group.to_owned()),
            ]);
            for (i, tag) in tags.iter().enumerate() {
                params.push((format!("TagSpecification.1.Tag.{}.Key", i + 2), tag.key.clone()));
                params.push((
                    format!("TagSpecification.1.Tag.{}.Value", i + 2),
                    tag.value.clone(),
                ));
            }
            let market = params
                .iter()
                .any(|(name, _)| name == "InstanceMarketOptions.MarketType");
            let spot = wanted.spot || spot;
            if spot && !market {
                params.push(("InstanceMarketOptions.MarketType".to_owned(), "spot".to_owned()));
            }
            if let Some(price) = wanted.max_price.as_ref().filter(|_| spot) {
                params.push((
                    "InstanceMarketOptions.SpotOptions.MaxPrice".to_owned(),
                    price.clone(),
                ));
            }
            let params: Vec<_> = params
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect();
            let xml = self
                .moto
                .call(region, Service::Ec2, "RunInstances", &params)
                .await?;
            let ids = ids_in(&xml)?;
            self.starting(&ids);
            let id = ids
                .into_iter()
                .next()
                .ok_or_else(|| Error::new(format!("no instance in {xml}")))?;
            return Ok(Some(Joining {
                id,
                instance_type,
                zone,
                spot,
            }));
        }
        Ok(None)
    }

    /// What a pool says of a launch, and whether that is spot.
    async fn said_by(
        &self,
        region: &str,
        pool: &Pool,
        subnet: &str,
    ) -> Result<(Vec<(String, String)>, bool), Stop> {
        let named = match &pool.by {
            By::Configuration(name) => {
                let said = self.configurations().launch(region, name, subnet);
                let said =
                    said.ok_or_else(|| Error::new(format!("there is no launch configuration {name}")))?;
                let spot = said
                    .iter()
                    .any(|(name, _)| name == "InstanceMarketOptions.MarketType");
                return Ok((said, spot));
            }
            By::Template(named) => named,
        };
        let version = named.version.as_deref().unwrap_or("$Default");
        let by = ("LaunchTemplateId", named.id.as_str());
        let template = self.moto.template(region, by, version).await?;
        let instance_type = pool.instance_type.clone().or(template.instance_type);
        let mut said = vec![
            ("LaunchTemplate.LaunchTemplateId".to_owned(), named.id.clone()),
            ("LaunchTemplate.Version".to_owned(), version.to_owned()),
            ("InstanceType".to_owned(), instance_type.unwrap_or_default()),
            ("SubnetId".to_owned(), subnet.to_owned()),
        ];
        if let Some(image) = &pool.image {
            said.push(("ImageId".to_owned(), image.clone()));
        }
        Ok((said, template.spot))
    }
}
