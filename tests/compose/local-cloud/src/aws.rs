//! The group of the local stack, in an AWS server that asks for no credentials.

use hollowtrees_harness::{Context, Error, Result, http_client::Client};
use http::Method;
use roxmltree::{Document, Node};

/// The group and its launch template.
pub const GROUP: &str = "local";
const REGION: &str = "us-east-1";
const ZONES: [&str; 2] = ["us-east-1a", "us-east-1b"];
/// What is there to begin with; one more than that is room for a swap.
const INSTANCES: &str = "2";
const MOST: &str = "3";

/// A member of the group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// `i-...`
    pub id: String,
    /// Such as `us-east-1a`.
    pub zone: String,
    /// Such as `InService`.
    pub lifecycle_state: String,
}

/// An AWS server.
#[derive(Clone, Debug)]
pub struct Aws {
    client: Client,
    url: String,
}

#[derive(Clone, Copy, Debug)]
enum Service {
    Ec2,
    AutoScaling,
}

impl Aws {
    /// The server at `http://host:port`.
    ///
    /// # Errors
    /// None that a person could cause.
    pub fn new(url: &str) -> Result<Self> {
        Ok(Self {
            client: Client::plain()?,
            url: url.trim_end_matches('/').to_owned(),
        })
    }

    /// The members of the group, in any lifecycle state; `None` where there is no group.
    ///
    /// # Errors
    /// If the server does not answer, or refuses.
    pub async fn members(&self) -> Result<Option<Vec<Member>>> {
        let params = [("AutoScalingGroupNames.member.1", GROUP)];
        let xml = self
            .call(Service::AutoScaling, "DescribeAutoScalingGroups", &params)
            .await?;
        members(&xml)
    }

    /// Makes the group, of a launch template of the same name, with the tag that lets Hollowtrees change it.
    ///
    /// # Errors
    /// If the server does not answer, or refuses.
    pub async fn create_group(&self) -> Result<()> {
        let template = [
            ("LaunchTemplateName", GROUP),
            ("LaunchTemplateData.ImageId", "ami-12c6146b"),
            ("LaunchTemplateData.InstanceType", "m5.large"),
        ];
        let made = self.call(Service::Ec2, "CreateLaunchTemplate", &template).await;
        // Left from a start that was ended between the two.
        if let Err(error) = made
            && !error.to_string().contains("AlreadyExists")
        {
            return Err(error);
        }
        let subnets = self.subnets().await?;
        let params = [
            ("AutoScalingGroupName", GROUP),
            ("MinSize", "1"),
            ("DesiredCapacity", INSTANCES),
            ("MaxSize", MOST),
            ("LaunchTemplate.LaunchTemplateName", GROUP),
            ("LaunchTemplate.Version", "$Latest"),
            ("VPCZoneIdentifier", &subnets),
            ("Tags.member.1.Key", "hollowtrees.io/managed"),
            ("Tags.member.1.Value", "true"),
            ("Tags.member.1.ResourceId", GROUP),
            ("Tags.member.1.ResourceType", "auto-scaling-group"),
            ("Tags.member.1.PropagateAtLaunch", "false"),
        ];
        self.call(Service::AutoScaling, "CreateAutoScalingGroup", &params)
            .await
            .map(drop)
    }

    async fn subnets(&self) -> Result<String> {
        let xml = self.call(Service::Ec2, "DescribeSubnets", &[]).await?;
        let document = parse(&xml)?;
        let found: Vec<&str> = items(document.root(), "subnetSet")
            .filter(|subnet| ZONES.contains(&text(*subnet, "availabilityZone")))
            .map(|subnet| text(subnet, "subnetId"))
            .collect();
        Ok(found.join(","))
    }

    async fn call(&self, service: Service, action: &str, params: &[(&str, &str)]) -> Result<String> {
        let (name, version) = match service {
            Service::Ec2 => ("ec2", "2016-11-15"),
            Service::AutoScaling => ("autoscaling", "2011-01-01"),
        };
        let body = form_urlencoded::Serializer::new(String::new())
            .append_pair("Action", action)
            .append_pair("Version", version)
            .extend_pairs(params)
            .finish();
        // The server looks at the scope of a signature only, to know the service that is meant.
        let signature = format!(
            "AWS4-HMAC-SHA256 Credential=local/20260101/{REGION}/{name}/aws4_request, SignedHeaders=host, Signature=none"
        );
        let headers = [
            ("content-type", "application/x-www-form-urlencoded".to_owned()),
            ("authorization", signature),
        ];
        let url = format!("{}/", self.url);
        let answer = self
            .client
            .send(Method::POST, &url, &headers, body.into())
            .await?;
        let text = String::from_utf8_lossy(answer.body()).into_owned();
        if answer.status().is_success() {
            Ok(text)
        } else {
            Err(Error::new(format!("{action}: {} {text}", answer.status())))
        }
    }
}

fn members(xml: &str) -> Result<Option<Vec<Member>>> {
    let document = parse(xml)?;
    Ok(items(document.root(), "AutoScalingGroups").next().map(|group| {
        items(group, "Instances")
            .map(|member| Member {
                id: text(member, "InstanceId").to_owned(),
                zone: text(member, "AvailabilityZone").to_owned(),
                lifecycle_state: text(member, "LifecycleState").to_owned(),
            })
            .collect()
    }))
}

fn parse(xml: &str) -> Result<Document<'_>> {
    Document::parse(xml).context(|| format!("the AWS server's answer is no XML: {xml}"))
}

fn text<'a>(node: Node<'a, '_>, name: &str) -> &'a str {
    node.children()
        .find(|child| child.tag_name().name() == name)
        .and_then(|child| child.text())
        .unwrap_or_default()
        .trim()
}

/// The elements of the first list by this name.
fn items<'a, 'd>(node: Node<'a, 'd>, list: &str) -> impl Iterator<Item = Node<'a, 'd>> {
    node.descendants()
        .find(|node| node.tag_name().name() == list)
        .into_iter()
        .flat_map(|list| list.children().filter(Node::is_element))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_of_an_answer() {
        let answer = |groups: &str| {
            format!(
                "<DescribeAutoScalingGroupsResponse xmlns='http://autoscaling.amazonaws.com/doc/2011-01-01/'>\
                 <DescribeAutoScalingGroupsResult><AutoScalingGroups>{groups}</AutoScalingGroups>\
                 </DescribeAutoScalingGroupsResult></DescribeAutoScalingGroupsResponse>"
            )
        };
        let one = "<member><Instances><member><LifecycleState>InService</LifecycleState><InstanceId> i-1 </InstanceId>\
                   <AvailabilityZone>us-east-1a</AvailabilityZone></member></Instances></member>";
        let member = Member {
            id: "i-1".to_owned(),
            zone: "us-east-1a".to_owned(),
            lifecycle_state: "InService".to_owned(),
        };
        for (groups, expected) in [
            ("", None),
            ("<member><Instances/></member>", Some(vec![])),
            (one, Some(vec![member])),
        ] {
            assert_eq!(members(&answer(groups)).unwrap(), expected, "{groups}");
        }
        assert!(members("no XML").is_err());
    }
}
