//! Where the SDK finds credentials: the environment; on AWS's machines the instance's role and a container's.

use bytes::Bytes;
use futures::FutureExt;
use http::{Method, Request, Response, StatusCode};

use crate::{
    Result,
    http_server::{self, Body, Server},
};

use super::Aws;

/// What a container shows to be given its keys.
const AUTHORIZATION: &str = "the container's token";
const SESSION: &str = "the session's token";
const ROLES: &str = "/latest/meta-data/iam/security-credentials/";

impl Aws {
    /// What a process has in its environment to take this for AWS, in this region.
    pub fn env(&self, region: &str) -> [(&'static str, String); 5] {
        [
            ("AWS_ENDPOINT_URL", self.url()),
            ("AWS_REGION", region.to_owned()),
            ("AWS_ACCESS_KEY_ID", "testbed".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "testbed".to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ]
    }
}

/// Instance metadata (IMDSv2) and a container's endpoint, as that of EKS pod identity, on loopback. Each gives keys of its own.
#[derive(Debug)]
pub struct Credentials {
    server: Server,
}

impl Credentials {
    /// The access key of the instance's role.
    pub const OF_INSTANCE: &str = "ASIAINSTANCE";
    /// The access key of the container's role.
    pub const OF_CONTAINER: &str = "ASIACONTAINER";

    /// Starts it.
    ///
    /// # Errors
    /// If it cannot listen.
    pub async fn start() -> Result<Self> {
        let answer = |request: Request<Bytes>| async move { Some(answer(&request)) }.boxed();
        let server = Server::start(([127, 0, 0, 1], 0).into(), None, answer).await?;
        Ok(Self { server })
    }

    /// `AWS_EC2_METADATA_SERVICE_ENDPOINT`
    pub fn metadata(&self) -> String {
        format!("http://{}", self.server.addr())
    }

    /// `AWS_CONTAINER_CREDENTIALS_FULL_URI`
    pub fn container(&self) -> String {
        format!("http://{}/v1/credentials", self.server.addr())
    }

    /// What is in the file of `AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE`.
    pub fn authorization(&self) -> &'static str {
        AUTHORIZATION
    }
}

fn answer(request: &Request<Bytes>) -> Response<Body> {
    let shows = |header: &str, expected: &str| {
        let given = request.headers().get(header);
        given.is_some_and(|value| value == expected)
    };
    let path = request.uri().path();
    if *request.method() == Method::PUT && path == "/latest/api/token" {
        let mut answer = http_server::text(StatusCode::OK, SESSION);
        answer
            .headers_mut()
            .insert("x-aws-ec2-metadata-token-ttl-seconds", 21_600.into());
        return answer;
    }
    if path == "/v1/credentials" && shows("authorization", AUTHORIZATION) {
        return keys(Credentials::OF_CONTAINER);
    }
    if !shows("x-aws-ec2-metadata-token", SESSION) {
        return http_server::text(StatusCode::UNAUTHORIZED, "");
    }
    match path.strip_prefix(ROLES) {
        Some("") => http_server::text(StatusCode::OK, "workers"),
        Some("workers") => keys(Credentials::OF_INSTANCE),
        _ => http_server::text(StatusCode::NOT_FOUND, ""),
    }
}

fn keys(id: &str) -> Response<Body> {
    let told = serde_json::json!({
        "Code": "Success",
        "Type": "AWS-HMAC",
        "AccessKeyId": id,
        "SecretAccessKey": "secret",
        "Token": "token",
        "LastUpdated": "2026-01-01T00:00:00Z",
        "Expiration": "2099-01-01T00:00:00Z",
    });
    http_server::with_type(StatusCode::OK, "application/json", told.to_string())
}
