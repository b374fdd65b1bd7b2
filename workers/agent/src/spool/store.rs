//! Waiting notices on disk, so that one is not lost with the process: a file each, there before the notice is tried and
//! gone once the bus has it.
//!
//! Files are small and few, and written only while a notice waits: they are read and written in place, without a
//! thread of their own.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use hollowtrees_schemas::{
    codec::Wire,
    envelope::{DataFormat, Envelope},
    id::MessageId,
    names::kind,
    outgoing, proto,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::notice::{Fate, Message};

const EXTENSION: &str = "notice";
/// What cannot be read is kept under this, for a person to look at.
const ASIDE: &str = "unreadable";

/// A directory with a file for each waiting notice.
#[derive(Debug)]
pub struct Store {
    directory: PathBuf,
}

/// A file that holds no notice.
#[derive(Debug, thiserror::Error)]
#[error("{} holds no notice ({why}); it is kept as *.{ASIDE}", path.display())]
pub struct Unreadable {
    /// Which.
    pub path: PathBuf,
    /// What is wrong with it.
    pub why: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Record {
    headers: Vec<(String, String)>,
    body: String,
}

impl Store {
    /// Opens the directory, and makes it where it is missing.
    ///
    /// # Errors
    /// Nothing can be written there.
    pub fn open(directory: &Path) -> io::Result<Self> {
        fs::create_dir_all(directory)?;
        let probe = directory.join(".probe");
        fs::write(&probe, b"")?;
        fs::remove_file(&probe)?;
        Ok(Self {
            directory: directory.to_owned(),
        })
    }

    /// All that wait, oldest first, and what could not be read.
    ///
    /// # Errors
    /// The directory cannot be listed.
    pub fn load(&self) -> io::Result<(Vec<Message>, Vec<Unreadable>)> {
        let mut paths = self.paths()?;
        paths.sort();
        let (mut messages, mut unreadable) = (Vec::new(), Vec::new());
        for path in paths {
            match read(&path) {
                Ok(message) => messages.push(message),
                Err(why) => {
                    // Where even that fails it is found again at the next start.
                    fs::rename(&path, path.with_extension(ASIDE)).unwrap_or_default();
                    unreadable.push(Unreadable { path, why });
                }
            }
        }
        Ok((messages, unreadable))
    }

    /// Keeps it. A file appears whole or not at all.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn put(&self, message: &Message) -> io::Result<()> {
        use io::Write as _;
        let wire = &message.outgoing.wire;
        let record = Record {
            headers: wire.headers.clone(),
            body: String::from_utf8_lossy(&wire.body).into_owned(),
        };
        // The time gives the order only.
        let name = format!(
            "{:020}-{}",
            Timestamp::now().as_microsecond(),
            message.outgoing.message_id
        );
        let path = self.directory.join(name).with_extension(EXTENSION);
        let half = path.with_extension("half");
        let mut file = fs::File::create(&half)?;
        file.write_all(&serde_json::to_vec(&record)?)?;
        file.sync_data()?;
        fs::rename(half, path)
    }

    /// It is stored by the bus, or never will be.
    ///
    /// # Errors
    /// It cannot be removed: it is published again at the next start, which the bus knows for a repetition for an hour.
    pub fn remove(&self, id: &MessageId) -> io::Result<()> {
        let of_it = format!("-{id}.{EXTENSION}");
        for path in self.paths()? {
            if path
                .file_name()
                .is_some_and(|name| name.to_string_lossy().ends_with(&of_it))
            {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    fn paths(&self) -> io::Result<Vec<PathBuf>> {
        let paths = fs::read_dir(&self.directory)?.map(|entry| entry.map(|entry| entry.path()));
        let is_notice = |path: &PathBuf| path.extension().is_some_and(|extension| extension == EXTENSION);
        paths
            .filter(|path| path.as_ref().map_or(true, is_notice))
            .collect()
    }
}

fn read(path: &Path) -> Result<Message, String> {
    let record: Record = fs::read(path)
        .map_err(|error| error.to_string())
        .and_then(|bytes| serde_json::from_slice(&bytes).map_err(|error| error.to_string()))?;
    let wire = Wire {
        headers: record.headers,
        body: record.body.into(),
    };
    let envelope = Envelope::<proto::Notice>::decode(&wire).map_err(|error| error.to_string())?;
    let known = kind::ALL.into_iter().find(|kind| *kind == envelope.data.kind);
    let outgoing = outgoing::notice(&envelope, DataFormat::Json).map_err(|error| error.to_string())?;
    // An instance that runs past its time was not taken: started anew, say.
    let deadline = envelope.data.deadline.as_ref();
    let is_past = deadline.is_some_and(|deadline| deadline.seconds < Timestamp::now().as_second());
    Ok(Message {
        kind: known.ok_or("its kind is unknown")?,
        outgoing,
        fate: if is_past {
            Fate::Open
        } else {
            Fate::of(&envelope.data)
        },
    })
}

#[cfg(test)]
mod tests {
    use hollowtrees_schemas::envelope;

    use super::*;

    fn message(instance: &str) -> Message {
        let notice = proto::Notice {
            cluster: "c".to_owned(),
            provider: "aws".to_owned(),
            instance: instance.to_owned(),
            kind: kind::SPOT_INTERRUPTION.to_owned(),
            ..proto::Notice::default()
        };
        let envelope = envelope::notice(notice, "/aws/1/eu-west-1/imds".to_owned());
        Message {
            kind: kind::SPOT_INTERRUPTION,
            fate: Fate::Open,
            outgoing: outgoing::notice(&envelope, DataFormat::Json).unwrap(),
        }
    }

    #[test]
    fn what_is_put_is_there_for_the_next_in_its_order_until_it_is_removed() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("made")).unwrap();
        let all = ["i-1", "i-2", "i-3"].map(message);
        for message in &all {
            store.put(message).unwrap();
        }
        store.remove(&all[1].outgoing.message_id).unwrap();
        let again = Store::open(&directory.path().join("made")).unwrap();
        let (found, unreadable) = again.load().unwrap();
        let found: Vec<_> = found.into_iter().map(|message| message.outgoing).collect();
        assert_eq!(found, [all[0].outgoing.clone(), all[2].outgoing.clone()]);
        assert!(unreadable.is_empty());
    }

    #[test]
    fn what_cannot_be_read_is_put_aside_once() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        store.put(&message("i-1")).unwrap();
        for (name, text) in [
            ("1.notice", "{"),
            ("2.notice", "{\"headers\": [], \"body\": \"\"}"),
            ("3.half", "{"),
        ] {
            fs::write(directory.path().join(name), text).unwrap();
        }
        let (found, unreadable) = store.load().unwrap();
        assert_eq!((found.len(), unreadable.len()), (1, 2));
        assert!(directory.path().join("1.unreadable").exists());
        let (found, unreadable) = store.load().unwrap();
        assert_eq!((found.len(), unreadable.len()), (1, 0));
    }
}
