//! Who may speak: nobody without the secret, and by a signed token nobody but its subject.
//!
//! Input: one byte, then `0`: a header `Authorization`; `1`: the claims of a token, which is signed here with the key.

use std::sync::LazyLock;

use data_encoding::BASE64URL_NOPAD;
use hollowtrees_gateway::{
    auth::{Guard, Shown},
    config::{DEFAULTS, Settings},
};
use hollowtrees_runtime::config::Loader;
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use serde_json::{Map, Value};

const KEY: &str = "0123456789abcdef0123456789abcdef";

static GUARD: LazyLock<Guard> = LazyLock::new(|| {
    let env = [
        ("HT_CLUSTER", "home"),
        ("HT_AUTH__JWT__KEY", KEY),
        ("HT_AUTH__JWT__KEY_FORM", "text"),
        ("HT_AUTH__USER", "prometheus"),
        ("HT_AUTH__PASSWORD", "a password of nobody's"),
    ];
    let env = env.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let loaded = Loader::new(DEFAULTS).env(env.into()).load::<Settings>();
    Guard::new(&loaded.expect("good settings").own.auth, false).expect("a key")
});

fn signed(claims: &[u8]) -> String {
    let head = BASE64URL_NOPAD.encode(br#"{"alg":"HS256","typ":"JWT"}"#);
    let text = format!("{head}.{}", BASE64URL_NOPAD.encode(claims));
    let key = EncodingKey::from_secret(KEY.as_bytes());
    let signature = crypto::sign(text.as_bytes(), &key, Algorithm::HS256).expect("it signs");
    format!("{text}.{signature}")
}

pub(crate) fn reads(input: &[u8]) -> bool {
    let Some((choice, rest)) = crate::choice(input, 2) else {
        return false;
    };
    let admit = |header: &str| {
        GUARD.admit(Shown {
            authorization: Some(header),
            ..Shown::default()
        })
    };
    if choice == 0 {
        let admitted = admit(&String::from_utf8_lossy(rest));
        assert!(admitted.is_err(), "without the key: {admitted:?}");
        return true;
    }
    let Ok(client) = admit(&format!("Bearer {}", signed(rest))) else {
        return false;
    };
    // Bytes in a claim that nobody looks at are not looked at.
    let Ok(claims) = serde_json::from_slice::<Map<String, Value>>(rest) else {
        return true;
    };
    let subject = claims.get("sub").and_then(Value::as_str).expect("a subject");
    if let Some(tenant) = &client.tenant {
        let named = format!("clusters/{}/{}", tenant.org, tenant.cluster);
        assert_eq!(subject.trim_matches('/'), named);
    }
    true
}
