//! Whose desk a call is for.

use std::sync::{Arc, PoisonError};

use orrery_kernel::Secret;
use orrery_venues::{Credentials, Desk, ErrorClass, VenueError};
use orrery_wallets::Account;
use orrery_workers::script::HostError;
use serde::Deserialize;

use super::super::{Result, WorkerHost};
use super::refused;
use crate::venues::{self, PAPER};

/// Exchanges of one run by keys of its own; beyond that they are opened each time.
const OWN_MAX: usize = 16;
/// Digits of a digest that tells keys apart.
const DIGEST: usize = 16;

/// What a script gave its exchange's constructor; the rest is CCXT's and means nothing here.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Config {
    api_key: Option<Secret<String>>,
    secret: Option<Secret<String>>,
    password: Option<Secret<String>>,
    account: Option<String>,
    account_id: Option<String>,
    sandbox: bool,
    testnet: bool,
}

fn filled(secret: Option<&Secret<String>>) -> Option<&str> {
    secret.map(|secret| secret.expose().trim()).filter(|text| !text.is_empty())
}

impl Config {
    /// What must stand in no line.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &str> {
        [&self.api_key, &self.secret, &self.password].into_iter().filter_map(|secret| filled(secret.as_ref()))
    }

    fn keys(&self) -> Option<Credentials> {
        let (key, secret) = (filled(self.api_key.as_ref())?, filled(self.secret.as_ref())?);
        let own = |text: &str| Secret::new(text.to_owned());
        Some(Credentials { api_key: own(key), secret: own(secret), password: filled(self.password.as_ref()).map(own) })
    }

    /// The account that the script names.
    fn account(&self) -> Option<&str> {
        let named = self.account.as_deref().or(self.account_id.as_deref());
        named.filter(|name| !name.is_empty())
    }

    fn is_testnet(&self) -> bool {
        self.sandbox || self.testnet
    }
}

/// A desk, and what is known of whose it is.
#[derive(Clone)]
pub(super) struct Seat {
    pub desk: Arc<dyn Desk>,
    /// The wallet's account, where the desk is its.
    pub account: Option<Account>,
    /// Tells the desks of a worker apart, without a secret.
    pub name: String,
}

impl Seat {
    /// Orders by their cost are taken where the exchange has them: elsewhere the cost would be taken for an amount.
    pub(super) fn takes_costs(&self, method: &str) -> Result<()> {
        let Ok(venue) = self.desk.id().parse::<orrery_venues::Venue>() else { return Ok(()) };
        let has = |method: &str| venue.description().has(method);
        let both = has("createMarketBuyOrderWithCost") && has("createMarketSellOrderWithCost");
        if has(method) || method == "createMarketOrderWithCost" && both {
            return Ok(());
        }
        Err(HostError::new("NotSupported", format!("{venue} does not support {method}()")))
    }
}

fn authentication(text: &str) -> HostError {
    refused(&VenueError::new(ErrorClass::AuthenticationError, text))
}

/// Are these names of one exchange?
fn is_same(one: &str, other: &str) -> bool {
    let plain = |name: &str| name.trim().to_ascii_lowercase();
    let (one, other) = (plain(one), plain(other));
    one == other || venues::venue(&one).ok().zip(venues::venue(&other).ok()).is_some_and(|(one, other)| one == other)
}

impl WorkerHost {
    /// The desk that a call is for. `open`: the call asks for what everybody may know, and nobody's desk will do.
    ///
    /// Errors: `AuthenticationError` for an account that is not this wallet's or of another exchange, and where there
    /// are no keys; those of opening it.
    pub(super) async fn seat(&self, venue: &str, config: &Config, open: bool) -> Result<Seat> {
        let (running, ports) = (&self.running, &self.shared.ports);
        if running.dry_run {
            return self.on_paper(&format!("dry-run/{}", running.sid)).await;
        }
        if let Some(keys) = config.keys() {
            return self.own(venue, keys, config.is_testnet()).await;
        }
        let named = config.account();
        if let Some(nid) = named.or(running.account.as_deref()) {
            let found = ports.venues.account_of(&running.owner, nid).await.map_err(|error| refused(&error))?;
            match found {
                Some(account) if is_same(&account.exchange, venue) => return self.of_account(account).await,
                Some(account) if named.is_some() || !open => {
                    let text = format!("account {nid} is of {}, not of {venue}", account.exchange);
                    return Err(authentication(&text));
                }
                None if named.is_some() || !open => {
                    return Err(authentication(&format!("this worker's wallet has no account {nid}")));
                }
                _ => {}
            }
        }
        if venue == PAPER {
            return self.on_paper(&format!("worker/{}", running.sid)).await;
        }
        if !open {
            return Err(authentication(&format!("{venue} requires \"apiKey\" credential")));
        }
        let desk = if config.is_testnet() {
            let venue = venues::venue(venue).map_err(|error| refused(&error))?;
            ports.venues.with_keys(venue, None, true).await
        } else {
            ports.venues.public(venue).await
        };
        Ok(Seat { desk: desk.map_err(|error| refused(&error))?, account: None, name: "nobody".into() })
    }

    pub(super) async fn on_paper(&self, name: &str) -> Result<Seat> {
        let desk = self.shared.ports.venues.paper_desk(&self.running.owner, name).await;
        let desk = desk.map_err(|error| refused(&error))?;
        Ok(Seat { desk, account: None, name: format!("paper/{name}") })
    }

    pub(super) async fn of_account(&self, account: Account) -> Result<Seat> {
        let desk = self.shared.ports.venues.desk(&account).await.map_err(|error| refused(&error))?;
        let name = format!("account/{}", account.nid);
        Ok(Seat { desk, account: Some(account), name })
    }

    /// The exchange by the script's own keys; one for each, for it learns of the account as it goes.
    async fn own(&self, venue: &str, keys: Credentials, testnet: bool) -> Result<Seat> {
        let venue = venues::venue(venue).map_err(|error| refused(&error))?;
        let all = [venue.id(), keys.api_key.expose(), keys.secret.expose(), if testnet { "testnet" } else { "" }];
        let digest = hex::encode(orrery_crypto::sha256(&all.map(str::as_bytes).join(&0)));
        let name = format!("keys/{}", digest.get(..DIGEST).unwrap_or_default());
        let known = self.trading.own.lock().unwrap_or_else(PoisonError::into_inner).get(&digest).cloned();
        if let Some(desk) = known {
            return Ok(Seat { desk, account: None, name });
        }
        let opened = self.shared.ports.venues.with_keys(venue, Some(keys), testnet).await;
        let desk = opened.map_err(|error| refused(&error))?;
        let mut own = self.trading.own.lock().unwrap_or_else(PoisonError::into_inner);
        if own.len() < OWN_MAX {
            own.insert(digest, desk.clone());
        }
        Ok(Seat { desk, account: None, name })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exchanges_have_other_names() {
        assert!(is_same("gateio", "gate") && is_same("Bybit", "bybit") && is_same("paper", "paper"));
        assert!(!is_same("okx", "bybit") && !is_same("mtgox", "none"));
    }
}
