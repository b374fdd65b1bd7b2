//! Keys, certificates and tokens of one control plane.

use super::part::{CONTROLLER_MANAGER, KUBELET_USER, SCHEDULER};
use crate::{Context, Result, tls};
use rcgen::KeyPair;
use std::path::{Path, PathBuf};

#[derive(Debug)]
pub(super) struct Certificates {
    pub(super) authority: tls::Authority,
    pub(super) ca: PathBuf,
    /// Each part's user and client certificate.
    pub(super) parts: Vec<(&'static str, tls::Files)>,
    pub(super) admin_token: String,
}

impl Certificates {
    pub(super) fn write(directory: &Path) -> Result<Self> {
        let file = |name: &str, text: &str| -> Result<PathBuf> {
            let path = directory.join(name);
            std::fs::write(&path, text).context(|| format!("cannot write {}", path.display()))?;
            Ok(path)
        };
        let authority = tls::Authority::new("testbed")?;
        let ca = file("ca.crt", authority.pem())?;
        authority
            .server(&["127.0.0.1", "localhost", "kubernetes.default.svc"])?
            .write(directory, "server")?;
        let mut parts = Vec::new();
        for (user, group) in [
            (CONTROLLER_MANAGER, None),
            (SCHEDULER, None),
            (KUBELET_USER, Some("system:masters")),
        ] {
            let files = authority
                .client(user, group)?
                .write(directory, &user.replace(':', "-"))?;
            parts.push((user, files));
        }
        let signing = KeyPair::generate().context(|| "cannot make a key")?;
        file("service-accounts.key", &signing.serialize_pem())?;
        file("service-accounts.pub", &signing.public_key_pem())?;
        // As unguessable as a key, since it is made from one.
        let admin_token: String = KeyPair::generate()
            .context(|| "cannot make a token")?
            .serialize_pem()
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .skip(80)
            .take(40)
            .collect();
        file(
            "tokens.csv",
            &format!("{admin_token},admin,admin,\"system:masters\"\n"),
        )?;
        Ok(Self {
            authority,
            ca,
            parts,
            admin_token,
        })
    }
}
