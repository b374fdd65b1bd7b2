//! Asks the metadata services who they are.

use tokio::task::JoinSet;

use crate::{
    document::{alibaba, azure, ec2, gcp},
    metadata::{Client, Error, Question},
    provider::Provider,
    settings::Metadata,
};

/// Why a probe proved nothing, for the log.
#[derive(Debug, thiserror::Error)]
pub enum Unproven {
    /// Nothing was read.
    #[error(transparent)]
    Metadata(#[from] Error),
    /// What was read is not what the provider's service says.
    #[error("{0}")]
    Other(String),
}

/// Asks all services at once, each within its time limits: the first sure answer.
pub async fn provider(settings: &Metadata) -> Option<Provider> {
    let mut probes = JoinSet::new();
    for provider in Provider::ALL {
        let settings = settings.clone();
        probes.spawn(async move { (provider, is(provider, &settings).await) });
    }
    while let Some(probe) = probes.join_next().await {
        match probe {
            Ok((provider, Ok(()))) => return Some(provider),
            Ok((provider, Err(why))) => tracing::debug!(%provider, %why, "Not this provider."),
            Err(error) => tracing::debug!(%error, "A probe ended early."),
        }
    }
    None
}

/// Asks one provider's service at each of its addresses, until one answers.
async fn is(provider: Provider, settings: &Metadata) -> Result<(), Unproven> {
    let mut client = Client::new(provider, settings).map_err(Unproven::Other)?;
    let addresses = if settings.url.is_empty() {
        provider.bases().len()
    } else {
        settings.url.len()
    };
    let question = question(provider);
    let mut last = Err(Unproven::Other("it has no address".to_owned()));
    for _ in 0..addresses {
        last = match client.ask(&question).await {
            Ok(Some(document)) if proves(provider, &document.body) => return Ok(()),
            Ok(_) => Err(Unproven::Other(format!("{} is not its", question.path))),
            Err(error) if error.answered() => return Err(error.into()),
            Err(error) => Err(error.into()),
        };
    }
    last
}

fn question(provider: Provider) -> Question<'static> {
    let (path, query) = match provider {
        Provider::Aws => (ec2::IDENTITY, ""),
        Provider::Gcp => (gcp::ID, ""),
        Provider::Azure => (azure::COMPUTE, azure::COMPUTE_QUERY),
        Provider::Alibaba => (alibaba::INSTANCE_TYPE, ""),
        Provider::Oracle => ("/opc/v2/instance/id", ""),
        Provider::DigitalOcean => ("/metadata/v1/id", ""),
    };
    Question {
        query,
        ..Question::of(path)
    }
}

/// Whether only this provider's service says so in answer to its probe.
pub fn proves(provider: Provider, body: &[u8]) -> bool {
    let text = std::str::from_utf8(body).unwrap_or_default().trim();
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match provider {
        Provider::Aws => ec2::identity(body).is_ok_and(|identity| identity.instance_id.starts_with("i-")),
        Provider::Azure => azure::identity(body).is_ok(),
        Provider::Alibaba => text.starts_with("ecs."),
        Provider::Oracle => text.starts_with("ocid1.instance."),
        // Google's answers bear its header, too.
        Provider::Gcp | Provider::DigitalOcean => is_number,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proofs() {
        let documents = [
            (Provider::Aws, r#"{"instanceId": "i-0d2aab13057917887"}"#),
            (
                Provider::Azure,
                r#"{"vmId": "02aab8a4-74ef-476e-8182-f6d2ba4166a6", "name": "vm"}"#,
            ),
            (Provider::Alibaba, "ecs.g6e.large"),
            (Provider::Oracle, "ocid1.instance.oc1.phx.abyhqljr"),
        ];
        for (provider, document) in documents {
            for other in Provider::ALL {
                assert_eq!(
                    proves(other, document.as_bytes()),
                    other == provider,
                    "{other}: {document}"
                );
            }
        }
        for document in ["", "<html>", "{}", "404", "m5.large"] {
            for provider in [
                Provider::Aws,
                Provider::Azure,
                Provider::Alibaba,
                Provider::Oracle,
            ] {
                assert!(!proves(provider, document.as_bytes()), "{provider}: {document}");
            }
        }
        assert!(proves(Provider::Gcp, b"4520031799277581759") && proves(Provider::DigitalOcean, b"2756294"));
        assert!(!proves(Provider::DigitalOcean, b"") && !proves(Provider::DigitalOcean, b"<html>"));
    }
}
