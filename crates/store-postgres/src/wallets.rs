//! The port of what belongs to wallets.

use async_trait::async_trait;
use orrery_kernel::{StoreError, Timestamp, UserId};
use orrery_store_rows::{count, wallets as rows};
use orrery_wallets::{
    Account, Opened, SESSIONS_MAX, Session, State, Stored, Token, Totals, Transaction, TransactionQuery, WalletStore,
};

use crate::db::Postgres;
use crate::sql::wallets as sql;
use crate::write::Lock;

/// Rows dropped in one call.
const PRUNE_MAX: i64 = 10_000;

#[async_trait]
impl WalletStore for Postgres {
    async fn open_session(&self, session: &Session, login: &str) -> Result<Opened, StoreError> {
        let lock = Lock::wallet(&session.address);
        let (session, login) = (session.clone(), login.to_owned());
        self.write(lock, move |tx| {
            Box::pin(async move {
                let at = session.created_at.micros();
                if tx.execute(sql::INSERT_LOGIN.call().bind(login).bind(at)).await? == 0 {
                    tx.nothing_to_keep();
                    return Ok(Opened::Replayed);
                }
                let address = session.address.clone();
                let first = tx.execute(sql::SEE_WALLET.call().bind(address.clone()).bind(at)).await? == 1;
                let insert = sql::INSERT_SESSION.call().bind(session.token.to_vec()).bind(session.address);
                let insert = insert.bind(session.public_key).bind(at).bind(session.expires_at.micros());
                tx.execute(insert).await?;
                tx.execute(sql::CAP_SESSIONS.call().bind(address).bind(i64::from(SESSIONS_MAX))).await?;
                Ok(Opened::New { first })
            })
        })
        .await
    }

    async fn session(&self, token: &[u8; 32]) -> Result<Option<Session>, StoreError> {
        let row = self.optional(sql::SESSION.call().bind(token.to_vec())).await?;
        row.as_ref().map(|row| rows::session(row)).transpose()
    }

    async fn live_sessions(&self, tokens: &[[u8; 32]], now: Timestamp) -> Result<Vec<[u8; 32]>, StoreError> {
        let mut live = Vec::with_capacity(tokens.len());
        for token in tokens {
            let row = self.one(sql::SESSION_LIVES.call().bind(token.to_vec()).bind(now.micros())).await?;
            if count(&row, 0)? == 1 {
                live.push(*token);
            }
        }
        Ok(live)
    }

    async fn end_session(&self, token: &[u8; 32]) -> Result<bool, StoreError> {
        let end = sql::END_SESSION.call().bind(token.to_vec());
        self.write(Lock::Sessions, |tx| Box::pin(async move { Ok(tx.execute(end).await? == 1) })).await
    }

    async fn end_sessions(&self, address: &str) -> Result<u64, StoreError> {
        let end = sql::END_SESSIONS.call().bind(address.to_owned());
        self.write(Lock::wallet(address), |tx| Box::pin(async move { tx.execute(end).await })).await
    }

    async fn prune_sessions(&self, now: Timestamp, logins: Timestamp) -> Result<u64, StoreError> {
        let sessions = sql::PRUNE_SESSIONS.call().bind(now.micros()).bind(PRUNE_MAX);
        let logins = sql::PRUNE_LOGINS.call().bind(logins.micros()).bind(PRUNE_MAX);
        self.write(Lock::Sessions, |tx| {
            Box::pin(async move { Ok(tx.execute(sessions).await? + tx.execute(logins).await?) })
        })
        .await
    }

    async fn link(&self, address: &str, user: UserId, at: Timestamp) -> Result<bool, StoreError> {
        let link = sql::LINK.call().bind(address.to_owned()).bind(user.0).bind(at.micros());
        self.write(Lock::wallet(address), |tx| Box::pin(async move { Ok(tx.execute(link).await? == 1) })).await
    }

    async fn unlink(&self, address: &str, user: UserId) -> Result<bool, StoreError> {
        let unlink = sql::UNLINK.call().bind(address.to_owned()).bind(user.0);
        self.write(Lock::wallet(address), |tx| Box::pin(async move { Ok(tx.execute(unlink).await? == 1) })).await
    }

    async fn linked(&self, address: &str) -> Result<Option<UserId>, StoreError> {
        let row = self.optional(sql::LINKED.call().bind(address.to_owned())).await?;
        Ok(row.as_ref().map(|row| rows::user(row)).transpose()?.flatten())
    }

    async fn wallets_of(&self, user: UserId) -> Result<Vec<String>, StoreError> {
        self.all(sql::WALLETS_OF.call().bind(user.0)).await?.iter().map(|row| text(row)).collect()
    }

    async fn put_account(&self, account: &Account, most: u32) -> Result<Stored, StoreError> {
        let lock = Lock::wallet(&account.owner);
        let a = account.clone();
        self.write(lock, move |tx| {
            Box::pin(async move {
                let there = tx.one(sql::COUNT_ACCOUNTS.call().bind(a.owner.clone()).bind(a.nid.clone())).await?;
                let (all, same) = (count(&there, 0)?, count(&there, 1)?);
                if same == 0 && all >= u64::from(most) {
                    tx.nothing_to_keep();
                    return Ok(Stored::Full);
                }
                let put = sql::PUT_ACCOUNT.call().bind(a.owner.clone()).bind(a.nid.clone()).bind(a.exchange);
                let put = put.bind(rows::list(&a.viewers)).bind(a.public).bind(a.sealed).bind(a.public_key);
                tx.execute(put.bind(a.signature).bind(a.at.micros())).await?;
                tx.execute(sql::CLEAR_VIEWERS.call().bind(a.owner.clone()).bind(a.nid.clone())).await?;
                for viewer in a.viewers {
                    tx.execute(sql::ADD_VIEWER.call().bind(viewer).bind(a.owner.clone()).bind(a.nid.clone())).await?;
                }
                Ok(if same == 0 { Stored::New } else { Stored::Known })
            })
        })
        .await
    }

    async fn account(&self, owner: &str, nid: &str) -> Result<Option<Account>, StoreError> {
        let row = self.optional(sql::ACCOUNT.call().bind(owner.to_owned()).bind(nid.to_owned())).await?;
        row.as_ref().map(|row| rows::account(row)).transpose()
    }

    async fn accounts_seen_by(&self, address: &str, limit: u32) -> Result<Vec<Account>, StoreError> {
        let call = sql::ACCOUNTS_SEEN_BY.call().bind(address.to_owned()).bind(i64::from(limit));
        self.all(call).await?.iter().map(|row| rows::account(row)).collect()
    }

    async fn accounts_after(&self, owner: &str, nid: &str, limit: u32) -> Result<Vec<Account>, StoreError> {
        let call = sql::ACCOUNTS_AFTER.call().bind(owner.to_owned()).bind(nid.to_owned()).bind(i64::from(limit));
        self.all(call).await?.iter().map(|row| rows::account(row)).collect()
    }

    async fn reseal(&self, owner: &str, nid: &str, from: &[u8], to: &[u8]) -> Result<bool, StoreError> {
        let call = sql::RESEAL.call().bind(owner.to_owned()).bind(nid.to_owned()).bind(from.to_vec());
        let call = call.bind(to.to_vec());
        self.write(Lock::wallet(owner), |tx| Box::pin(async move { Ok(tx.execute(call).await? == 1) })).await
    }

    async fn put_transaction(&self, transaction: &Transaction) -> Result<Stored, StoreError> {
        let lock = Lock::wallet(&transaction.sender);
        let t = transaction.clone();
        self.write(lock, move |tx| {
            Box::pin(async move {
                let insert = sql::INSERT_TRANSACTION.call().bind(t.hash).bind(t.kind.name()).bind(t.sender);
                let insert = insert.bind(rows::parties_text(&t.parties)).bind(t.token).bind(t.prev_hash).bind(t.body);
                let insert = insert.bind(rows::entry(t.state)).bind(t.at.micros());
                let Some(row) = tx.optional(insert).await? else {
                    tx.nothing_to_keep();
                    return Ok(Stored::Known);
                };
                let id = number(&row)?;
                for party in t.parties {
                    let add = sql::ADD_PARTY.call().bind(party.address).bind(id).bind(party.received);
                    tx.execute(add.bind(party.sent).bind(party.fee)).await?;
                }
                Ok(Stored::New)
            })
        })
        .await
    }

    async fn settle_transaction(&self, hash: &str, state: State) -> Result<bool, StoreError> {
        let settle = sql::SETTLE_TRANSACTION.call().bind(hash.to_owned()).bind(rows::entry(state));
        self.write(Lock::wallet(hash), |tx| Box::pin(async move { Ok(tx.execute(settle).await? == 1) })).await
    }

    async fn forget_transaction(&self, hash: &str) -> Result<bool, StoreError> {
        let parties = sql::FORGET_PARTIES.call().bind(hash.to_owned());
        let forget = sql::FORGET_TRANSACTION.call().bind(hash.to_owned());
        self.write(Lock::wallet(hash), |tx| {
            Box::pin(async move {
                tx.execute(parties).await?;
                Ok(tx.execute(forget).await? == 1)
            })
        })
        .await
    }

    async fn transaction(&self, hash: &str) -> Result<Option<Transaction>, StoreError> {
        let row = self.optional(sql::TRANSACTION.call().bind(hash.to_owned())).await?;
        row.as_ref().map(|row| rows::transaction(row)).transpose()
    }

    async fn transactions(&self, query: &TransactionQuery) -> Result<(Vec<Transaction>, u64), StoreError> {
        let TransactionQuery { address, token, confirmed, offset, limit } = query.clone();
        let confirmed = confirmed.map(i64::from);
        let (list, counted) = match address {
            Some(address) => {
                (sql::TRANSACTIONS_OF.call().bind(address.clone()), sql::COUNT_TRANSACTIONS_OF.call().bind(address))
            }
            None => (sql::TRANSACTIONS.call(), sql::COUNT_TRANSACTIONS.call()),
        };
        let list = list.bind(token.clone()).bind(confirmed).bind(i64::from(limit)).bind(i64::from(offset));
        let found: Result<_, _> = self.all(list).await?.iter().map(|row| rows::transaction(row)).collect();
        let total = count(&self.one(counted.bind(token).bind(confirmed)).await?, 0)?;
        Ok((found?, total))
    }

    async fn totals(&self, address: &str) -> Result<Totals, StoreError> {
        rows::totals(&self.one(sql::PARTY_TOTALS.call().bind(address.to_owned())).await?)
    }

    async fn pending_transactions(&self, sender: Option<&str>, limit: u32) -> Result<Vec<Transaction>, StoreError> {
        let call = sql::PENDING_TRANSACTIONS.call().bind(sender.map(str::to_owned)).bind(i64::from(limit));
        self.all(call).await?.iter().map(|row| rows::transaction(row)).collect()
    }

    async fn last_smart(&self, sender: &str) -> Result<Option<String>, StoreError> {
        let row = self.optional(sql::LAST_SMART.call().bind(sender.to_owned())).await?;
        row.as_ref().map(|row| text(row)).transpose()
    }

    async fn put_token(&self, token: &Token, most: u32) -> Result<Stored, StoreError> {
        let lock = Lock::wallet(&token.issuer);
        let t = token.clone();
        self.write(lock, move |tx| {
            Box::pin(async move {
                let there = tx.one(sql::COUNT_TOKENS.call().bind(t.issuer.clone())).await?;
                if count(&there, 0)? >= u64::from(most) {
                    tx.nothing_to_keep();
                    return Ok(Stored::Full);
                }
                let insert = sql::INSERT_TOKEN.call().bind(t.id).bind(t.issuer).bind(t.genesis).bind(t.public_key);
                let inserted = tx.execute(insert.bind(t.signature).bind(t.at.micros())).await? == 1;
                Ok(if inserted { Stored::New } else { Stored::Known })
            })
        })
        .await
    }

    async fn tokens(&self, limit: u32) -> Result<Vec<Token>, StoreError> {
        self.all(sql::TOKENS.call().bind(i64::from(limit))).await?.iter().map(|row| rows::token(row)).collect()
    }
}

fn text(row: &dyn orrery_store_rows::Columns) -> Result<String, StoreError> {
    row.get(0)
}

fn number(row: &dyn orrery_store_rows::Columns) -> Result<i64, StoreError> {
    row.get(0)
}
