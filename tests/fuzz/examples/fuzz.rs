//! libFuzzer on one of the targets, which `HOLLOWTREES_FUZZ` names.

#![no_main]

use std::sync::LazyLock;

use hollowtrees_fuzz::{TARGETS, Target};

static TARGET: LazyLock<&Target> = LazyLock::new(|| {
    let name = std::env::var("HOLLOWTREES_FUZZ").unwrap_or_default();
    let found = TARGETS.iter().find(|target| target.name == name);
    found.unwrap_or_else(|| {
        let all: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
        panic!("HOLLOWTREES_FUZZ is `{name}`, not one of {}", all.join(", "))
    })
});

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    (TARGET.reads)(input);
});
