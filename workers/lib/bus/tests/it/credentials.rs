//! Proving who we are with keys instead of passwords.

use std::path::PathBuf;

use data_encoding::BASE64URL_NOPAD;
use hollowtrees_bus::{Auth, Bus, ConnectError, Options};
use hollowtrees_harness::Nats;
use nkeys::KeyPair;
use serde_json::{Value, json};

/// Files with credentials, gone with the test.
struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

async fn connect(nats: &Nats, auth: Auth) -> Result<Bus, ConnectError> {
    Bus::connect(&Options {
        auth,
        ..Options::new(nats.url())
    })
    .await
}

/// It can do what it connected for.
async fn works(bus: &Bus) {
    assert!(bus.ping(std::time::Duration::from_secs(10)).await.is_some());
}

#[track_caller]
fn is_refused(answer: Result<Bus, ConnectError>, nats: &Nats, setting: &str) {
    let error = answer.err().expect("nobody knows this key");
    let text = error.to_string();
    assert!(
        matches!(error, ConnectError::Refused { .. }) && !error.is_transient(),
        "{text}"
    );
    assert!(text.contains(&nats.url()) && text.contains(setting), "{text}");
}

#[track_caller]
fn is_unusable(answer: Result<Bus, ConnectError>, path: &str, setting: &str) {
    let error = answer.err().expect("it holds no such thing");
    let text = error.to_string();
    assert!(
        matches!(error, ConnectError::Credentials { .. }) && !error.is_transient(),
        "{text}"
    );
    assert!(text.contains(path) && text.contains(setting), "{text}");
}

#[tokio::test]
async fn an_nkey_opens_the_door_and_another_does_not() {
    let (ours, strangers) = (KeyPair::new_user(), KeyPair::new_user());
    let nats = Nats::builder()
        .config(&format!(
            "authorization {{ users: [ {{ nkey: {} }} ] }}",
            ours.public_key()
        ))
        .start()
        .await
        .unwrap();
    let files = Files::new();
    let with = async |name: &str, text: &str| connect(&nats, Auth::NkeyFile(files.write(name, text))).await;

    let seed = ours.seed().unwrap();
    works(&with("bare.nk", &seed).await.unwrap()).await;
    works(&with("line.nk", &format!("{seed}\n")).await.unwrap()).await;
    is_refused(
        with("strangers.nk", &strangers.seed().unwrap()).await,
        &nats,
        "HT_NATS__NKEY",
    );
    is_refused(connect(&nats, Auth::None).await, &nats, "HT_NATS__NKEY");

    // What the server was never asked is no refusal of its.
    let (before, last) = seed.split_at(seed.len() - 1);
    let mistyped = format!("{before}{}", if last == "A" { "B" } else { "A" });
    for (name, text) in [
        ("empty.nk", ""),
        ("public.nk", ours.public_key().as_str()),
        ("mistyped.nk", mistyped.as_str()),
        ("other.nk", "-----BEGIN PRIVATE KEY-----"),
    ] {
        let answer = with(name, text).await;
        let told = answer.as_ref().err().map(ToString::to_string).unwrap_or_default();
        assert!(text.is_empty() || !told.contains(text), "{told}");
        is_unusable(answer, name, "HT_NATS__NKEY");
    }
    let missing = Auth::NkeyFile(files.0.path().join("missing.nk"));
    is_unusable(connect(&nats, missing).await, "missing.nk", "HT_NATS__NKEY");
}

/// An operator, its system account and one with JetStream: what a server in operator mode trusts.
struct Trust {
    account: KeyPair,
    config: String,
}

/// Signed as `nsc` signs: a JWT with NATS' own algorithm.
fn token(issuer: &KeyPair, subject: &KeyPair, claims: &Value) -> String {
    let payload = json!({
        "jti": "test",
        "iat": 1_750_000_000,
        "iss": issuer.public_key(),
        "sub": subject.public_key(),
        "name": "test",
        "nats": claims,
    });
    let header = json!({ "typ": "JWT", "alg": "ed25519-nkey" });
    let said = [header, payload].map(|part| BASE64URL_NOPAD.encode(part.to_string().as_bytes()));
    let said = said.join(".");
    let signature = issuer.sign(said.as_bytes()).unwrap();
    format!("{said}.{}", BASE64URL_NOPAD.encode(&signature))
}

impl Trust {
    fn new() -> Self {
        let (operator, system, account) = (
            KeyPair::new_operator(),
            KeyPair::new_account(),
            KeyPair::new_account(),
        );
        let unlimited = json!({
            "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true,
            "conn": -1, "leaf": -1, "mem_storage": -1, "disk_storage": -1, "streams": -1, "consumer": -1,
        });
        let without_jetstream = json!({
            "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true,
            "conn": -1, "leaf": -1,
        });
        let of = |who: &KeyPair, limits: Value| {
            let claims = json!({ "type": "account", "version": 2, "limits": limits });
            format!("{}: \"{}\"", who.public_key(), token(&operator, who, &claims))
        };
        let config = format!(
            "operator: \"{}\"\nsystem_account: {}\nresolver: MEMORY\nresolver_preload: {{\n{}\n{}\n}}",
            token(&operator, &operator, &json!({ "type": "operator", "version": 2 })),
            system.public_key(),
            of(&system, without_jetstream),
            of(&account, unlimited),
        );
        Self { account, config }
    }

    /// A `.creds` file of a new user that `issuer` lets in.
    fn credentials(issuer: &KeyPair) -> String {
        let user = KeyPair::new_user();
        let claims = json!({ "type": "user", "version": 2, "subs": -1, "data": -1, "payload": -1 });
        let jwt = token(issuer, &user, &claims);
        let seed = user.seed().unwrap();
        format!(
            "-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n\
             -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
        )
    }
}

#[tokio::test]
async fn a_credentials_file_opens_the_door_and_another_accounts_does_not() {
    let trust = Trust::new();
    let nats = Nats::builder().config(&trust.config).start().await.unwrap();
    let files = Files::new();
    let with =
        async |name: &str, text: &str| connect(&nats, Auth::CredentialsFile(files.write(name, text))).await;

    let ours = Trust::credentials(&trust.account);
    works(&with("ours.creds", &ours).await.unwrap()).await;
    is_refused(
        with("strangers.creds", &Trust::credentials(&KeyPair::new_account())).await,
        &nats,
        "HT_NATS__CREDENTIALS",
    );
    let without_seed = ours.split("-----BEGIN USER").next().unwrap();
    for (name, text) in [("empty.creds", ""), ("seedless.creds", without_seed)] {
        is_unusable(with(name, text).await, name, "HT_NATS__CREDENTIALS");
    }
    let missing = Auth::CredentialsFile(files.0.path().join("missing.creds"));
    is_unusable(
        connect(&nats, missing).await,
        "missing.creds",
        "HT_NATS__CREDENTIALS",
    );
}
