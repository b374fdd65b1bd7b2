//! Kubeconfig files. They are written as JSON, which is YAML too.

use crate::{Context, Result, tls};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

pub(super) fn with_token(server: &str, ca: &Path, user: &str, token: &str) -> Value {
    config(server, ca, user, &json!({"token": token}))
}

pub(super) fn with_certificate(server: &str, ca: &Path, user: &str, files: &tls::Files) -> Value {
    config(
        server,
        ca,
        user,
        &json!({"client-certificate": files.certificate, "client-key": files.key}),
    )
}

fn config(server: &str, ca: &Path, user: &str, credentials: &Value) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "testbed", "cluster": {"server": server, "certificate-authority": ca}}],
        "users": [{"name": user, "user": credentials}],
        "contexts": [{"name": "testbed", "context": {"cluster": "testbed", "user": user}}],
        "current-context": "testbed",
    })
}

pub(super) fn write(path: &Path, config: &Value) -> Result<PathBuf> {
    std::fs::write(path, format!("{config:#}\n")).context(|| format!("cannot write {}", path.display()))?;
    Ok(path.to_owned())
}

pub(super) fn via(path: &Path, server: &str) -> Result<PathBuf> {
    let text = std::fs::read(path).context(|| format!("cannot read {}", path.display()))?;
    let mut config: Value =
        serde_json::from_slice(&text).context(|| format!("{} is not ours", path.display()))?;
    config["clusters"][0]["cluster"]["server"] = server.into();
    let name = server
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect::<String>();
    write(&path.with_extension(format!("{name}.kubeconfig")), &config)
}
