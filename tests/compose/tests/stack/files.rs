//! What can be seen without starting anything.

use std::{fs, path::Path};

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)).unwrap()
}

#[test]
fn images_are_built_with_the_projects_toolchain() {
    let toolchain = read("rust-toolchain.toml");
    let channel = toolchain.lines().find_map(|line| line.strip_prefix("channel = "));
    let version = channel.unwrap().trim_matches('"');
    let dockerfile = read("deploy/docker/Dockerfile");
    assert!(
        dockerfile.contains(&format!("ARG RUST_VERSION={version}\n")),
        "deploy/docker/Dockerfile is not for Rust {version}"
    );
}

#[test]
fn what_a_person_pulls_is_what_the_tests_run_against() {
    let check = |file: &str, before: &str, image: &str, parts: usize| {
        let text = read(file);
        let after = text
            .split_once(before)
            .unwrap_or_else(|| panic!("no {before} in {file}"))
            .1;
        let version: String = after
            .chars()
            .take_while(|character| character.is_ascii_digit() || *character == '.')
            .collect();
        let version: Vec<&str> = version.split('.').take(parts).collect();
        let image = format!("{image}:{}", version.join("."));
        assert!(
            read("docker-compose.yml").contains(&image),
            "docker-compose.yml does not pull {image}"
        );
    };
    check(
        "tests/testbed/go.mod",
        "github.com/nats-io/nats-server/v2 v",
        "nats",
        2,
    );
    check("tests/testbed/requirements.txt", "\nmoto==", "motoserver/moto", 3);
}

#[test]
fn nothing_listens_but_on_loopback() {
    let compose = read("docker-compose.yml");
    let ports: Vec<&str> = compose
        .lines()
        .filter_map(|line| line.trim().strip_prefix("ports: "))
        .collect();
    assert!(!ports.is_empty());
    for port in ports {
        assert!(port.starts_with("[\"127.0.0.1:"), "{port}");
    }
    assert!(!compose.contains("network_mode") && !compose.contains("privileged"));
}
