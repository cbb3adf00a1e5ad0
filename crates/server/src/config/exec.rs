//! `[exec]` and `[sandbox]`: what is run for users, within which limits, and what holds it in.

use std::path::{Path, PathBuf};
use std::time::Duration;

use orrery_app::exec::ExecSettings;
use orrery_exec::{Bound, Bounds, Layer, Limits, NetPolicy, Profile, Timing};

use super::check::Reader;
use super::{Sources, find_file, variable};

/// Both sections.
#[derive(Clone, Debug)]
pub struct Exec {
    /// Are commands, programs and terminals run at all?
    pub enabled: bool,
    /// Limits and policies.
    pub settings: ExecSettings,
    /// `PATH` of runs; empty: the usual one.
    pub path: String,
    /// Other variables of the server's environment that runs get.
    pub env: Vec<(String, String)>,
    /// What runs don't see beside the server's own files.
    pub hidden: Vec<PathBuf>,
    /// What programs may read beside the system's directories.
    pub readable: Vec<PathBuf>,
    /// Layers without which nothing is run.
    pub required: Vec<Layer>,
    /// Layers that are not used.
    pub without: Vec<Layer>,
}

/// Reads them, reporting what is wrong.
pub(super) fn read(r: &mut Reader<'_>, sources: &Sources) -> Exec {
    let path = r.optional("exec.path").or_else(|| variable(sources, "PATH").map(str::to_owned));
    let env = ["LANG", "LC_ALL", "TZ"].iter();
    let env = env.filter_map(|name| Some(((*name).to_owned(), variable(sources, name)?.to_owned())));
    let home = variable(sources, "HOME").map(PathBuf::from);
    let at = |path: &String| match (path.strip_prefix("~/"), &home) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => sources.cwd.join(path),
    };
    Exec {
        enabled: r.flag("exec.enabled"),
        settings: settings(r),
        path: path.unwrap_or_default(),
        env: env.collect(),
        // the configuration itself holds secrets
        hidden: r.list("sandbox.hidden").iter().map(at).chain(find_file(sources).ok().flatten()).collect(),
        readable: r.list("sandbox.readable").iter().map(at).filter(|path| path != Path::new("/")).collect(),
        required: r.parsed_list("sandbox.require", layer),
        without: r.parsed_list("sandbox.without", layer),
    }
}

fn layer(name: &str) -> Result<Layer, String> {
    Layer::parse(name).ok_or_else(|| {
        let names: Vec<_> = Layer::ALL.iter().map(|layer| layer.name()).collect();
        format!("{name} is none of {}", names.join(", "))
    })
}

fn profile(r: &mut Reader<'_>, key: &str) -> Profile {
    Profile::parse(&r.text(key)).unwrap_or_else(|| {
        r.fault(key, "must be strict, standard or off");
        Profile::Strict
    })
}

fn settings(r: &mut Reader<'_>) -> ExecSettings {
    let net = NetPolicy::parse(&r.text("exec.net")).unwrap_or_else(|| {
        r.fault("exec.net", "must be none, loopback or all");
        NetPolicy::None
    });
    ExecSettings {
        bounds: bounds(r),
        commands: profile(r, "exec.commands_profile"),
        programs: profile(r, "exec.programs_profile"),
        net,
        allow: r.list("exec.allow"),
        allow_sudo: r.flag("exec.allow_sudo"),
        runs_per_user: r.whole("exec.runs_per_user", "", 1..=1_000),
        runs: r.whole("exec.runs", "", 1..=10_000),
        queue: r.whole("exec.queue", "", 0..=100_000),
        sessions_per_user: r.whole("exec.sessions_per_user", "", 1..=1_000),
        sessions: r.whole("exec.sessions", "", 1..=10_000),
        timing: Timing { idle: r.seconds("exec.idle_s", 1..=604_800), ..Timing::default() },
        ..ExecSettings::default()
    }
}

fn bounds(r: &mut Reader<'_>) -> Bounds {
    let wall =
        Bound { default: r.seconds("exec.timeout_s", 1..=86_400), max: r.seconds("exec.timeout_max_s", 1..=86_400) };
    if wall.default > wall.max {
        r.fault("exec.timeout_s", "must not be more than exec.timeout_max_s");
    }
    let output: usize = r.whole("exec.output_bytes", "bytes", 1_024..=67_108_864);
    let fixed = Limits {
        wall: None,
        cpu: Some(wall.max.max(Duration::from_secs(1))),
        output,
        file: r.whole("exec.file_bytes", "bytes", 0..=1 << 50),
        files: r.whole("exec.open_files", "", 16..=1_000_000),
        processes: r.whole("exec.processes", "", 1..=1_000_000),
        memory: r.whole("exec.memory_bytes", "bytes", 1 << 24..=1 << 50),
    };
    Bounds { wall, output: Bound { default: output, max: output }, fixed }
}
