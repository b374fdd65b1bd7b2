//! What moto knows: asked in AWS's own terms.

use super::{Service, rules::Sizes};
use crate::{Context, Error, Result, http_client};
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::Full;
use roxmltree::{Document, Node};

/// An auto-scaling group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Its sizes.
    pub sizes: Sizes,
    /// Its availability zones.
    pub zones: Vec<String>,
    /// Its instances' ids and lifecycle states.
    pub members: Vec<(String, String)>,
}

/// An instance.
#[derive(Clone, Debug)]
pub(super) struct Instance {
    pub(super) state: String,
    pub(super) zone: String,
}

#[derive(Clone, Debug)]
pub(super) struct Moto {
    client: http_client::Client,
    url: String,
}

impl Moto {
    pub(super) fn new(url: &str) -> Result<Self> {
        Ok(Self {
            client: http_client::Client::plain()?,
            url: url.to_owned(),
        })
    }

    /// Passes a request on as it is.
    pub(super) async fn pass(&self, request: Request<Bytes>) -> Result<Response<Bytes>> {
        let (mut head, body) = request.into_parts();
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        head.uri = format!("{}{path}", self.url)
            .parse()
            .context(|| "not an address")?;
        head.headers.remove(http::header::HOST);
        head.headers.remove(http::header::CONNECTION);
        self.client
            .forward(Request::from_parts(head, Full::new(body)))
            .await
    }

    pub(super) async fn reset(&self) -> Result<()> {
        let url = format!("{}/moto-api/reset", self.url);
        self.client
            .send(Method::POST, &url, &[], Bytes::new())
            .await
            .map(drop)
    }

    pub(super) async fn call(
        &self,
        region: &str,
        service: Service,
        action: &str,
        params: &[(&str, &str)],
    ) -> Result<String> {
        let version = match service {
            Service::Ec2 => "2016-11-15",
            Service::AutoScaling => "2011-01-01",
        };
        let body = form_urlencoded::Serializer::new(String::new())
            .append_pair("Action", action)
            .append_pair("Version", version)
            .extend_pairs(params)
            .finish();
        let headers = [
            ("content-type", "application/x-www-form-urlencoded".to_owned()),
            (
                "authorization",
                format!(
                    "AWS4-HMAC-SHA256 Credential=testbed/20260101/{region}/{}/aws4_request, SignedHeaders=host, \
                     Signature=none",
                    service.name()
                ),
            ),
        ];
        let answer = self
            .client
            .send(Method::POST, &format!("{}/", self.url), &headers, body.into())
            .await?;
        let text = String::from_utf8_lossy(answer.body()).into_owned();
        if answer.status().is_success() {
            Ok(text)
        } else {
            Err(Error::new(format!("{action}: {} {text}", answer.status())))
        }
    }

    pub(super) async fn group(&self, region: &str, name: &str) -> Result<Option<Group>> {
        let params = [("AutoScalingGroupNames.member.1", name)];
        let xml = self
            .call(region, Service::AutoScaling, "DescribeAutoScalingGroups", &params)
            .await?;
        let document = parse(&xml)?;
        Ok(items(document.root(), "AutoScalingGroups")
            .next()
            .map(|group| Group {
                name: name.to_owned(),
                sizes: Sizes {
                    min: number(group, "MinSize"),
                    desired: number(group, "DesiredCapacity"),
                    max: number(group, "MaxSize"),
                },
                zones: items(group, "AvailabilityZones")
                    .filter_map(|zone| zone.text())
                    .map(str::to_owned)
                    .collect(),
                members: items(group, "Instances")
                    .map(|instance| (text(instance, "InstanceId"), text(instance, "LifecycleState")))
                    .collect(),
            }))
    }

    /// The group that an instance belongs to.
    pub(super) async fn group_of(&self, region: &str, instance: &str) -> Result<Option<String>> {
        let params = [("InstanceIds.member.1", instance)];
        let xml = self
            .call(
                region,
                Service::AutoScaling,
                "DescribeAutoScalingInstances",
                &params,
            )
            .await?;
        let document = parse(&xml)?;
        Ok(items(document.root(), "AutoScalingInstances")
            .next()
            .map(|found| text(found, "AutoScalingGroupName")))
    }

    pub(super) async fn instance(&self, region: &str, id: &str) -> Result<Option<Instance>> {
        // By filter: an id that is not there is no error then.
        let params = [("Filter.1.Name", "instance-id"), ("Filter.1.Value.1", id)];
        let xml = self
            .call(region, Service::Ec2, "DescribeInstances", &params)
            .await?;
        let document = parse(&xml)?;
        Ok(items(document.root(), "instancesSet")
            .next()
            .map(|found| Instance {
                state: child(found, "instanceState")
                    .map(|state| text(state, "name"))
                    .unwrap_or_default(),
                zone: child(found, "placement")
                    .map(|place| text(place, "availabilityZone"))
                    .unwrap_or_default(),
            }))
    }

    pub(super) async fn zone_of_subnet(&self, region: &str, subnet: &str) -> Result<Option<String>> {
        let xml = self
            .call(region, Service::Ec2, "DescribeSubnets", &[("SubnetId.1", subnet)])
            .await?;
        let document = parse(&xml)?;
        Ok(items(document.root(), "subnetSet")
            .next()
            .map(|found| text(found, "availabilityZone")))
    }

    /// The instance type of a launch template, asked for by what names it in a launch.
    pub(super) async fn type_of_template(
        &self,
        region: &str,
        by: (&str, &str),
        version: &str,
    ) -> Result<Option<String>> {
        let params = [by, ("LaunchTemplateVersion.1", version)];
        let xml = self
            .call(region, Service::Ec2, "DescribeLaunchTemplateVersions", &params)
            .await?;
        let document = parse(&xml)?;
        let data = document
            .descendants()
            .find(|node| node.has_tag_name_local("launchTemplateData"));
        Ok(data
            .map(|data| text(data, "instanceType"))
            .filter(|found| !found.is_empty()))
    }

    pub(super) async fn create_group(&self, name: &str, zones: &[&str], sizes: [u32; 3]) -> Result<Group> {
        let region = "us-east-1";
        let xml = self.call(region, Service::Ec2, "DescribeSubnets", &[]).await?;
        let document = parse(&xml)?;
        let subnets: Vec<String> = items(document.root(), "subnetSet")
            .filter(|subnet| zones.contains(&text(*subnet, "availabilityZone").as_str()))
            .map(|subnet| text(subnet, "subnetId"))
            .collect();
        let template = [
            ("LaunchTemplateName", name),
            ("LaunchTemplateData.ImageId", "ami-12c6146b"),
            ("LaunchTemplateData.InstanceType", "m5.large"),
        ];
        self.call(region, Service::Ec2, "CreateLaunchTemplate", &template)
            .await?;
        let [min, desired, max] = sizes.map(|size| size.to_string());
        let params = [
            ("AutoScalingGroupName", name),
            ("MinSize", &min),
            ("DesiredCapacity", &desired),
            ("MaxSize", &max),
            ("LaunchTemplate.LaunchTemplateName", name),
            ("LaunchTemplate.Version", "$Latest"),
            ("VPCZoneIdentifier", &subnets.join(",")),
            ("Tags.member.1.Key", "hollowtrees.io/managed"),
            ("Tags.member.1.Value", "true"),
            ("Tags.member.1.ResourceId", name),
            ("Tags.member.1.ResourceType", "auto-scaling-group"),
            ("Tags.member.1.PropagateAtLaunch", "false"),
        ];
        self.call(region, Service::AutoScaling, "CreateAutoScalingGroup", &params)
            .await?;
        self.group(region, name)
            .await?
            .ok_or_else(|| Error::new(format!("the group {name} was not made")))
    }
}

fn parse(xml: &str) -> Result<Document<'_>> {
    Document::parse(xml).context(|| format!("moto's answer is no XML: {xml}"))
}

trait LocalName {
    fn has_tag_name_local(&self, name: &str) -> bool;
}

impl LocalName for Node<'_, '_> {
    fn has_tag_name_local(&self, name: &str) -> bool {
        self.is_element() && self.tag_name().name() == name
    }
}

fn child<'a, 'd>(node: Node<'a, 'd>, name: &str) -> Option<Node<'a, 'd>> {
    node.children().find(|child| child.has_tag_name_local(name))
}

fn text(node: Node<'_, '_>, name: &str) -> String {
    child(node, name)
        .and_then(|child| child.text())
        .unwrap_or_default()
        .trim()
        .to_owned()
}

fn number(node: Node<'_, '_>, name: &str) -> u32 {
    text(node, name).parse().unwrap_or_default()
}

/// The elements of the first list by this name.
fn items<'a, 'd>(node: Node<'a, 'd>, list: &str) -> impl Iterator<Item = Node<'a, 'd>> {
    let list = node.descendants().find(|node| node.has_tag_name_local(list));
    list.into_iter()
        .flat_map(|list| list.children().filter(Node::is_element).collect::<Vec<_>>())
}
