//! What pods may do: no more than they need.

use serde_json::{Value, json};

use crate::documents::{SETS, find, kind, name, objects, rendered, root, with, workloads};

#[tokio::test]
async fn every_pod_is_locked_in() {
    for set in SETS {
        let objects = rendered(&with(set)).await;
        for (worker, template) in workloads(&objects) {
            let about = format!("{worker} of {set}");
            let pod = &template["spec"];
            let context = &pod["securityContext"];
            assert_eq!(context["runAsNonRoot"], true, "{about}");
            assert_eq!(context["runAsUser"], 65532, "{about}");
            assert_eq!(context["seccompProfile"]["type"], "RuntimeDefault", "{about}");
            assert_eq!(pod["enableServiceLinks"], false, "{about}");
            // Of the host, the agent has the network; the metadata service may be one hop away only.
            let of_host = if worker == "agent" {
                json!(true)
            } else {
                Value::Null
            };
            assert_eq!(pod["hostNetwork"], of_host, "{about}");
            assert_eq!(pod["hostPID"], Value::Null, "{about}");
            assert_eq!(pod["hostIPC"], Value::Null, "{about}");
            for volume in pod["volumes"].as_array().unwrap() {
                assert!(volume.get("hostPath").is_none(), "{about}: {volume}");
            }
            let containers = pod["containers"].as_array().unwrap();
            assert_eq!(
                (containers.len(), pod.get("initContainers")),
                (1, None),
                "{about}"
            );
            let own = &containers[0]["securityContext"];
            assert_eq!(
                own,
                &json!({
                    "allowPrivilegeEscalation": false,
                    "readOnlyRootFilesystem": true,
                    "capabilities": {"drop": ["ALL"]},
                }),
                "{about}"
            );
            assert!(
                containers[0]["resources"]["limits"]["memory"].is_string(),
                "{about}"
            );
            assert!(
                containers[0]["resources"]["requests"]["cpu"].is_string(),
                "{about}"
            );
        }
    }
}

#[tokio::test]
async fn only_drain_holds_a_token_and_only_drain_has_a_role() {
    for set in SETS {
        let objects = rendered(&with(set)).await;
        for (worker, template) in workloads(&objects) {
            assert_eq!(
                template["spec"]["automountServiceAccountToken"],
                worker == "drain",
                "{worker} of {set}"
            );
            assert!(
                template["spec"]["serviceAccountName"]
                    .as_str()
                    .unwrap()
                    .ends_with(worker)
            );
            for volume in template["spec"]["volumes"].as_array().unwrap() {
                assert!(volume.get("projected").is_none(), "{worker} of {set}: {volume}");
            }
        }
        for object in &objects {
            match kind(object) {
                "ServiceAccount" => assert_eq!(object["automountServiceAccountToken"], false, "{object}"),
                "ClusterRoleBinding" | "RoleBinding" => {
                    let subjects = object["subjects"].as_array().unwrap();
                    assert_eq!(subjects.len(), 1);
                    assert!(
                        subjects[0]["name"].as_str().unwrap().ends_with("-drain"),
                        "{object}"
                    );
                }
                "ClusterRole" | "Role" => assert!(name(object).ends_with("-drain"), "{object}"),
                _ => {}
            }
        }
    }
}

/// The manifest for those who use no chart says the same.
#[tokio::test]
async fn the_roles_are_those_of_the_plain_manifest() {
    let plain = std::fs::read_to_string(root().join("workers/drain/rbac.yaml")).unwrap();
    let plain = objects(&plain);
    let chart = rendered(&with("minimal")).await;
    for of_kind in ["ClusterRole", "Role"] {
        let (plain, chart) = (
            find(&plain, of_kind, "hollowtrees-drain"),
            find(&chart, of_kind, "hollowtrees-drain"),
        );
        assert_eq!(plain["rules"], chart["rules"], "{of_kind}");
        assert_eq!(
            plain["metadata"]["namespace"], chart["metadata"]["namespace"],
            "{of_kind}"
        );
    }
    for of_kind in ["ClusterRoleBinding", "RoleBinding"] {
        let (plain, chart) = (
            find(&plain, of_kind, "hollowtrees-drain"),
            find(&chart, of_kind, "hollowtrees-drain"),
        );
        assert_eq!(
            (&plain["roleRef"], &plain["subjects"]),
            (&chart["roleRef"], &chart["subjects"])
        );
    }
}

#[tokio::test]
async fn agents_are_on_every_node_and_hear_it_to_the_end() {
    let objects = rendered(&with("minimal")).await;
    let agent = find(&objects, "DaemonSet", "hollowtrees-agent");
    let pod = &agent["spec"]["template"]["spec"];
    assert_eq!(pod["tolerations"], json!([{"operator": "Exists"}]));
    assert_eq!(pod["dnsPolicy"], "ClusterFirstWithHostNet");
    assert_eq!(pod["priorityClassName"], "system-node-critical");
}

#[tokio::test]
async fn secrets_are_named_and_never_written_down() {
    let objects = rendered(&with("full")).await;
    assert!(!objects.iter().any(|object| kind(object) == "Secret"));
    let pod = |of_kind: &str, named: &str| find(&objects, of_kind, named)["spec"]["template"]["spec"].clone();
    let config = |named: &str| {
        let text = &find(&objects, "ConfigMap", named)["data"]["config.toml"];
        text.as_str().unwrap().to_owned()
    };
    let variable = |pod: &Value, variable: &str| {
        let env = pod["containers"][0]["env"].as_array().unwrap().clone();
        let found = env.into_iter().find(|one| one["name"] == variable);
        found.map(|one| one["valueFrom"]["secretKeyRef"].clone())
    };
    let volume = |pod: &Value, volume: &str| {
        let found = pod["volumes"].as_array().unwrap().clone();
        let found = found.into_iter().find(|one| one["name"] == volume);
        found.map(|one| one["secret"]["secretName"].as_str().unwrap().to_owned())
    };

    let agent = pod("DaemonSet", "ht-agent");
    let of_agent = |key: &str| Some(json!({"name": "nats-agent", "key": key}));
    assert_eq!(variable(&agent, "HT_NATS__USER"), of_agent("user"));
    assert_eq!(variable(&agent, "HT_NATS__PASSWORD"), of_agent("password"));
    assert_eq!(volume(&agent, "nats"), None);

    let metrics = pod("Deployment", "ht-metrics");
    let token = Some(json!({"name": "nats-metrics", "key": "token"}));
    assert_eq!(variable(&metrics, "HT_NATS__TOKEN"), token);

    let drain = pod("Deployment", "ht-drain");
    assert_eq!(volume(&drain, "nats").as_deref(), Some("nats-worker"));
    assert!(config("ht-drain").contains("nkey = \"/var/run/secrets/hollowtrees/nats/nats.nk\""));
    assert!(!config("ht-drain").contains("credentials"));

    let router = pod("Deployment", "ht-router");
    assert_eq!(volume(&router, "nats").as_deref(), Some("nats-worker"));
    assert_eq!(volume(&router, "tls").as_deref(), Some("nats-tls"));
    assert!(config("ht-router").contains("credentials = \"/var/run/secrets/hollowtrees/nats/nats.creds\""));
    assert!(config("ht-router").contains("ca = \"/var/run/secrets/hollowtrees/tls/ca.crt\""));
}
