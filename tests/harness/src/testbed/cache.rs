//! Things that are made once a machine and kept, whoever asks first.

use super::{CACHE, say};
use crate::{Context, Error, Result};
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

fn root() -> Result<PathBuf> {
    let set = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    set(CACHE)
        .or_else(|| set("XDG_CACHE_HOME").map(|cache| cache.join("hollowtrees/testbed")))
        .or_else(|| set("HOME").map(|home| home.join(".cache/hollowtrees/testbed")))
        .ok_or_else(|| Error::new(format!("no place to keep built programs: set {CACHE} or HOME")))
}

/// The file `file` in the entry `key`. If there is none, `make` fills a directory that becomes the entry, while other
/// processes that ask for it wait; a failed or killed attempt leaves nothing that could be taken for an entry.
pub(crate) fn entry(key: &str, file: &str, make: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    let root = root()?;
    let entry = root.join(key);
    let wanted = entry.join(file);
    if wanted.exists() {
        return Ok(wanted);
    }
    std::fs::create_dir_all(&root).context(|| format!("cannot make {}", root.display()))?;
    let lock_path = root.join(format!("{key}.lock"));
    let _lock = lock(&lock_path, key)?;
    if wanted.exists() {
        return Ok(wanted);
    }
    let unfinished = root.join(format!("{key}.unfinished"));
    if unfinished.exists() {
        std::fs::remove_dir_all(&unfinished).context(|| format!("cannot remove {}", unfinished.display()))?;
    }
    std::fs::create_dir(&unfinished).context(|| format!("cannot make {}", unfinished.display()))?;
    make(&unfinished)?;
    std::fs::rename(&unfinished, &entry).context(|| format!("cannot make {}", entry.display()))?;
    Ok(wanted)
}

/// Held until dropped, and given back by the system if we die.
fn lock(path: &Path, key: &str) -> Result<File> {
    let file = File::create(path).context(|| format!("cannot write {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => return Ok(file),
        Err(TryLockError::WouldBlock) => say(&format!("another process makes {key}, waiting for it ...")),
        Err(TryLockError::Error(error)) => {
            return Err(Error::new(format!("cannot lock {}: {error}", path.display())));
        }
    }
    file.lock()
        .context(|| format!("cannot lock {}", path.display()))?;
    Ok(file)
}
