//! An agent that is cut off from the bus: it cordons its own node, and its rights allow nothing else, on a real API server.

use std::{sync::Arc, time::Duration};

use hollowtrees_bus::{Options, apply, topology};
use hollowtrees_harness::{
    ControlPlane, Error, Metadata, Nats, Worker,
    control_plane::{Answer, Client, fixtures},
    eventually,
    metadata::Instance,
    ports::Port,
};
use http::Method;
use serde_json::{Value, json};

use crate::{
    api_server,
    documents::{kind, name, rendered, with},
};

const BOUND: Duration = Duration::from_secs(60);
const MARK: &str = "hollowtrees.io/cordon";
const OURS: &str = "{\"holders\":[]}";

/// Two nodes, and on the first a pod of the chart's agent.
struct Ground {
    plane: Arc<ControlPlane>,
    admin: Client,
    /// Prefix of the nodes, and namespace.
    named: &'static str,
    account: String,
}

impl Ground {
    async fn new(named: &'static str) -> Self {
        let plane = ControlPlane::shared().await.unwrap();
        let admin = plane.client().unwrap();
        admin.namespace(named).await.unwrap();
        // As every kubelet does.
        let kubelets = |node| {
            fixtures::annotated(
                node,
                "volumes.kubernetes.io/controller-managed-attach-detach",
                "true",
            )
        };
        let nodes = fixtures::nodes(named, 2).into_iter().map(kubelets);
        admin.post_all("/api/v1/nodes", nodes).await.unwrap();
        let render = with("minimal")
            .namespace(named)
            .release(named)
            .set("agent.cordonWhenCutOff", r#""2s""#);
        let objects: Vec<Value> = rendered(&render)
            .await
            .into_iter()
            .filter(|object| {
                name(object).ends_with("-agent")
                    && (kind(object).contains("Role")
                        || kind(object).contains("Policy")
                        || kind(object) == "ServiceAccount")
            })
            .collect();
        assert_eq!(objects.len(), 5, "account, role, policy, and their bindings");
        api_server::install(&admin, &objects).await;
        let ground = Self {
            plane,
            admin,
            named,
            account: format!("{named}-hollowtrees-agent"),
        };
        let mut pod = fixtures::pod("agent", "agent", &ground.node(0));
        pod["spec"]["serviceAccountName"] = ground.account.as_str().into();
        ground.admin.post(&ground.pods(), &pod).await.unwrap();
        ground
    }

    fn node(&self, i: usize) -> String {
        format!("{}-{i}", self.named)
    }

    fn path(&self, i: usize) -> String {
        format!("/api/v1/nodes/{}", self.node(i))
    }

    fn pods(&self) -> String {
        format!("/api/v1/namespaces/{}/pods", self.named)
    }

    async fn get(&self, i: usize) -> Value {
        self.admin.get(&self.path(i)).await.unwrap()
    }

    async fn is_closed(&self, i: usize) -> bool {
        self.get(i).await["spec"]["unschedulable"] == true
    }

    /// The token of the agent's pod.
    async fn token(&self) -> String {
        let token = self.plane.pod_token(self.named, &self.account, "agent");
        token.await.unwrap()
    }

    /// The API server takes a policy in by a watch: from then on it refuses what the role alone would let through.
    async fn policy_holds(&self, agent: &Client) {
        let path = format!("{}?dryRun=All", self.path(1));
        let patch = json!({"spec": {"unschedulable": true}});
        eventually("the policy to be in force", BOUND, async || {
            let answer = agent.request(Method::PATCH, &path, Some(&patch)).await?;
            if answer.status == 422 {
                Ok(())
            } else {
                Err(Error::new(answer.to_string()))
            }
        })
        .await;
    }
}

fn is_refused(answer: &Answer, because: &str) {
    let said = answer.to_string();
    assert!(
        answer.status == 422 && said.contains(because),
        "{because}: {said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rights_of_a_cut_off_agent_are_for_its_own_cordon_only() {
    let ground = Ground::new("policy").await;
    let agent = ground.plane.client_with_token(&ground.token().await).unwrap();
    ground.policy_holds(&agent).await;
    let (own, other) = (ground.path(0), ground.path(1));
    let ask =
        async |path: &str, patch: Value| agent.request(Method::PATCH, path, Some(&patch)).await.unwrap();
    let cordon = json!({"spec": {"unschedulable": true}});

    is_refused(&ask(&other, cordon.clone()).await, "no node but its own");
    assert!(!ground.is_closed(1).await);
    let taint = json!([{"key": "a", "effect": "NoExecute"}]);
    for (patch, because) in [
        (json!({"metadata": {"labels": {"a": "b"}}}), "labels"),
        (
            json!({"metadata": {"labels": {"kubernetes.io/os": null}}}),
            "labels",
        ),
        (
            json!({"metadata": {"finalizers": ["example.com/a"]}}),
            "finalizers",
        ),
        (json!({"metadata": {"annotations": {"a": "b"}}}), "its mark only"),
        (
            json!({"metadata": {"annotations": {MARK: "{}"}}}),
            "its mark only",
        ),
        (json!({"spec": {"taints": taint}}), "unschedulable only"),
        (
            json!({"spec": {"podCIDR": "10.1.0.0/24", "podCIDRs": ["10.1.0.0/24"]}}),
            "unschedulable only",
        ),
    ] {
        let mut patch = patch;
        patch["spec"]["unschedulable"] = true.into();
        is_refused(&ask(&own, patch).await, because);
        assert!(!ground.is_closed(0).await);
    }
    // Of a node that is open it may not even say that it stays so.
    is_refused(
        &ask(&own, json!({"metadata": {"annotations": {MARK: OURS}}})).await,
        "not uncordon",
    );
    // Other verbs and parts of a node are not in the role at all.
    for (method, path) in [
        (Method::GET, own.clone()),
        (Method::DELETE, own.clone()),
        (Method::PUT, own.clone()),
        (Method::PATCH, format!("{own}/status")),
        (Method::GET, ground.pods()),
    ] {
        let answer = agent.request(method.clone(), &path, Some(&cordon)).await.unwrap();
        assert_eq!(answer.status, 403, "{method} {path}: {answer}");
    }
    // The account without a pod has no node.
    let loose = ground.plane.service_account_token(ground.named, &ground.account);
    let loose = ground.plane.client_with_token(&loose.await.unwrap()).unwrap();
    let answer = loose.request(Method::PATCH, &own, Some(&cordon)).await.unwrap();
    is_refused(&answer, "no node but its own");
    assert!(!ground.is_closed(0).await);

    let mut marked = cordon.clone();
    marked["metadata"]["annotations"][MARK] = OURS.into();
    let done = ask(&own, marked).await;
    assert!(done.status.is_success(), "{done}");
    let node = ground.get(0).await;
    assert_eq!(
        (
            &node["spec"]["unschedulable"],
            &node["metadata"]["annotations"][MARK]
        ),
        (&json!(true), &json!(OURS))
    );
    assert!(
        ask(&own, cordon).await.status.is_success(),
        "once more is nothing"
    );
    for open in [
        json!({"spec": {"unschedulable": null}}),
        json!({"spec": {"unschedulable": false}}),
    ] {
        is_refused(&ask(&own, open).await, "not uncordon");
    }
    is_refused(
        &ask(&own, json!({"metadata": {"annotations": {MARK: null}}})).await,
        "its mark only",
    );
    // Nobody else is held to anything.
    let open = json!({"spec": {"unschedulable": null}, "metadata": {"annotations": {MARK: null}, "labels": {"a": "b"}}});
    ground.admin.patch(&own, &open).await.unwrap();
}

/// An agent as its pod runs it, beside a bus that goes.
struct Agent {
    nats: Nats,
    metadata: Metadata,
    process: Worker,
    _credentials: tempfile::TempDir,
}

async fn agent(ground: &Ground, after: &str) -> Agent {
    let nats = Nats::start().await.unwrap();
    let operator = hollowtrees_bus::Bus::connect(&Options::new(nats.url()))
        .await
        .unwrap();
    apply::apply(&operator, topology::Profile::LOCAL, &topology::consumers())
        .await
        .unwrap();
    let instance = Instance::new(&fixtures::instance_id(ground.named, 0), "us-east-1a");
    let metadata = Metadata::start(instance).await.unwrap();
    let credentials = tempfile::tempdir().unwrap();
    std::fs::write(credentials.path().join("token"), ground.token().await).unwrap();
    std::fs::copy(ground.plane.ca_file(), credentials.path().join("ca.crt")).unwrap();
    let server = ground.plane.addr();
    let health = Port::reserve().unwrap();
    let process = Worker::builder("agent", env!("CARGO_BIN_EXE_chart-program"))
        .env("HOLLOWTREES_PROGRAM", "hollowtrees-agent")
        .env("HT_CLUSTER", ground.named)
        .env("HT_NODE", ground.node(0))
        .env("HT_NATS__URL", nats.url())
        .env("HT_PROVIDER", "aws")
        .env("HT_METADATA__URL", metadata.url())
        .env("HT_POLL__INTERVAL", "100ms")
        .env("HT_POLL__REBALANCE", "100ms")
        .env("HT_HEALTH__LISTEN", health.addr().to_string())
        .env("HT_CORDON__WHEN_CUT_OFF", after)
        .env("HT_CORDON__CREDENTIALS", credentials.path())
        .env("KUBERNETES_SERVICE_HOST", server.ip().to_string())
        .env("KUBERNETES_SERVICE_PORT", server.port().to_string())
        .start()
        .unwrap();
    let readyz = format!("http://{}/readyz", health.addr());
    process.ready(&readyz, BOUND).await.unwrap();
    Agent {
        nats,
        metadata,
        process,
        _credentials: credentials,
    }
}

/// Instances of the notices on the bus.
async fn told(nats: &Nats) -> usize {
    use hollowtrees_bus::read::{From, Until};
    let bus = hollowtrees_bus::Bus::connect(&Options::new(nats.url()))
        .await
        .unwrap();
    let stream = hollowtrees_schemas::names::Stream::Notices;
    let mut reading = bus.read(stream, &[], From::First, Until::Present).await.unwrap();
    let mut count = 0;
    while let Ok(Some(_)) = reading.next().await {
        count += 1;
    }
    count
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_cordons_its_node_when_the_bus_does_not_hear_it() {
    let ground = Ground::new("cutoff").await;
    let token = ground.token().await;
    ground
        .policy_holds(&ground.plane.client_with_token(&token).unwrap())
        .await;
    let agent = agent(&ground, "2s").await;
    // Heard: nothing is done here.
    agent.metadata.recommend_rebalance(true);
    eventually("the first notice", BOUND, async || {
        match told(&agent.nats).await {
            1 => Ok(()),
            count => Err(count),
        }
    })
    .await;
    agent.nats.kill();
    let began = std::time::Instant::now();
    agent.metadata.interrupt("terminate", Duration::from_secs(120));
    let waited = eventually("the cordon", BOUND, async || {
        if ground.is_closed(0).await {
            Ok(began.elapsed())
        } else {
            Err("open")
        }
    })
    .await;
    // Not before its time, and a poll and a request later at the latest.
    assert!(waited >= Duration::from_secs(2), "{waited:?}");
    assert!(waited < Duration::from_secs(6), "{waited:?}");
    println!("cordoned {waited:?} after the notice, asked to after 2s");
    let node = ground.get(0).await;
    assert_eq!(node["metadata"]["annotations"][MARK], OURS);
    assert!(!ground.is_closed(1).await);
    let log = agent.process.log().unwrap();
    assert!(log.contains("this node was cordoned"), "{log}");

    agent.nats.restart().await.unwrap();
    eventually("the notice of the interruption", BOUND, async || {
        match told(&agent.nats).await {
            2 => Ok(()),
            count => Err(count),
        }
    })
    .await;
    assert!(agent.process.terminate(BOUND).await.unwrap().success());
}

/// Somebody else's cordon stays somebody else's, and only what is certain is acted on.
#[tokio::test(flavor = "multi_thread")]
async fn advice_is_no_reason_and_a_cordon_of_others_stays_theirs() {
    let ground = Ground::new("theirs").await;
    let token = ground.token().await;
    ground
        .policy_holds(&ground.plane.client_with_token(&token).unwrap())
        .await;
    let audit = ground.plane.audit().from_now().unwrap();
    let agent = agent(&ground, "500ms").await;
    agent.nats.kill();
    agent.metadata.recommend_rebalance(true);
    agent.process.logged("Noticed", BOUND).await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(!ground.is_closed(0).await);
    let theirs = json!({"spec": {"unschedulable": true}});
    ground.admin.patch(&ground.path(0), &theirs).await.unwrap();
    agent.metadata.interrupt("terminate", Duration::from_secs(120));
    agent
        .process
        .logged("this node was cordoned", BOUND)
        .await
        .unwrap();
    let node = ground.get(0).await;
    assert_eq!(node["metadata"]["annotations"].get(MARK), None, "{node:#}");
    // Two requests, and no third while the bus stays away.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let user = format!("system:serviceaccount:{}:{}", ground.named, ground.account);
    let entries = audit.entries().unwrap().into_iter();
    let codes: Vec<_> = entries
        .filter(|entry| entry.user == user)
        .map(|entry| entry.code)
        .collect();
    assert_eq!(codes, [422, 200]);
    agent.process.kill();
}
