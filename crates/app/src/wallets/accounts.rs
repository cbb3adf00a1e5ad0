//! Exchange accounts: kept for their owners, their keys sealed.

use orrery_crypto::json::JsValue;
use orrery_crypto::seal::SealError;
use orrery_crypto::verify_account;
use orrery_kernel::{Error, ErrorCode, Result, Secret};
use orrery_wallets::{Account, NewAccount, Session, Stored};

use super::{ACCOUNTS_MAX, Wallets, checked_address};
use crate::Ctx;

/// What stands where a secret is not shown.
pub const MASK: &str = "********";
/// Accounts in one answer.
const SEEN_MAX: u32 = 500;

/// An account as somebody may see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// The account; what is sealed stays so.
    pub account: Account,
    /// Is it their own?
    pub own: bool,
}

impl Wallets {
    /// Creates or replaces an account of the session's wallet, which has signed it.
    ///
    /// # Errors
    /// `Invalid` names a field; `Forbidden` for another wallet's; `Conflict` when there are too many.
    pub async fn set_account(
        &self,
        ctx: &Ctx,
        session: &Session,
        account: &JsValue,
        (public_key, address, signature): (&str, &str, &str),
    ) -> Result<Account> {
        if address != session.address {
            checked_address(address, "address")?;
            return Err(Error::new(ErrorCode::Forbidden, "The session is of another wallet"));
        }
        let invalid = |field: &'static str, problem: &str| Error::invalid(field, format!("{field} {problem}"));
        verify_account(account, public_key, address, signature).map_err(|e| invalid(e.field, &e.problem))?;
        let new = NewAccount::read(account).map_err(|e| invalid(e.field, &e.problem))?;
        let place = Account::place(address, &new.nid);
        let sealed = self.settings.keys.ring().seal(new.secrets.as_bytes(), &place, &*self.ports.entropy);
        let account = Account {
            owner: address.to_owned(),
            nid: new.nid,
            exchange: new.exchange,
            viewers: new.viewers,
            public: new.public,
            sealed: sealed.map_err(Error::internal)?,
            public_key: public_key.to_owned(),
            signature: signature.to_owned(),
            at: ctx.now,
        };
        let stored = self.ports.store.put_account(&account, ACCOUNTS_MAX).await?;
        if stored == Stored::Full {
            return Err(Error::new(ErrorCode::Conflict, format!("A wallet may have {ACCOUNTS_MAX} accounts")));
        }
        self.audit(ctx, address, "account_set", format!("{}/{}", account.exchange, account.nid), "ok").await;
        Ok(account)
    }

    /// An account by its name: the session's own, or `owner`'s that it may look at; without `owner` its own goes first.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn account(&self, session: &Session, owner: Option<&str>, nid: &str) -> Result<View> {
        let own = owner.is_none_or(|owner| owner == session.address);
        if own && let Some(account) = self.ports.store.account(&session.address, nid).await? {
            return Ok(View { account, own: true });
        }
        let seen = self.ports.store.accounts_seen_by(&session.address, SEEN_MAX).await?;
        let named = |a: &Account| a.nid == nid && owner.is_none_or(|owner| owner == a.owner);
        let found = seen.into_iter().find(named).map(|account| View { account, own: false });
        found.ok_or_else(|| Error::new(ErrorCode::NotFound, format!("There is no account {nid} that you may see")))
    }

    /// The accounts that the session's wallet owns or may look at.
    pub async fn accounts(&self, session: &Session) -> Result<Vec<View>> {
        let seen = self.ports.store.accounts_seen_by(&session.address, SEEN_MAX).await?;
        Ok(seen.into_iter().map(|account| View { own: account.owner == session.address, account }).collect())
    }

    /// The accounts behind `address` that whoever asks may see.
    pub async fn accounts_of(&self, address: &str, session: Option<&Session>) -> Result<Vec<View>> {
        checked_address(address, "address")?;
        let own = session.is_some_and(|session| session.address == address);
        let may = |account: &Account| {
            let viewer = session.is_some_and(|session| account.viewers.contains(&session.address));
            own || viewer || self.settings.public_info
        };
        let seen = self.ports.store.accounts_seen_by(address, SEEN_MAX).await?;
        let of = seen.into_iter().filter(|account| account.owner == address && may(account));
        Ok(of.map(|account| View { account, own }).collect())
    }

    /// An account's secrets, JSON: for venues alone.
    ///
    /// # Errors
    /// `Internal` when they do not open.
    pub fn open_secrets(&self, account: &Account) -> Result<Secret<String>> {
        let place = Account::place(&account.owner, &account.nid);
        let keys = &self.settings.keys;
        let opened = match keys.ring().open(&account.sealed, &place) {
            Err(SealError::UnknownKey(_)) => keys.refreshed().open(&account.sealed, &place),
            opened => opened,
        };
        let opened = opened.map_err(Error::internal)?;
        String::from_utf8(opened.to_vec()).map(Secret::new).map_err(Error::internal)
    }
}
