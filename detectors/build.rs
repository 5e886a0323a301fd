//! Lists the shipped rules, so that a file put under `rules/` is shipped and none is forgotten.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

#[allow(
    clippy::disallowed_methods,
    reason = "a build script is told its folder by the environment"
)]
fn main() -> io::Result<()> {
    let rules = Path::new("rules");
    println!("cargo::rerun-if-changed=rules");
    let mut files = Vec::new();
    let mut ahead = vec![rules.to_path_buf()];
    while let Some(folder) = ahead.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                println!("cargo::rerun-if-changed={}", path.display());
                ahead.push(path);
            } else if path.extension().is_some_and(|e| e == "yml") {
                files.push(path);
            }
        }
    }
    files.sort();
    let mut list = String::from("&[\n");
    for path in files {
        let name = path.display();
        let whole = fs::canonicalize(&path)?;
        writeln!(list, "    ({:?}, include_str!({:?})),", name.to_string(), whole)
            .map_err(io::Error::other)?;
    }
    list.push_str("]\n");
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("no OUT_DIR"))?);
    fs::write(out.join("pack.rs"), list)
}
