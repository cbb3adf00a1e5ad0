//! Accounts opened at their exchanges.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use orrery_kernel::Secret;
use orrery_venues::{Credentials, Desk, ErrorClass, Exchange, Venue, VenueError};
use orrery_wallets::{Account, Status};
use serde::Deserialize;

use super::{Place, Venues, lock, place_of};
use crate::paper::PaperExchange;

/// The exchange of play money.
pub(crate) const PAPER: &str = "paper";
/// Accounts that stay open; beyond that the one goes that was not used the longest.
const OPEN_MAX: usize = 1_000;
/// Markets that are older are fetched anew: exchanges change steps and bounds, and list new ones.
const MARKETS_MAX_AGE: Duration = Duration::from_secs(3_600);
/// Time before that is tried again, if it failed.
const MARKETS_RETRY: Duration = Duration::from_secs(600);
/// Other names of exchanges.
const ALSO: [(&str, Venue); 3] = [("gateio", Venue::Gate), ("huobi", Venue::Htx), ("okex", Venue::Okx)];

/// Open accounts by owner and name, each as it was opened with.
#[derive(Default)]
pub(super) struct Opened {
    desks: HashMap<Place, (String, Arc<dyn Desk>, u64)>,
    uses: u64,
}

impl Opened {
    fn get(&mut self, place: &Place, version: &str) -> Option<Arc<dyn Desk>> {
        self.uses += 1;
        let (_, desk, used) = self.desks.get_mut(place).filter(|(of, ..)| of == version)?;
        *used = self.uses;
        Some(desk.clone())
    }

    fn put(&mut self, place: Place, version: String, desk: Arc<dyn Desk>) {
        if self.desks.len() >= OPEN_MAX && !self.desks.contains_key(&place) {
            let idle = self.desks.iter().min_by_key(|(_, (_, _, used))| *used).map(|(place, _)| place.clone());
            idle.map(|idle| self.desks.remove(&idle));
        }
        self.desks.insert(place, (version, desk, self.uses));
    }

    pub(super) fn forget(&mut self, place: &Place) {
        self.desks.remove(place);
    }
}

/// What an account's owner sealed.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sealed {
    api_key: Secret<String>,
    secret: Secret<String>,
    password: Option<Secret<String>>,
}

/// A text that changes whenever anything does that an account is opened with.
pub(super) fn version(account: &Account) -> String {
    let told = [account.exchange.as_bytes(), account.status().name().as_bytes(), &account.sealed].join(&0);
    hex::encode(orrery_crypto::sha256(&told))
}

fn error(class: ErrorClass, text: &str) -> VenueError {
    VenueError::new(class, text)
}

/// The connector of an exchange's name.
pub(crate) fn venue(name: &str) -> Result<Venue, VenueError> {
    let known = ALSO.iter().find(|(also, _)| *also == name).map(|(_, venue)| *venue);
    let missing = || error(ErrorClass::NotSupported, &format!("there is no connector to {name}"));
    known.or_else(|| name.parse().ok()).ok_or_else(missing)
}

impl Venues {
    /// The account at its exchange; on paper, where it learns. One that is opened with anything new is opened anew.
    ///
    /// Errors: [`ErrorClass::AccountNotEnabled`] for one that is stopped or not connected: no exchange is contacted;
    /// [`ErrorClass::NotSupported`]; [`ErrorClass::AuthenticationError`] for secrets that do not open; those of the
    /// way to the exchange's markets.
    pub async fn desk(&self, account: &Account) -> Result<Arc<dyn Desk>, VenueError> {
        let off = |why: &str| {
            Err(error(ErrorClass::AccountNotEnabled, &format!("{} account {} {why}", account.exchange, account.nid)))
        };
        if !account.is_connected() {
            return off("is not connected: its connection is switched off");
        }
        match account.status() {
            Status::Active if account.exchange != PAPER => self.live(account).await,
            Status::Active | Status::Learn => self.on_paper(account),
            Status::Stopped => off("is stopped"),
        }
    }

    /// An exchange as nobody, for what everybody may know.
    ///
    /// Errors: [`ErrorClass::NotSupported`] for a name that is none; those of the way to its markets.
    pub async fn public(&self, exchange: &str) -> Result<Arc<dyn Desk>, VenueError> {
        if exchange.eq_ignore_ascii_case(PAPER) {
            return Ok(self.paper()?.desk("", PAPER));
        }
        let venue = venue(&exchange.to_ascii_lowercase())?;
        self.know_markets(venue).await?;
        Ok(self.ports.exchanges.open(venue, None)?)
    }

    fn paper(&self) -> Result<&Arc<PaperExchange>, VenueError> {
        let none =
            || error(ErrorClass::NotSupported, "this server has no exchange of play money for accounts that learn");
        self.ports.paper.as_ref().ok_or_else(none)
    }

    /// A script's own desk of play money, with coins to sell.
    ///
    /// Errors: [`ErrorClass::NotSupported`] where there is none, [`ErrorClass::ExchangeNotAvailable`].
    pub(crate) async fn paper_desk(&self, owner: &str, name: &str) -> Result<Arc<dyn Desk>, VenueError> {
        let paper = self.paper()?;
        paper.endow(owner, name).await?;
        Ok(paper.desk(owner, name))
    }

    /// An exchange by keys that nobody keeps here, or its testnet.
    ///
    /// Errors: those of [`Self::public`].
    pub(crate) async fn with_keys(
        &self,
        venue: Venue,
        keys: Option<Credentials>,
        testnet: bool,
    ) -> Result<Arc<dyn Desk>, VenueError> {
        if testnet {
            return Ok(self.ports.exchanges.open_testnet(venue, keys)?);
        }
        self.know_markets(venue).await?;
        Ok(self.ports.exchanges.open(venue, keys)?)
    }

    /// An account of a wallet.
    ///
    /// Errors: [`ErrorClass::ExchangeNotAvailable`] if the store does not answer.
    pub(crate) async fn account_of(&self, owner: &str, nid: &str) -> Result<Option<Account>, VenueError> {
        self.ports.store.account(owner, nid).await.map_err(|why| {
            tracing::warn!(error = %why, "an account was not read");
            error(ErrorClass::ExchangeNotAvailable, "the account cannot be read now; try again")
        })
    }

    fn on_paper(&self, account: &Account) -> Result<Arc<dyn Desk>, VenueError> {
        Ok(self.paper()?.desk(&account.owner, &account.nid))
    }

    async fn live(&self, account: &Account) -> Result<Arc<dyn Desk>, VenueError> {
        let (place, version) = (place_of(account), version(account));
        let venue = venue(&account.exchange)?;
        if let Some(desk) = lock(&self.opened).get(&place, &version) {
            self.renew_markets(venue, &self.ports.exchanges.open(venue, None)?);
            return Ok(desk);
        }
        let credentials = self.credentials(account)?;
        self.know_markets(venue).await?;
        let desk: Arc<dyn Desk> = self.ports.exchanges.open(venue, Some(credentials))?;
        lock(&self.opened).put(place, version, desk.clone());
        Ok(desk)
    }

    pub(super) fn credentials(&self, account: &Account) -> Result<Credentials, VenueError> {
        let bad = |why: &str| {
            tracing::warn!(exchange = account.exchange, nid = account.nid, why, "an account's secrets are of no use");
            error(
                ErrorClass::AuthenticationError,
                &format!("{} account {}: its secrets {why}", account.exchange, account.nid),
            )
        };
        let opened = self.wallets.open_secrets(account).map_err(|_| bad("do not open"))?;
        let sealed: Sealed = serde_json::from_str(opened.expose()).map_err(|_| bad("cannot be read"))?;
        if sealed.api_key.expose().is_empty() || sealed.secret.expose().is_empty() {
            return Err(bad("are empty"));
        }
        Ok(Credentials {
            api_key: trimmed(&sealed.api_key),
            secret: lines(&sealed.secret),
            password: sealed.password.filter(|password| !password.expose().is_empty()),
        })
    }

    /// Accounts take the markets that nobody's exchange knows: they are the largest part of what an exchange keeps.
    pub(super) async fn know_markets(&self, venue: Venue) -> Result<(), VenueError> {
        let nobody = self.ports.exchanges.open(venue, None)?;
        if nobody.known_markets().is_none()
            && let Some(loading) = self.loading.get(&venue)
        {
            let _one = loading.lock().await;
            nobody.load_markets().await?;
        }
        self.renew_markets(venue, &nobody);
        Ok(())
    }

    /// Fetches markets anew that are old, beside what is going on: those that are known do until then.
    fn renew_markets(&self, venue: Venue, nobody: &Arc<Exchange>) {
        if nobody.markets_age().is_none_or(|age| age < MARKETS_MAX_AGE) {
            return;
        }
        let now = self.ports.clock.now();
        {
            let mut renewed = lock(&self.renewed);
            if renewed.get(&venue).is_some_and(|at| now.since(*at) < MARKETS_RETRY) {
                return;
            }
            renewed.insert(venue, now);
        }
        let (nobody, stopping) = (nobody.clone(), self.tasks.stopping());
        self.tasks.spawn_connection("venue-markets", async move {
            tokio::select! {
                () = stopping.cancelled() => {}
                fetched = nobody.reload_markets() => match fetched {
                    Ok(markets) => tracing::debug!(%venue, markets = markets.all().len(), "markets were fetched anew"),
                    Err(error) => tracing::warn!(%venue, class = %error.class(), "markets could not be fetched anew"),
                },
            }
        });
    }
}

fn trimmed(text: &Secret<String>) -> Secret<String> {
    Secret::new(text.expose().trim().to_owned())
}

/// A PEM file as a form's field may have it: with `\n` for each end of a line.
fn lines(secret: &Secret<String>) -> Secret<String> {
    let text = secret.expose().trim();
    Secret::new(if text.starts_with("-----BEGIN") { text.replace("\\n", "\n") } else { text.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_get_their_lines_back() {
        let of = |text: &str| lines(&Secret::new(text.to_owned())).expose().clone();
        let file = "-----BEGIN EC PRIVATE KEY-----\nMHc\n-----END EC PRIVATE KEY-----";
        assert_eq!(of(&file.replace('\n', "\\n")), file);
        assert_eq!(of(&format!("{file}\n")), file);
        assert_eq!(of("a\\nb"), "a\\nb");
    }

    #[test]
    fn exchanges_by_their_names() {
        assert_eq!(venue("gateio").unwrap(), Venue::Gate);
        assert_eq!(venue("kraken").unwrap(), Venue::Kraken);
        assert_eq!(venue("mtgox").unwrap_err().class(), ErrorClass::NotSupported);
    }
}
