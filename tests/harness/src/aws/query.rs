//! AWS's query protocol: a form goes in, XML comes out; and what of SQS's JSON is of interest here.

use super::{Aws, Service};
use crate::http_server::{self, Body};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use std::collections::BTreeMap;
use std::time::Instant;

/// A call that reached the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Such as `RunInstances`.
    pub action: String,
    /// Its other parameters, as they are on the wire: `InstanceIds.member.1`.
    pub params: BTreeMap<String, String>,
    /// The region it was made to.
    pub region: String,
    /// The service it was signed for, as rights name it: `ec2`, `autoscaling`.
    pub signed_for: String,
    /// The id of the access key it was signed with.
    pub key: String,
}

impl Aws {
    /// All calls so far, those answered by faults excepted, with when they came.
    pub fn timed_calls(&self) -> Vec<(Instant, Call)> {
        self.strict.calls()
    }
}

impl Call {
    /// The call that a request makes; none if it is of another protocol.
    pub(super) fn parse(request: &Request<Bytes>) -> Option<Self> {
        let (action, params) = match sqs(request) {
            Some(action) => (action, fields(request.body())),
            None => {
                let mut params: BTreeMap<String, String> =
                    form_urlencoded::parse(request.body()).into_owned().collect();
                (params.remove("Action")?, params)
            }
        };
        // Credential=<key>/<date>/<region>/<service>/aws4_request
        let credential = request
            .headers()
            .get("authorization")
            .and_then(|value| value.to_str().ok());
        let part = |number| credential.and_then(|text| text.split('/').nth(number));
        let region = part(2).unwrap_or("us-east-1").to_owned();
        let key = part(0).and_then(|text| text.split_once("Credential="));
        Some(Self {
            action,
            params,
            region,
            signed_for: part(3).unwrap_or_default().to_owned(),
            key: key.map(|(_, key)| key.to_owned()).unwrap_or_default(),
        })
    }

    /// A parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.params.get(name).map(String::as_str)
    }

    /// The values of `name.member.1` and on.
    pub fn list(&self, name: &str) -> Vec<&str> {
        (1..)
            .map_while(|i| self.get(&format!("{name}.member.{i}")))
            .collect()
    }

    /// The right it needs: `ec2:RunInstances`.
    pub fn right(&self) -> String {
        format!("{}:{}", self.signed_for, self.action)
    }

    /// The service it was made to, by the version of its API; none of those that speak JSON.
    pub fn service(&self) -> Option<Service> {
        let version = self.get("Version")?;
        Service::ALL
            .into_iter()
            .find(|service| service.version() == version)
    }

    /// Whether it changes something, by AWS's own naming: all but what begins with `Describe`, `Get` or `List`.
    pub fn writes(&self) -> bool {
        !["Describe", "Get", "List"]
            .iter()
            .any(|reads| self.action.starts_with(reads))
    }

    pub(super) fn number(&self, name: &str) -> Option<u32> {
        self.get(name)?.parse().ok()
    }
}

impl Service {
    const ALL: [Self; 6] = [
        Self::Ec2,
        Self::AutoScaling,
        Self::Balancing,
        Self::ClassicBalancing,
        Self::Sts,
        Self::Iam,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ec2 => "ec2",
            Self::AutoScaling => "autoscaling",
            Self::Balancing | Self::ClassicBalancing => "elasticloadbalancing",
            Self::Sts => "sts",
            Self::Iam => "iam",
        }
    }

    /// Of its API: what tells the two of Elastic Load Balancing apart.
    pub(crate) fn version(self) -> &'static str {
        match self {
            Self::Ec2 => "2016-11-15",
            Self::AutoScaling => "2011-01-01",
            Self::Balancing => "2015-12-01",
            Self::ClassicBalancing => "2012-06-01",
            Self::Sts => "2011-06-15",
            Self::Iam => "2010-05-08",
        }
    }
}

/// The action of a call of SQS, which speaks JSON.
fn sqs(request: &Request<Bytes>) -> Option<String> {
    let target = request.headers().get("x-amz-target")?.to_str().ok()?;
    target.strip_prefix("AmazonSQS.").map(str::to_owned)
}

/// The parameters of a call in JSON; those that are no text as JSON.
fn fields(body: &[u8]) -> BTreeMap<String, String> {
    let read: BTreeMap<String, serde_json::Value> = serde_json::from_slice(body).unwrap_or_default();
    let text = |value: serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    read.into_iter()
        .map(|(name, value)| (name, text(value)))
        .collect()
}

/// Why a call is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// AWS's error code, such as `ValidationError`.
    pub code: &'static str,
    /// What AWS says, in our words.
    pub message: String,
}

impl Refusal {
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    pub(super) fn validation(message: impl Into<String>) -> Self {
        Self::new("ValidationError", message)
    }

    pub(super) fn answer(&self, service: Service) -> Response<Body> {
        // EC2 counts a lack of capacity as a fault of its own.
        let status = match self.code {
            "InsufficientInstanceCapacity" => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        };
        http_server::with_type(status, "text/xml", error_text(service, self.code, &self.message))
    }
}

pub(super) fn error_text(service: Service, code: &str, message: &str) -> String {
    let message = escape(message);
    match service {
        Service::Ec2 => format!(
            "<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>\
             <RequestID>testbed</RequestID></Response>"
        ),
        Service::AutoScaling
        | Service::Balancing
        | Service::ClassicBalancing
        | Service::Sts
        | Service::Iam => format!(
            "<ErrorResponse xmlns=\"http://{}.amazonaws.com/doc/{}/\"><Error><Type>Sender</Type>\
             <Code>{code}</Code><Message>{message}</Message></Error><RequestId>testbed</RequestId></ErrorResponse>",
            service.name(),
            service.version(),
        ),
    }
}

/// Text in XML.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

/// The answer of an Auto Scaling call that returns nothing.
pub(super) fn done(action: &str) -> Response<Body> {
    let text = format!(
        "<{action}Response xmlns=\"http://autoscaling.amazonaws.com/doc/2011-01-01/\"><{action}Result/>\
         <ResponseMetadata><RequestId>testbed</RequestId></ResponseMetadata></{action}Response>"
    );
    http_server::with_type(StatusCode::OK, "text/xml", text)
}
