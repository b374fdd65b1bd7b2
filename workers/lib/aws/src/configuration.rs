//! Launch configurations, and what a launch takes of them.

use std::{collections::HashMap, sync::Arc};

use aws_sdk_autoscaling::types as asg;
use aws_sdk_ec2::{operation::run_instances::builders::RunInstancesFluentBuilder, types as ec2};
use hollowtrees_domain::swap::world::{Configuration, ConfigurationRef};

use crate::{Refusal, Region};

/// Configurations asked for at once (Auto Scaling API reference, `DescribeLaunchConfigurations`).
pub const CONFIGURATIONS_AT_ONCE: usize = 50;
/// Configurations that are remembered.
const REMEMBERED: usize = 256;

impl Region {
    /// Launch configurations by name, at most [`CONFIGURATIONS_AT_ONCE`], in one call; one that is not there is left out.
    ///
    /// # Errors
    /// AWS did not say.
    pub async fn configurations(&self, names: &[String]) -> Result<HashMap<String, Configuration>, Refusal> {
        let found = self.read_configurations(names).await?;
        Ok(found
            .iter()
            .map(|found| {
                let configuration = known(found);
                (configuration.pinned.name.clone(), configuration)
            })
            .collect())
    }

    /// One that is pinned. It never changes, and is read once.
    ///
    /// # Errors
    /// AWS did not say; `Missing` if it was deleted, `Rejected` if another one has its name now.
    pub(crate) async fn configuration(
        &self,
        of: &ConfigurationRef,
    ) -> Result<Arc<asg::LaunchConfiguration>, Refusal> {
        if let Some(known) = self.remembered().get(&of.arn) {
            return Ok(Arc::clone(known));
        }
        let found = self.read_configurations(std::slice::from_ref(&of.name)).await?;
        let Some(found) = found.into_iter().next() else {
            return Err(Refusal::Missing {
                code: "configuration".into(),
                message: format!("launch configuration {} is not there any more", of.name),
            });
        };
        if found.launch_configuration_arn() != Some(of.arn.as_str()) {
            let message = format!(
                "launch configuration {} was deleted and made anew; a launch of it could be another one",
                of.name
            );
            return Err(Refusal::unsaid("configuration-replaced", message));
        }
        Ok(found)
    }

    async fn read_configurations(
        &self,
        names: &[String],
    ) -> Result<Vec<Arc<asg::LaunchConfiguration>>, Refusal> {
        if names.is_empty() {
            // Without a name Auto Scaling would tell all.
            return Ok(Vec::new());
        }
        let answer = self
            .autoscaling()
            .describe_launch_configurations()
            .set_launch_configuration_names(Some(names.to_vec()))
            .max_records(i32::try_from(CONFIGURATIONS_AT_ONCE).unwrap_or(i32::MAX))
            .send()
            .await?;
        let found = answer.launch_configurations.unwrap_or_default();
        let found: Vec<_> = found.into_iter().map(Arc::new).collect();
        let mut remembered = self.remembered();
        if remembered.len() + found.len() > REMEMBERED {
            remembered.clear();
        }
        for one in &found {
            if let Some(arn) = one.launch_configuration_arn() {
                remembered.insert(arn.to_owned(), Arc::clone(one));
            }
        }
        Ok(found)
    }
}

fn known(from: &asg::LaunchConfiguration) -> Configuration {
    Configuration {
        pinned: ConfigurationRef {
            name: from.launch_configuration_name().unwrap_or_default().to_owned(),
            arn: from.launch_configuration_arn().unwrap_or_default().to_owned(),
        },
        instance_type: from.instance_type().unwrap_or_default().to_owned(),
        max_price: said(from.spot_price()),
        beyond: beyond(from),
    }
}

/// What only a launch into EC2-Classic could have. AWS has closed that; who has such a configuration still has not used it since.
fn beyond(from: &asg::LaunchConfiguration) -> Option<String> {
    if let Some(name) = from.security_groups().iter().find(|group| !is_id(group)) {
        return Some(format!(
            "the security group `{name}`, which a subnet takes by its id (sg-...) only"
        ));
    }
    said(from.classic_link_vpc_id()).map(|vpc| format!("a ClassicLink to {vpc}"))
}

fn is_id(group: &str) -> bool {
    group.starts_with("sg-")
}

/// Auto Scaling writes what is not set as empty.
fn said(text: Option<&str>) -> Option<String> {
    text.filter(|text| !text.is_empty()).map(str::to_owned)
}

/// A launch with all that a configuration says but its type and its price, into a subnet and this placement group, if any.
///
/// Where it says whether there is a public address, that can be said of a network interface only, and security groups and subnet
/// with it (EC2 API reference, `RunInstances`); where it does not, the subnet decides.
pub(crate) fn apply(
    call: RunInstancesFluentBuilder,
    from: &asg::LaunchConfiguration,
    subnet: &str,
    placement_group: Option<&str>,
) -> RunInstancesFluentBuilder {
    let groups = from.security_groups();
    let groups = (!groups.is_empty()).then(|| groups.to_vec());
    let call = match from.associate_public_ip_address() {
        Some(public) => call.network_interfaces(
            ec2::InstanceNetworkInterfaceSpecification::builder()
                .device_index(0)
                .associate_public_ip_address(public)
                .delete_on_termination(true)
                .subnet_id(subnet)
                .set_groups(groups)
                .build(),
        ),
        None => call.subnet_id(subnet).set_security_group_ids(groups),
    };
    let disks = from.block_device_mappings();
    let disks = (!disks.is_empty()).then(|| disks.iter().map(disk).collect());
    let monitored = from.instance_monitoring().and_then(|of| of.enabled());
    let tenancy = said(from.placement_tenancy());
    call.set_image_id(said(from.image_id()))
        .set_key_name(said(from.key_name()))
        // Base64 as it is: neither service's SDK writes or reads it.
        .set_user_data(said(from.user_data()))
        .set_kernel_id(said(from.kernel_id()))
        .set_ramdisk_id(said(from.ramdisk_id()))
        .set_ebs_optimized(from.ebs_optimized().filter(|optimized| *optimized))
        .set_monitoring(monitored.map(|enabled| {
            ec2::RunInstancesMonitoringEnabled::builder()
                .enabled(enabled)
                .build()
        }))
        .set_iam_instance_profile(said(from.iam_instance_profile()).map(profile))
        .set_block_device_mappings(disks)
        .set_placement((tenancy.is_some() || placement_group.is_some()).then(|| {
            ec2::Placement::builder()
                .set_tenancy(tenancy.map(|tenancy| ec2::Tenancy::from(tenancy.as_str())))
                .set_group_name(placement_group.map(str::to_owned))
                .build()
        }))
        .set_metadata_options(from.metadata_options().map(metadata))
}

fn profile(named: String) -> ec2::IamInstanceProfileSpecification {
    let profile = ec2::IamInstanceProfileSpecification::builder();
    if named.starts_with("arn:") {
        profile.arn(named).build()
    } else {
        profile.name(named).build()
    }
}

fn metadata(from: &asg::InstanceMetadataOptions) -> ec2::InstanceMetadataOptionsRequest {
    let tokens = from.http_tokens().map(|of| of.as_str().into());
    let endpoint = from.http_endpoint().map(|of| of.as_str().into());
    ec2::InstanceMetadataOptionsRequest::builder()
        .set_http_tokens(tokens)
        .set_http_put_response_hop_limit(from.http_put_response_hop_limit())
        .set_http_endpoint(endpoint)
        .build()
}

fn disk(from: &asg::BlockDeviceMapping) -> ec2::BlockDeviceMapping {
    let ebs = from.ebs().map(|from| {
        ec2::EbsBlockDevice::builder()
            .set_snapshot_id(said(from.snapshot_id()))
            .set_volume_size(from.volume_size())
            .set_volume_type(from.volume_type().map(ec2::VolumeType::from))
            .set_delete_on_termination(from.delete_on_termination())
            .set_iops(from.iops())
            .set_encrypted(from.encrypted())
            .set_throughput(from.throughput())
            .build()
    });
    // EC2 leaves a device of the image out that has an empty `NoDevice`.
    let left_out = from.no_device().unwrap_or_default().then(String::new);
    ec2::BlockDeviceMapping::builder()
        .set_device_name(said(from.device_name()))
        .set_virtual_name(said(from.virtual_name()))
        .set_ebs(ebs)
        .set_no_device(left_out)
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disks_are_copied_whole() {
        let of = |ebs: asg::Ebs| {
            let device = asg::BlockDeviceMapping::builder().device_name("/dev/sdf");
            disk(&device.ebs(ebs).build())
        };
        let full = asg::Ebs::builder()
            .snapshot_id("snap-1")
            .volume_size(37)
            .volume_type("gp3")
            .delete_on_termination(false)
            .iops(3_100)
            .encrypted(true)
            .throughput(130)
            .build();
        assert!(!format!("{full:?}").contains("None"), "{full:?}");
        let copied = of(full);
        assert_eq!(
            (copied.device_name(), copied.no_device()),
            (Some("/dev/sdf"), None)
        );
        let ebs = ec2::EbsBlockDevice::builder()
            .snapshot_id("snap-1")
            .volume_size(37)
            .volume_type(ec2::VolumeType::Gp3)
            .delete_on_termination(false)
            .iops(3_100)
            .encrypted(true)
            .throughput(130)
            .build();
        assert_eq!(copied.ebs(), Some(&ebs));
        let bare = of(asg::Ebs::builder().volume_size(8).build());
        assert_eq!(bare.ebs().and_then(|ebs| ebs.encrypted()), None);

        let device = |no_device: bool| {
            asg::BlockDeviceMapping::builder()
                .device_name("/dev/sdb")
                .virtual_name(if no_device { "" } else { "ephemeral0" })
                .no_device(no_device)
                .build()
        };
        let left_out = disk(&device(true));
        assert_eq!((left_out.no_device(), left_out.virtual_name()), (Some(""), None));
        assert_eq!(left_out.ebs(), None);
        let kept = disk(&device(false));
        assert_eq!(
            (kept.no_device(), kept.virtual_name()),
            (None, Some("ephemeral0"))
        );
    }

    #[test]
    fn what_a_subnet_does_not_take() {
        let check = |configuration: asg::LaunchConfiguration, expected: Option<&str>| {
            let found = known(&configuration).beyond;
            match (&found, expected) {
                (None, None) => {}
                (Some(found), Some(part)) if found.contains(part) => {}
                _ => panic!("{found:?}, not {expected:?}"),
            }
        };
        let new = asg::LaunchConfiguration::builder;
        check(new().build(), None);
        check(
            new().security_groups("sg-0123").classic_link_vpc_id("").build(),
            None,
        );
        check(
            new().security_groups("sg-0123").security_groups("web").build(),
            Some("`web`"),
        );
        check(new().classic_link_vpc_id("vpc-1").build(), Some("vpc-1"));
    }

    #[test]
    fn what_a_choice_needs_is_known() {
        let price = |price: Option<&str>| {
            let of = asg::LaunchConfiguration::builder()
                .launch_configuration_name("lc")
                .launch_configuration_arn("arn:1")
                .instance_type("m5.large")
                .set_spot_price(price.map(str::to_owned));
            known(&of.build())
        };
        let spot = price(Some("0.07"));
        assert_eq!(
            spot.pinned,
            ConfigurationRef {
                name: "lc".to_owned(),
                arn: "arn:1".to_owned()
            }
        );
        assert_eq!(
            (spot.instance_type.as_str(), spot.max_price.as_deref()),
            ("m5.large", Some("0.07"))
        );
        assert_eq!((price(None).max_price, price(Some("")).max_price), (None, None));
    }
}
