//! The page that lists the differences is made of the rules.

use std::{fmt::Write as _, fs, path::Path};

use crate::rules::RULES;

const NAME: &str = "docs/drain-and-kubectl.md";

const INTRODUCTION: &str = "\
# Our drain and kubectl's

The pods that go and those that stay are chosen as `kubectl drain` chooses them. A test (`tests/parity`) runs the library
that `kubectl drain` is made of and our engine over the same clusters, real API server, for every combination of the
options that both have, and compares pod by pod what was evicted, deleted, left alone and refused. What is different is
listed here. The table is made of that test's own by `UPDATE_DOCS=1 cargo test -p hollowtrees-parity page`: a difference that
is not in it fails the test, and so does one in it that does not occur.

| kubectl | parameter of a drain (and its default) |
|---|---|
| `--force` | `bare` (`pods.bare`) |
| `--delete-emptydir-data` | `empty_dir` (`pods.empty_dir`) |
| without `--ignore-daemonsets` | `daemons` (`pods.daemons`) |
| `--grace-period` | `grace`; `grace_cap` is the most of it |
| `--timeout` | the deadline of the action |
| `--disable-eviction` | none; see below |
| `--skip-wait-for-delete-timeout` | none; see below |

## Differences

";

const END: &str = "
## Not compared

- **When.** kubectl asks for all pods of a node at once, each refused one again every 5 s; ours asks in the order of the
  deadlines, node by node, tier by tier, and asks nothing that a budget would refuse until it has changed.
- **The node.** kubectl marks it unschedulable; ours puts a taint on it as well, and names who holds it.
- `--grace-period=0`: `grace` and `grace_cap` are a second at least, since none at all removes the pod while its containers run.
- `--pod-selector` and `--dry-run`: a rule has no selector; `mode: dry-run` is for every action.
";

#[test]
fn the_page_is_true() {
    let mut page = INTRODUCTION.to_owned();
    page.push_str("| what | kubectl | Hollowtrees | why |\n|---|---|---|---|\n");
    for rule in RULES {
        writeln!(
            page,
            "| {} | {} | {} | {} |",
            rule.about, rule.kubectl, rule.ours, rule.why
        )
        .unwrap();
    }
    page.push_str(END);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(NAME);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, page).unwrap();
        return;
    }
    let is = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        is == page,
        "{NAME} is not what the rules say; UPDATE_DOCS=1 cargo test -p hollowtrees-parity page"
    );
}
