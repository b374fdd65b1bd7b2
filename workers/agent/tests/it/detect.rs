//! Which cloud it is.

use std::{fs, time::Duration};

use hollowtrees_harness::{
    Metadata, Missing, Nats, eventually,
    metadata::{Alibaba, Azure, Gcp, Instance, Silent},
    ports::Port,
    proxy::Fault,
};

use crate::rig::{Agent, LIMIT, Stream, agent};

/// A directory with the firmware's files, or an empty one.
fn firmware(files: &[(&str, &str)]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(directory.path().join(name), format!("{text}\n")).unwrap();
    }
    directory
}

fn searching(url: &str, nats: &Nats, firmware: &tempfile::TempDir) -> Agent {
    let dmi = firmware.path().display().to_string();
    agent(
        url,
        &nats.url(),
        &[
            ("HT_PROVIDER", "auto"),
            ("HT_DETECT__DMI", &dmi),
            ("HT_DETECT__RETRY", "50ms"),
        ],
    )
}

async fn found(agent: &Agent, provider: &str) {
    agent.listens().await;
    agent
        .shows(
            "hollowtrees_agent_provider_info",
            &format!("hollowtrees_agent_provider_info{{provider=\"{provider}\"}} 1"),
        )
        .await;
}

/// All have been asked once, and none has proved anything.
async fn has_searched(agent: &Agent) {
    let why = "set HT_PROVIDER, to `none` where nothing is to be heard";
    agent.worker.logged(why, LIMIT).await.unwrap();
}

#[tokio::test]
async fn a_metadata_service_says_whose_it_is() {
    let nats = Nats::start().await.unwrap();
    let none = firmware(&[
        ("sys_vendor", "Microsoft Corporation"),
        ("product_name", "Virtual Machine"),
    ]);
    let aws = Metadata::start(Instance::new("i-0d2aab13057917887", "eu-west-1a"))
        .await
        .unwrap();
    let gcp = Gcp::start().await.unwrap();
    let azure = Azure::start("vm").await.unwrap();
    let alibaba = Alibaba::start().await.unwrap();
    let (oracle, droplet) = (
        Silent::oracle().await.unwrap(),
        Silent::digitalocean().await.unwrap(),
    );
    for (url, provider) in [
        (aws.url(), "aws"),
        (gcp.url(), "gcp"),
        (azure.url(), "azure"),
        (alibaba.url(), "alibaba"),
        (oracle.url(), "oracle"),
        (droplet.url(), "digitalocean"),
    ] {
        let agent = searching(&url, &nats, &none);
        found(&agent, provider).await;
        agent.ready().await;
    }
}

#[tokio::test]
async fn the_firmware_says_it_without_a_single_request() {
    let nats = Nats::start().await.unwrap();
    let service = Metadata::start(Instance::new("i-0d2aab13057917887", "eu-west-1a"))
        .await
        .unwrap();
    for (files, provider) in [
        (
            [("sys_vendor", "Amazon EC2"), ("product_name", "m5.large")],
            "aws",
        ),
        (
            [
                ("sys_vendor", "Google"),
                ("product_name", "Google Compute Engine"),
            ],
            "gcp",
        ),
        (
            [
                ("sys_vendor", "Microsoft Corporation"),
                ("chassis_asset_tag", "7783-7084-3265-9085-8269-3286-77"),
            ],
            "azure",
        ),
        (
            [
                ("sys_vendor", "Alibaba Cloud"),
                ("product_name", "Alibaba Cloud ECS"),
            ],
            "alibaba",
        ),
        (
            [("sys_vendor", "QEMU"), ("chassis_asset_tag", "OracleCloud.com")],
            "oracle",
        ),
        (
            [("sys_vendor", "DigitalOcean"), ("product_name", "Droplet")],
            "digitalocean",
        ),
    ] {
        let before = service.seen().len();
        let directory = firmware(&files);
        let agent = searching(&service.url(), &nats, &directory);
        found(&agent, provider).await;
        match provider {
            "aws" => agent.ready().await,
            "oracle" | "digitalocean" => {
                agent.ready().await;
                assert_eq!(service.seen().len(), before, "{provider} is asked nothing");
                let (_, told) = agent.get("/readyz").await;
                assert!(
                    told.contains("Events service") || told.contains("takes no droplet back"),
                    "{told}"
                );
            }
            // The service is not theirs, and they do not make do with it.
            _ => {
                eventually("to be not ready", LIMIT, || async {
                    let (status, why) = agent.get("/readyz").await;
                    if status == 503 && why.contains("metadata: ") && !why.contains("provider: ") {
                        Ok(())
                    } else {
                        Err(why)
                    }
                })
                .await;
            }
        }
    }
}

#[tokio::test]
async fn a_node_nothing_is_known_of_goes_on_looking() {
    let nats = Nats::start().await.unwrap();
    let port = Port::reserve().unwrap();
    let directory = firmware(&[]);
    let mut stream = Stream::of(&nats).await;
    let agent = searching(&format!("http://{}", port.addr()), &nats, &directory);
    agent.listens().await;
    found(&agent, "unknown").await;
    has_searched(&agent).await;
    eventually("the reason", LIMIT, || async {
        let (status, why) = agent.get("/readyz").await;
        if status == 503 && why.contains("provider: nothing in") {
            Ok(())
        } else {
            Err(why)
        }
    })
    .await;
    // A service that answers rubbish proves nothing.
    let service = Azure::start_on(port.addr(), "vm").await.unwrap();
    service.inject(Fault::garbage());
    let asked = |service: &Azure| service.count("/metadata/instance/compute");
    eventually("to be asked", LIMIT, || async {
        if asked(&service) > 2 {
            Ok(())
        } else {
            Err(asked(&service))
        }
    })
    .await;
    found(&agent, "unknown").await;
    service.heal();
    found(&agent, "azure").await;
    agent.ready().await;
    service.schedule(&[hollowtrees_harness::metadata::Event::new(
        "E1",
        "Preempt",
        "vm",
        Duration::from_secs(30),
    )]);
    assert_eq!(stream.next().await.data.event_id, "E1");
}

/// Takes connections, and never says a word.
struct Mute(tokio::task::JoinHandle<()>);

impl Mute {
    async fn at(port: &Port) -> Self {
        let listener = tokio::net::TcpListener::bind(port.addr()).await.unwrap();
        Self(tokio::spawn(async move {
            let mut taken = Vec::new();
            loop {
                taken.push(listener.accept().await.unwrap());
            }
        }))
    }
}

impl Drop for Mute {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// All services are asked at once: those that hang cost the one that answers no time.
#[tokio::test]
async fn a_probe_that_hangs_keeps_no_other_waiting() {
    let nats = Nats::start().await.unwrap();
    let directory = firmware(&[]);
    let dmi = directory.path().display().to_string();
    // Far beyond what is awaited: each probe that hangs would take so long, twice with a token.
    let env = [
        ("HT_PROVIDER", "auto"),
        ("HT_DETECT__DMI", dmi.as_str()),
        ("HT_METADATA__TIMEOUT", "60s"),
    ];
    let service = Azure::start("vm").await.unwrap();
    // Azure answers; whatever the others are asked hangs, the requests for tokens among them.
    for path in ["/latest/", "/computeMetadata/", "/opc/", "/metadata/v1/"] {
        service.inject(Fault::slow(Duration::from_secs(120)).path(path));
    }
    let started = std::time::Instant::now();
    let agent = agent(&service.url(), &nats.url(), &env);
    found(&agent, "azure").await;
    let took = started.elapsed();
    assert!(took < Duration::from_secs(10), "{took:?}");
    // That they hang, and no service of theirs is there.
    service.inject(Fault::slow(Duration::from_secs(120)).path("/metadata/instance"));
    let agent = searching(&service.url(), &nats, &directory);
    has_searched(&agent).await;
    service.heal();
    found(&agent, "azure").await;
}

/// Nobody waits for ever for an address that takes connections and says nothing.
#[tokio::test]
async fn each_probe_of_a_mute_address_has_its_limit() {
    let nats = Nats::start().await.unwrap();
    let directory = firmware(&[]);
    let port = Port::reserve().unwrap();
    let mute = Mute::at(&port).await;
    let agent = searching(&format!("http://{}", port.addr()), &nats, &directory);
    has_searched(&agent).await;
    drop(mute);
    let service = eventually("the port to be free", LIMIT, || {
        Azure::start_on(port.addr(), "vm")
    })
    .await;
    found(&agent, "azure").await;
    agent.ready().await;
    assert!(service.count("/metadata/instance/compute") > 0);
}

#[tokio::test]
async fn a_node_where_nothing_is_to_be_heard() {
    let nats = Nats::start().await.unwrap();
    let agent = agent("http://127.0.0.1:1", &nats.url(), &[("HT_PROVIDER", "none")]);
    agent.ready().await;
    found(&agent, "none").await;
    assert_eq!(
        agent.samples("hollowtrees_errors_total").await,
        Vec::<String>::new()
    );
    let (status, told) = agent.get("/readyz").await;
    assert!(status == 200 && told.contains("`none` by its settings"), "{told}");
}

#[tokio::test]
async fn a_name_that_cannot_be_resolved_and_a_second_address() {
    let nats = Nats::start().await.unwrap();
    let wrong = agent("http://no-such-host.invalid", &nats.url(), &[]);
    wrong.listens().await;
    wrong.meets("metadata_unreachable").await;
    let (_, why) = wrong.get("/readyz").await;
    assert!(
        why.contains("no-such-host.invalid") && why.contains("HT_METADATA__URL"),
        "{why}"
    );

    // IPv4 is dead, IPv6 is not.
    let Ok(listener) = std::net::TcpListener::bind("[::1]:0") else {
        Missing::Ipv6.skip("this machine's loopback interface has no IPv6");
        return;
    };
    let addr = listener.local_addr().unwrap();
    drop(listener);
    let service = Metadata::start_on(addr, Instance::new("i-0d2aab13057917887", "eu-west-1a"))
        .await
        .unwrap();
    let dead = Port::reserve().unwrap();
    let both = format!("http://{},http://{addr}", dead.addr());
    for provider in ["aws", "auto"] {
        let nothing = firmware(&[]).path().display().to_string();
        let agent = agent(
            &both,
            &nats.url(),
            &[("HT_PROVIDER", provider), ("HT_DETECT__DMI", &nothing)],
        );
        agent.ready().await;
        found(&agent, "aws").await;
    }
    assert!(service.count("/latest/api/token") > 0);
}
