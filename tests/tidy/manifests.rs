//! Who may depend on whom.

use std::process::Command;

use e2e::repository;
use serde_json::Value;

use super::none;

/// Arrows within a layer, as docs/architecture.md draws them.
const ARROWS: [(&str, &str); 14] = [
    ("orrery-api-bittrade", "orrery-http-kit"),
    ("orrery-api-channels", "orrery-http-kit"),
    ("orrery-api-localhost", "orrery-http-kit"),
    ("orrery-api-webfix", "orrery-http-kit"),
    ("orrery-api-socketio", "orrery-http-kit"),
    ("orrery-api-socketio", "orrery-api-bittrade"),
    ("orrery-console", "orrery-http-kit"),
    ("orrery-identity", "orrery-crypto"),
    ("orrery-wallets", "orrery-crypto"),
    ("orrery-ledger", "orrery-storage"),
    ("orrery-market", "orrery-storage"),
    ("orrery-workers", "orrery-storage"),
    ("orrery-store-sqlite", "orrery-store-rows"),
    ("orrery-store-postgres", "orrery-store-rows"),
];

/// Crates of ours that a crate may use although it is not a test, by exception to "anything lower":
/// who is listed here uses these and nothing else of ours.
const ONLY: &[(&str, &[&str])] = &[
    ("orrery-protocol", &["orrery-kernel"]),
    ("orrery-crypto", &["orrery-kernel"]),
    (
        "orrery-app",
        &[
            "orrery-kernel",
            "orrery-crypto",
            "orrery-exec",
            "orrery-identity",
            "orrery-storage",
            "orrery-ledger",
            "orrery-market",
            "orrery-realtime",
            "orrery-tunnels",
            "orrery-venues",
            "orrery-wallets",
            "orrery-workers",
        ],
    ),
    (
        "orrery-http-kit",
        &["orrery-kernel", "orrery-identity", "orrery-app", "orrery-protocol", "orrery-crypto", "orrery-realtime"],
    ),
    (
        "orrery-api-channels",
        &["orrery-kernel", "orrery-protocol", "orrery-identity", "orrery-realtime", "orrery-app", "orrery-http-kit"],
    ),
    (
        "orrery-api-localhost",
        &[
            "orrery-kernel",
            "orrery-protocol",
            "orrery-identity",
            "orrery-storage",
            "orrery-realtime",
            "orrery-exec",
            "orrery-tunnels",
            "orrery-app",
            "orrery-http-kit",
        ],
    ),
    (
        "orrery-api-webfix",
        &[
            "orrery-kernel",
            "orrery-protocol",
            "orrery-crypto",
            "orrery-identity",
            "orrery-realtime",
            "orrery-venues",
            "orrery-wallets",
            "orrery-workers",
            "orrery-app",
            "orrery-http-kit",
        ],
    ),
    ("orrery-client", &[]),
    ("orrery-egress", &["orrery-workers"]),
    ("orrery-exec-unix", &["orrery-kernel", "orrery-exec"]),
    ("orrery-tunnel-net", &["orrery-kernel", "orrery-exec", "orrery-tunnels"]),
    ("orrery-files-fs", &["orrery-kernel", "orrery-exec", "orrery-storage"]),
    ("orrery-script", &["orrery-kernel", "orrery-crypto", "orrery-venues", "orrery-workers"]),
    (
        "orrery-api-bittrade",
        &[
            "orrery-kernel",
            "orrery-protocol",
            "orrery-identity",
            "orrery-ledger",
            "orrery-market",
            "orrery-app",
            "orrery-http-kit",
        ],
    ),
    (
        "orrery-api-socketio",
        &[
            "orrery-kernel",
            "orrery-protocol",
            "orrery-identity",
            "orrery-ledger",
            "orrery-market",
            "orrery-realtime",
            "orrery-app",
            "orrery-http-kit",
            "orrery-api-bittrade",
        ],
    ),
    ("orrery-console", &["orrery-http-kit"]),
    ("orrery-gateway", &["orrery-server"]),
    ("orrery-node", &["orrery-server"]),
    ("orrery-poller", &["orrery-server"]),
    ("xtask", &[]),
];

/// Crates that only tests may use.
const FOR_TESTS: [&str; 1] = ["orrery-testkit"];

/// Outside crates of the layers without I/O. A new one needs a reason in the commit that adds it here.
const CORE_OUTSIDE: [(&str, &[&str]); 13] = [
    ("orrery-kernel", &["async-trait", "serde", "thiserror"]),
    ("orrery-protocol", &["serde", "serde_json", "utoipa"]),
    (
        "orrery-crypto",
        &[
            "base64",
            "bcrypt",
            "bs58",
            "chacha20poly1305",
            "hex",
            "hmac",
            "jsonwebtoken",
            "ripemd",
            "ryu-js",
            "secp256k1",
            "serde",
            "serde_json",
            "sha1",
            "sha2",
            "subtle",
            "thiserror",
            "zeroize",
        ],
    ),
    ("orrery-identity", &["async-trait", "thiserror", "unicode-normalization"]),
    ("orrery-realtime", &["async-trait", "bytes", "thiserror"]),
    ("orrery-storage", &["async-trait", "bytes", "thiserror", "unicode-normalization"]),
    ("orrery-ledger", &["async-trait", "chrono", "hex", "sha2", "thiserror"]),
    ("orrery-market", &["async-trait", "rust_decimal", "thiserror"]),
    (
        "orrery-venues",
        &[
            "async-trait",
            "base64",
            "crc32fast",
            "ed25519-dalek",
            "hex",
            "hifijson",
            "hmac",
            "p256",
            "percent-encoding",
            "rust_decimal",
            "serde",
            "serde_json",
            "sha2",
            "thiserror",
        ],
    ),
    // the screen of a terminal is a model
    ("orrery-exec", &["async-trait", "bytes", "serde", "shell-words", "thiserror", "vt100"]),
    ("orrery-tunnels", &["async-trait", "thiserror"]),
    ("orrery-wallets", &["async-trait", "thiserror"]),
    // cron is arithmetic on calendars
    ("orrery-workers", &["async-trait", "chrono", "croner", "thiserror"]),
];

/// Outside crates that belong to one place: who may use them at all, tests included.
const CONFINED: [(&str, &[&str]); 13] = [
    ("sqlx", &["orrery-store-sqlite", "orrery-store-postgres", "benches", "e2e"]),
    (
        "axum",
        &[
            "orrery-http-kit",
            "orrery-api-bittrade",
            "orrery-api-channels",
            "orrery-api-localhost",
            "orrery-api-socketio",
            "orrery-api-webfix",
            "orrery-console",
            "orrery-server",
            "orrery-feeds (test)",
            "e2e",
        ],
    ),
    (
        "reqwest",
        &["orrery-egress", "orrery-feeds", "orrery-tunnel-net", "orrery-venue-net", "orrery-server (test)", "e2e"],
    ),
    ("jsonwebtoken", &["orrery-crypto"]),
    ("bcrypt", &["orrery-crypto"]),
    ("socketioxide", &["orrery-api-socketio"]),
    ("tokio-cron-scheduler", &["orrery-server"]),
    ("figment", &["orrery-server"]),
    ("rquickjs", &["orrery-script"]),
    ("landlock", &["orrery-exec-unix"]),
    ("seccompiler", &["orrery-exec-unix"]),
    ("oxc_parser", &["orrery-script"]),
    ("clap", &["orrery-server", "benches"]),
];

/// Crates that must not come in by any way, and why.
const BANNED: [(&str, &str); 7] = [
    ("aws-lc-sys", "a C library built with CMake; choose features that use ring"),
    ("openssl-sys", "needs OpenSSL's headers on every machine; use rustls"),
    ("native-tls", "needs the system's TLS library; use rustls"),
    ("rsa", "has an open advisory (RUSTSEC-2023-0071) and nothing here needs it"),
    ("zstd-sys", "builds a C library; switch the compression feature off"),
    ("cmake", "needs CMake on every machine"),
    ("bindgen", "needs libclang on every machine"),
];

/// A crate of ours as its manifest declares it.
#[derive(Clone, Debug, Default)]
struct Package {
    name: String,
    layer: Option<u64>,
    /// `(name, is it a dev-dependency, is it a crate of ours)`.
    dependencies: Vec<(String, bool, bool)>,
}

impl Package {
    #[cfg(test)]
    fn sample(name: &str, layer: u64, dependencies: &[&str]) -> Self {
        let dependencies = dependencies.iter().map(|d| match d.strip_prefix("test:") {
            Some(d) => (d.to_owned(), true, d.starts_with("orrery-")),
            None => ((*d).to_owned(), false, d.starts_with("orrery-")),
        });
        Self { name: name.into(), layer: Some(layer), dependencies: dependencies.collect() }
    }
}

fn packages() -> Vec<Package> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--format-version=1", "--locked", "--offline"])
        .current_dir(repository())
        .output()
        .unwrap();
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().iter().map(package).collect()
}

fn package(metadata: &Value) -> Package {
    let dependency = |d: &Value| (d["name"].as_str().unwrap().to_owned(), d["kind"] == "dev", d["path"].is_string());
    Package {
        name: metadata["name"].as_str().unwrap().to_owned(),
        layer: metadata["metadata"]["orrery"]["layer"].as_u64(),
        dependencies: metadata["dependencies"].as_array().unwrap().iter().map(dependency).collect(),
    }
}

fn layer_of(packages: &[Package], name: &str) -> Option<u64> {
    packages.iter().find(|p| p.name == name)?.layer
}

/// A crate uses lower layers, or its own layer where an arrow is drawn. Tests may use anything.
fn layers(packages: &[Package]) -> Vec<String> {
    let mut faults = Vec::new();
    for package in packages {
        let Some(layer) = package.layer else {
            faults.push(format!("{} names no layer", package.name));
            continue;
        };
        for (name, for_tests, ours) in &package.dependencies {
            if *for_tests || !*ours {
                continue;
            }
            let allowed_arrow = ARROWS.contains(&(package.name.as_str(), name.as_str()));
            match layer_of(packages, name) {
                Some(other) if other < layer || (other == layer && allowed_arrow) => {}
                Some(other) => faults.push(format!("{} (layer {layer}) uses {name} (layer {other})", package.name)),
                None => faults.push(format!("{} uses {name}, whose layer is not known", package.name)),
            }
            if let Some((_, only)) = ONLY.iter().find(|(who, _)| *who == package.name)
                && !only.contains(&name.as_str())
            {
                faults.push(format!("{} uses {name}; of ours it may use {only:?} only", package.name));
            }
            if FOR_TESTS.contains(&name.as_str()) && !["e2e", "benches"].contains(&package.name.as_str()) {
                faults.push(format!("{} uses {name} beyond its tests", package.name));
            }
        }
    }
    faults
}

/// Layers 0 and 1 use listed outside crates only.
fn core_outside(packages: &[Package]) -> Vec<String> {
    let mut faults = Vec::new();
    for package in packages.iter().filter(|p| p.layer.is_some_and(|l| l <= 1)) {
        let Some((_, allowed)) = CORE_OUTSIDE.iter().find(|(name, _)| *name == package.name) else {
            faults.push(format!("{} has no list of outside crates", package.name));
            continue;
        };
        for (name, for_tests, ours) in &package.dependencies {
            if !ours && !for_tests && !allowed.contains(&name.as_str()) {
                faults.push(format!("{} uses {name}, which is not on its list", package.name));
            }
        }
    }
    faults
}

/// Some outside crates are used in one place only.
fn confined(packages: &[Package]) -> Vec<String> {
    let mut faults = Vec::new();
    for package in packages {
        for (name, for_tests, _) in &package.dependencies {
            let Some((_, users)) = CONFINED.iter().find(|(outside, _)| outside == name) else { continue };
            let in_tests = format!("{} (test)", package.name);
            let listed = users.contains(&package.name.as_str()) || (*for_tests && users.contains(&in_tests.as_str()));
            if !listed {
                faults.push(format!("{} uses {name}; only {users:?} may", package.name));
            }
        }
    }
    faults
}

/// Banned crates in the text of a lock file.
fn banned(lock: &str) -> Vec<String> {
    let lock: toml::Table = lock.parse().unwrap();
    let names = lock["package"].as_array().unwrap().iter().filter_map(|p| p["name"].as_str());
    let why = |name: &str| BANNED.iter().find(|(banned, _)| *banned == name).map(|(_, why)| *why);
    names.filter_map(|name| why(name).map(|why| format!("{name}: {why}"))).collect()
}

/// What every manifest inherits, and that versions stand in the root only.
fn inherits(path: &str, manifest: &str) -> Vec<String> {
    let manifest: toml::Table = manifest.parse().unwrap();
    let mut faults = Vec::new();
    let workspace =
        |value: Option<&toml::Value>| value.and_then(|v| v.get("workspace")) == Some(&toml::Value::Boolean(true));
    if !workspace(manifest.get("lints")) {
        faults.push(format!("{path}: no `[lints] workspace = true`"));
    }
    let package = &manifest["package"];
    for key in ["version", "edition", "rust-version", "license", "publish"] {
        if !workspace(package.get(key)) {
            faults.push(format!("{path}: no `{key}.workspace = true`"));
        }
    }
    if package.get("description").and_then(toml::Value::as_str).is_none_or(str::is_empty) {
        faults.push(format!("{path}: no description"));
    }
    for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
        for (name, value) in manifest.get(section).and_then(toml::Value::as_table).into_iter().flatten() {
            if !workspace(Some(value)) {
                faults.push(format!("{path}: {name} in [{section}] is not `workspace = true`"));
            }
        }
    }
    faults
}

#[test]
fn dependencies_point_down() {
    none(
        &layers(&packages()),
        "docs/architecture.md draws the arrows; move the code, or draw the arrow there and in tests/tidy.",
    );
}

#[test]
fn core_crates_use_listed_crates_only() {
    none(&core_outside(&packages()), "Layers 0 and 1 do no I/O; if the crate is as pure, list it in CORE_OUTSIDE.");
}

#[test]
fn outside_crates_stay_where_they_belong() {
    none(&confined(&packages()), "Call the crate that wraps it, or list the user in CONFINED and say why.");
}

#[test]
fn banned_crates_are_absent() {
    let lock = std::fs::read_to_string(repository().join("Cargo.lock")).unwrap();
    none(&banned(&lock), "`cargo tree -i NAME` shows who brings it in; change that crate's features.");
}

#[test]
fn manifests_inherit() {
    let root = std::fs::read_to_string(repository().join("Cargo.toml")).unwrap();
    let root: toml::Table = root.parse().unwrap();
    assert!(root.get("package").is_none(), "the root manifest is virtual");
    assert_eq!(root["workspace"]["default-members"].as_array().unwrap().len(), 1, "plain cargo run is the gateway");
    let manifests: Vec<_> = super::files("Cargo.toml").into_iter().filter(|f| f.path != "Cargo.toml").collect();
    assert!(manifests.len() > 10, "the walk is broken");
    let faults: Vec<_> = manifests.iter().flat_map(|f| inherits(&f.path, &f.text)).collect();
    none(&faults, "Versions, lints and package fields stand once, in the root manifest.");
}

#[test]
fn bad_samples_are_noticed() {
    let good = [
        Package::sample("orrery-kernel", 0, &["serde"]),
        Package::sample("orrery-storage", 1, &["orrery-kernel", "bytes"]),
        Package::sample("orrery-ledger", 1, &["orrery-kernel", "orrery-storage", "test:orrery-testkit"]),
        Package::sample("orrery-store-sqlite", 2, &["orrery-ledger", "sqlx", "test:orrery-testkit"]),
        Package::sample("orrery-testkit", 4, &["orrery-ledger"]),
    ];
    assert_eq!(layers(&good), <[String; 0]>::default());
    assert_eq!(core_outside(&good), <[String; 0]>::default());
    assert_eq!(confined(&good), <[String; 0]>::default());

    let with = |package: Package| {
        let mut all = good.to_vec();
        all.retain(|p| p.name != package.name);
        all.push(package);
        all
    };
    for (package, part) in [
        (Package::sample("orrery-kernel", 0, &["orrery-ledger"]), "uses orrery-ledger (layer 1)"),
        (Package::sample("orrery-storage", 1, &["orrery-ledger"]), "uses orrery-ledger (layer 1)"),
        (Package::sample("orrery-market", 1, &["orrery-store-sqlite"]), "uses orrery-store-sqlite (layer 2)"),
        (Package::sample("orrery-app", 2, &["orrery-store-sqlite"]), "uses orrery-store-sqlite (layer 2)"),
        (Package::sample("orrery-console", 3, &["orrery-ledger"]), "it may use"),
        (Package::sample("orrery-server", 5, &["orrery-testkit"]), "beyond its tests"),
        (Package::sample("orrery-app", 2, &["orrery-unheard"]), "whose layer is not known"),
        (Package { name: "orrery-new".into(), ..Package::default() }, "names no layer"),
    ] {
        let faults = layers(&with(package.clone()));
        assert!(faults.iter().any(|f| f.contains(part)), "{package:?}: {faults:?}");
    }
    assert_eq!(core_outside(&with(Package::sample("orrery-ledger", 1, &["tokio"]))).len(), 1);
    assert_eq!(core_outside(&with(Package::sample("orrery-new", 1, &[]))).len(), 1);
    assert_eq!(confined(&with(Package::sample("orrery-app", 2, &["sqlx"]))).len(), 1);
    assert_eq!(confined(&with(Package::sample("orrery-feeds", 2, &["test:axum"]))).len(), 0);
    assert_eq!(confined(&with(Package::sample("orrery-feeds", 2, &["axum"]))).len(), 1);
    assert_eq!(banned("[[package]]\nname = \"aws-lc-sys\"\nversion = \"1.0.0\"\n").len(), 1);
    assert_eq!(inherits("a", "[package]\nname = \"a\"\n[dependencies]\nserde = \"1\"").len(), 8);
}
