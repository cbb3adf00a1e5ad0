//! `api-key …`.

use std::time::Duration;

use anyhow::Result;
use orrery_identity::{ApiKey, ApiKeyId};
use orrery_kernel::Timestamp;

use super::args::KeyCommand;
use super::output::{Lines, say};
use super::users::{auth, changed, email};
use crate::config::Config;

pub async fn run(config: &Config, command: KeyCommand) -> Result<()> {
    let (auth, parts) = auth(config).await?;
    match command {
        KeyCommand::Create { who, name, scope, days } => {
            let lifetime = days.map(|days| Duration::from_secs(u64::from(days) * 86_400));
            let scopes = scope.into_iter().map(Into::into).collect();
            let made = auth.operator_create_key(&email(&who.email)?, &name, scopes, lifetime).await?;
            say(&row(&made.key));
            say("this key is shown once; keep it safe:");
            say(made.secret.expose());
        }
        KeyCommand::List { who } => {
            let mut lines = Lines::new();
            for key in auth.operator_keys(&email(&who.email)?).await? {
                lines.line(&row(&key));
            }
        }
        KeyCommand::Revoke { who, id } => {
            auth.operator_revoke_key(&email(&who.email)?, ApiKeyId(id)).await?;
            changed(&format!("revoked {id}")).await;
        }
    }
    parts.database.close().await;
    Ok(())
}

fn row(stored: &ApiKey) -> String {
    let key = &stored.key;
    let scopes: Vec<&str> = key.scopes.iter().map(|s| s.name()).collect();
    let ends = key.expires_at.map_or_else(|| "never".to_owned(), Timestamp::iso);
    format!(
        "{}\t{}…\t{}\t{}\tmade {}\tends {ends}",
        stored.id.0,
        key.prefix,
        key.name,
        scopes.join(","),
        key.created_at.iso()
    )
}
