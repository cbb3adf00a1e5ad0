//! What belongs to wallets, in process.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use orrery_kernel::{StoreError, Timestamp, UserId};
use orrery_wallets::{
    Account, Opened, SESSIONS_MAX, Session, State, Stored, Token, Totals, Transaction, TransactionKind,
    TransactionQuery, WalletStore,
};

#[derive(Debug, Default)]
struct Tables {
    seen: BTreeMap<String, Option<UserId>>,
    sessions: HashMap<[u8; 32], Session>,
    logins: HashMap<String, Timestamp>,
    accounts: BTreeMap<(String, String), Account>,
    transactions: Vec<Transaction>,
    tokens: Vec<Token>,
}

/// What belongs to wallets, lost with the process.
#[derive(Debug, Default)]
pub struct MemoryWallets(Mutex<Tables>);

impl MemoryWallets {
    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl WalletStore for MemoryWallets {
    async fn open_session(&self, session: &Session, login: &str) -> Result<Opened, StoreError> {
        let mut tables = self.tables();
        if tables.logins.contains_key(login) {
            return Ok(Opened::Replayed);
        }
        tables.logins.insert(login.to_owned(), session.created_at);
        let first = !tables.seen.contains_key(&session.address);
        tables.seen.entry(session.address.clone()).or_default();
        tables.sessions.insert(session.token, session.clone());
        let mut own: Vec<_> = tables
            .sessions
            .values()
            .filter(|s| s.address == session.address)
            .map(|s| (s.created_at, s.token))
            .collect();
        own.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
        for (_, token) in own.into_iter().skip(SESSIONS_MAX as usize) {
            tables.sessions.remove(&token);
        }
        Ok(Opened::New { first })
    }

    async fn session(&self, token: &[u8; 32]) -> Result<Option<Session>, StoreError> {
        Ok(self.tables().sessions.get(token).cloned())
    }

    async fn live_sessions(&self, tokens: &[[u8; 32]], now: Timestamp) -> Result<Vec<[u8; 32]>, StoreError> {
        let tables = self.tables();
        let lives = |token: &&[u8; 32]| tables.sessions.get(*token).is_some_and(|s| s.expires_at > now);
        Ok(tokens.iter().filter(lives).copied().collect())
    }

    async fn end_session(&self, token: &[u8; 32]) -> Result<bool, StoreError> {
        Ok(self.tables().sessions.remove(token).is_some())
    }

    async fn end_sessions(&self, address: &str) -> Result<u64, StoreError> {
        let mut tables = self.tables();
        let before = tables.sessions.len();
        tables.sessions.retain(|_, s| s.address != address);
        Ok((before - tables.sessions.len()) as u64)
    }

    async fn prune_sessions(&self, now: Timestamp, logins: Timestamp) -> Result<u64, StoreError> {
        let mut tables = self.tables();
        let before = tables.sessions.len() + tables.logins.len();
        tables.sessions.retain(|_, s| s.expires_at > now);
        tables.logins.retain(|_, at| *at >= logins);
        Ok((before - tables.sessions.len() - tables.logins.len()) as u64)
    }

    async fn link(&self, address: &str, user: UserId, _: Timestamp) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        let linked = tables.seen.entry(address.to_owned()).or_default();
        let free = linked.is_none_or(|there| there == user);
        if free {
            *linked = Some(user);
        }
        Ok(free)
    }

    async fn unlink(&self, address: &str, user: UserId) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        Ok(match tables.seen.get_mut(address) {
            Some(linked) if *linked == Some(user) => {
                *linked = None;
                true
            }
            _ => false,
        })
    }

    async fn linked(&self, address: &str) -> Result<Option<UserId>, StoreError> {
        Ok(self.tables().seen.get(address).copied().flatten())
    }

    async fn wallets_of(&self, user: UserId) -> Result<Vec<String>, StoreError> {
        let tables = self.tables();
        Ok(tables
            .seen
            .iter()
            .filter(|(_, linked)| **linked == Some(user))
            .map(|(address, _)| address.clone())
            .collect())
    }

    async fn put_account(&self, account: &Account, most: u32) -> Result<Stored, StoreError> {
        let mut tables = self.tables();
        let key = (account.owner.clone(), account.nid.clone());
        let known = tables.accounts.contains_key(&key);
        if !known && tables.accounts.keys().filter(|(owner, _)| *owner == account.owner).count() >= most as usize {
            return Ok(Stored::Full);
        }
        tables.accounts.insert(key, account.clone());
        Ok(if known { Stored::Known } else { Stored::New })
    }

    async fn account(&self, owner: &str, nid: &str) -> Result<Option<Account>, StoreError> {
        Ok(self.tables().accounts.get(&(owner.to_owned(), nid.to_owned())).cloned())
    }

    async fn accounts_seen_by(&self, address: &str, limit: u32) -> Result<Vec<Account>, StoreError> {
        let tables = self.tables();
        let seen = |a: &&Account| a.owner == address || a.viewers.iter().any(|viewer| viewer == address);
        Ok(tables.accounts.values().filter(seen).take(limit as usize).cloned().collect())
    }

    async fn accounts_after(&self, owner: &str, nid: &str, limit: u32) -> Result<Vec<Account>, StoreError> {
        let tables = self.tables();
        let after = (std::ops::Bound::Excluded((owner.to_owned(), nid.to_owned())), std::ops::Bound::Unbounded);
        Ok(tables.accounts.range(after).take(limit as usize).map(|(_, account)| account.clone()).collect())
    }

    async fn reseal(&self, owner: &str, nid: &str, from: &[u8], to: &[u8]) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        Ok(match tables.accounts.get_mut(&(owner.to_owned(), nid.to_owned())) {
            Some(account) if account.sealed == from => {
                account.sealed = to.to_vec();
                true
            }
            _ => false,
        })
    }

    async fn put_transaction(&self, transaction: &Transaction) -> Result<Stored, StoreError> {
        let mut tables = self.tables();
        if tables.transactions.iter().any(|t| t.hash == transaction.hash) {
            return Ok(Stored::Known);
        }
        tables.transactions.push(transaction.clone());
        Ok(Stored::New)
    }

    async fn settle_transaction(&self, hash: &str, state: State) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        let there = tables.transactions.iter_mut().find(|t| t.hash == hash);
        Ok(there.map(|there| there.state = state).is_some())
    }

    async fn forget_transaction(&self, hash: &str) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        let before = tables.transactions.len();
        tables.transactions.retain(|t| t.hash != hash || t.state != State::Pending);
        Ok(tables.transactions.len() < before)
    }

    async fn transaction(&self, hash: &str) -> Result<Option<Transaction>, StoreError> {
        Ok(self.tables().transactions.iter().find(|t| t.hash == hash).cloned())
    }

    async fn transactions(&self, query: &TransactionQuery) -> Result<(Vec<Transaction>, u64), StoreError> {
        let tables = self.tables();
        let wanted = |t: &&Transaction| {
            query.address.as_ref().is_none_or(|address| t.parties.iter().any(|p| p.address == *address))
                && query.token.as_ref().is_none_or(|token| t.token == *token)
                && query.confirmed.is_none_or(|confirmed| confirmed == (t.state != State::Pending))
        };
        let found: Vec<_> = tables.transactions.iter().rev().filter(wanted).collect();
        let page = found.iter().skip(query.offset as usize).take(query.limit as usize);
        Ok((page.map(|t| (*t).clone()).collect(), found.len() as u64))
    }

    async fn totals(&self, address: &str) -> Result<Totals, StoreError> {
        let tables = self.tables();
        let confirmed = tables.transactions.iter().filter(|t| t.state != State::Pending);
        let own = confirmed.flat_map(|t| &t.parties).filter(|p| p.address == address);
        Ok(own.fold(Totals::default(), |sum, p| Totals {
            received: sum.received + p.received,
            sent: sum.sent + p.sent,
            fees: sum.fees + p.fee,
            count: sum.count + 1,
        }))
    }

    async fn pending_transactions(&self, sender: Option<&str>, limit: u32) -> Result<Vec<Transaction>, StoreError> {
        let tables = self.tables();
        let pending = tables.transactions.iter().filter(|t| t.state == State::Pending);
        let own = pending.filter(|t| sender.is_none_or(|sender| t.sender == sender));
        Ok(own.take(limit as usize).cloned().collect())
    }

    async fn last_smart(&self, sender: &str) -> Result<Option<String>, StoreError> {
        let tables = self.tables();
        let own = tables.transactions.iter().filter(|t| t.sender == sender && t.kind == TransactionKind::Smart);
        let confirmed = own.filter_map(|t| match t.state {
            State::Confirmed(entry) => Some((entry, &t.hash)),
            State::Pending => None,
        });
        Ok(confirmed.max().map(|(_, hash)| hash.clone()))
    }

    async fn put_token(&self, token: &Token, most: u32) -> Result<Stored, StoreError> {
        let mut tables = self.tables();
        if tables.tokens.iter().filter(|t| t.issuer == token.issuer).count() >= most as usize {
            return Ok(Stored::Full);
        }
        if tables.tokens.iter().any(|t| t.id == token.id) {
            return Ok(Stored::Known);
        }
        tables.tokens.push(token.clone());
        Ok(Stored::New)
    }

    async fn tokens(&self, limit: u32) -> Result<Vec<Token>, StoreError> {
        Ok(self.tables().tokens.iter().take(limit as usize).cloned().collect())
    }
}
