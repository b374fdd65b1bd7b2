//! Where a metadata service is.

use http::{HeaderValue, Uri};

/// Base URL of a metadata service.
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
        let wrong = || {
            format!("`{url}` is not the base of a metadata service; write http://HOST or http://HOST:PORT")
        };
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        let plain =
            uri.scheme_str() == Some("http") && matches!(uri.path(), "" | "/") && uri.query().is_none();
        let (Some(host), Some(authority), true) = (uri.host(), uri.authority(), plain) else {
            return Err(wrong());
        };
        Ok(Self {
            url: url.to_owned(),
            host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
            port: uri.port_u16().unwrap_or(80),
            authority: HeaderValue::from_str(authority.as_str()).map_err(|_| wrong())?,
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
        assert_eq!(
            Base::parse("http://[fd00:ec2::254]/").unwrap().authority,
            "[fd00:ec2::254]"
        );
    }
}
