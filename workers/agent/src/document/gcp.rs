//! Google's documents, and how they are asked for.
//!
//! Shapes: Google Cloud, "Spot VMs" (preemption process), "Query VM metadata" (waiting for updates), "Monitor and plan
//! for a host maintenance event".

use std::time::Duration;

use hollowtrees_runtime::config::duration;
use hollowtrees_schemas::names::{certainty, kind};
use jiff::SignedDuration;
use serde_json::{Map, Value};

use super::{Garbage, Heard, Identity, Of, Pauses, When, Word, is_word};
use crate::{provider::Provider, settings::LONGEST_NOTICE};

/// `TRUE` once the instance is being taken back.
pub const PREEMPTED: &str = "/computeMetadata/v1/instance/preempted";
/// `NONE`, or what maintenance of the host does to the instance.
pub const MAINTENANCE_EVENT: &str = "/computeMetadata/v1/instance/maintenance-event";
/// The unique number.
pub const ID: &str = "/computeMetadata/v1/instance/id";
/// The name, unique in its project and zone.
pub const NAME: &str = "/computeMetadata/v1/instance/name";
/// `projects/<number>/zones/<zone>`
pub const ZONE: &str = "/computeMetadata/v1/instance/zone";
/// `projects/<number>/machineTypes/<type>`
pub const MACHINE_TYPE: &str = "/computeMetadata/v1/instance/machine-type";
/// The project's name.
pub const PROJECT: &str = "/computeMetadata/v1/project/project-id";
/// An attribute of the instance's own that says how long its notice is, such as `120s`: the metadata service does not
/// tell whether it was created with `--preemption-notice-duration`.
pub const NOTICE: &str = "/computeMetadata/v1/instance/attributes/hollowtrees-preemption-notice";

/// The parts of the identity by their paths, the id first.
pub const IDENTITY: [&str; 5] = [ID, NAME, ZONE, MACHINE_TYPE, PROJECT];

/// Whether the instance is being taken back. `notice` is how long it has from now on; none where it is not known since
/// when it has been so.
///
/// # Errors
/// It is neither `TRUE` nor `FALSE`.
pub fn preempted(body: &[u8], notice: Option<SignedDuration>) -> Result<Heard, Garbage> {
    let of = Of(Provider::Gcp, PREEMPTED);
    let text = of.word(body)?;
    if text.eq_ignore_ascii_case("FALSE") {
        return Ok(Heard::default());
    }
    if !text.eq_ignore_ascii_case("TRUE") {
        return Err(of.garbage("neither TRUE nor FALSE", body));
    }
    let word = Word {
        slot: String::new(),
        kind: kind::PREEMPTED,
        certainty: certainty::CERTAIN,
        action: "preempt".to_owned(),
        event_id: String::new(),
        when: notice.map_or(When::Unknown, When::In),
        stamp: None,
        over: false,
        detail: Map::from_iter([("preempted".to_owned(), Value::from(text))]),
    };
    Ok(vec![word].into())
}

/// How long a preempted instance has, as its own attribute [`NOTICE`] says: `120s`.
///
/// # Errors
/// It is no duration, or one of more than an hour: no provider gives a longer notice.
pub fn notice(body: &[u8]) -> Result<Duration, Garbage> {
    let of = Of(Provider::Gcp, NOTICE);
    let notice = duration::parse(of.word(body)?).map_err(|error| of.garbage(&error, body))?;
    if notice > LONGEST_NOTICE {
        return Err(of.garbage("longer than an hour", body));
    }
    Ok(notice)
}

/// What maintenance of the host does: `NONE`, `MIGRATE_ON_HOST_MAINTENANCE`, `TERMINATE_ON_HOST_MAINTENANCE`. When is
/// not said: in about a minute, in an hour where it has GPUs. `etag` tells one event from the next.
///
/// # Errors
/// It is not one word.
pub fn maintenance_event(body: &[u8], etag: Option<&str>, pauses: Pauses) -> Result<Heard, Garbage> {
    let text = Of(Provider::Gcp, MAINTENANCE_EVENT).word(body)?;
    let (action, certainty) = match text {
        "NONE" => return Ok(Heard::default()),
        "TERMINATE_ON_HOST_MAINTENANCE" => ("terminate".to_owned(), certainty::CERTAIN),
        "MIGRATE_ON_HOST_MAINTENANCE" => match pauses.certainty() {
            Some(certainty) => ("migrate".to_owned(), certainty),
            None => return Ok(Heard::default()),
        },
        // Said, for a rule to match, but acted upon only where one does.
        new => (new.to_ascii_lowercase(), certainty::ADVISORY),
    };
    let word = Word {
        slot: String::new(),
        kind: kind::SCHEDULED_MAINTENANCE,
        certainty,
        action,
        event_id: etag.filter(|etag| is_word(etag)).unwrap_or_default().to_owned(),
        when: When::Unknown,
        stamp: None,
        over: false,
        detail: Map::from_iter([("maintenance-event".to_owned(), Value::from(text))]),
    };
    Ok(vec![word].into())
}

/// Who it is, from the documents at [`IDENTITY`]; what is missing is empty.
///
/// # Errors
/// The id is missing or none.
pub fn identity(bodies: &[Option<bytes::Bytes>; 5]) -> Result<Identity, Garbage> {
    let of = Of(Provider::Gcp, ID);
    let [id, name, zone, machine_type, project] = bodies
        .each_ref()
        .map(|body| body.as_ref().and_then(|body| std::str::from_utf8(body).ok()));
    let word = |text: Option<&str>| {
        let last = text.unwrap_or_default().trim().rsplit('/').next();
        last.filter(|word| is_word(word)).unwrap_or_default().to_owned()
    };
    let zone = word(zone);
    let identity = Identity {
        provider: Provider::Gcp,
        instance_id: word(id),
        name: word(name),
        account_id: word(project),
        region: zone
            .rsplit_once('-')
            .map_or(String::new(), |(region, _)| region.to_owned()),
        availability_zone: zone,
        instance_type: word(machine_type),
    };
    if identity.instance_id.bytes().all(|byte| byte.is_ascii_digit()) {
        identity.checked(of, bodies[0].as_deref().unwrap_or_default())
    } else {
        Err(of.garbage("not a number", bodies[0].as_deref().unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn preemption() {
        for (body, expected) in [
            ("FALSE", Some(false)),
            ("TRUE", Some(true)),
            ("true\n", Some(true)),
            ("", None),
            ("NONE", None),
            ("<html>", None),
        ] {
            let heard = preempted(body.as_bytes(), None).ok();
            assert_eq!(heard.map(|heard| heard.words.len() == 1), expected, "{body}");
        }
        let notice = SignedDuration::from_secs(120);
        assert_eq!(
            preempted(b"TRUE", Some(notice)).unwrap().words[0].when,
            When::In(notice)
        );
    }

    #[test]
    fn notices() {
        for (body, seconds) in [
            ("120s", Some(120)),
            ("2m\n", Some(120)),
            ("1h", Some(3600)),
            ("3601s", None),
            ("99999999h", None),
            ("soon", None),
            ("", None),
        ] {
            let found = notice(body.as_bytes()).ok();
            assert_eq!(found.map(|notice| notice.as_secs()), seconds, "{body}");
        }
    }

    #[test]
    fn maintenance() {
        for (body, pauses, expected) in [
            ("NONE", Pauses::Scheduled, Some(None)),
            (
                "TERMINATE_ON_HOST_MAINTENANCE",
                Pauses::Ignore,
                Some(Some(("terminate", "certain"))),
            ),
            ("MIGRATE_ON_HOST_MAINTENANCE", Pauses::Ignore, Some(None)),
            (
                "MIGRATE_ON_HOST_MAINTENANCE",
                Pauses::Advisory,
                Some(Some(("migrate", "advisory"))),
            ),
            (
                "MIGRATE_ON_HOST_MAINTENANCE",
                Pauses::Scheduled,
                Some(Some(("migrate", "scheduled"))),
            ),
            (
                "SOMETHING_NEW",
                Pauses::Ignore,
                Some(Some(("something_new", "advisory"))),
            ),
            ("", Pauses::Ignore, None),
            ("two words", Pauses::Ignore, None),
        ] {
            let heard = maintenance_event(body.as_bytes(), Some("abc"), pauses).ok();
            let found = heard.as_ref().map(|heard| {
                let word = heard.words.first();
                word.map(|word| (word.action.as_str(), word.certainty))
            });
            assert_eq!(found, expected, "{body}");
        }
    }

    #[test]
    fn identities() {
        let bodies =
            |texts: [&'static str; 5]| texts.map(|text| Some(bytes::Bytes::from_static(text.as_bytes())));
        let found = identity(&bodies([
            "4520031799277581759\n",
            "pool-1-abc",
            "projects/12345/zones/europe-west1-b",
            "projects/12345/machineTypes/n2-standard-4",
            "my-project",
        ]))
        .unwrap();
        assert_eq!(
            (
                found.instance_id.as_str(),
                found.name.as_str(),
                found.account_id.as_str()
            ),
            ("4520031799277581759", "pool-1-abc", "my-project")
        );
        assert_eq!(
            (
                found.region.as_str(),
                found.availability_zone.as_str(),
                found.instance_type.as_str()
            ),
            ("europe-west1", "europe-west1-b", "n2-standard-4")
        );
        for bad in ["", "i-1", "<html>"] {
            assert!(identity(&bodies([bad, "a", "b", "c", "d"])).is_err(), "{bad}");
        }
        assert!(identity(&[None, None, None, None, None]).is_err());
    }
}
