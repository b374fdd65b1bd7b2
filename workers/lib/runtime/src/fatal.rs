//! Last words: where a person finds why a process ended.

use std::{path::Path, sync::Arc};

/// Kubernetes shows what is in this file in `kubectl describe pod`.
pub const TERMINATION_LOG: &str = "/dev/termination-log";
/// Kubernetes keeps no more, in bytes.
const KEPT: usize = 4096;

/// Logs `message` as an error and leaves it in [`TERMINATION_LOG`] where there is one.
pub fn report(message: &str) {
    tracing::error!("{message}");
    leave(Path::new(TERMINATION_LOG), message);
}

/// Writes `message` to `path` if that exists; a failure to do so is nothing anybody could be told.
pub(crate) fn leave(path: &Path, message: &str) {
    let end = (0..=message.len().min(KEPT))
        .rev()
        .find(|end| message.is_char_boundary(*end))
        .unwrap_or(0);
    let kept = message.get(..end).unwrap_or_default();
    if path.exists()
        && let Err(error) = std::fs::write(path, kept)
    {
        tracing::debug!(path = %path.display(), %error, "The last words could not be left.");
    }
}

/// Panics are logged as errors with their place, and left as last words.
pub fn install_panic_hook(process: &Arc<str>) {
    let process = Arc::clone(process);
    std::panic::set_hook(Box::new(move |panic| {
        let text = panic.payload_as_str().unwrap_or("a panic without text");
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let thread = std::thread::current().name().unwrap_or("unnamed").to_owned();
        tracing::error!(panic = text, place, thread, process = %process, "Panicked.");
        leave(
            Path::new(TERMINATION_LOG),
            &format!("panicked at {place}: {text}"),
        );
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_words_are_cut_to_what_is_kept_and_go_only_where_a_file_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("termination-log");
        leave(&path, "nobody reads this");
        assert!(!path.exists());
        std::fs::write(&path, "").unwrap();
        leave(&path, &"ü".repeat(3000));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "ü".repeat(2048));
    }
}
