//! What pods may do: no more than they need.

use std::collections::BTreeSet;

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

/// Only these workers have a token, and a role bound to them: every one of them, and nobody else.
fn only_these_have_rights(objects: &[Value], expected: &[&str], about: &str) {
    let mut holders = Vec::new();
    for (worker, template) in workloads(objects) {
        let pod = &template["spec"];
        if pod["automountServiceAccountToken"].as_bool().unwrap() {
            holders.push(worker);
        }
        assert!(pod["serviceAccountName"].as_str().unwrap().ends_with(worker));
        for volume in pod["volumes"].as_array().unwrap() {
            assert!(volume.get("projected").is_none(), "{worker} of {about}: {volume}");
        }
    }
    holders.sort_unstable();
    assert_eq!(holders, expected, "tokens of {about}");
    let of_one = |name: &str| {
        expected
            .iter()
            .find(|worker| name.ends_with(&format!("-{worker}")))
    };
    let (mut granted, mut bound) = (BTreeSet::new(), BTreeSet::new());
    for object in objects {
        match kind(object) {
            "ServiceAccount" => assert_eq!(object["automountServiceAccountToken"], false, "{object}"),
            "ClusterRoleBinding" | "RoleBinding" => {
                let subjects = object["subjects"].as_array().unwrap();
                assert_eq!(subjects.len(), 1);
                let worker = of_one(subjects[0]["name"].as_str().unwrap());
                assert!(worker.is_some() && worker == of_one(name(object)), "{object}");
                bound.extend(worker.copied());
            }
            "ClusterRole" | "Role" => {
                assert!(of_one(name(object)).is_some(), "{object}");
                granted.extend(of_one(name(object)).copied());
            }
            _ => {}
        }
    }
    let expected: BTreeSet<_> = expected.iter().copied().collect();
    assert_eq!((&granted, &bound), (&expected, &expected), "roles of {about}");
}

#[tokio::test]
async fn only_who_talks_to_the_api_server_holds_a_token_and_a_role() {
    for (set, expected) in [
        ("minimal", &["drain"][..]),
        // Its swap worker waits for nodes, and its agents may cordon their own.
        ("full", &["agent", "asg-swap", "drain"]),
        ("tenant", &["drain"]),
    ] {
        only_these_have_rights(&rendered(&with(set)).await, expected, set);
    }
    let none: &[&str] = &["drain"];
    let both: &[&str] = &["asg-swap", "drain"];
    for (config, expected) in [
        ("{}", none),
        (r#"{"swap": {"poll": "1s"}}"#, none),
        (r#"{"swap": {"wait_for_node": "0s"}}"#, none),
        (r#"{"swap": {"wait_for_node": "2m"}}"#, both),
        // Rules ask for the wait.
        (r#"{"cluster": {"name": "prod"}}"#, both),
        // It reaches its API server in a way of its own.
        (
            r#"{"cluster": {"name": "prod", "kubeconfig": "/etc/kube"}, "swap": {"wait_for_node": "2m"}}"#,
            none,
        ),
    ] {
        let render = with("minimal")
            .set("asgSwap.enabled", "true")
            .set("asgSwap.config", config);
        only_these_have_rights(&rendered(&render).await, expected, config);
    }
    for (config, expected) in [
        ("{}", none),
        (r#"{"cluster": {"name": "prod"}}"#, &["drain", "lifecycle"]),
        (
            r#"{"cluster": {"name": "prod", "kubeconfig": "/etc/kube"}}"#,
            none,
        ),
    ] {
        let render = with("minimal")
            .set("lifecycle.enabled", "true")
            .set("lifecycle.config", config);
        only_these_have_rights(&rendered(&render).await, expected, config);
    }
    // Rights of one's own making.
    let render = with("full").set("asgSwap.rbac.create", "false");
    let objects = rendered(&render).await;
    assert!(
        !objects
            .iter()
            .any(|object| kind(object) == "ClusterRole" && name(object).ends_with("asg-swap"))
    );
}

/// The manifests for those who use no chart say the same.
#[tokio::test]
async fn the_roles_are_those_of_the_plain_manifests() {
    let render = with("minimal")
        .set("asgSwap.enabled", "true")
        .set("drain.rbac.removeNodes", "true")
        .set("asgSwap.config", r#"{"swap": {"wait_for_node": "2m"}}"#)
        .set("lifecycle.enabled", "true")
        .set("lifecycle.config", r#"{"cluster": {"name": "prod"}}"#);
    let chart = rendered(&render).await;
    let (cluster, namespaced) = (["ClusterRole", "ClusterRoleBinding"], ["Role", "RoleBinding"]);
    for (file, named, kinds) in [
        ("drain/rbac", "hollowtrees-drain", [cluster, namespaced].concat()),
        (
            "drain/rbac-remove-node",
            "hollowtrees-drain-remove-node",
            cluster.to_vec(),
        ),
        ("asg-swap/rbac", "hollowtrees-asg-swap", cluster.to_vec()),
        ("lifecycle/rbac", "hollowtrees-lifecycle", cluster.to_vec()),
    ] {
        let plain = std::fs::read_to_string(root().join(format!("workers/{file}.yaml"))).unwrap();
        let plain = objects(&plain);
        for of_kind in kinds {
            let (plain, chart) = (find(&plain, of_kind, named), find(&chart, of_kind, named));
            for field in ["rules", "roleRef", "subjects"] {
                assert_eq!(plain[field], chart[field], "{field} of {of_kind} {named}");
            }
            assert_eq!(
                plain["metadata"]["namespace"], chart["metadata"]["namespace"],
                "{of_kind} {named}"
            );
        }
        let granting = |objects: &[Value]| {
            let grants = |object: &&Value| kind(object).contains("Role") && name(object) == named;
            objects.iter().filter(grants).count()
        };
        assert_eq!(granting(&plain), granting(&chart), "{named}");
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
