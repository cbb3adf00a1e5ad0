//! `docs/config.md`, made from the reference so that the two cannot differ.

use std::fmt::Write as _;

use super::alias::variable;
use super::tree::DEFAULTS;

/// The page.
pub fn markdown() -> String {
    let mut out = String::from(
        "# Configuration\n\n\
         This page is made from `crates/server/src/config/defaults.toml` by \
         `orrery-gateway config reference > docs/config.md`; a test compares them.\n",
    );
    let mut comment: Vec<&str> = Vec::new();
    let mut head_done = false;
    for line in DEFAULTS.lines() {
        let line = line.trim();
        if let Some(text) = line.strip_prefix('#') {
            comment.push(text.trim());
        } else if let Some(section) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            let _ = write!(out, "\n## `[{section}]`\n\n{}\n", paragraphs(&comment));
            out.push_str("\n| key | default | environment | meaning |\n| --- | --- | --- | --- |\n");
            comment.clear();
        } else if let Some((key, value)) = line.split_once('=') {
            let section = out.rsplit("\n## `[").next().and_then(|s| s.split(']').next()).unwrap_or_default();
            let variable = variable(&format!("{section}.{}", key.trim()));
            let meaning = paragraphs(&comment).replace('\n', " ").replace('|', "\\|");
            let _ = writeln!(out, "| `{}` | `{}` | `{variable}` | {meaning} |", key.trim(), value.trim());
            comment.clear();
        } else if !head_done && !comment.is_empty() {
            let _ = write!(out, "\n{}\n", paragraphs(&comment));
            comment.clear();
            head_done = true;
        }
    }
    out.push_str(TAIL);
    out
}

fn paragraphs(lines: &[&str]) -> String {
    let mut out = String::new();
    let mut fresh = true;
    for line in lines {
        if line.is_empty() {
            out.push_str("\n\n");
            fresh = true;
        } else {
            if !fresh {
                out.push(' ');
            }
            out.push_str(line);
            fresh = false;
        }
    }
    out
}

const TAIL: &str = "
## The file

The first of these that exists: `--config FILE` or `ORRERY_CONFIG`, `./orrery.toml`, `orrery.toml` in the data
directory. `demo` reads only a named one. A key or `ORRERY_` variable that is not on this page is an error.

## Short and documented names

| name | stands for |
| --- | --- |
| `ORRERY_LISTEN` | `server.listen` |
| `ORRERY_DATA_DIR` | `server.data_dir` |
| `PORT` | the port of the first listener |
| `JWT_SECRET`, `JWT_EXPIRES_S` | `auth.jwt_secret`, `auth.jwt_expires_s` |
| `JWT_ALGORITHM` | `auth.jwt_algorithm` |
| `DATABASE_URL` | `database.url` |
| `COINGECKO_API_URL`, `FEAR_GREED_API_URL` | `market.coingecko_url`, `market.fear_greed_url` |
| `ENABLE_METRICS`, `METRICS_PORT` | `metrics.enabled`, `metrics.port` |
| `WS_HOST`, `WS_PORT` | host and port of the first listener |
| `WS_PATH` | `realtime.path` |
| `RATE_LIMIT_CONNECTIONS`, `RATE_LIMIT_MESSAGES`, `RATE_LIMIT_WINDOW_S` | `realtime.connections_per_user`, `realtime.messages`, `realtime.window_s` |
| `NODE_ENV=production` | `log.format = \"json\"` |
| `DEBUG=bittrade:*` | adds `debug` for the BitTrade routes to `log.level` |
| `DB_HOST`, `DB_PORT`, `DB_NAME`, `DB_USER`, `DB_PASSWORD` | make a Postgres URL for `database.url` where `DATABASE_URL` is not set; port 3306 (MySQL) is refused |
| `NGROK_AUTHTOKEN` | `tunnels.ngrok_authtoken` |
| `REDIS_URL` | `redis.url` |
| `REDIS_HOST`, `REDIS_PORT`, `REDIS_PASSWORD`, `REDIS_DB` | make a URL for `redis.url` where `REDIS_URL` is not set |

When several names give the same key, `ORRERY_SECTION__KEY` wins over `ORRERY_LISTEN` and `ORRERY_DATA_DIR`, and
those over the documents' names.
";
