//! Who is recognised, and who is not, by what is shown.

use hollowtrees_runtime::config::Loader;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use super::*;
use crate::config::{DEFAULTS, Settings};

fn guard(env: &[(&str, &str)]) -> Guard {
    let env = env
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    let config = Loader::new(DEFAULTS)
        .env(env.collect())
        .load::<Settings>()
        .unwrap();
    Guard::new(&config.own.auth, config.own.http.tls.client_ca.is_some()).unwrap()
}

fn header(guard: &Guard, value: &str) -> Result<Arc<Client>, Denied> {
    guard.admit(Shown {
        authorization: Some(value),
        ..Shown::default()
    })
}

/// A token as Pipeline issued it.
fn token(key: &str, claims: &Value, algorithm: Algorithm) -> String {
    let key = data_encoding::BASE32.encode(key.as_bytes());
    jsonwebtoken::encode(
        &Header::new(algorithm),
        claims,
        &EncodingKey::from_secret(key.as_bytes()),
    )
    .unwrap()
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    file
}

#[test]
fn without_any_setting_anybody_speaks() {
    assert_eq!(guard(&[]).admit(Shown::default()).unwrap().name, "anyone");
}

#[test]
fn a_token_and_a_password_let_in_and_nothing_near_them_does() {
    let guard = guard(&[
        ("HT_AUTH__TOKEN", "0123456789abcdef"),
        ("HT_AUTH__USER", "prometheus"),
        ("HT_AUTH__PASSWORD", "pass:word"),
    ]);
    let basic = |pair: &str| format!("Basic {}", BASE64.encode(pair.as_bytes()));
    for good in [
        "Bearer 0123456789abcdef".to_owned(),
        "bearer  0123456789abcdef".to_owned(),
        basic("prometheus:pass:word"),
    ] {
        assert_eq!(header(&guard, &good).unwrap().name, "default", "{good}");
    }
    for bad in [
        String::new(),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        "Bearer 0123456789abcdee".to_owned(),
        "Bearer 0123456789abcdef0".to_owned(),
        "Bearer prometheus:pass:word".to_owned(),
        "Basic 0123456789abcdef".to_owned(),
        "Digest 0123456789abcdef".to_owned(),
        basic("prometheus:"),
        basic("prometheus"),
        basic(":pass:word"),
        "Basic !".to_owned(),
    ] {
        let denied = header(&guard, &bad).unwrap_err().to_string();
        assert!(!denied.contains("0123456789"), "{denied}");
    }
    guard.admit(Shown::default()).unwrap_err();
}

#[test]
fn the_originals_tokens_speak_for_their_cluster() {
    let guard = guard(&[("HT_AUTH__JWT__KEY", "a signing key")]);
    let claims = json!({"sub": "clusters/1/42", "iss": "https://banzaicloud.com", "aud": "x", "scope": "api:invoke", "iat": 1});
    for algorithm in [Algorithm::HS256, Algorithm::HS512] {
        let bearer = format!("Bearer {}", token("a signing key", &claims, algorithm));
        let client = header(&guard, &bearer).unwrap();
        assert_eq!(client.name, "clusters/1/42");
        assert!(client.may_speak_for("42") && !client.may_speak_for("43"));
        assert_eq!(client.tenant, Tenant::parse("clusters/1/42"));
    }
    let refused = |claims: Value, key: &str, expected: &str| {
        let bearer = format!("Bearer {}", token(key, &claims, Algorithm::HS256));
        let denied = header(&guard, &bearer).unwrap_err().to_string();
        assert!(denied.contains(expected), "{denied}");
    };
    refused(claims, "another key", "signature");
    refused(
        json!({"sub": "clusters/1/42", "exp": 1}),
        "a signing key",
        "expired",
    );
    refused(
        json!({"sub": "clusters/1/42", "nbf": 9_999_999_999_u64}),
        "a signing key",
        "not valid yet",
    );
    // What brought the original down.
    refused(json!({"sub": "users/1"}), "a signing key", "clusters/ORG/CLUSTER");
    refused(
        json!({"sub": "clusters/x"}),
        "a signing key",
        "clusters/ORG/CLUSTER",
    );
    refused(json!({"iss": "x"}), "a signing key", "cannot be read");
    // `none` is no signature.
    let unsigned = "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJjbHVzdGVycy8xLzQyIn0.";
    header(&guard, unsigned).unwrap_err();
    header(&guard, "Bearer a.b.c").unwrap_err();
}

#[test]
fn what_a_token_has_to_say_can_be_set() {
    let guard = guard(&[
        ("HT_AUTH__JWT__KEY", "a signing key"),
        ("HT_AUTH__JWT__ISSUER", "us"),
        ("HT_AUTH__JWT__AUDIENCE", "here"),
        ("HT_AUTH__JWT__REQUIRE_EXPIRY", "true"),
    ]);
    let good = json!({"sub": "clusters/1/42", "iss": "us", "aud": "here", "exp": 9_999_999_999_u64});
    let show = |claims: &Value| {
        let bearer = format!("Bearer {}", token("a signing key", claims, Algorithm::HS256));
        header(&guard, &bearer)
    };
    show(&good).unwrap();
    for (claim, value) in [
        ("iss", json!("them")),
        ("aud", json!("there")),
        ("exp", Value::Null),
        ("iss", Value::Null),
        ("aud", Value::Null),
    ] {
        let mut claims = good.clone();
        claims[claim] = value;
        if claims[claim].is_null() {
            claims.as_object_mut().unwrap().remove(claim);
        }
        show(&claims).unwrap_err();
    }
}

#[test]
fn a_key_of_another_form_and_a_public_key() {
    let claims = json!({"sub": "clusters/1/42"});
    let secret = EncodingKey::from_secret(b"plain bytes");
    let bearer = format!(
        "Bearer {}",
        jsonwebtoken::encode(&Header::default(), &claims, &secret).unwrap()
    );
    for (form, key) in [("text", "plain bytes"), ("base64", "cGxhaW4gYnl0ZXM=")] {
        let guard = guard(&[("HT_AUTH__JWT__KEY", key), ("HT_AUTH__JWT__KEY_FORM", form)]);
        header(&guard, &bearer).unwrap();
    }
    let pair = rcgen::KeyPair::generate().unwrap();
    let pem = file(&pair.public_key_pem());
    let guard = guard(&[("HT_AUTH__JWT__PUBLIC_KEY", pem.path().to_str().unwrap())]);
    let key = EncodingKey::from_ec_pem(pair.serialize_pem().as_bytes()).unwrap();
    let signed = jsonwebtoken::encode(&Header::new(Algorithm::ES256), &claims, &key).unwrap();
    header(&guard, &format!("Bearer {signed}")).unwrap();
    // The public key is no secret: signed with it as one, a token is nobody's.
    let confused = EncodingKey::from_secret(pair.public_key_pem().as_bytes());
    let confused = jsonwebtoken::encode(&Header::default(), &claims, &confused).unwrap();
    header(&guard, &format!("Bearer {confused}")).unwrap_err();
}

#[test]
fn the_file_says_who_may_what_and_is_read_again() {
    let clients = file(
        "version: 1\nclients:\n\
         - {name: prom, token: 0123456789, clusters: [prod]}\n\
         - {name: mesh, certificate: prometheus.monitoring.svc, clusters: ['*']}\n\
         - {name: old, subject: clusters/1/42, clusters: [prod]}\n",
    );
    let guard = guard(&[
        ("HT_AUTH__CLIENTS", clients.path().to_str().unwrap()),
        ("HT_AUTH__JWT__KEY", "k"),
    ]);
    assert_eq!(header(&guard, "Bearer 0123456789").unwrap().name, "prom");
    let bearer = format!(
        "Bearer {}",
        token("k", &json!({"sub": "clusters/1/42"}), Algorithm::HS256)
    );
    let old = header(&guard, &bearer).unwrap();
    assert!(old.name == "old" && old.may_speak_for("prod") && old.tenant.is_none());
    let certificate = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        guard
            .admit(Shown {
                certificate: &names,
                ..Shown::default()
            })
            .map(|client| client.name.clone())
    };
    assert_eq!(
        certificate(&["x", "prometheus.monitoring.svc"]),
        Ok("mesh".to_owned())
    );
    certificate(&["prometheus.monitoring"]).unwrap_err();
    std::fs::write(
        clients.path(),
        "version: 1\nclients:\n- {name: new, token: abcdefghij, clusters: [prod]}\n",
    )
    .unwrap();
    guard.reload().unwrap();
    assert_eq!(header(&guard, "Bearer abcdefghij").unwrap().name, "new");
    header(&guard, "Bearer 0123456789").unwrap_err();
    std::fs::write(clients.path(), "nonsense").unwrap();
    guard.reload().unwrap_err();
    assert_eq!(header(&guard, "Bearer abcdefghij").unwrap().name, "new");
}
