//! How large a notice's fields may be: what passes here fits a subject, a key
//! and the records made from it.

use hollowtrees_schemas::proto;

use super::Invalid;
use crate::limits::{LABEL_BYTES_MAX, LABELS_MAX, TEXT_BYTES_MAX, TOKEN_BYTES_MAX};

/// Refuses empty tokens and oversize fields. `detail` is bounded by the
/// stream's `max_msg_size` alone: it goes into no record.
pub(super) fn check(message: &proto::Notice) -> Result<(), Invalid> {
    for (field, text) in [
        ("cluster", &message.cluster),
        ("instance", &message.instance),
        ("kind", &message.kind),
    ] {
        if text.is_empty() {
            return Err(Invalid {
                field,
                problem: "is empty; the origin has to name it".to_owned(),
            });
        }
        length(field, text, TOKEN_BYTES_MAX)?;
    }
    for (field, text) in [
        ("provider", &message.provider),
        ("account", &message.account),
        ("region", &message.region),
        ("zone", &message.zone),
        ("event_id", &message.event_id),
        ("provider_action", &message.provider_action),
        ("node", &message.node),
        ("group", &message.group),
        ("instance_type", &message.instance_type),
    ] {
        length(field, text, TEXT_BYTES_MAX)?;
    }
    if message.labels.len() > LABELS_MAX {
        let problem = format!(
            "has {} entries, at most {LABELS_MAX} are taken",
            message.labels.len()
        );
        return Err(Invalid {
            field: "labels",
            problem,
        });
    }
    for (name, value) in &message.labels {
        length("labels", name, TEXT_BYTES_MAX)?;
        length("labels", value, LABEL_BYTES_MAX)?;
    }
    Ok(())
}

fn length(field: &'static str, text: &str, max: usize) -> Result<(), Invalid> {
    if text.len() > max {
        return Err(Invalid {
            field,
            problem: format!("has {} bytes, at most {max} are taken", text.len()),
        });
    }
    Ok(())
}
