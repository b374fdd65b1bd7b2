//! Where a service is.

use http::{HeaderValue, Uri};

/// Base URL of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    /// As it was written.
    pub(super) url: String,
    pub(super) host: String,
    pub(super) port: u16,
    /// What the `host` header says.
    pub(super) authority: HeaderValue,
}

impl Base {
    /// Reads `http://HOST` or `http://HOST:PORT`.
    ///
    /// # Errors
    /// Says what was given and how one is written.
    pub fn parse(url: &str) -> Result<Self, String> {
        Self::of_scheme(url, "http", 80).ok_or_else(|| {
            format!("`{url}` is not the base of a metadata service; write http://HOST or http://HOST:PORT")
        })
    }

    /// Reads `https://HOST` or `https://HOST:PORT`.
    ///
    /// # Errors
    /// Says what was given and how one is written.
    pub fn parse_https(url: &str) -> Result<Self, String> {
        Self::of_scheme(url, "https", 443).ok_or_else(|| {
            format!("`{url}` is not the address of an API server; write https://HOST or https://HOST:PORT")
        })
    }

    fn of_scheme(url: &str, scheme: &str, port: u16) -> Option<Self> {
        let uri: Uri = url.parse().ok()?;
        let plain =
            uri.scheme_str() == Some(scheme) && matches!(uri.path(), "" | "/") && uri.query().is_none();
        let (host, authority) = (uri.host()?, uri.authority().filter(|_| plain)?);
        Some(Self {
            url: url.to_owned(),
            host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
            port: uri.port_u16().unwrap_or(port),
            authority: HeaderValue::from_str(authority.as_str()).ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bases() {
        for (url, expected) in [
            ("http://169.254.169.254", Some(("169.254.169.254", 80))),
            ("http://169.254.169.254/", Some(("169.254.169.254", 80))),
            ("http://[fd00:ec2::254]:8080", Some(("fd00:ec2::254", 8080))),
            ("http://metadata:1338", Some(("metadata", 1338))),
            ("https://169.254.169.254", None),
            ("http://169.254.169.254/latest", None),
            ("http://169.254.169.254/?a=b", None),
            ("169.254.169.254", None),
            ("", None),
        ] {
            let found = Base::parse(url).ok();
            let found = found.as_ref().map(|base| (base.host.as_str(), base.port));
            assert_eq!(found, expected, "{url}");
        }
        for (url, expected) in [
            ("https://10.96.0.1", Some(("10.96.0.1", 443))),
            ("https://[fd00::1]:6443", Some(("fd00::1", 6443))),
            ("http://10.96.0.1", None),
            ("https://10.96.0.1/api", None),
        ] {
            let found = Base::parse_https(url).ok();
            let found = found.as_ref().map(|base| (base.host.as_str(), base.port));
            assert_eq!(found, expected, "{url}");
        }
        assert_eq!(
            Base::parse("http://[fd00:ec2::254]/").unwrap().authority,
            "[fd00:ec2::254]"
        );
    }
}
