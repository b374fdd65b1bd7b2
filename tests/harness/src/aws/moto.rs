//! What moto knows: asked in AWS's own terms.

use super::{Instance, Service};
use crate::{Context, Error, Result, http_client};
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::Full;
use roxmltree::{Document, Node};

/// What a version of a launch template says.
#[derive(Clone, Debug)]
pub(super) struct TemplateData {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) instance_type: Option<String>,
    pub(super) image: Option<String>,
    pub(super) interfaces: bool,
    pub(super) spot: bool,
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
        let version = service.version();
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

    /// A call of a service that speaks AWS's JSON protocol: the body of the answer.
    pub(super) async fn json(
        &self,
        region: &str,
        service: &str,
        target: &str,
        call: &serde_json::Value,
    ) -> Result<Bytes> {
        let headers = [
            ("content-type", "application/x-amz-json-1.0".to_owned()),
            ("x-amz-target", target.to_owned()),
            (
                "authorization",
                format!(
                    "AWS4-HMAC-SHA256 Credential=testbed/20260101/{region}/{service}/aws4_request, \
                     SignedHeaders=host, Signature=none"
                ),
            ),
        ];
        let url = format!("{}/", self.url);
        let answer = self
            .client
            .send(Method::POST, &url, &headers, call.to_string().into())
            .await?;
        if answer.status().is_success() {
            return Ok(answer.into_body());
        }
        let text = String::from_utf8_lossy(answer.body()).into_owned();
        Err(Error::new(format!("{target}: {} {text}", answer.status())))
    }

    pub(super) async fn instance(&self, region: &str, id: &str) -> Result<Option<Instance>> {
        // By filter: an id that is not there is no error then.
        let params = [("Filter.1.Name", "instance-id"), ("Filter.1.Value.1", id)];
        Ok(self.instances_by(region, &params).await?.pop())
    }

    pub(super) async fn instances_by(&self, region: &str, params: &[(&str, &str)]) -> Result<Vec<Instance>> {
        let params = [&[("MaxResults", "1000")], params].concat();
        let xml = self
            .call(region, Service::Ec2, "DescribeInstances", &params)
            .await?;
        let document = parse(&xml)?;
        Ok(document
            .descendants()
            .filter(|node| node.has_tag_name_local("instancesSet"))
            .flat_map(|set| set.children().filter(Node::is_element))
            .map(instance)
            .collect())
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

    /// What a launch template says, asked for by what names it in a launch.
    pub(super) async fn template(
        &self,
        region: &str,
        by: (&str, &str),
        version: &str,
    ) -> Result<TemplateData> {
        let params = [by, ("LaunchTemplateVersion.1", version)];
        let xml = self
            .call(region, Service::Ec2, "DescribeLaunchTemplateVersions", &params)
            .await?;
        let document = parse(&xml)?;
        let version = items(document.root(), "launchTemplateVersionSet")
            .next()
            .ok_or_else(|| Error::new(format!("no launch template {} in {xml}", by.1)))?;
        let data = child(version, "launchTemplateData");
        let of = |name: &str| {
            data.map(|data| text(data, name))
                .filter(|found| !found.is_empty())
        };
        let market = data.and_then(|data| child(data, "instanceMarketOptions"));
        Ok(TemplateData {
            id: text(version, "launchTemplateId"),
            name: text(version, "launchTemplateName"),
            instance_type: of("instanceType"),
            image: of("imageId"),
            interfaces: data
                .and_then(|data| child(data, "networkInterfaceSet"))
                .is_some_and(|set| set.children().any(|node| node.is_element())),
            spot: market.is_some_and(|market| text(market, "marketType") == "spot"),
        })
    }

    /// The architecture and the virtualization of an image.
    pub(super) async fn platform(&self, region: &str, image: &str) -> Result<(String, String)> {
        let xml = self
            .call(region, Service::Ec2, "DescribeImages", &[("ImageId.1", image)])
            .await?;
        let document = parse(&xml)?;
        let found = items(document.root(), "imagesSet").next();
        found
            .map(|found| (text(found, "architecture"), text(found, "virtualizationType")))
            .ok_or_else(|| Error::new(format!("no image {image} in {xml}")))
    }

    /// The default subnets of these zones.
    pub(super) async fn subnets(&self, region: &str, zones: &[String]) -> Result<Vec<String>> {
        let xml = self.call(region, Service::Ec2, "DescribeSubnets", &[]).await?;
        let document = parse(&xml)?;
        Ok(items(document.root(), "subnetSet")
            .filter(|subnet| zones.contains(&text(*subnet, "availabilityZone")))
            .map(|subnet| text(subnet, "subnetId"))
            .collect())
    }
}

/// The instances that an answer tells of, by id.
pub(super) fn ids_in(xml: &str) -> Result<Vec<String>> {
    let document = parse(xml)?;
    Ok(document
        .descendants()
        .filter(|node| node.has_tag_name_local("instancesSet"))
        .flat_map(|set| set.children().filter(Node::is_element))
        .map(|found| text(found, "instanceId"))
        .collect())
}

fn instance(from: Node<'_, '_>) -> Instance {
    let tags = child(from, "tagSet");
    Instance {
        id: text(from, "instanceId"),
        state: child(from, "instanceState")
            .map(|state| text(state, "name"))
            .unwrap_or_default(),
        instance_type: text(from, "instanceType"),
        zone: child(from, "placement")
            .map(|place| text(place, "availabilityZone"))
            .unwrap_or_default(),
        subnet: text(from, "subnetId"),
        spot: text(from, "instanceLifecycle") == "spot",
        tags: tags
            .into_iter()
            .flat_map(|tags| tags.children().filter(Node::is_element))
            .map(|tag| (text(tag, "key"), text(tag, "value")))
            .collect(),
        group: None,
    }
}

pub(super) fn parse(xml: &str) -> Result<Document<'_>> {
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

pub(super) fn child<'a, 'd>(node: Node<'a, 'd>, name: &str) -> Option<Node<'a, 'd>> {
    node.children().find(|child| child.has_tag_name_local(name))
}

pub(super) fn text(node: Node<'_, '_>, name: &str) -> String {
    child(node, name)
        .and_then(|child| child.text())
        .unwrap_or_default()
        .trim()
        .to_owned()
}

/// The elements of the first list by this name.
pub(super) fn items<'a, 'd>(node: Node<'a, 'd>, list: &str) -> impl Iterator<Item = Node<'a, 'd>> {
    let list = node.descendants().find(|node| node.has_tag_name_local(list));
    list.into_iter()
        .flat_map(|list| list.children().filter(Node::is_element).collect::<Vec<_>>())
}
