//! The sources that are included here are compiled with loom's primitives in place of the real ones, and nothing else in the
//! workspace is.

fn main() {
    println!("cargo::rustc-check-cfg=cfg(memscope_loom)");
    println!("cargo::rustc-check-cfg=cfg(feature, values(\"serde\"))");
    println!("cargo::rustc-cfg=memscope_loom");
    println!("cargo::rerun-if-changed=build.rs");
}
