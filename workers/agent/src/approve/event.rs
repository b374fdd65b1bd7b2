//! Which of Azure's events wait for an approval, and who gives it.

use serde_json::Value;

use crate::document::{Heard, Word};

/// An event that has not started, of which a notice was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// Azure's id of it.
    pub id: String,
    /// Names of all machines it is about, lower case, sorted, each once; this one is among them.
    pub machines: Vec<String>,
}

impl Pending {
    /// Who approves: the machine whose name comes first. An approval is of the whole event, so that one has to know of all.
    pub fn is_approved_by(&self, machine: &str) -> bool {
        self.machines.first().is_some_and(|first| first == machine)
    }

    /// Whether it is about no other machine.
    pub fn is_of_one(&self) -> bool {
        self.machines.len() == 1
    }
}

/// The events of a list that wait, as seen by the machine of this name.
pub fn pending(heard: &Heard, name: &str) -> Vec<Pending> {
    let of_word = |word: &Word| {
        let status = word.detail.get("EventStatus")?.as_str()?;
        if word.over || !status.eq_ignore_ascii_case("Scheduled") {
            return None;
        }
        // One that does not say whom it is about cannot be known to be done.
        let Value::Array(names) = word.detail.get("Resources")? else {
            return None;
        };
        let machines = names.iter().map(|name| Some(machine(name.as_str()?)));
        let mut machines = machines.collect::<Option<Vec<_>>>()?;
        machines.sort_unstable();
        machines.dedup();
        machines.contains(&machine(name)).then(|| Pending {
            id: word.event_id.clone(),
            machines,
        })
    };
    heard.words.iter().filter_map(of_word).collect()
}

/// Azure's names differ by more than their case.
pub fn machine(name: &str) -> String {
    name.to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::document::{Pauses, azure};

    #[test]
    fn events_that_wait() {
        let event = |kind: &str, status: &str, resources: Value| {
            let event = json!({"EventId": "E1", "EventType": kind, "EventStatus": status, "Resources": resources, "NotBefore": ""});
            json!({"Events": [event]}).to_string().into_bytes()
        };
        for (body, expected) in [
            (
                event("Preempt", "Scheduled", json!(["VM_1"])),
                Some(&["vm_1"][..]),
            ),
            (
                event("Reboot", "scheduled", json!(["vm_2", "vm_1", "VM_2"])),
                Some(&["vm_1", "vm_2"]),
            ),
            (event("Preempt", "Started", json!(["vm_1"])), None),
            (event("Preempt", "Completed", json!(["vm_1"])), None),
            (event("Preempt", "Scheduled", json!(["vm_2"])), None),
            // A notice is given, to be on the safe side; an approval would be on the other.
            (event("Preempt", "Scheduled", json!([])), None),
            (event("Preempt", "Scheduled", json!(["vm_1", 2])), None),
            // Of what is ignored nothing follows.
            (event("Freeze", "Scheduled", json!(["vm_1"])), None),
        ] {
            let heard = azure::events(&body, "vm_1", Pauses::Ignore).unwrap();
            let found = pending(&heard, "vm_1");
            let machines = found.first().map(|event| event.machines.clone());
            assert_eq!(
                machines.as_deref(),
                expected
                    .map(|names| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
                    .as_deref()
            );
        }
    }

    #[test]
    fn one_of_all_approves() {
        let event = Pending {
            id: "E1".to_owned(),
            machines: vec!["a".to_owned(), "b".to_owned()],
        };
        assert!(event.is_approved_by("a") && !event.is_approved_by("b") && !event.is_of_one());
    }
}
