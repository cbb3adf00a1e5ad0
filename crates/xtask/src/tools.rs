//! Programs that the tests need: found, installed, or asked for by name.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

const DENY_VERSION: &str = "0.20.2";
const NODE_MAJOR_MIN: u32 = 18;

/// The cargo that runs this.
pub fn cargo() -> PathBuf {
    #[expect(clippy::disallowed_methods, reason = "cargo tells its own path this way")]
    std::env::var("CARGO").map_or_else(|_| "cargo".into(), PathBuf::from)
}

fn says(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Is cargo-nextest there? Without it the suites run through `cargo test`.
pub fn has_nextest() -> bool {
    says("cargo-nextest", &["nextest", "--version"]).is_some()
}

/// Makes sure that all is there: cargo-deny always; Node.js, npm packages and Chromium when the
/// clients are to be run.
pub fn provide(clients: bool) -> Result<()> {
    if says("cargo-deny", &["--version"]).is_none() {
        eprintln!("cargo-deny is missing; installing it (some minutes, once)");
        let mut install = Command::new(cargo());
        install.args(["install", "--locked", "--version", DENY_VERSION, "cargo-deny"]);
        run(&mut install).context("install it with `cargo install --locked cargo-deny`")?;
    }
    if !clients {
        return Ok(());
    }
    let mut packages = Vec::new();
    let node: Option<u32> =
        says("node", &["--version"]).and_then(|v| v.trim_start_matches('v').split('.').next()?.parse().ok());
    match node {
        None => packages.extend(["nodejs", "npm"]),
        Some(major) if major < NODE_MAJOR_MIN => {
            bail!("Node.js {major} is too old; {NODE_MAJOR_MIN} or newer is needed")
        }
        Some(_) if says("npm", &["--version"]).is_none() => packages.push("npm"),
        Some(_) => {}
    }
    if says("chromium", &["--version"]).is_none() {
        packages.push("chromium");
    }
    if !packages.is_empty() {
        apt(&packages)?;
    }
    let clients = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/js"));
    let mut npm = Command::new("npm");
    npm.args(["install", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"]).current_dir(clients);
    run(&mut npm).context("`npm install` in tests/js")
}

fn apt(packages: &[&str]) -> Result<()> {
    let line = format!("apt-get install -y {}", packages.join(" "));
    if says("id", &["-u"]).as_deref() != Some("0") {
        bail!("missing: {}. Install them (as root: `{line}`) and try again", packages.join(", "));
    }
    eprintln!("missing: {}; {line}", packages.join(", "));
    let mut update = Command::new("apt-get");
    run(update.args(["update", "-qq"]))?;
    let mut install = Command::new("apt-get");
    install.args(["install", "-y", "-qq", "--no-install-recommends"]).args(packages);
    run(install.env("DEBIAN_FRONTEND", "noninteractive")).with_context(|| format!("`{line}`"))
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.stdin(Stdio::null()).status().with_context(|| format!("{command:?} does not start"))?;
    if status.success() { Ok(()) } else { bail!("{command:?} failed: {status}") }
}
