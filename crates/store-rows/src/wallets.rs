//! Between rows and what belongs to wallets.

use orrery_kernel::{StoreError, UserId};
use orrery_wallets::{Account, Party, Session, State, Token, Totals, Transaction, TransactionKind};
use serde_json::{Value, json};

use crate::{Columns, corrupt};

/// A list of texts as stored.
pub fn list(items: &[String]) -> String {
    serde_json::Value::from(items.to_vec()).to_string()
}

fn read_list(text: &str, what: &'static str) -> Result<Vec<String>, StoreError> {
    serde_json::from_str(text).map_err(|e| corrupt(what, e))
}

/// A session, of five columns.
pub fn session(row: &dyn Columns) -> Result<Session, StoreError> {
    Ok(Session {
        token: row.hash(0)?,
        address: row.get(1)?,
        public_key: row.get(2)?,
        created_at: row.time(3)?,
        expires_at: row.time(4)?,
    })
}

/// A user's number that may be missing.
pub fn user(row: &dyn Columns) -> Result<Option<UserId>, StoreError> {
    Ok(row.get::<Option<i64>>(0)?.map(UserId))
}

/// An exchange account, of nine columns.
pub fn account(row: &dyn Columns) -> Result<Account, StoreError> {
    Ok(Account {
        owner: row.get(0)?,
        nid: row.get(1)?,
        exchange: row.get(2)?,
        viewers: read_list(row.get(3)?, "exchange_accounts.viewers")?,
        public: row.get(4)?,
        sealed: row.get::<&[u8]>(5)?.to_vec(),
        public_key: row.get(6)?,
        signature: row.get(7)?,
        at: row.time(8)?,
    })
}

/// Parties as stored.
pub fn parties_text(parties: &[Party]) -> String {
    let one = |p: &Party| json!([p.address, p.received, p.sent, p.fee]);
    Value::Array(parties.iter().map(one).collect()).to_string()
}

fn parties(text: &str) -> Result<Vec<Party>, StoreError> {
    let read: Result<Vec<(String, i64, i64, i64)>, _> = serde_json::from_str(text);
    let party = |(address, received, sent, fee)| Party { address, received, sent, fee };
    Ok(read.map_err(|e| corrupt("wallet_transactions.parties", e))?.into_iter().map(party).collect())
}

/// An address's totals, of four columns.
pub fn totals(row: &dyn Columns) -> Result<Totals, StoreError> {
    Ok(Totals { received: row.get(0)?, sent: row.get(1)?, fees: row.get(2)?, count: row.count(3)? })
}

/// A transaction, of nine columns.
pub fn transaction(row: &dyn Columns) -> Result<Transaction, StoreError> {
    let kind: &str = row.get(1)?;
    Ok(Transaction {
        hash: row.get(0)?,
        kind: TransactionKind::parse(kind).ok_or_else(|| corrupt("wallet_transactions.kind", kind))?,
        sender: row.get(2)?,
        parties: parties(row.get(3)?)?,
        token: row.get(4)?,
        prev_hash: row.get(5)?,
        body: row.get(6)?,
        state: row.get::<Option<i64>>(7)?.map_or(State::Pending, State::Confirmed),
        at: row.time(8)?,
    })
}

/// The entry that a state names.
pub fn entry(state: State) -> Option<i64> {
    match state {
        State::Pending => None,
        State::Confirmed(entry) => Some(entry),
    }
}

/// A token, of six columns.
pub fn token(row: &dyn Columns) -> Result<Token, StoreError> {
    Ok(Token {
        id: row.get(0)?,
        issuer: row.get(1)?,
        genesis: row.get(2)?,
        public_key: row.get(3)?,
        signature: row.get(4)?,
        at: row.time(5)?,
    })
}
