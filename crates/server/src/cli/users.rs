//! `user …`.

use std::io::Read;

use anyhow::{Context, Result, bail};
use orrery_app::auth::Auth;
use orrery_app::events::Events;
use orrery_app::files::Leaving;
use orrery_identity::{Email, User};
use orrery_kernel::Secret;

use super::NOTICE_TIME;
use super::args::UserCommand;
use super::output::{Lines, say};
use crate::config::Config;
use crate::wire;

/// Longest line that is read as a password.
const LINE_BYTES_MAX: u64 = 4_096;

/// Identity's use cases on a database that a server may be using too.
pub async fn auth(config: &Config) -> Result<(Auth, wire::Parts)> {
    let parts = wire::open(config, true).await?;
    let settings = wire::auth_settings(config, parts.entropy.as_ref())?;
    let ports = wire::ports(config, &parts, &orrery_app::tasks::Tasks::new())?;
    let auth = Auth::new(ports.identity, ports.rates, ports.clock, ports.entropy, settings, Events::default())?;
    Ok((auth, parts))
}

/// A checked address.
pub fn email(text: &str) -> Result<Email> {
    Email::parse(text).with_context(|| format!("--email {text}"))
}

pub async fn run(config: &Config, command: UserCommand) -> Result<()> {
    let (auth, parts) = auth(config).await?;
    match command {
        UserCommand::List => {
            let users = auth.operator_users().await?;
            let mut lines = Lines::new();
            for user in &users {
                lines.line(&row(user));
            }
        }
        UserCommand::Create { who, name, role, password: _ } => {
            let address = email(&who.email)?;
            let name = name.unwrap_or_else(|| who.email.split('@').next().unwrap_or_default().to_owned());
            let password = password()?;
            let user = auth.operator_create_user(&address, &name, &password, role.into()).await?;
            changed(&format!("created {}", row(&user))).await;
        }
        UserCommand::SetRole { who, role } => {
            let user = auth.operator_set_role(&email(&who.email)?, role.into()).await?;
            changed(&format!("changed {}", row(&user))).await;
        }
        UserCommand::ResetPassword { who, password: _ } => {
            let password = password()?;
            let user = auth.operator_reset_password(&email(&who.email)?, &password).await?;
            changed(&format!("password set; sessions and API keys ended: {}", row(&user))).await;
        }
        UserCommand::Delete { who } => {
            let ports = wire::ports(config, &parts, &orrery_app::tasks::Tasks::new())?;
            let user = auth.operator_delete_user(&email(&who.email)?).await?;
            Leaving::new(ports.data, &ports.files).forget(user.id).await?;
            if let Some(exec) = ports.exec {
                // a server that runs ends what they run, and does this once more
                exec.workspaces.remove(user.id).await?;
            }
            changed(&format!("deleted {}", row(&user))).await;
        }
    }
    parts.database.close().await;
    Ok(())
}

/// Says what was done once a running server knows it too.
pub async fn changed(line: &str) {
    tokio::time::sleep(NOTICE_TIME).await;
    say(line);
}

fn row(user: &User) -> String {
    format!("{}\t{}\t{}\t{}\t{}", user.id, user.email, user.role.name(), user.name, user.created_at.iso())
}

/// The first line of standard input.
fn password() -> Result<Secret<String>> {
    let mut bytes = Vec::new();
    std::io::stdin().lock().take(LINE_BYTES_MAX).read_to_end(&mut bytes).context("standard input")?;
    let line = bytes.split(|b| *b == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.is_empty() {
        bail!("the password is read from standard input, and its first line is empty");
    }
    let text = String::from_utf8(line.to_vec()).map_err(|_| anyhow::anyhow!("the password is not UTF-8"))?;
    Ok(Secret::new(text))
}
