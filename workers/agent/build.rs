//! How the agent is linked.
//!
//! Relative relocations are packed (DT_RELR), a third of a megabyte less to read into memory at each start. glibc knows them
//! from 2.36 and musl from 1.2.4 on; a linker that does not know the option says so and goes on without.
//!
//! In the profile `agent`, which alone optimises for size and aborts where it panics, the table by which an unwinder finds its
//! way (a tenth of a megabyte) is left out, and equal ends of strings are kept once.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let is = |name: &str, value: &str| std::env::var(name).is_ok_and(|found| found == value);
    if is("CARGO_CFG_TARGET_OS", "linux") {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
        if is("OPT_LEVEL", "z") {
            println!("cargo::rustc-link-arg-bins=-Wl,--no-eh-frame-hdr");
            println!("cargo::rustc-link-arg-bins=-Wl,-O2");
        }
    }
}
