//! `[tunnels]`: ways from the internet to this server.

use std::path::PathBuf;

use orrery_app::tunnels::TunnelSettings;
use orrery_kernel::Secret;

use super::check::{self, Reader};
use super::{Sources, variable};

/// What is reachable through tunnels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All but what runs things.
    Api,
    /// Everything.
    All,
}

/// The section.
#[derive(Clone, Debug)]
pub struct Tunnels {
    /// May any be opened?
    pub enabled: bool,
    /// Where localtunnel's places are asked for.
    pub localtunnel_host: String,
    /// What proves to ngrok whose tunnels they are.
    pub ngrok_authtoken: Option<Secret<String>>,
    /// What is reachable through them.
    pub scope: Scope,
    /// Where the programs of tunnels find their own configuration.
    pub home: Option<PathBuf>,
    /// Times.
    pub settings: TunnelSettings,
}

/// Reads it, reporting what is wrong. `open_to_others`: others than this machine may act without any proof.
pub(super) fn read(r: &mut Reader<'_>, sources: &Sources, open_to_others: bool) -> Tunnels {
    let scope = match r.text("tunnels.scope").as_str() {
        "api" => Scope::Api,
        "all" => Scope::All,
        _ => {
            r.fault("tunnels.scope", "must be api or all");
            Scope::Api
        }
    };
    Tunnels {
        enabled: r.flag("tunnels.enabled"),
        localtunnel_host: r.checked("tunnels.localtunnel_host", check::http_url),
        ngrok_authtoken: r.optional("tunnels.ngrok_authtoken").map(Secret::new),
        scope,
        home: variable(sources, "HOME").map(PathBuf::from),
        settings: TunnelSettings {
            lifetime: r.seconds("tunnels.lifetime_s", 60..=31_536_000),
            patience: r.seconds("tunnels.start_timeout_s", 1..=600),
            open_to_others,
            ..TunnelSettings::default()
        },
    }
}
