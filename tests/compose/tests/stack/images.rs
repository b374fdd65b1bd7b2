//! What the images of the test hold: the programs as they were just built, and stand-ins for public images.
//!
//! The project's images come from its Dockerfile all the same: only the stage that compiles is replaced, by an image
//! with the same layout. The stand-ins take the same commands, ports and health checks as what they stand for.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use hollowtrees_harness::testbed::{self, Program};

use crate::docker::{Docker, all, libraries, succeed};

/// Every program of the stack's images.
const PROGRAMS: [&str; 9] = [
    "hollowtrees",
    "hollowtrees-agent",
    "hollowtrees-asg-swap",
    "hollowtrees-drain",
    "hollowtrees-gateway",
    "hollowtrees-lifecycle",
    "hollowtrees-metrics",
    "hollowtrees-router",
    "local-cloud",
];
/// A small static program that says what a name resolves to.
pub(crate) const NAMES: &str = "names";
const CERTIFICATES: &str = "etc/ssl/certs/ca-certificates.crt";

/// The images of one test, by the variables of the compose file that name them.
#[derive(Debug)]
pub(crate) struct Images {
    pub(crate) variables: Vec<(&'static str, String)>,
    /// Directories of this machine that the simulated AWS runs from: Python is no single file.
    pub(crate) python: Vec<PathBuf>,
}

/// Builds what the compose file does not build itself. `prefix` begins every name.
pub(crate) fn build(docker: &Docker, prefix: &str) -> Images {
    let scratch = tempfile::tempdir().unwrap();
    let place = |name: &str| {
        let place = scratch.path().join(name);
        fs::create_dir_all(&place).unwrap();
        place
    };
    let mut variables = vec![("IMAGES", prefix.to_owned()), ("TAG", "test".to_owned())];
    let mut image = |variable: &'static str, name: &str, place: &Path, last: &str| {
        let tag = format!("{prefix}/{name}:test");
        fs::write(
            place.join("Dockerfile"),
            format!("FROM scratch\nCOPY . /\n{last}\n"),
        )
        .unwrap();
        fs::write(place.join(".dockerignore"), "Dockerfile\n.dockerignore\n").unwrap();
        let context = place.to_str().unwrap();
        succeed(&mut docker.command(&["build", "--quiet", "--tag", &tag, context]));
        variables.push((variable, tag));
    };

    let binaries = place("binaries");
    let program = stripped(
        Path::new(env!("CARGO_BIN_EXE_programs")),
        &scratch.path().join("programs"),
    );
    for name in PROGRAMS {
        let root = binaries.join("programs").join(name);
        install(&program, &root, name);
        if name != "hollowtrees" {
            symlink(name, root.join("hollowtrees")).unwrap();
        }
        let certificates = Path::new("/").join(CERTIFICATES);
        if certificates.is_file() {
            copy(&certificates, &root.join(CERTIFICATES));
        }
    }
    image("BINARIES", "binaries", &binaries, "");

    let names = place(NAMES);
    static_program(NAMES_SOURCE, &names.join("names"));
    image(
        "NAMES_IMAGE",
        NAMES,
        &names,
        "USER 65532:65532\nENTRYPOINT [\"/names\"]",
    );

    let nats = place("nats");
    shell(docker, &nats);
    install(
        &testbed::binary(Program::NatsServer).unwrap(),
        &nats,
        "nats-server",
    );
    image("NATS_IMAGE", "nats", &nats, r#"ENTRYPOINT ["/nats-server"]"#);

    let kubernetes = place("kubernetes");
    shell(docker, &kubernetes);
    let stand_in = Path::new(env!("CARGO_BIN_EXE_kubernetes-stand-in"));
    let stand_in = stripped(stand_in, &scratch.path().join("stand-in"));
    install(&stand_in, &kubernetes, "kubernetes-stand-in");
    let control_plane = testbed::binary(Program::ControlPlane).unwrap();
    install(&control_plane, &kubernetes.join("testbed"), "control-plane");
    let last = "WORKDIR /tmp\nENV HOLLOWTREES_TESTBED_BIN=/testbed\nENTRYPOINT [\"/kubernetes-stand-in\"]";
    image("KUBERNETES_IMAGE", "kubernetes", &kubernetes, last);

    let moto = testbed::moto_server().unwrap();
    let bin = moto.parent().unwrap().display();
    let last = format!(
        "WORKDIR /tmp\nENV PATH={bin}:/usr/bin:/bin\nENTRYPOINT [\"{}\", \"-H\", \"0.0.0.0\"]",
        moto.display()
    );
    let aws = place("aws");
    fs::write(
        aws.join("stand-in"),
        "The simulated AWS runs from mounted directories.\n",
    )
    .unwrap();
    image("AWS_IMAGE", "aws", &aws, &last);

    // Whatever its package, its program takes the same flags as the image's.
    if let Some(prometheus) = all("prometheus").next() {
        let root = place("prometheus");
        shell(docker, &root);
        install(&prometheus, &root, "bin/prometheus");
        image(
            "PROMETHEUS_IMAGE",
            "prometheus",
            &root,
            r#"ENTRYPOINT ["/bin/prometheus"]"#,
        );
    }
    Images {
        variables,
        python: python(&moto),
    }
}

const NAMES_SOURCE: &str = r#"
use std::net::ToSocketAddrs;
fn main() {
    let name = std::env::args().nth(1).expect("a name");
    println!("{}", name.to_socket_addrs().expect("resolved").next().expect("an address"));
}
"#;

/// As `deploy/docker/build` compiles.
fn static_program(source: &str, to: &Path) {
    let file = to.with_extension("rs");
    fs::write(&file, source).unwrap();
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut command = Command::new(rustc);
    command.args(["--edition", "2024", "-C", "target-feature=+crt-static", "-o"]);
    succeed(command.arg(to).arg(&file));
    fs::remove_file(file).unwrap();
    assert_eq!(libraries(to), Vec::<PathBuf>::new(), "not static");
}

/// Python itself, its libraries and the environment that moto is in.
fn python(moto: &Path) -> Vec<PathBuf> {
    let environment = moto.ancestors().nth(2).unwrap().to_owned();
    let python = environment.join("bin/python");
    let base = succeed(Command::new(python).args(["-c", "import sys; print(sys.base_prefix)"]));
    let system = ["/usr", "/lib", "/lib64"].map(PathBuf::from);
    let base = PathBuf::from(base.trim());
    system
        .into_iter()
        .filter(|directory| directory.exists())
        .chain((!base.starts_with("/usr") || base.starts_with("/usr/local")).then_some(base))
        .filter(|directory| directory.as_path() != Path::new("/usr/local"))
        .chain([environment])
        .collect()
}

/// Without what only a debugger reads: a tenth of the size.
fn stripped(program: &Path, to: &Path) -> PathBuf {
    succeed(Command::new("strip").arg("-o").arg(to).arg(program));
    to.to_owned()
}

/// The program as `root/name`, with the libraries it needs where it looks for them.
fn install(program: &Path, root: &Path, name: &str) {
    copy(program, &root.join(name));
    for library in libraries(program) {
        copy(&library, &root.join(library.strip_prefix("/").unwrap()));
    }
}

/// What health checks and start scripts call.
fn shell(docker: &Docker, root: &Path) {
    copy(&docker.busybox, &root.join("bin/busybox"));
    for applet in ["sh", "wget", "rm", "sleep", "kill"] {
        symlink("busybox", root.join("bin").join(applet)).unwrap();
    }
}

fn copy(from: &Path, to: &Path) {
    // The loader's place is a symbolic link on many systems.
    let from = from.canonicalize().unwrap();
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    // Names are unique within one filesystem, and the content is never changed.
    if fs::hard_link(&from, to).is_err() {
        fs::copy(&from, to).unwrap();
    }
}
