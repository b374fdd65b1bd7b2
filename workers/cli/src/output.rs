//! The only place that prints. Text for people, JSON for programs.

use std::{
    borrow::Cow,
    fmt::Display,
    io::{self, BufWriter, Write},
};

use clap::ValueEnum;
use serde::Serialize;

use crate::{
    exit::{Exit, Failure},
    table::Table,
};

/// How answers are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people: lines and aligned tables, without colours.
    #[default]
    Text,
    /// For programs: one object, or one a line.
    Json,
}

/// Where the answer goes.
pub struct Output {
    format: Format,
    to: BufWriter<Box<dyn Write>>,
}

impl Output {
    /// Prints to `to`.
    pub fn new(format: Format, to: Box<dyn Write>) -> Self {
        Self {
            format,
            to: BufWriter::new(to),
        }
    }

    /// Whether JSON is asked for.
    pub fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// One line of text. What came from the bus cannot move a terminal's cursor: see [`printable`].
    pub fn line(&mut self, text: impl Display) -> Result<(), Failure> {
        let text = text.to_string();
        Ok(writeln!(self.to, "{}", printable(&text).trim_end())?)
    }

    /// Several lines of our own.
    pub fn lines(&mut self, text: &str) -> Result<(), Failure> {
        text.lines().try_for_each(|line| self.line(line))
    }

    /// A table, aligned.
    pub fn table(&mut self, table: &Table) -> Result<(), Failure> {
        table.rows().iter().try_for_each(|row| self.line(row))
    }

    /// One object on one line.
    pub fn json(&mut self, object: &impl Serialize) -> Result<(), Failure> {
        serde_json::to_writer(&mut self.to, object)?;
        Ok(self.to.write_all(b"\n")?)
    }

    /// Bytes as they are: scripts for shells.
    pub fn raw(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        Ok(self.to.write_all(bytes)?)
    }

    /// Sends what is buffered; for streams, after each event.
    pub fn flush(&mut self) -> Result<(), Failure> {
        Ok(self.to.flush()?)
    }

    /// Something a person should know that is not the answer, on standard error.
    pub fn warn(&self, text: impl Display) {
        let text = text.to_string();
        // Nobody is left to tell where this cannot be printed.
        drop(writeln!(io::stderr(), "warning: {}", printable(&text)));
    }
}

/// How a failure is said on standard error.
pub fn failure(format: Format, exit: Exit, message: &str) -> String {
    match format {
        Format::Text => {
            let lines: Vec<_> = message.lines().map(printable).collect();
            format!("error: {}", lines.join("\n"))
        }
        Format::Json => {
            serde_json::json!({ "error": { "code": exit.number(), "message": message } }).to_string()
        }
    }
}

/// The text with control characters and those that change the direction of writing as escapes.
pub fn printable(text: &str) -> Cow<'_, str> {
    let hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !text.contains(hidden) {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if hidden(c) {
            plain.extend(c.escape_default());
        } else {
            plain.push(c);
        }
    }
    Cow::Owned(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_moves_the_cursor() {
        assert_eq!(printable("i-0abc é"), "i-0abc é");
        assert_eq!(printable("a\u{1b}[2Jb\nc\u{202e}d"), "a\\u{1b}[2Jb\\nc\\u{202e}d");
    }

    #[test]
    fn failures_in_both_formats() {
        assert_eq!(failure(Format::Text, Exit::Usage, "a\nb"), "error: a\nb");
        assert_eq!(
            failure(Format::Json, Exit::Unavailable, "a\nb"),
            r#"{"error":{"code":69,"message":"a\nb"}}"#
        );
    }
}
