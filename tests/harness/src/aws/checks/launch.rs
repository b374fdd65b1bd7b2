//! A launch: all that it names, itself or by its template, and all that it makes.
//!
//! Sources: EC2 user guide, "Example policies to control access the Amazon EC2 API" and "Grant permission to tag Amazon EC2 resources
//! during creation"; IAM user guide, "Grant a user permissions to pass a role".
//! Where neither names a security group it is the one of the subnet's network, whose id is not looked up: `security-group/*`.
//! So is the image that a parameter names: `image/*`.

#[cfg(test)]
mod tests;

use super::{ACCOUNT, Check, arn, given};
use crate::aws::query::Call;
use crate::aws::{Aws, Service, moto};
use crate::{Error, Result};
use roxmltree::Node;
use std::collections::{BTreeMap, BTreeSet};

/// What a launch says: the values of each name, small, without the numbers of lists: `networkinterface.subnetid`.
#[derive(Debug, Default)]
struct Said {
    values: BTreeMap<String, BTreeSet<String>>,
    /// By kind of resource.
    tags: BTreeMap<String, BTreeMap<String, String>>,
}

/// Names on the wire of EC2's answers, and of its requests, where they are not the same.
const ANSWERED: [(&str, &str); 9] = [
    ("blockdevicemappingset", "blockdevicemapping"),
    ("networkinterfaceset", "networkinterface"),
    ("groupset", "securitygroupid"),
    ("securitygroupidset", "securitygroupid"),
    ("securitygroupset", "securitygroup"),
    ("item", ""),
    ("groupid", ""),
    ("launchtemplatedata", ""),
    ("tagset", "tag"),
];

impl Said {
    fn by_call(call: &Call) -> Self {
        let mut said = Self::default();
        for (name, value) in &call.params {
            let parts = name.split('.').filter(|part| part.parse::<u32>().is_err());
            let name = parts.collect::<Vec<_>>().join(".").to_lowercase();
            said.values.entry(name).or_default().insert(value.clone());
        }
        for place in 1.. {
            let at = format!("TagSpecification.{place}");
            let Some(kind) = call.get(&format!("{at}.ResourceType")) else {
                break;
            };
            let tags = given(call, &format!("{at}.Tag")).into_iter();
            let tags = tags.map(|(key, value)| (key.to_owned(), value.to_owned()));
            said.tags.entry(kind.to_owned()).or_default().extend(tags);
        }
        said
    }

    fn by_template(data: Node<'_, '_>) -> Self {
        let mut said = Self::default();
        for leaf in data.descendants().filter(|node| node.is_element()) {
            let Some(value) = leaf
                .text()
                .filter(|_| !leaf.children().any(|node| node.is_element()))
            else {
                continue;
            };
            let mut path: Vec<_> = leaf
                .ancestors()
                .take_while(|node| *node != data)
                .map(|node| named_in_a_call(&node.tag_name().name().to_lowercase()))
                .filter(|name| !name.is_empty())
                .collect();
            path.reverse();
            said.values
                .entry(path.join("."))
                .or_default()
                .insert(value.trim().to_owned());
        }
        for kind in moto::items(data, "tagSpecificationSet") {
            let tags =
                moto::items(kind, "tagSet").map(|tag| (moto::text(tag, "key"), moto::text(tag, "value")));
            said.tags
                .entry(moto::text(kind, "resourceType"))
                .or_default()
                .extend(tags);
        }
        said
    }

    /// Puts this over what a template says: each parameter stands for the same one of the template.
    fn over(mut self, template: Self) -> Self {
        let first = |name: &str| name.split('.').next().unwrap_or_default().to_owned();
        let own: BTreeSet<_> = self.values.keys().map(|name| first(name)).collect();
        let more = template.values.into_iter();
        self.values
            .extend(more.filter(|(name, _)| !own.contains(&first(name))));
        if self.tags.is_empty() {
            self.tags = template.tags;
        }
        self
    }

    fn all<'a>(&'a self, names: &'a [&str]) -> impl Iterator<Item = &'a str> {
        let found = names.iter().filter_map(|name| self.values.get(*name));
        found.flatten().map(String::as_str)
    }

    fn one(&self, name: &str) -> Option<&str> {
        self.values.get(name)?.first().map(String::as_str)
    }

    fn tags_of(&self, kind: &str) -> Vec<(&str, &str)> {
        let tags = self.tags.get(kind).into_iter().flatten();
        tags.map(|(key, value)| (key.as_str(), value.as_str())).collect()
    }

    /// What is there already.
    fn names(&self, call: &Call) -> Vec<String> {
        let owned = |kind: &str, id: &str| arn(call, &format!("{kind}/{id}"));
        // Public ones are of no account.
        let public = |kind: &str, id: &str| format!("arn:aws:ec2:{}::{kind}/{id}", call.region);
        let mut all = Vec::new();
        for (kind, names) in [
            ("subnet", &["subnetid", "networkinterface.subnetid"][..]),
            (
                "security-group",
                &["securitygroupid", "networkinterface.securitygroupid"],
            ),
            ("network-interface", &["networkinterface.networkinterfaceid"]),
            ("key-pair", &["keyname"]),
            ("placement-group", &["placement.groupname"]),
            (
                "capacity-reservation",
                &["capacityreservationspecification.capacityreservationtarget.capacityreservationid"],
            ),
        ] {
            all.extend(self.all(names).map(|id| owned(kind, id)));
        }
        let images = self.all(&["imageid"]);
        let images = images.map(|id| if id.starts_with("resolve:") { "*" } else { id });
        all.extend(images.map(|id| public("image", id)));
        all.extend(
            self.all(&["blockdevicemapping.ebs.snapshotid"])
                .map(|id| public("snapshot", id)),
        );
        if self
            .all(&["securitygroupid", "networkinterface.securitygroupid"])
            .next()
            .is_none()
        {
            all.push(owned("security-group", "*"));
        }
        all
    }

    /// What is made. A request for a spot instance is asked about only where it is given tags.
    fn makes(&self) -> Vec<&str> {
        let mut all = vec!["instance", "volume"];
        if self
            .all(&["networkinterface.networkinterfaceid"])
            .next()
            .is_none()
        {
            all.push("network-interface");
        }
        if !self.tags_of("spot-instances-request").is_empty() {
            all.push("spot-instances-request");
        }
        all
    }
}

fn named_in_a_call(name: &str) -> String {
    let found = ANSWERED.iter().find(|(answered, _)| *answered == name);
    found.map_or(name, |(_, asked)| asked).to_owned()
}

impl Aws {
    pub(super) async fn checks_of_launch(&self, call: &Call) -> Result<Vec<Check>> {
        let mut said = Said::by_call(call);
        let mut template = None;
        if let Some((id, of_template)) = self.template_said(call, "LaunchTemplate.Version").await? {
            said = said.over(of_template);
            template = Some(arn(call, &format!("launch-template/{id}")));
        }
        let run = |resource: String| {
            let check = Check::new("ec2:RunInstances", resource);
            match &template {
                Some(template) => check.with("ec2:LaunchTemplate", template),
                None => check,
            }
        };
        let mut checks: Vec<_> = said.names(call).into_iter().map(run).collect();
        checks.extend(template.clone().map(run));
        for kind in said.makes() {
            let mut check = run(arn(call, &format!("{kind}/*"))).tagging(said.tags_of(kind));
            if let Some(instance_type) = said.one("instancetype").filter(|_| kind == "instance") {
                check = check.with("ec2:InstanceType", instance_type);
            }
            checks.push(check);
        }
        for kind in said.tags.keys() {
            let tags = Check::new("ec2:CreateTags", arn(call, &format!("{kind}/*")));
            checks.push(
                tags.with("ec2:CreateAction", &call.action)
                    .tagging(said.tags_of(kind)),
            );
        }
        let profile = said.one("iaminstanceprofile.name");
        let profile = profile.or_else(|| said.one("iaminstanceprofile.arn")?.rsplit('/').next());
        if let Some(profile) = profile {
            let role = self.role_of(profile).await?;
            checks.push(Check::new("iam:PassRole", role).with("iam:PassedToService", "ec2.amazonaws.com"));
        }
        checks.extend(said.one("imageid").and_then(|image| parameter(call, image)));
        Ok(checks)
    }

    /// The parameter that names the image of the template that is asked for.
    pub(super) async fn parameter_of_template(&self, call: &Call) -> Result<Option<Check>> {
        let said = self.template_said(call, "LaunchTemplateVersion.1").await?;
        Ok(said.and_then(|(_, said)| parameter(call, said.one("imageid")?)))
    }

    /// The template that a call names, by its id, and what it says.
    async fn template_said(&self, call: &Call, version: &str) -> Result<Option<(String, Said)>> {
        let named = ["LaunchTemplateId", "LaunchTemplateName"]
            .into_iter()
            .find_map(|by| {
                let value = call
                    .get(by)
                    .or_else(|| call.get(&format!("LaunchTemplate.{by}")))?;
                Some((by, value))
            });
        let Some(by) = named else { return Ok(None) };
        let params = [
            by,
            ("LaunchTemplateVersion.1", call.get(version).unwrap_or("$Default")),
        ];
        let moto = &self.strict.moto;
        let xml = moto
            .call(
                &call.region,
                Service::Ec2,
                "DescribeLaunchTemplateVersions",
                &params,
            )
            .await?;
        let document = moto::parse(&xml)?;
        let version = moto::items(document.root(), "launchTemplateVersionSet").next();
        let data = version.and_then(|version| Some((version, moto::child(version, "launchTemplateData")?)));
        let (version, data) =
            data.ok_or_else(|| Error::new(format!("no launch template {} in {xml}", by.1)))?;
        Ok(Some((
            moto::text(version, "launchTemplateId"),
            Said::by_template(data),
        )))
    }

    /// The ARN of the role of an instance profile.
    async fn role_of(&self, profile: &str) -> Result<String> {
        let moto = &self.strict.moto;
        let params = [("InstanceProfileName", profile)];
        let xml = moto
            .call("us-east-1", Service::Iam, "GetInstanceProfile", &params)
            .await?;
        let document = moto::parse(&xml)?;
        let role = moto::items(document.root(), "Roles").next();
        role.map(|role| moto::text(role, "Arn"))
            .ok_or_else(|| Error::new(format!("the instance profile {profile} has no role")))
    }
}

/// The right to read an image's name, which EC2 does with ours: `resolve:ssm:/nodes`. AWS's own parameters are of no account.
fn parameter(call: &Call, image: &str) -> Option<Check> {
    let named = image.strip_prefix("resolve:ssm:")?;
    let name = named.split(':').next().unwrap_or_default();
    let account = if name.starts_with("/aws/") { "" } else { ACCOUNT };
    let resource = format!(
        "arn:aws:ssm:{}:{account}:parameter/{}",
        call.region,
        name.trim_start_matches('/')
    );
    Some(Check::new("ssm:GetParameters", resource))
}
