//! One fault at one provider, from its beginning to its end.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use hollowtrees_harness::{eventually, metadata::When, ports::Port};
use hollowtrees_schemas::proto::{self, time::from_proto};
use jiff::Timestamp;
use tokio::time::Instant;

use super::{
    Fate, Wrong,
    cloud::{Cloud, Service},
};
use crate::rig::{Agent, LIMIT, Stream, agent};

/// What all agents have said, by their clusters: each has its own.
#[derive(Clone, Default)]
pub(super) struct Heard(Arc<Mutex<BTreeMap<String, Vec<proto::Notice>>>>);

impl Heard {
    /// Listens from now on.
    pub(super) fn of(mut stream: Stream) -> Self {
        let heard = Self::default();
        let all = heard.clone();
        tokio::spawn(async move {
            loop {
                let notice = stream.whenever().await.data;
                let mut all = all.0.lock().unwrap();
                all.entry(notice.cluster.clone()).or_default().push(notice);
            }
        });
        heard
    }

    pub(super) fn counts(&self) -> BTreeMap<String, usize> {
        let all = self.0.lock().unwrap();
        all.iter()
            .map(|(cluster, notices)| (cluster.clone(), notices.len()))
            .collect()
    }

    fn notices(&self, cluster: &str) -> Vec<proto::Notice> {
        self.0.lock().unwrap().get(cluster).cloned().unwrap_or_default()
    }
}

pub(super) struct Cell {
    cloud: Cloud,
    /// The agent's cluster.
    name: String,
    agent: Agent,
    pid: Option<u32>,
    /// Where the service is.
    port: Port,
    heard: Heard,
}

impl Cell {
    /// With an agent that runs, and no service yet. `nameless`: its first address is a name that nobody knows.
    pub(super) fn start(cloud: Cloud, name: &str, bus: &str, heard: Heard, nameless: bool) -> Self {
        let port = Port::reserve().unwrap();
        let mut url = format!("http://{}", port.addr());
        if nameless {
            url = format!("http://no-such-host.invalid,{url}");
        }
        let env = [
            ("HT_CLUSTER", name),
            ("HT_PROVIDER", cloud.provider()),
            ("HT_POLL__INTERVAL", "100ms"),
            ("HT_POLL__REBALANCE", "1s"),
            ("HT_POLL__LIFECYCLE", "1s"),
            ("HT_POLL__MAINTENANCE", "1s"),
            ("HT_GCP__WAIT", "1s"),
        ];
        let agent = agent(&url, bus, &env);
        Self {
            cloud,
            name: name.to_owned(),
            pid: agent.worker.pid(),
            agent,
            port,
            heard,
        }
    }

    pub(super) async fn play(self, wrong: Wrong, fate: Fate) {
        match wrong {
            Wrong::Document(fault) => {
                let service = self.calm().await;
                let path = self.cloud.path();
                let inject = || service.inject(fault(self.cloud).path(path));
                self.hides(&service, &inject, fate).await;
            }
            Wrong::Token(Some(fault)) => {
                let service = self.calm().await;
                let inject = || {
                    service.inject(fault().method(http::Method::PUT));
                    service.expire_tokens();
                };
                self.hides(&service, &inject, fate).await;
            }
            Wrong::Token(None) => {
                let service = self.calm().await;
                for _ in 0..2 {
                    service.expire_tokens();
                    self.bears(&service, fate).await;
                }
                let at = service.announce();
                service.expire_tokens();
                self.says(1, at).await;
                self.goes_on(&service).await;
            }
            Wrong::Refused(long) => self.refused(long, fate).await,
            Wrong::Nameless => self.nameless(fate).await,
            Wrong::Time(when) => self.odd_time(when(), fate).await,
        }
        assert_eq!(self.agent.worker.exit_status(), None, "it lives");
        assert_eq!(self.agent.worker.pid(), self.pid);
    }

    /// A service that says nothing, and an agent that has heard so.
    async fn calm(&self) -> Service {
        let service = self.serve().await;
        self.agent.ready().await;
        service
    }

    async fn serve(&self) -> Service {
        let addr = self.port.addr();
        eventually("the port to be free", LIMIT, || {
            Service::start_on(self.cloud, addr)
        })
        .await
    }

    /// A fault that hides what is announced, then what stands.
    async fn hides(&self, service: &Service, inject: &impl Fn(), fate: Fate) {
        inject();
        self.bears(service, fate).await;
        let at = service.announce();
        self.bears(service, fate).await;
        assert_eq!(self.heard.notices(&self.name), [], "while it cannot be known");
        service.heal();
        self.says(1, at).await;
        inject();
        self.bears(service, fate).await;
        service.heal();
        self.goes_on(service).await;
    }

    async fn refused(&self, long: Duration, fate: Fate) {
        let service = self.calm().await;
        let until = Instant::now() + long;
        drop(service);
        self.troubled(fate).await;
        tokio::time::sleep_until(until).await;
        self.troubled(fate).await;
        // Said once for each document, not at each of six hundred attempts.
        let log = self.agent.worker.log().unwrap();
        let said = log.matches("gives no usable answer").count();
        assert!((1..=4).contains(&said), "{said} times");
        let service = self.serve().await;
        let at = service.announce();
        self.says(1, at).await;
        self.goes_on(&service).await;
    }

    async fn nameless(&self, fate: Fate) {
        self.agent.listens().await;
        self.troubled(fate).await;
        eventually("the name in the reason", LIMIT, || async {
            let (_, why) = self.agent.get("/readyz").await;
            if why.contains("no-such-host.invalid") {
                Ok(())
            } else {
                Err(why)
            }
        })
        .await;
        let service = self.calm().await;
        let at = service.announce();
        self.says(1, at).await;
        self.goes_on(&service).await;
    }

    /// It is said as it is given; a right one in its place is said, too.
    async fn odd_time(&self, when: When, fate: Fate) {
        let service = self.calm().await;
        let now = Timestamp::now();
        service.announce_when(when);
        match when {
            When::At(at) => self.says(1, at).await,
            // By the first reading.
            When::After(after) => {
                let deadline = self.notice(1).await.deadline.unwrap();
                let early = from_proto(&deadline).unwrap().duration_since(now + after);
                assert!(early.as_secs().abs() <= 2, "{early:?}");
            }
        }
        for _ in 0..10 {
            self.bears(&service, fate).await;
        }
        assert_eq!(
            self.heard.notices(&self.name).len(),
            1,
            "however often it is read"
        );
        let at = service.announce();
        self.says(2, at).await;
        self.goes_on(&service).await;
    }

    /// The fault as it is to be borne, for two readings at least from now on.
    async fn bears(&self, service: &Service, fate: Fate) {
        if let Fate::Trouble(_) = fate {
            return self.troubled(fate).await;
        }
        self.reads(service).await;
        assert_eq!(self.agent.get("/readyz").await.0, 200);
        let errors = self.agent.samples("hollowtrees_errors_total").await;
        assert!(
            errors.iter().all(|sample| !sample.contains("stage=\"metadata\"")),
            "{errors:?}"
        );
    }

    async fn troubled(&self, fate: Fate) {
        let Fate::Trouble(kind) = fate else {
            panic!("{} is no trouble", self.name);
        };
        self.agent.meets(kind).await;
        let (status, why) = self.agent.get("/readyz").await;
        assert!(status == 503 && why.contains("metadata: "), "{why}");
        let log = self.agent.worker.log().unwrap();
        assert!(log.contains("gives no usable answer"), "{log}");
    }

    /// Two readings that began after this.
    async fn reads(&self, service: &Service) {
        let before = service.readings(self.cloud);
        eventually("more readings", LIMIT, || async {
            let more = service.readings(self.cloud) - before;
            if more >= 3 { Ok(()) } else { Err(more) }
        })
        .await;
    }

    async fn goes_on(&self, service: &Service) {
        self.agent.ready().await;
        self.reads(service).await;
    }

    /// The last of so many notices.
    async fn notice(&self, count: usize) -> proto::Notice {
        let notices = eventually(format!("{count} notices of {}", self.name), LIMIT, || async {
            let notices = self.heard.notices(&self.name);
            if notices.len() >= count {
                Ok(notices)
            } else {
                Err(notices.len())
            }
        })
        .await;
        assert_eq!(notices.len(), count, "{notices:?}");
        notices.last().unwrap().clone()
    }

    async fn says(&self, count: usize, at: Timestamp) {
        self.cloud.is_right(&self.notice(count).await, at);
    }
}
