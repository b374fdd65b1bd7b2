//! How long a session token is good.

use std::{
    fmt,
    time::{Duration, Instant},
};

use http::HeaderValue;

/// A session token and its life.
#[derive(Clone)]
pub(super) struct Token {
    value: HeaderValue,
    from: Instant,
    ttl: Duration,
}

impl Token {
    /// `None` if `text` cannot be a header's value.
    pub(super) fn new(text: &[u8], ttl: Duration, from: Instant) -> Option<Self> {
        let mut value = HeaderValue::from_bytes(text.trim_ascii())
            .ok()
            .filter(|value| !value.is_empty())?;
        value.set_sensitive(true);
        Some(Self { value, from, ttl })
    }

    pub(super) fn value(&self) -> &HeaderValue {
        &self.value
    }

    /// Four fifths of its life are over: a new one is due, and there is time for that to fail.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.from) >= self.ttl.mul_f64(0.8)
    }

    /// The service refuses it from now on.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.from) >= self.ttl
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("ttl", &self.ttl)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_due_before_it_is_over() {
        let from = Instant::now();
        let token = Token::new(b"abc==\n", Duration::from_secs(100), from).unwrap();
        assert_eq!(token.value(), "abc==");
        for (age, due, over) in [
            (0, false, false),
            (79, false, false),
            (80, true, false),
            (100, true, true),
        ] {
            let now = from + Duration::from_secs(age);
            assert_eq!((token.is_due(now), token.is_over(now)), (due, over), "{age} s");
        }
        assert!(Token::new(b"a\nb", Duration::from_secs(1), from).is_none());
        assert!(Token::new(b" ", Duration::from_secs(1), from).is_none());
        assert!(!format!("{token:?}").contains("abc"));
    }
}
