//! A message as a topic posts it, and what of it is signed: pure.
//!
//! Shapes: Amazon SNS developer guide, "Parsing message formats" and "Verifying the signatures of Amazon SNS messages".

use std::fmt;

use http::Uri;
use serde::Deserialize;

/// What a topic posts.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Message {
    #[serde(rename = "Type")]
    ty: String,
    message_id: String,
    topic_arn: String,
    subject: Option<String>,
    message: String,
    timestamp: String,
    signature_version: String,
    signature: String,
    #[serde(rename = "SigningCertURL")]
    signing_cert_url: String,
    #[serde(rename = "SubscribeURL")]
    subscribe_url: Option<String>,
    token: Option<String>,
}

/// What it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// It carries something.
    Notification,
    /// May the topic post?
    Confirmation,
    /// The topic will not post any more.
    Goodbye,
}

/// The hash under a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Digest {
    /// Version 1, the default of a topic.
    Sha1,
    /// Version 2.
    Sha256,
}

/// Why a message cannot be one of SNS's. Nothing of it is in here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Odd {
    /// A type nobody knows.
    #[error("`Type` is not Notification, SubscriptionConfirmation or UnsubscribeConfirmation")]
    Type,
    /// A version nobody knows.
    #[error("`SignatureVersion` is neither 1 nor 2")]
    Version,
    /// Something is missing that its type has.
    #[error("`{0}` is missing")]
    Missing(&'static str),
}

impl Message {
    /// Its id, the same when it is posted again.
    pub fn id(&self) -> &str {
        &self.message_id
    }

    /// ARN of its topic.
    pub fn topic(&self) -> &str {
        &self.topic_arn
    }

    /// What it carries.
    pub fn text(&self) -> &str {
        &self.message
    }

    /// When it was published, RFC 3339.
    pub fn timestamp(&self) -> &str {
        &self.timestamp
    }

    /// The signature, in base64.
    pub fn signature(&self) -> &str {
        &self.signature
    }

    /// Where the certificate is that it was signed with.
    pub fn certificate(&self) -> &str {
        &self.signing_cert_url
    }

    /// Where a confirmation is answered.
    pub fn answered_at(&self) -> Option<&str> {
        self.subscribe_url.as_deref()
    }

    /// What it is for.
    ///
    /// # Errors
    /// Nobody knows.
    pub fn purpose(&self) -> Result<Purpose, Odd> {
        match self.ty.as_str() {
            "Notification" => Ok(Purpose::Notification),
            "SubscriptionConfirmation" => Ok(Purpose::Confirmation),
            "UnsubscribeConfirmation" => Ok(Purpose::Goodbye),
            _ => Err(Odd::Type),
        }
    }

    /// The hash under its signature.
    ///
    /// # Errors
    /// Nobody knows.
    pub fn digest(&self) -> Result<Digest, Odd> {
        match self.signature_version.as_str() {
            "1" => Ok(Digest::Sha1),
            "2" => Ok(Digest::Sha256),
            _ => Err(Odd::Version),
        }
    }

    /// What is signed: names and values in alphabetical order, each on a line of its own.
    ///
    /// # Errors
    /// Something that is signed is missing.
    pub fn signed(&self) -> Result<String, Odd> {
        let mut signed = String::new();
        let mut line = |name: &str, value: &str| {
            for part in [name, "\n", value, "\n"] {
                signed.push_str(part);
            }
        };
        line("Message", &self.message);
        line("MessageId", &self.message_id);
        if self.purpose()? == Purpose::Notification {
            if let Some(subject) = &self.subject {
                line("Subject", subject);
            }
            line("Timestamp", &self.timestamp);
        } else {
            let (Some(url), Some(token)) = (&self.subscribe_url, &self.token) else {
                return Err(Odd::Missing("SubscribeURL` or `Token"));
            };
            line("SubscribeURL", url);
            line("Timestamp", &self.timestamp);
            line("Token", token);
        }
        line("TopicArn", &self.topic_arn);
        line("Type", &self.ty);
        Ok(signed)
    }
}

/// Account and region of a topic: `arn:aws:sns:REGION:ACCOUNT:NAME`.
pub fn place(topic: &str) -> (&str, &str) {
    let mut parts = topic.split(':').skip(3);
    let region = parts.next().unwrap_or_default();
    (parts.next().unwrap_or_default(), region)
}

/// An address of SNS itself: `https://sns.REGION.amazonaws.com/...`, or that of China.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address(Uri);

impl Address {
    /// From its text; none where it is anybody else's.
    pub fn of_sns(text: &str) -> Option<Self> {
        let uri: Uri = text.parse().ok()?;
        let authority = uri.authority()?;
        let host = authority.as_str();
        let rest = host.strip_prefix("sns.")?;
        let region = rest
            .strip_suffix(".amazonaws.com")
            .or_else(|| rest.strip_suffix(".amazonaws.com.cn"))?;
        let is_region = region.len() >= 3
            && region
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        // What has a port, a user or a dot in the region is none of theirs.
        (is_region && uri.scheme_str() == Some("https")).then_some(Self(uri))
    }

    /// Whether a certificate may be there.
    pub fn is_of_certificate(&self) -> bool {
        self.0.path().ends_with(".pem") && self.0.query().is_none()
    }

    /// The same with a stand-in. `endpoint`: scheme and host; empty: as it is.
    pub fn at(&self, endpoint: &str) -> Option<Uri> {
        if endpoint.is_empty() {
            return Some(self.0.clone());
        }
        let path = self.0.path_and_query().map_or("/", |path| path.as_str());
        format!("{endpoint}{path}").parse().ok()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn message(changes: &serde_json::Value) -> Message {
        let mut whole = json!({
            "Type": "Notification", "MessageId": "m-1", "TopicArn": "arn:aws:sns:eu-west-1:1:a", "Message": "one\ntwo",
            "Timestamp": "2026-10-01T12:00:00.000Z", "SignatureVersion": "1", "Signature": "x", "SigningCertURL": "u",
            "UnsubscribeURL": "v",
        });
        for (key, value) in changes.as_object().unwrap() {
            whole[key] = value.clone();
        }
        serde_json::from_value(whole).unwrap()
    }

    #[test]
    fn what_is_signed_is_as_the_guide_says() {
        assert_eq!(
            message(&json!({})).signed().unwrap(),
            "Message\none\ntwo\nMessageId\nm-1\nTimestamp\n2026-10-01T12:00:00.000Z\nTopicArn\n\
             arn:aws:sns:eu-west-1:1:a\nType\nNotification\n"
        );
        let with_subject = message(&json!({"Subject": "s"})).signed().unwrap();
        assert!(with_subject.contains("MessageId\nm-1\nSubject\ns\nTimestamp\n"));
        let confirmation =
            json!({"Type": "SubscriptionConfirmation", "Token": "t", "SubscribeURL": "https://b"});
        assert_eq!(
            message(&confirmation).signed().unwrap(),
            "Message\none\ntwo\nMessageId\nm-1\nSubscribeURL\nhttps://b\nTimestamp\n2026-10-01T12:00:00.000Z\nToken\nt\n\
             TopicArn\narn:aws:sns:eu-west-1:1:a\nType\nSubscriptionConfirmation\n"
        );
        let incomplete = message(&json!({"Type": "UnsubscribeConfirmation"}));
        assert!(matches!(incomplete.signed(), Err(Odd::Missing(_))));
        assert_eq!(message(&json!({"Type": "Other"})).signed(), Err(Odd::Type));
        assert_eq!(
            message(&json!({"SignatureVersion": "3"})).digest(),
            Err(Odd::Version)
        );
    }

    #[test]
    fn only_addresses_of_sns_are_asked() {
        for (text, expected) in [
            (
                "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0.pem",
                true,
            ),
            ("https://sns.cn-north-1.amazonaws.com.cn/a.pem", true),
            ("http://sns.eu-west-1.amazonaws.com/a.pem", false),
            ("https://sns.eu-west-1.amazonaws.com:8443/a.pem", false),
            ("https://me@sns.eu-west-1.amazonaws.com/a.pem", false),
            ("https://sns.eu-west-1.amazonaws.com.example.com/a.pem", false),
            ("https://sns.a.eu-west-1.amazonaws.com/a.pem", false),
            ("https://sns.amazonaws.com/a.pem", false),
            ("https://sns.example.com/sns.eu-west-1.amazonaws.com/a.pem", false),
            ("https://s3.eu-west-1.amazonaws.com/sns/a.pem", false),
            ("/a.pem", false),
            ("", false),
        ] {
            assert_eq!(Address::of_sns(text).is_some(), expected, "{text}");
        }
        let address = |text| Address::of_sns(text).unwrap();
        let certificate = address("https://sns.eu-west-1.amazonaws.com/a.pem");
        assert!(certificate.is_of_certificate());
        assert!(
            !address("https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription").is_of_certificate()
        );
        assert!(!address("https://sns.eu-west-1.amazonaws.com/a.pem?b=.pem").is_of_certificate());
        assert_eq!(certificate.at("").unwrap().to_string(), certificate.to_string());
        assert_eq!(
            certificate.at("http://127.0.0.1:1").unwrap().to_string(),
            "http://127.0.0.1:1/a.pem"
        );
    }

    #[test]
    fn a_topic_says_where_it_is() {
        assert_eq!(
            place("arn:aws:sns:eu-west-1:123456789012:a"),
            ("123456789012", "eu-west-1")
        );
        assert_eq!(place("odd"), ("", ""));
    }

    proptest! {
        #[test]
        fn whatever_is_posted_is_read_or_refused(
            ty in "Notification|.*Confirmation|\\PC*", version in "[12]|\\PC*", text in "\\PC*", url in "(https://sns\\.)?\\PC*",
            token in prop::option::of("\\PC*"), body in "\\PC*",
        ) {
            let read = |body: &str| serde_json::from_str::<Message>(body).is_ok();
            read(&body);
            let message = message(&json!({
                "Type": ty, "SignatureVersion": version, "Message": text, "SigningCertURL": url, "TopicArn": text,
                "SubscribeURL": url, "Token": token,
            }));
            // What is signed ends with its type, so that none can be read as another.
            if let Ok(signed) = message.signed() {
                let end = format!("\nType\n{ty}\n");
                prop_assert!(signed.starts_with("Message\n") && signed.ends_with(&end));
            }
            prop_assert!(message.digest().is_ok() == ["1", "2"].contains(&version.as_str()));
            place(message.topic());
            if let Some(address) = Address::of_sns(message.certificate()) {
                prop_assert!(address.to_string().starts_with("https://sns."));
            }
        }
    }
}
