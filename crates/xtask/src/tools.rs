//! What the tests need beside cargo: found, installed, or named.

use anyhow::Result;

use crate::run::{cargo, program, quiet, shown};

/// Version of cargo-deny that is installed where there is none; deny.toml is written for it.
const CARGO_DENY: &str = "0.20.2";

/// Least major version of Node.js: `node --test` and `fetch` without flags.
const NODE_MAJOR: u32 = 18;

/// A program from the system's packages.
struct Needed {
    /// Any of these will do.
    programs: &'static [&'static str],
    /// Debian's package.
    package: &'static str,
    /// Who uses it.
    reason: &'static str,
    /// Is the one found good enough? Given its `--version`.
    good: fn(&str) -> bool,
    /// Debian keeps it off the path: in `bin` of a version's folder in here.
    folder: Option<&'static str>,
}

const NEEDED: [Needed; 5] = [
    Needed {
        programs: &["node", "nodejs"],
        package: "nodejs",
        reason: "runs the official socket.io-client (18 or newer)",
        good: |version| node_major(version).is_some_and(|major| major >= NODE_MAJOR),
        folder: None,
    },
    Needed { programs: &["npm"], package: "npm", reason: "fetches socket.io-client", good: |_| true, folder: None },
    Needed {
        programs: &["initdb"],
        package: "postgresql",
        reason: "private PostgreSQL servers for the suites",
        good: |_| true,
        folder: Some("/usr/lib/postgresql"),
    },
    Needed {
        programs: &["redis-server"],
        package: "redis-server",
        reason: "private Redis servers for the suites",
        good: |_| true,
        folder: None,
    },
    Needed {
        programs: &["chromium", "chromium-browser", "google-chrome"],
        package: "chromium",
        reason: "opens the page",
        good: |_| true,
        folder: None,
    },
];

fn node_major(version: &str) -> Option<u32> {
    version.trim().strip_prefix('v')?.split('.').next()?.parse().ok()
}

fn found(needed: &Needed) -> bool {
    let kept = |folder: &str| {
        let versions = std::fs::read_dir(folder).into_iter().flatten().flatten();
        versions.into_iter().any(|v| needed.programs.iter().any(|name| v.path().join("bin").join(name).exists()))
    };
    if needed.folder.is_some_and(kept) {
        return true;
    }
    needed.programs.iter().any(|name| quiet(program(name).arg("--version")).is_some_and(|v| (needed.good)(&v)))
}

fn is_root() -> bool {
    quiet(program("id").arg("-u")).is_some_and(|id| id.trim() == "0")
}

/// Installs what is missing (as root, on Debian and its kin) or says what to install. True when
/// everything is there.
pub(crate) fn system_packages() -> Result<bool> {
    let missing: Vec<&Needed> = NEEDED.iter().filter(|n| !found(n)).collect();
    if missing.is_empty() {
        return Ok(true);
    }
    for needed in &missing {
        println!("missing: {} ({})", needed.programs[0], needed.reason);
    }
    let packages: Vec<&str> = missing.iter().map(|n| n.package).collect();
    let advice = format!("apt-get update && apt-get install -y --no-install-recommends {}", packages.join(" "));
    if !is_root() || quiet(program("apt-get").arg("--version")).is_none() {
        println!("install them, for example with: sudo sh -c '{advice}'");
        return Ok(false);
    }
    let install = || {
        let mut command = program("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive");
        shown(command.args(["install", "-y", "--no-install-recommends"]).args(&packages))
    };
    // a list that is present saves the update
    let installed = install()? || (shown(program("apt-get").arg("update"))? && install()?);
    let still: Vec<&str> = missing.iter().filter(|n| !found(n)).map(|n| n.programs[0]).collect();
    if !installed || !still.is_empty() {
        println!("still missing: {}; install by hand: {advice}", still.join(", "));
        return Ok(false);
    }
    Ok(true)
}

/// Is cargo-nextest there? Without it `cargo test` runs the same tests, only less parallel; building it
/// would take longer than that costs.
pub(crate) fn has_nextest() -> bool {
    quiet(cargo().args(["nextest", "--version"])).is_some()
}

/// Makes cargo-deny available; false when that fails.
pub(crate) fn cargo_deny() -> Result<bool> {
    if quiet(cargo().args(["deny", "--version"])).is_some() {
        return Ok(true);
    }
    println!("cargo-deny is missing: installing {CARGO_DENY} once, into cargo's own folder (about two minutes)");
    // unoptimised: it runs for seconds, and compiles in a third of the time
    let mut command = cargo();
    command.args(["install", "--locked", "--debug", "--version", CARGO_DENY, "cargo-deny"]);
    if shown(&mut command)? {
        return Ok(true);
    }
    println!("install it by hand: cargo install --locked --version {CARGO_DENY} cargo-deny");
    Ok(false)
}

/// `cargo xtask setup`.
pub(crate) fn setup() -> Result<bool> {
    let (system, deny) = (system_packages()?, cargo_deny()?);
    if !has_nextest() {
        println!("cargo-nextest is not there; `cargo test` is used instead (cargo install --locked cargo-nextest)");
    }
    println!("{}", if system && deny { "everything is there" } else { "not everything is there" });
    Ok(system && deny)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_versions() {
        assert_eq!(node_major("v20.20.2\n"), Some(20));
        assert_eq!(node_major("20.20.2"), None);
        let node = &NEEDED[0];
        assert!((node.good)("v18.0.0\n"));
        assert!(!(node.good)("v16.20.1\n"));
    }
}
