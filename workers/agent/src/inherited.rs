//! Settings of the original spot-termination-handler (`STH_*`), so that its DaemonSet's environment can be kept: those
//! that have a counterpart take effect, unless the counterpart itself is set; the others are named in the log.

use std::collections::HashMap;

const PREFIX: &str = "STH_";

/// What became of the variables.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inherited {
    /// Those that took effect, as `STH_X as HT_Y`.
    pub understood: Vec<String>,
    /// Those that did not, each with the reason.
    pub without: Vec<String>,
}

/// Adds the counterparts of what is set.
pub fn translate(mut env: HashMap<String, String>) -> (HashMap<String, String>, Inherited) {
    let mut inherited = Inherited::default();
    let mut old: Vec<_> = env
        .iter()
        .filter_map(|(name, value)| Some((name.strip_prefix(PREFIX)?.to_owned(), value.trim().to_owned())))
        .filter(|(_, value)| !value.is_empty())
        .collect();
    old.sort();
    if old.is_empty() {
        return (env, inherited);
    }
    // It served its metrics unless told otherwise.
    if old.iter().all(|(name, _)| name != "METRICS_ENABLED") {
        old.push(("METRICS_ENABLED".to_owned(), "true".to_owned()));
    }
    for (name, value) in old {
        match counterpart(&name, &value) {
            Ok(counterparts) => {
                for (ours, value) in counterparts {
                    if env.get(ours).is_none_or(String::is_empty) {
                        env.insert(ours.to_owned(), value);
                        inherited.understood.push(format!("{PREFIX}{name} as {ours}"));
                    }
                }
            }
            Err(why) => inherited.without.push(format!("{PREFIX}{name}: {why}")),
        }
    }
    (env, inherited)
}

/// Our variables and their values for one of the handler's, or why there is none.
fn counterpart(name: &str, value: &str) -> Result<Vec<(&'static str, String)>, &'static str> {
    let one = |ours, value: &str| Ok(vec![(ours, value.to_owned())]);
    let is_true = ["true", "1", "t"].contains(&value.to_ascii_lowercase().as_str());
    match name {
        "HTTP_LISTENPORT" => match value.trim_start_matches(':').parse::<u16>() {
            Ok(port) => one("HT_HEALTH__LISTEN", &format!("0.0.0.0:{port}")),
            Err(_) => Err("is no port; set HT_HEALTH__LISTEN"),
        },
        "LOG_FORMAT" => one("HT_LOG__FORMAT", if value == "json" { "json" } else { "text" }),
        "LOG_LEVEL" => match value.to_ascii_lowercase().as_str() {
            level @ ("trace" | "debug" | "info" | "error") => {
                one("HT_LOG__FILTER", &format!("{level},async_nats=warn"))
            }
            "warn" | "warning" => one("HT_LOG__FILTER", "warn"),
            "fatal" | "panic" => one("HT_LOG__FILTER", "error"),
            _ => Err("is no level; set HT_LOG__FILTER"),
        },
        "METRICS_ENABLED" if is_true => one("HT_EXPORTERS__SPOT_TERMINATION_HANDLER", "true"),
        "METRICS_ENABLED" => one("HT_EXPORTERS__SPOT_TERMINATION_HANDLER", "false"),
        "METRICS_ENDPOINT" if value == "/metrics" => Ok(Vec::new()),
        "METRICS_ENDPOINT" => Err("metrics are at /metrics; change the path that is scraped"),
        "TERMDETECT_DEFAULTSECONDSUNTILTERMINATION" => match value.parse::<u32>() {
            Ok(seconds) => one("HT_GCP__NOTICE", &format!("{seconds}s")),
            Err(_) => Err("is no number of seconds; set HT_GCP__NOTICE"),
        },
        "TERMNOTIFIER_TRIGGERENABLED" if is_true => one("HT_TRIGGER__LISTEN", "127.0.0.1:9188"),
        "TERMNOTIFIER_TRIGGERENABLED" => Ok(Vec::new()),
        "TERMNOTIFIER_TRIGGERENDPOINT" if value == "/terminate" => Ok(Vec::new()),
        "TERMNOTIFIER_TRIGGERENDPOINT" => Err("the trigger is POST /terminate at trigger.listen"),
        "MY_NODE_NAME" => one("HT_NODE", value),
        "MY_POD_NAME" => Err("nothing needs the pod's name"),
        "DRAINER_ENABLED" | "DRAINER_DRAINWITHTAINT" | "DRAINER_GRACEPERIODSECONDS" | "DRAINER_TIMEOUT" => {
            Err("the agent drains nothing; the drain worker does what the rules say")
        }
        _ => Err("is unknown"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(set: &[(&str, &str)], expected: &[(&str, &str)], without: &[&str]) {
        let env: HashMap<String, String> = set
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let (found, inherited) = translate(env);
        for (name, value) in expected {
            assert_eq!(
                found.get(*name).map(String::as_str),
                Some(*value),
                "{set:?}: {name}"
            );
        }
        assert_eq!(found.len(), set.len() + expected.len(), "{set:?}: {found:?}");
        assert_eq!(inherited.without.len(), without.len(), "{inherited:?}");
        for (why, part) in inherited.without.iter().zip(without) {
            assert!(why.contains(part), "{why}");
        }
    }

    const FAMILIES: (&str, &str) = ("HT_EXPORTERS__SPOT_TERMINATION_HANDLER", "true");

    #[test]
    fn variables_of_the_handler() {
        check(&[("HT_CLUSTER", "c"), ("PATH", "/bin")], &[], &[]);
        check(
            &[("STH_HTTP_LISTENPORT", ":8081")],
            &[FAMILIES, ("HT_HEALTH__LISTEN", "0.0.0.0:8081")],
            &[],
        );
        check(
            &[("STH_LOG_FORMAT", "logfmt")],
            &[FAMILIES, ("HT_LOG__FORMAT", "text")],
            &[],
        );
        check(
            &[("STH_LOG_LEVEL", "debug")],
            &[FAMILIES, ("HT_LOG__FILTER", "debug,async_nats=warn")],
            &[],
        );
        check(
            &[("STH_METRICS_ENABLED", "false")],
            &[("HT_EXPORTERS__SPOT_TERMINATION_HANDLER", "false")],
            &[],
        );
        check(
            &[("STH_METRICS_ENABLED", "true"), ("STH_METRICS_ENDPOINT", "/m")],
            &[FAMILIES],
            &["STH_METRICS_ENDPOINT: metrics are at /metrics"],
        );
        check(
            &[("STH_TERMDETECT_DEFAULTSECONDSUNTILTERMINATION", "45")],
            &[FAMILIES, ("HT_GCP__NOTICE", "45s")],
            &[],
        );
        check(
            &[
                ("STH_TERMNOTIFIER_TRIGGERENABLED", "true"),
                ("STH_MY_NODE_NAME", "n1"),
            ],
            &[
                FAMILIES,
                ("HT_TRIGGER__LISTEN", "127.0.0.1:9188"),
                ("HT_NODE", "n1"),
            ],
            &[],
        );
        check(
            &[
                ("STH_DRAINER_TIMEOUT", "0"),
                ("STH_HTTP_LISTENPORT", "http"),
                ("STH_X", "y"),
            ],
            &[FAMILIES],
            &["the drain worker", "no port", "STH_X: is unknown"],
        );
    }

    #[test]
    fn what_is_set_by_its_own_name_stands() {
        let env = [
            ("STH_MY_NODE_NAME", "old"),
            ("HT_NODE", "new"),
            ("STH_METRICS_ENABLED", "0"),
        ];
        let env = env.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let (env, inherited) = translate(env.into());
        assert_eq!(env["HT_NODE"], "new");
        assert_eq!(
            inherited.understood,
            ["STH_METRICS_ENABLED as HT_EXPORTERS__SPOT_TERMINATION_HANDLER"]
        );
    }
}
