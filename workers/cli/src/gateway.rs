//! The gateway, where its dead letters are posted again. Secrets come from files or the environment: a command line is seen by
//! everybody on the machine.

use std::{env, fs, path::Path, path::PathBuf, sync::Arc, time::Duration};

use bytes::Bytes;
use clap::Args;
use data_encoding::BASE64;
use http::{HeaderValue, Request, StatusCode, Uri, header, uri::Scheme};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client as Pool, connect::HttpConnector},
    rt::TokioExecutor,
};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

use crate::exit::Failure;

/// The bearer token, where no file has it.
pub const TOKEN: &str = "HOLLOWTREES_GATEWAY_TOKEN";
/// The password that goes with `--user`, where no file has it.
pub const PASSWORD: &str = "HOLLOWTREES_GATEWAY_PASSWORD";
/// A gateway answers within eight seconds unless it is told otherwise.
const ANSWERS_WITHIN: Duration = Duration::from_secs(30);
/// Of an answer, in bytes.
const LARGEST: usize = 256 * 1024;

/// Where the gateway is, and who we are to it.
#[derive(Clone, Debug, Args)]
#[group(skip)]
#[command(next_help_heading = "The gateway")]
pub struct Gateway {
    /// The gateway, where its own dead letters are posted again: http://HOST:PORT or https://HOST:PORT, maybe with a path
    #[arg(long, value_name = "URL", value_parser = parse_base)]
    pub gateway: Option<Base>,
    /// File with our bearer token [default: the environment's HOLLOWTREES_GATEWAY_TOKEN, where it is set]
    #[arg(long, value_name = "FILE", conflicts_with = "user", requires = "gateway")]
    pub token_file: Option<PathBuf>,
    /// Our user, in place of a token
    #[arg(long, value_name = "NAME", requires = "gateway")]
    pub user: Option<String>,
    /// File with the user's password [default: the environment's HOLLOWTREES_GATEWAY_PASSWORD]
    #[arg(long, value_name = "FILE", requires = "user")]
    pub password_file: Option<PathBuf>,
    /// PEM file with the authorities that the gateway's certificate is checked by [default: the system's]
    #[arg(long, value_name = "FILE", requires = "gateway")]
    pub ca: Option<PathBuf>,
    /// PEM file with our certificate, where the gateway wants one
    #[arg(long, value_name = "FILE", requires = "key")]
    pub certificate: Option<PathBuf>,
    /// PEM file with its key
    #[arg(long, value_name = "FILE", requires = "certificate")]
    pub key: Option<PathBuf>,
}

/// The gateway's address, before the paths it serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    address: String,
    is_tls: bool,
}

/// Posts to a gateway.
pub struct Client {
    base: Base,
    authorization: Option<HeaderValue>,
    pool: Pool<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

/// What a gateway said.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The body.
    pub body: Bytes,
}

fn parse_base(text: &str) -> Result<Base, String> {
    let uri: Uri = text
        .parse()
        .map_err(|_| "is no address: http://HOST:PORT or https://HOST:PORT".to_owned())?;
    let is_tls = match uri.scheme() {
        Some(scheme) if *scheme == Scheme::HTTPS => true,
        Some(scheme) if *scheme == Scheme::HTTP => false,
        _ => return Err("begins with neither http:// nor https://".to_owned()),
    };
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    if authority.contains('@') {
        return Err(format!(
            "has a user in it, which everybody on this machine can see; use --token-file, or --user and --password-file, or {TOKEN}"
        ));
    }
    if uri.query().is_some() {
        return Err("has a query; only a host, and maybe a path".to_owned());
    }
    Ok(Base {
        address: text.trim_end_matches('/').to_owned(),
        is_tls,
    })
}

impl Gateway {
    /// What posts to it; none where none is named.
    ///
    /// # Errors
    /// A file that cannot be used.
    pub fn client(&self) -> Result<Option<Client>, Failure> {
        let Some(base) = self.gateway.clone() else {
            return Ok(None);
        };
        let authorization = self.authorization()?.map(|text| {
            let mut value = HeaderValue::try_from(text)
                .map_err(|_| Failure::usage("the token is no line of text; is it the right file?"))?;
            value.set_sensitive(true);
            Ok::<_, Failure>(value)
        });
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(self.tls(base.is_tls)?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector);
        Ok(Some(Client {
            base,
            authorization: authorization.transpose()?,
            pool: Pool::builder(TokioExecutor::new()).build(connector),
        }))
    }

    fn authorization(&self) -> Result<Option<String>, Failure> {
        if let Some(user) = &self.user {
            let password = secret(self.password_file.as_deref(), PASSWORD)?.ok_or_else(|| {
                Failure::usage(format!(
                    "no password of {user}; set {PASSWORD}, or --password-file"
                ))
            })?;
            let pair = BASE64.encode(format!("{user}:{password}").as_bytes());
            return Ok(Some(format!("Basic {pair}")));
        }
        let token = secret(self.token_file.as_deref(), TOKEN)?;
        Ok(token.map(|token| format!("Bearer {token}")))
    }

    fn tls(&self, is_used: bool) -> Result<ClientConfig, Failure> {
        let unusable = |what: &dyn std::fmt::Display| Failure::usage(format!("cannot set up TLS: {what}"));
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable(&error))?;
        let config = match &self.ca {
            None if is_used => config.with_native_roots().map_err(|error| {
                unusable(&format_args!("{error}; give the gateway's authorities with --ca"))
            })?,
            ca => {
                let mut roots = RootCertStore::empty();
                for certificate in ca.iter().map(|path| certificates(path)) {
                    let (added, _) = roots.add_parsable_certificates(certificate?);
                    if added == 0 {
                        return Err(Failure::usage("--ca has no authority's certificate in it"));
                    }
                }
                config.with_root_certificates(roots)
            }
        };
        let (Some(certificate), Some(key)) = (&self.certificate, &self.key) else {
            return Ok(config.with_no_client_auth());
        };
        let chain = certificates(certificate)?;
        let key = PrivateKeyDer::from_pem_file(key)
            .map_err(|error| Failure::usage(format!("{}: {error}", key.display())))?;
        config
            .with_client_auth_cert(chain, key)
            .map_err(|error| unusable(&error))
    }
}

impl Client {
    /// Posts a body to a path of the gateway.
    ///
    /// # Errors
    /// No answer.
    pub async fn post(
        &self,
        path: &str,
        headers: &[(String, String)],
        body: Bytes,
    ) -> Result<Answer, Failure> {
        let address = format!("{}{path}", self.base.address);
        let mut request = Request::post(&address);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        if let Some(authorization) = &self.authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        let request = request.body(Full::new(body));
        let request = request
            .map_err(|error| Failure::negative(format!("nothing can be posted to {address}: {error}")))?;
        match tokio::time::timeout(ANSWERS_WITHIN, self.exchange(request)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(why)) => Err(Failure::unavailable(format!(
                "the gateway at {} does not answer: {why}",
                self.base.address
            ))),
            Err(_) => Err(Failure::unavailable(format!(
                "the gateway at {} has not answered within {} s",
                self.base.address,
                ANSWERS_WITHIN.as_secs()
            ))),
        }
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Answer, String> {
        let answer = self.pool.request(request).await;
        let answer = answer.map_err(|error| hollowtrees_runtime::exit::chain(&error))?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), LARGEST).collect().await;
        let body = body.map_err(|_| "its answer broke off, or is too large".to_owned())?;
        Ok(Answer {
            status,
            body: body.to_bytes(),
        })
    }
}

/// What a file or else a variable holds; none where neither is.
fn secret(file: Option<&Path>, variable: &str) -> Result<Option<String>, Failure> {
    let text = match file {
        Some(path) => fs::read_to_string(path)
            .map_err(|error| Failure::usage(format!("cannot read {}: {error}", path.display())))?,
        None => env::var(variable).unwrap_or_default(),
    };
    let text = text.trim().to_owned();
    match file {
        Some(path) if text.is_empty() => Err(Failure::usage(format!("{} is empty", path.display()))),
        _ => Ok(Some(text).filter(|text| !text.is_empty())),
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let unusable = |error: &dyn std::fmt::Display| Failure::usage(format!("{}: {error}", path.display()));
    let found = CertificateDer::pem_file_iter(path).map_err(|error| unusable(&error))?;
    let found: Vec<_> = found
        .collect::<Result<_, _>>()
        .map_err(|error| unusable(&error))?;
    if found.is_empty() {
        return Err(unusable(&"has no certificate in it"));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let base = |text: &str| parse_base(text).map(|base| (base.address, base.is_tls));
        assert_eq!(base("http://a:9191/"), Ok(("http://a:9191".to_owned(), false)));
        assert_eq!(base("https://a/x/"), Ok(("https://a/x".to_owned(), true)));
        for (text, expected) in [
            ("a:9191", "neither http"),
            ("ftp://a", "neither http"),
            ("http://", "no address"),
            ("https://ops:secret@a", "--token-file"),
            ("https://a/?token=secret", "query"),
        ] {
            let refused = base(text).unwrap_err();
            assert!(
                refused.contains(expected) && !refused.contains("secret"),
                "{refused}"
            );
        }
    }
}
