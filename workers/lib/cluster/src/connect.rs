//! How to reach the API server.

use std::{path::PathBuf, time::Duration};

use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};

/// Where the API server is and who we are to it.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// A kubeconfig file. Without one: `KUBECONFIG`, `~/.kube/config`, then the pod's service account.
    pub kubeconfig: Option<PathBuf>,
    /// A context of that file other than its current one.
    pub context: Option<String>,
}

/// Why there is no way to the API server.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The named file is of no use.
    #[error("the kubeconfig {} cannot be used: {cause}", path.display())]
    Kubeconfig {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// Nothing says where the API server is.
    #[error(
        "no Kubernetes API server is known ({0}); set cluster.kubeconfig (HT_CLUSTER__KUBECONFIG), or run in a pod with a \
         service account"
    )]
    Unknown(String),
    /// The client cannot be made.
    #[error("cannot set up a Kubernetes client: {0}")]
    Client(String),
}

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

pub(crate) async fn client(access: &Access) -> Result<Client, ConnectError> {
    let mut config = match &access.kubeconfig {
        Some(path) => {
            let wrong = |cause: String| ConnectError::Kubeconfig {
                path: path.clone(),
                cause,
            };
            let file = Kubeconfig::read_from(path).map_err(|error| wrong(error.to_string()))?;
            let options = KubeConfigOptions {
                context: access.context.clone(),
                ..KubeConfigOptions::default()
            };
            Config::from_custom_kubeconfig(file, &options)
                .await
                .map_err(|error| wrong(error.to_string()))?
        }
        None => Config::infer()
            .await
            .map_err(|error| ConnectError::Unknown(error.to_string()))?,
    };
    // The client's own retry would hide a budget's refusal for minutes; who asks decides what a refusal means.
    config.default_retry = false;
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    Client::try_from(config).map_err(|error| ConnectError::Client(error.to_string()))
}
