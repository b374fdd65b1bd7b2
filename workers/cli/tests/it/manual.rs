//! `docs/cli.md` says what clap knows, neither more nor less.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use crate::support::{program, run};

type Flags = BTreeMap<String, BTreeSet<String>>;

/// Flags and arguments of each command that does something.
fn known() -> Flags {
    let mut flags = Flags::new();
    let mut command = hollowtrees_cli::command();
    command.build();
    walk(&command, "hollowtrees", &mut flags);
    flags
}

fn walk(command: &clap::Command, path: &str, flags: &mut Flags) {
    let own = command.get_arguments().filter(|argument| {
        !matches!(argument.get_id().as_str(), "help" | "version")
            && (!argument.is_global_set() || path == "hollowtrees")
    });
    let own: BTreeSet<_> = own
        .map(|argument| {
            let takes_value = argument.get_num_args().is_some_and(|count| count.takes_values());
            let value = takes_value.then(|| argument.get_value_names().unwrap()[0].to_string());
            match (argument.get_long(), value) {
                (Some(long), Some(value)) => format!("--{long} {value}"),
                (Some(long), None) => format!("--{long}"),
                (None, value) => value.unwrap(),
            }
        })
        .collect();
    let mut leaf = true;
    for inner in command
        .get_subcommands()
        .filter(|inner| inner.get_name() != "help")
    {
        leaf = false;
        walk(inner, &format!("{path} {}", inner.get_name()), flags);
    }
    if leaf || path == "hollowtrees" {
        flags.insert(path.to_owned(), own);
    }
}

/// The same from the manual: sections headed by a command, rows that begin with a flag.
fn documented() -> Flags {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/cli.md");
    let text = std::fs::read_to_string(path).unwrap();
    let mut flags = Flags::new();
    let mut section = None;
    for line in text.lines() {
        if line.starts_with('#') {
            section = line
                .split('`')
                .nth(1)
                .filter(|title| title.starts_with("hollowtrees"))
                .map(str::to_owned);
            if let Some(title) = &section {
                flags.entry(title.clone()).or_default();
            }
        } else if let (Some(title), Some(row)) = (&section, line.strip_prefix("| `")) {
            let flag = row.split('`').next().unwrap().trim_end_matches("...");
            flags.get_mut(title).unwrap().insert(flag.to_owned());
        }
    }
    flags
}

#[test]
fn the_manual_lists_every_command_and_flag() {
    assert_eq!(documented(), known());
}

#[test]
fn help_version_and_usage() {
    let help = run(program(&["--help"])).ended(0).says("Exit codes: 0 done");
    assert!(!help.out.contains('\u{1b}'), "no colours");
    run(program(&["--version"]))
        .ended(0)
        .says(&format!("hollowtrees {}", env!("CARGO_PKG_VERSION")));
    run(program(&[])).ended(2).complains("Usage: hollowtrees");
    run(program(&["runs", "shwo"]))
        .ended(2)
        .complains("unrecognized subcommand 'shwo'");
    run(program(&["runs", "list", "--output", "yaml"]))
        .ended(2)
        .complains("[possible values: text, json]");
    hollowtrees_cli::command().debug_assert();
}

#[test]
fn completion_scripts() {
    for (shell, sign) in [
        ("bash", "complete -F _hollowtrees"),
        ("zsh", "#compdef hollowtrees"),
        ("fish", "complete -c hollowtrees"),
    ] {
        run(program(&["completion", shell]))
            .ended(0)
            .says(sign)
            .says("redrive");
    }
    run(program(&["completion", "tcsh"]))
        .ended(2)
        .complains("[possible values: bash, zsh, fish]");
    // The script itself is valid.
    let script = run(program(&["completion", "bash"])).out;
    let checked = std::process::Command::new("bash")
        .args(["-n", "-c", &script])
        .status()
        .unwrap();
    assert!(checked.success());
}
