//! `GET /api/v2/status` as Alertmanager answers it, for tools that look there first.

use hollowtrees_runtime::http::Answer;
use http::StatusCode;
use jiff::Timestamp;
use serde_json::json;

use crate::{config::Settings, http::answer};

/// The OpenAPI document of all paths.
pub const OPENAPI: &str = include_str!("../openapi.yaml");

/// The answer. No cluster of Alertmanagers is formed, and the configuration is not shown.
pub fn answer(settings: &Settings, started: Timestamp) -> Answer {
    let version = env!("CARGO_PKG_VERSION");
    answer::json(
        StatusCode::OK,
        &json!({
            "cluster": {"name": settings.cluster, "status": "disabled", "peers": []},
            "config": {"original": ""},
            "uptime": started.to_string(),
            "versionInfo": {
                "version": version, "revision": "", "branch": "", "buildUser": "", "buildDate": "", "goVersion": "",
            },
        }),
    )
}
