//! The paths there are.

use http::{Method, StatusCode};

/// What a path and method ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// Pools in order, for a wish.
    Pools(String),
    /// As the first recommender answered.
    SpotRecommender(String),
    /// Node pools for a new cluster, as Telescopes answered.
    Cluster(Place),
    /// More nodes for a cluster, as Telescopes answered.
    ScaleOut(Place),
    /// Whether the process answers.
    Status,
    /// Its version.
    Version,
    /// The OpenAPI document.
    OpenApi,
}

/// Where Telescopes' clients ask for nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// `amazon`
    pub provider: String,
    /// `eks`, `compute`, ...: echoed.
    pub service: String,
    /// `eu-west-1`
    pub region: String,
}

/// Each path with its methods. `openapi.yaml` says the same; a test compares them.
pub const PATHS: [(&str, &[Method]); 6] = [
    ("/api/v1/pools/{region}", &[Method::GET]),
    ("/api/v1/recommender/{region}", &[Method::GET]),
    (
        "/api/v1/recommender/provider/{provider}/service/{service}/region/{region}/cluster",
        &[Method::POST, Method::PUT],
    ),
    ("/status", &[Method::GET]),
    ("/version", &[Method::GET]),
    ("/openapi.yaml", &[Method::GET]),
];

impl Route {
    /// The route of a request.
    ///
    /// # Errors
    /// 404, or 405 with what is allowed.
    pub fn of(method: &Method, path: &str) -> Result<Self, (StatusCode, String)> {
        let found = PATHS.iter().find_map(|(pattern, methods)| {
            let parts = matched(pattern, path)?;
            Some((*pattern, parts, *methods))
        });
        let Some((pattern, parts, methods)) = found else {
            return Err((StatusCode::NOT_FOUND, String::new()));
        };
        if !methods.contains(method) {
            let allowed: Vec<_> = methods.iter().map(Method::as_str).collect();
            return Err((StatusCode::METHOD_NOT_ALLOWED, allowed.join(", ")));
        }
        let mut parts = parts.into_iter();
        let mut next = || parts.next().unwrap_or_default();
        let route = match pattern {
            "/api/v1/pools/{region}" => Self::Pools(next()),
            "/api/v1/recommender/{region}" => Self::SpotRecommender(next()),
            "/status" => Self::Status,
            "/version" => Self::Version,
            "/openapi.yaml" => Self::OpenApi,
            _ => {
                let place = Place {
                    provider: next(),
                    service: next(),
                    region: next(),
                };
                match *method {
                    Method::PUT => Self::ScaleOut(place),
                    _ => Self::Cluster(place),
                }
            }
        };
        Ok(route)
    }

    /// Its word in metrics.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Pools(_) => "pools",
            Self::SpotRecommender(_) => "spot-recommender",
            Self::Cluster(_) => "cluster",
            Self::ScaleOut(_) => "scale-out",
            Self::Status => "status",
            Self::Version => "version",
            Self::OpenApi => "openapi",
        }
    }

    /// Whether anybody may ask.
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Status | Self::Version | Self::OpenApi)
    }
}

/// The parts of a path that stand for `{...}`, if it is this pattern's. Cut: they are shown in answers.
fn matched(pattern: &str, path: &str) -> Option<Vec<String>> {
    let (mut wanted, mut given) = (pattern.split('/'), path.split('/'));
    let mut parts = Vec::new();
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return Some(parts),
            (Some(wanted), Some(given)) if wanted.starts_with('{') && !given.is_empty() => {
                parts.push(given.chars().take(64).collect());
            }
            (Some(wanted), Some(given)) if wanted == given => {}
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        let check = |method: Method, path: &str, expected: Result<&str, u16>| {
            let found = Route::of(&method, path);
            let found = found
                .as_ref()
                .map(Route::word)
                .map_err(|(status, _)| status.as_u16());
            assert_eq!(found, expected, "{method} {path}");
        };
        let cluster = "/api/v1/recommender/provider/amazon/service/eks/region/eu-west-1/cluster";
        check(Method::GET, "/api/v1/pools/eu-west-1", Ok("pools"));
        check(
            Method::GET,
            "/api/v1/recommender/eu-west-1",
            Ok("spot-recommender"),
        );
        check(Method::POST, cluster, Ok("cluster"));
        check(Method::PUT, cluster, Ok("scale-out"));
        check(Method::GET, cluster, Err(405));
        check(Method::DELETE, "/status", Err(405));
        check(Method::GET, "/api/v1/pools/", Err(404));
        check(Method::GET, "/api/v1/pools/a/b", Err(404));
        check(Method::GET, "", Err(404));
        assert_eq!(
            Route::of(&Method::PUT, cluster),
            Ok(Route::ScaleOut(Place {
                provider: "amazon".to_owned(),
                service: "eks".to_owned(),
                region: "eu-west-1".to_owned()
            }))
        );
    }
}
