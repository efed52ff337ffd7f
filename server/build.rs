//! Says where the web pages to embed are: `web/dist` when it was built, else one page that tells how to build it.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

const NOT_BUILT: &str = "<!doctype html>
<meta charset=\"utf-8\">
<title>Signalbox</title>
<h1>Signalbox runs, its pages are not in it</h1>
<p>This binary was built before <code>web/dist</code>. Run <code>make build</code>, or
<code>npm ci &amp;&amp; npm run build</code> in <code>web/</code> and <code>cargo build</code> again.
<p>SDKs, REST and metrics work without the pages.
";

fn main() -> io::Result<()> {
    let built = Path::new(&variable("CARGO_MANIFEST_DIR")?).join("../web/dist");
    println!("cargo::rerun-if-changed={}", built.display());
    let pages = if built.join("index.html").is_file() { built.canonicalize()? } else { placeholder()? };
    // Embedded one by one: a new file is noticed only so.
    println!("cargo::rerun-if-changed=src/storage/migrations");
    println!("cargo::rustc-env=SIGNALBOX_PAGES={}", pages.display());
    Ok(())
}

fn placeholder() -> io::Result<PathBuf> {
    let pages = Path::new(&variable("OUT_DIR")?).join("pages");
    fs::create_dir_all(&pages)?;
    fs::write(pages.join("index.html"), NOT_BUILT)?;
    Ok(pages)
}

fn variable(name: &str) -> io::Result<String> {
    env::var(name).map_err(io::Error::other)
}
