//! Where log lines go and how they look.

use tracing_subscriber::{
    Layer,
    filter::{LevelFilter, ParseError, Targets},
    fmt::MakeWriter,
    layer::SubscriberExt,
    registry::Registry,
    util::SubscriberInitExt,
};

use crate::config::{Log, LogFormat};

/// Reads `info` or `info,hollowtrees_bus=debug`.
///
/// `Targets` rather than `EnvFilter`: no regular expressions in a process of 6 MiB.
///
/// # Errors
/// Says what was given and how a filter is written.
pub fn parse_filter(text: &str) -> Result<Targets, String> {
    let explain = |why: &str| {
        format!(
            "`{text}` is not a log filter ({why}); write a level (error, warn, info, debug, trace, off), or levels by \
             module such as `info,hollowtrees_bus=debug`"
        )
    };
    // `inof` alone would be taken for a module, and everything else fall silent.
    let mut levels = text.split(',').map(str::trim).filter(|part| !part.contains('='));
    if let Some(word) = levels.find(|word| word.parse::<LevelFilter>().is_err()) {
        return Err(explain(&format!("`{word}` is not a level")));
    }
    text.parse()
        .map_err(|error: ParseError| explain(&error.to_string()))
}

/// Sends all events to standard error, as `log` says.
///
/// # Errors
/// A bad filter, or another subscriber is installed already.
pub fn install(log: &Log) -> Result<(), String> {
    let filter = parse_filter(&log.filter)?;
    tracing_subscriber::registry()
        .with(lines(log.format, std::io::stderr).with_filter(filter))
        .try_init()
        .map_err(|error| format!("logs cannot be set up: {error}"))
}

/// The layer that writes lines of one format.
fn lines<W>(format: LogFormat, writer: W) -> Box<dyn Layer<Registry> + Send + Sync>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer().with_writer(writer);
    match format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .boxed(),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write,
        sync::{Arc, Mutex},
    };

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn written(format: LogFormat, filter: &str) -> String {
        let buffer = Lines::default();
        let writer = buffer.clone();
        let layer = lines(format, move || writer.clone()).with_filter(parse_filter(filter).unwrap());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            tracing::debug!(instance = "i-1", "Noticed.");
            tracing::info!(instance = "i-1", "Published.");
        });
        let bytes = buffer.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn json_lines_are_objects_with_their_fields() {
        let text = written(LogFormat::Json, "info");
        let line: serde_json::Value = serde_json::from_str(text.trim()).unwrap();
        assert_eq!(line["message"], "Published.");
        assert_eq!(line["instance"], "i-1");
        assert_eq!(line["level"], "INFO");
    }

    #[test]
    fn text_lines_follow_the_filter() {
        let text = written(LogFormat::Text, "warn,hollowtrees_runtime=debug");
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(
            text.contains("Noticed.") && text.contains("instance=\"i-1\""),
            "{text}"
        );
    }

    #[test]
    fn a_bad_filter_says_how_one_is_written() {
        let error = parse_filter("inof").unwrap_err();
        assert!(
            error.contains("`inof` is not a level") && error.contains("hollowtrees_bus=debug"),
            "{error}"
        );
    }
}
