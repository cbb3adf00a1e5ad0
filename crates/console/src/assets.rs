//! What is served. A file in `assets/` that is not listed here fails a test.

/// A file that is part of the binary.
pub(crate) struct Asset {
    /// Where it is served.
    pub(crate) path: &'static str,
    /// Media type.
    pub(crate) content_type: &'static str,
    /// Content.
    pub(crate) body: &'static [u8],
}

const CSS: &str = "text/css; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

macro_rules! asset {
    ($name:literal, $content_type:expr) => {
        Asset {
            path: concat!("/assets/", $name),
            content_type: $content_type,
            body: include_bytes!(concat!("../assets/", $name)),
        }
    };
}

/// The document.
pub(crate) const INDEX: Asset = Asset { path: "/", content_type: HTML, body: include_bytes!("../assets/index.html") };

/// What the document asks for.
pub(crate) const ASSETS: &[Asset] = &[
    asset!("account.css", CSS),
    asset!("account.js", JAVASCRIPT),
    asset!("api.js", JAVASCRIPT),
    asset!("chart-panel.js", JAVASCRIPT),
    asset!("chart.js", JAVASCRIPT),
    asset!("console.css", CSS),
    asset!("controls.css", CSS),
    asset!("dom.js", JAVASCRIPT),
    asset!("entry.js", JAVASCRIPT),
    asset!("favicon.svg", SVG),
    asset!("format.js", JAVASCRIPT),
    asset!("history.js", JAVASCRIPT),
    asset!("json.js", JAVASCRIPT),
    asset!("live.js", JAVASCRIPT),
    asset!("main.js", JAVASCRIPT),
    asset!("market.js", JAVASCRIPT),
    asset!("menu.js", JAVASCRIPT),
    asset!("money.js", JAVASCRIPT),
    asset!("notices.js", JAVASCRIPT),
    asset!("panes.css", CSS),
    asset!("session.js", JAVASCRIPT),
    asset!("signal.js", JAVASCRIPT),
    asset!("socket.js", JAVASCRIPT),
    asset!("ticket.js", JAVASCRIPT),
    asset!("tokens.css", CSS),
];
