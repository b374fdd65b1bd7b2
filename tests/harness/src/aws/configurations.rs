//! Launch configurations, which moto keeps too, but with one ARN for all that ever had a name, and a public address that is
//! refused where nothing was said of it.
//!
//! Source: Auto Scaling API reference, CreateLaunchConfiguration, DescribeLaunchConfigurations, LaunchConfiguration.

use super::query::{Call, Refusal, escape};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// What one may say, by its first name on the wire.
const SAYS: [&str; 18] = [
    "LaunchConfigurationName",
    "ImageId",
    "KeyName",
    "SecurityGroups",
    "ClassicLinkVPCId",
    "ClassicLinkVPCSecurityGroups",
    "UserData",
    "InstanceType",
    "KernelId",
    "RamdiskId",
    "BlockDeviceMappings",
    "InstanceMonitoring",
    "SpotPrice",
    "IamInstanceProfile",
    "EbsOptimized",
    "AssociatePublicIpAddress",
    "PlacementTenancy",
    "MetadataOptions",
];
/// What Auto Scaling tells as empty where nothing was said.
const TOLD_EMPTY: [&str; 4] = ["KeyName", "UserData", "KernelId", "RamdiskId"];

/// What is left of a parameter's name, and its value.
type Param<'a> = (Vec<&'a str>, &'a str);

/// A launch configuration.
#[derive(Clone, Debug)]
struct Configuration {
    region: String,
    name: String,
    arn: String,
    /// As they came.
    params: BTreeMap<String, String>,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Configurations {
    kept: Vec<Configuration>,
    /// How many there were.
    made: u32,
}

impl Configurations {
    pub(super) fn create(&mut self, call: &Call) -> Result<(), Refusal> {
        let name = name(call)?;
        if self.find(&call.region, name).is_some() {
            return Err(Refusal::new(
                "AlreadyExists",
                format!("Launch Configuration by this name already exists: {name}"),
            ));
        }
        for param in call.params.keys().filter(|param| *param != "Version") {
            let first = param.split('.').next().unwrap_or_default();
            if !SAYS.contains(&first) {
                return Err(Refusal::validation(format!(
                    "{param} is not known of a launch configuration"
                )));
            }
        }
        for needed in ["ImageId", "InstanceType"] {
            if call.get(needed).is_none() {
                return Err(Refusal::validation(format!("{needed} is needed")));
            }
        }
        self.made += 1;
        let mut params = call.params.clone();
        params.remove("Version");
        self.kept.push(Configuration {
            region: call.region.clone(),
            name: name.to_owned(),
            arn: format!(
                "arn:aws:autoscaling:{}:123456789012:launchConfiguration:00000000-0000-4000-8000-{:012}:\
                 launchConfigurationName/{name}",
                call.region, self.made
            ),
            params,
        });
        Ok(())
    }

    pub(super) fn delete(&mut self, call: &Call) -> Result<(), Refusal> {
        let name = name(call)?;
        let before = self.kept.len();
        self.kept
            .retain(|kept| (kept.region.as_str(), kept.name.as_str()) != (&call.region, name));
        if self.kept.len() == before {
            return Err(Refusal::validation(format!(
                "Launch configuration name not found - Launch configuration {name} not found"
            )));
        }
        Ok(())
    }

    /// The result of `DescribeLaunchConfigurations`.
    pub(super) fn describe(&self, call: &Call) -> Result<String, Refusal> {
        let names = call.list("LaunchConfigurationNames");
        if names.len() > 50 {
            return Err(Refusal::validation("at most 50 names"));
        }
        let asked = self.kept.iter().filter(|kept| {
            kept.region == call.region && (names.is_empty() || names.contains(&kept.name.as_str()))
        });
        let told: String = asked.map(Configuration::told).collect();
        Ok(format!("<LaunchConfigurations>{told}</LaunchConfigurations>"))
    }

    /// What a group's own launch says: the parameters of `RunInstances`.
    pub(super) fn launch(&self, region: &str, name: &str, subnet: &str) -> Option<Vec<(String, String)>> {
        let params = &self.find(region, name)?.params;
        let get = |name: &str| params.get(name).cloned();
        let mut call: Vec<(String, String)> = ["ImageId", "InstanceType", "KeyName", "UserData"]
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), get(name)?)))
            .collect();
        let groups = (1..).map_while(|i| get(&format!("SecurityGroups.member.{i}")));
        let (at, subnet_at) = if get("AssociatePublicIpAddress").is_some() {
            call.push(("NetworkInterface.1.DeviceIndex".to_owned(), "0".to_owned()));
            (
                "NetworkInterface.1.SecurityGroupId",
                "NetworkInterface.1.SubnetId",
            )
        } else {
            ("SecurityGroupId", "SubnetId")
        };
        call.push((subnet_at.to_owned(), subnet.to_owned()));
        call.extend((1..).zip(groups).map(|(i, group)| (format!("{at}.{i}"), group)));
        if get("SpotPrice").is_some() {
            call.push(("InstanceMarketOptions.MarketType".to_owned(), "spot".to_owned()));
        }
        Some(call)
    }

    fn find(&self, region: &str, name: &str) -> Option<&Configuration> {
        self.kept
            .iter()
            .find(|kept| kept.region == region && kept.name == name)
    }
}

impl Configuration {
    fn told(&self) -> String {
        let mut params = self.params.clone();
        for name in TOLD_EMPTY {
            params.entry(name.to_owned()).or_default();
        }
        for (name, value) in [
            ("LaunchConfigurationARN", self.arn.as_str()),
            ("CreatedTime", "2026-01-01T00:00:00.000Z"),
        ] {
            params.insert(name.to_owned(), value.to_owned());
        }
        for (name, value) in [("InstanceMonitoring.Enabled", "true"), ("EbsOptimized", "false")] {
            params.entry(name.to_owned()).or_insert_with(|| value.to_owned());
        }
        format!("<member>{}</member>", as_elements(&params))
    }
}

fn name(call: &Call) -> Result<&str, Refusal> {
    call.get("LaunchConfigurationName")
        .ok_or_else(|| Refusal::validation("LaunchConfigurationName is needed"))
}

/// Parameters as the elements that an answer has for them.
pub(super) fn as_elements(params: &BTreeMap<String, String>) -> String {
    let params: Vec<_> = params
        .iter()
        .map(|(name, value)| (name.split('.').collect::<Vec<_>>(), value.as_str()))
        .collect();
    nested(&params)
}

/// `A.member.1.B=x` as `<A><member><B>x</B></member></A>`.
fn nested(params: &[Param<'_>]) -> String {
    let mut inside: BTreeMap<(u32, &str), Vec<Param<'_>>> = BTreeMap::new();
    let mut text = String::new();
    for (path, value) in params {
        match path.split_first() {
            Some((first, rest)) => inside
                .entry((first.parse().unwrap_or_default(), first))
                .or_default()
                .push((rest.to_vec(), value)),
            None => text.push_str(&escape(value)),
        }
    }
    for ((number, name), inner) in inside {
        let inner = nested(&inner);
        let element = if number > 0 { "member" } else { name };
        // A list is its members alone.
        if name == "member" {
            text.push_str(&inner);
        } else {
            write!(text, "<{element}>{inner}</{element}>").ok();
        }
    }
    text
}
