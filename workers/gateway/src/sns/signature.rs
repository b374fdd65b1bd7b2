//! Whether SNS signed a message: its certificates, fetched from SNS and kept.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use aws_lc_rs::signature::{
    RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey,
};
use bytes::Bytes;
use data_encoding::BASE64;
use hollowtrees_runtime::exit::chain;
use http::{Request, Uri};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use x509_parser::{pem::parse_x509_pem, time::ASN1Time};

use super::message::{Address, Digest, Message, Odd};

/// One request to SNS.
const TIME: Duration = Duration::from_secs(5);
/// Of an answer, in bytes; a certificate has two thousand.
const LARGEST: usize = 64 * 1024;
/// How long a certificate is not fetched again.
const FRESH: Duration = Duration::from_secs(24 * 3600);
/// Certificates kept; SNS has one a region and renews it yearly.
const KEPT: usize = 64;

/// Why a message is not taken.
#[derive(Debug, thiserror::Error)]
pub enum Unproven {
    /// It has not the form of one.
    #[error(transparent)]
    Odd(#[from] Odd),
    /// Its certificate, or the address that confirms it, is not SNS's.
    #[error("`{0}` is no address of SNS's (https://sns.REGION.amazonaws.com/...)")]
    Address(&'static str),
    /// What is at that address is no certificate that counts now.
    #[error("the certificate at `SigningCertURL` {0}")]
    Certificate(&'static str),
    /// It was not signed with that certificate.
    #[error("the signature is not SNS's for this message")]
    Signature,
    /// SNS cannot be asked now.
    #[error("SNS cannot be asked now: {0}")]
    Unreachable(String),
}

/// Asks SNS. Cheap to share.
pub struct Certificates {
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
    endpoint: String,
    known: Mutex<HashMap<String, Known>>,
}

#[derive(Clone)]
struct Known {
    /// A public key of RSA (PKCS #1).
    key: Arc<[u8]>,
    /// First second in which the certificate does not count any more.
    ends: i64,
    until: Instant,
}

impl Certificates {
    /// `endpoint`: a stand-in's scheme and host; empty: SNS itself, by TLS and the system's authorities only.
    ///
    /// # Errors
    /// The system's authorities cannot be read.
    pub fn new(endpoint: &str) -> Result<Self, std::io::Error> {
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let builder = HttpsConnectorBuilder::new().with_provider_and_native_roots(provider)?;
        let connector = if endpoint.is_empty() {
            builder.https_only()
        } else {
            builder.https_or_http()
        };
        Ok(Self {
            client: Client::builder(TokioExecutor::new()).build(connector.enable_http1().build()),
            endpoint: endpoint.to_owned(),
            known: Mutex::default(),
        })
    }

    /// Whether SNS signed it. `now`: seconds since 1970.
    ///
    /// # Errors
    /// It did not, or cannot be asked.
    pub async fn check(&self, message: &Message, now: i64) -> Result<(), Unproven> {
        let signed = message.signed()?;
        let digest = message.digest()?;
        let signature = BASE64
            .decode(message.signature().as_bytes())
            .map_err(|_| Unproven::Signature)?;
        let address = Address::of_sns(message.certificate())
            .filter(Address::is_of_certificate)
            .ok_or(Unproven::Address("SigningCertURL"))?;
        let known = self.known(&address).await?;
        if now >= known.ends {
            return Err(Unproven::Certificate("has expired"));
        }
        let algorithm = match digest {
            Digest::Sha1 => &RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
            Digest::Sha256 => &RSA_PKCS1_2048_8192_SHA256,
        };
        UnparsedPublicKey::new(algorithm, &known.key)
            .verify(signed.as_bytes(), &signature)
            .map_err(|_| Unproven::Signature)
    }

    /// Tells SNS that a topic may post.
    ///
    /// # Errors
    /// It is not SNS that asks, or it does not answer.
    pub async fn confirm(&self, message: &Message) -> Result<(), Unproven> {
        let asked = message.answered_at().and_then(Address::of_sns);
        let address = asked.ok_or(Unproven::Address("SubscribeURL"))?;
        self.fetch(&address).await.map(drop)
    }

    async fn known(&self, address: &Address) -> Result<Known, Unproven> {
        let name = address.to_string();
        let kept = self.lock().get(&name).cloned();
        if let Some(known) = kept.filter(|known| known.until > Instant::now()) {
            return Ok(known);
        }
        let known = read(&self.fetch(address).await?)?;
        let mut kept = self.lock();
        if kept.len() >= KEPT {
            kept.clear();
        }
        kept.insert(name, known.clone());
        Ok(known)
    }

    async fn fetch(&self, address: &Address) -> Result<Bytes, Unproven> {
        let uri = address.at(&self.endpoint);
        let uri = uri.ok_or_else(|| Unproven::Unreachable("sns.endpoint is no address".to_owned()))?;
        match tokio::time::timeout(TIME, self.get(uri)).await {
            Ok(Ok(body)) => Ok(body),
            Ok(Err(why)) => Err(Unproven::Unreachable(why)),
            Err(_) => Err(Unproven::Unreachable("no answer in 5 s".to_owned())),
        }
    }

    async fn get(&self, uri: Uri) -> Result<Bytes, String> {
        let request = Request::get(uri).body(Empty::new());
        let request = request.map_err(|error| error.to_string())?;
        let answer = self
            .client
            .request(request)
            .await
            .map_err(|error| chain(&error))?;
        if !answer.status().is_success() {
            return Err(format!("it answers {}", answer.status()));
        }
        let body = Limited::new(answer.into_body(), LARGEST).collect().await;
        let body = body.map_err(|_| "its answer broke off, or is too large".to_owned())?;
        Ok(body.to_bytes())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The key of a certificate in PEM.
fn read(text: &[u8]) -> Result<Known, Unproven> {
    let none = Unproven::Certificate("is none that can be read");
    let Ok((_, pem)) = parse_x509_pem(text) else {
        return Err(none);
    };
    let Ok(certificate) = pem.parse_x509() else {
        return Err(none);
    };
    let validity = certificate.validity();
    if !validity.is_valid_at(ASN1Time::now()) {
        return Err(Unproven::Certificate("does not count yet, or not any more"));
    }
    Ok(Known {
        key: Arc::from(&*certificate.public_key().subject_public_key.data),
        ends: validity.not_after.timestamp(),
        until: Instant::now() + FRESH,
    })
}
