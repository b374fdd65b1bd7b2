//! `POST /terminate`: a notice by hand, to see that everything behind it works.
//!
//! Off unless configured, on a loopback address only, and of mode `test` unless the request says otherwise: such a
//! notice travels the whole way and touches nothing. The body may be empty, or JSON:
//! `{"mode": "test", "action": "terminate", "in": "2m"}`.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use ::http::{Method, StatusCode, header};
use hollowtrees_runtime::{
    Failure,
    config::duration,
    http::{self, Answer, Asked, text, typed},
};
use hollowtrees_schemas::names::mode;
use http_body_util::BodyExt;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use tokio::net::TcpListener;

use crate::{
    notice::{self, Teller},
    spool::Spool,
    telemetry::Telemetry,
};

/// The notice EC2 gives.
const NOTICE: Duration = Duration::from_secs(120);

/// Makes notices by hand.
#[derive(Debug, Clone)]
pub struct Trigger {
    teller: Arc<Teller>,
    spool: Spool,
    telemetry: Telemetry,
}

/// What the request may say.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Wish {
    mode: String,
    action: String,
    r#in: String,
}

impl Default for Wish {
    fn default() -> Self {
        Self {
            mode: mode::TEST.to_owned(),
            action: "terminate".to_owned(),
            r#in: duration::format(&NOTICE),
        }
    }
}

/// Listens where the settings say.
///
/// # Errors
/// The address is taken; says what to change.
pub async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = http::bind(address, "trigger.listen (HT_TRIGGER__LISTEN)").await?;
    tracing::warn!(address = %listener.local_addr()?, "The trigger is on: whoever reaches it can give notice.");
    Ok(listener)
}

impl Trigger {
    /// Gives notices about what `teller` knows, into `spool`.
    pub fn new(teller: Arc<Teller>, spool: Spool, telemetry: Telemetry) -> Self {
        Self {
            teller,
            spool,
            telemetry,
        }
    }

    /// Serves until `end`.
    ///
    /// # Errors
    /// Never.
    pub async fn serve(
        self,
        listener: TcpListener,
        end: tokio_util::sync::CancellationToken,
    ) -> Result<(), Failure> {
        http::serve(listener, end, move |request| {
            let trigger = self.clone();
            async move { trigger.answer(request).await.unwrap_or_else(|refused| refused) }
        })
        .await;
        Ok(())
    }

    async fn answer(&self, request: Asked) -> Result<Answer, Answer> {
        let refuse = |status, why: String| text(status, format!("{why}\n"));
        if request.uri().path() != "/terminate" {
            return Err(refuse(
                StatusCode::NOT_FOUND,
                "here is POST /terminate".to_owned(),
            ));
        }
        if *request.method() != Method::POST {
            return Err(refuse(StatusCode::METHOD_NOT_ALLOWED, "only POST".to_owned()));
        }
        // No page in a browser on this machine is to give notice.
        if request.headers().contains_key(header::ORIGIN) {
            return Err(refuse(StatusCode::FORBIDDEN, "not from a browser".to_owned()));
        }
        let body = request.into_body().collect().await;
        let body = body
            .map_err(|error| refuse(StatusCode::BAD_REQUEST, error.to_string()))?
            .to_bytes();
        let (wish, life) = parse(&body).map_err(|why| refuse(StatusCode::BAD_REQUEST, why))?;
        let Some(identity) = self.teller.identity() else {
            let why = "the instance is not known yet: the metadata service has not answered".to_owned();
            return Err(refuse(StatusCode::SERVICE_UNAVAILABLE, why));
        };
        let now = Timestamp::now();
        let deadline = now + life;
        let message = self
            .teller
            .by_hand(identity, &wish.mode, &wish.action, now, deadline)
            .map_err(|error| refuse(StatusCode::BAD_REQUEST, error.to_string()))?;
        let id = message.outgoing.message_id.clone();
        let offered = self.spool.offer(message.clone());
        self.telemetry
            .noticed(&message, identity, &offered, self.spool.len());
        let body = serde_json::json!({
            "instance": identity.instance_id,
            "mode": wish.mode,
            "deadline": deadline.to_string(),
            "message": id.to_string(),
        });
        Ok(typed(
            StatusCode::ACCEPTED,
            "application/json",
            format!("{body}\n"),
        ))
    }
}

fn parse(body: &[u8]) -> Result<(Wish, SignedDuration), String> {
    let wish: Wish = if body.trim_ascii().is_empty() {
        Wish::default()
    } else {
        serde_json::from_slice(body).map_err(|error| {
            format!("the body is not understood ({error}); write {{\"mode\": \"test\", \"action\": \"terminate\", \"in\": \"2m\"}}, or nothing")
        })?
    };
    if !notice::is_mode(&wish.mode) {
        return Err(format!(
            "`{}` is not a mode; write one of {}",
            wish.mode,
            mode::ALL.join(", ")
        ));
    }
    if wish.action.is_empty() || wish.action.len() > 64 {
        return Err("`action` has 1 to 64 characters".to_owned());
    }
    let life = duration::parse(&wish.r#in)?;
    if life > Duration::from_secs(24 * 60 * 60) {
        return Err("`in` is at most 24h".to_owned());
    }
    let life = SignedDuration::try_from(life).map_err(|error| error.to_string())?;
    Ok((wish, life))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes() {
        for (body, expected) in [
            ("", Ok(("test", "terminate", 120))),
            (" \n", Ok(("test", "terminate", 120))),
            ("{}", Ok(("test", "terminate", 120))),
            (
                r#"{"mode": "live", "action": "stop", "in": "30s"}"#,
                Ok(("live", "stop", 30)),
            ),
            (r#"{"mode": "real"}"#, Err("`real` is not a mode")),
            (r#"{"node": "a"}"#, Err("unknown field `node`")),
            (r#"{"in": "120"}"#, Err("is not a duration")),
            (r#"{"in": "25h"}"#, Err("at most 24h")),
            (r#"{"action": ""}"#, Err("`action`")),
            ("terminate", Err("not understood")),
        ] {
            match (parse(body.as_bytes()), expected) {
                (Ok((wish, life)), Ok((mode, action, seconds))) => {
                    assert_eq!(
                        (wish.mode.as_str(), wish.action.as_str(), life.as_secs()),
                        (mode, action, seconds)
                    );
                }
                (Err(why), Err(part)) => assert!(why.contains(part), "{body}: {why}"),
                (found, _) => panic!("{body}: {found:?}"),
            }
        }
    }
}
