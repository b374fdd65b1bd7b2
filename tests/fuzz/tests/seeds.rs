//! Each seed is what its target reads: a seed that is refused at the door leads a fuzzer nowhere.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the helpers of tests are tests"
)]

use std::{collections::BTreeSet, fs, path::Path};

use hollowtrees_fuzz::{TARGETS, Target};

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

fn seeds(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let found = fs::read_dir(directory).unwrap().map(|file| file.unwrap().path());
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    found
        .map(|path| (name(&path), fs::read(&path).unwrap()))
        .collect()
}

/// As it is, and as what a line, a byte and a bit less or more leave of it.
fn spoilt(seed: &[u8], mut each: impl FnMut(&[u8])) {
    each(seed);
    for end in 0..seed.len() {
        each(&seed[..end]);
    }
    let mut spoilt = seed.to_vec();
    for at in 0..seed.len() {
        spoilt[at] ^= 1 << (at % 8);
        each(&spoilt);
        spoilt[at] = seed[at];
    }
}

#[test]
fn every_seed_is_read_and_nothing_near_it_breaks_its_target() {
    for Target {
        name,
        reads,
        fixtures,
    } in TARGETS
    {
        let own = seeds(&root().join("tests/fuzz/corpus").join(name));
        for (seed, input) in &own {
            assert!(reads(input), "{name}: {seed} is not read");
        }
        let mut all = own;
        for directory in fixtures {
            all.extend(seeds(&root().join(directory)));
        }
        assert!(all.len() >= 4, "{name}: {} seeds", all.len());
        for (_, input) in all.iter().filter(|(_, input)| input.len() < 1500) {
            spoilt(input, |input| {
                reads(input);
            });
        }
    }
}

#[test]
fn every_directory_of_seeds_is_of_a_target() {
    let found = fs::read_dir(root().join("tests/fuzz/corpus")).unwrap();
    let found: BTreeSet<_> = found
        .map(|directory| directory.unwrap().file_name().into_string().unwrap())
        .collect();
    let with_own: BTreeSet<_> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
    assert_eq!(found, with_own);
}
