//! The contract of the port of what belongs to wallets.

use std::sync::Arc;
use std::time::Duration;

use orrery_kernel::{Timestamp, UserId};
use orrery_wallets::{
    Account, Opened, Party, SESSIONS_MAX, Session, State, Stored, Token, Totals, Transaction, TransactionKind,
    TransactionQuery, WalletStore,
};

/// A store under test.
pub type Store = Arc<dyn WalletStore>;

fn at(second: u64) -> Timestamp {
    Timestamp::from_secs(1_700_000_000).plus(Duration::from_secs(second))
}

fn session(n: u8, address: &str, second: u64) -> Session {
    let (created_at, expires_at) = (at(second), at(second + 1_000));
    Session { token: [n; 32], address: address.into(), public_key: "02ab".into(), created_at, expires_at }
}

/// A login is good once; a session ends, is dropped, and is bounded in number.
pub async fn sessions(store: Store) {
    let open = async |s: &Session, login: &str| store.open_session(s, login).await.expect("the store answers");
    assert_eq!(open(&session(1, "ga", 0), "l1").await, Opened::New { first: true });
    assert_eq!(open(&session(2, "ga", 1), "l1").await, Opened::Replayed);
    assert_eq!(store.session(&[2; 32]).await.expect("answers"), None);
    assert_eq!(open(&session(2, "ga", 1), "l2").await, Opened::New { first: false });
    assert_eq!(open(&session(3, "gb", 2), "l3").await, Opened::New { first: true });
    assert_eq!(store.session(&[1; 32]).await.expect("answers"), Some(session(1, "ga", 0)));
    let all = [[1; 32], [2; 32], [3; 32], [9; 32]];
    assert_eq!(store.live_sessions(&all, at(1_000)).await.expect("answers"), [[2; 32], [3; 32]]);
    assert!(store.end_session(&[2; 32]).await.expect("answers"));
    assert!(!store.end_session(&[2; 32]).await.expect("answers"));
    assert_eq!(store.end_sessions("gb").await.expect("answers"), 1);
    // a session that ran out, and the logins from before
    assert_eq!(store.prune_sessions(at(1_000), at(1)).await.expect("answers"), 2);
    assert_eq!(store.session(&[1; 32]).await.expect("answers"), None);
    assert_eq!(open(&session(4, "ga", 3), "l1").await, Opened::New { first: false });
    for n in 0..=u8::try_from(SESSIONS_MAX).expect("fits") {
        open(&session(100 + n, "gc", u64::from(n) + 10), &format!("c{n}")).await;
    }
    assert_eq!(store.session(&[100; 32]).await.expect("answers"), None, "the oldest makes room");
    assert!(store.session(&[101; 32]).await.expect("answers").is_some());
    assert!(store.session(&[4; 32]).await.expect("answers").is_some(), "others are not touched");
}

/// Of two that use one login at the same time, one gets in.
pub async fn one_login_two_at_once(store: Store) {
    for round in 0..20_u8 {
        let login = format!("r{round}");
        let (one, other) = (session(round * 2, "gr", u64::from(round)), session(round * 2 + 1, "gr", u64::from(round)));
        let (a, b) = tokio::join!(store.open_session(&one, &login), store.open_session(&other, &login));
        let replayed = [a.expect("answers"), b.expect("answers")].iter().filter(|o| **o == Opened::Replayed).count();
        assert_eq!(replayed, 1);
    }
}

/// A wallet is one user's at most.
pub async fn links(store: Store) {
    assert!(store.link("ga", UserId(1), at(0)).await.expect("answers"));
    assert!(store.link("ga", UserId(1), at(1)).await.expect("answers"));
    assert!(!store.link("ga", UserId(2), at(1)).await.expect("answers"));
    assert!(store.link("gb", UserId(1), at(1)).await.expect("answers"));
    assert_eq!(store.linked("ga").await.expect("answers"), Some(UserId(1)));
    assert_eq!(store.wallets_of(UserId(1)).await.expect("answers"), ["ga", "gb"]);
    assert!(!store.unlink("ga", UserId(2)).await.expect("answers"));
    assert!(store.unlink("ga", UserId(1)).await.expect("answers"));
    assert_eq!(store.linked("ga").await.expect("answers"), None);
    assert_eq!(store.linked("gz").await.expect("answers"), None);
    let first = store.open_session(&session(1, "ga", 2), "l").await.expect("answers");
    assert_eq!(first, Opened::New { first: false }, "it was seen when it was linked");
}

fn account(owner: &str, nid: &str, viewers: &[&str]) -> Account {
    Account {
        owner: owner.into(),
        nid: nid.into(),
        exchange: "bybit".into(),
        viewers: viewers.iter().map(|v| (*v).to_owned()).collect(),
        public: format!("{{\"nid\":\"{nid}\"}}"),
        sealed: vec![0, 1, 255],
        public_key: "02ab".into(),
        signature: "30".into(),
        at: at(0),
    }
}

/// Accounts are kept by owner and name; viewers see them as long as they are viewers.
pub async fn accounts(store: Store) {
    let put = async |a: &Account, most| store.put_account(a, most).await.expect("the store answers");
    let seen = async |who: &str| {
        let found = store.accounts_seen_by(who, 100).await.expect("the store answers");
        found.into_iter().map(|a| format!("{}/{}", a.owner, a.nid)).collect::<Vec<_>>()
    };
    let first = account("ga", "one", &["gb", "gc"]);
    assert_eq!(put(&first, 2).await, Stored::New);
    assert_eq!(put(&account("gb", "one", &[]), 2).await, Stored::New);
    assert_eq!(put(&account("ga", "two", &["ga"]), 2).await, Stored::New);
    assert_eq!(put(&account("ga", "three", &[]), 2).await, Stored::Full);
    assert_eq!(store.account("ga", "one").await.expect("answers"), Some(first.clone()));
    assert_eq!(store.account("ga", "three").await.expect("answers"), None);
    assert_eq!(seen("ga").await, ["ga/one", "ga/two"]);
    assert_eq!(seen("gb").await, ["ga/one", "gb/one"]);
    assert_eq!(seen("gc").await, ["ga/one"]);
    let changed = Account { at: at(5), exchange: "okx".into(), ..account("ga", "one", &["gc"]) };
    assert_eq!(put(&changed, 2).await, Stored::Known);
    assert_eq!(seen("gb").await, ["gb/one"]);
    assert_eq!(store.account("ga", "one").await.expect("answers"), Some(changed));
    let page = store.accounts_after("", "", 2).await.expect("answers");
    assert_eq!(page.len(), 2);
    let last = page.last().expect("two");
    let rest = store.accounts_after(&last.owner, &last.nid, 2).await.expect("answers");
    assert_eq!(rest.iter().map(|a| (a.owner.as_str(), a.nid.as_str())).collect::<Vec<_>>(), [("gb", "one")]);
    assert!(!store.reseal("ga", "one", &[9], &[7]).await.expect("answers"));
    assert!(store.reseal("ga", "one", &first.sealed, &[7]).await.expect("answers"));
    assert_eq!(store.account("ga", "one").await.expect("answers").expect("there").sealed, [7]);
}

fn transaction(hash: &str, kind: TransactionKind, sender: &str, to: &str, second: u64) -> Transaction {
    Transaction {
        hash: hash.into(),
        kind,
        sender: sender.into(),
        parties: vec![
            Party { address: sender.into(), received: 0, sent: 5, fee: 1 },
            Party { address: to.into(), received: 5, sent: 0, fee: 0 },
        ],
        token: "t1".into(),
        prev_hash: None,
        body: "{\"a\":\"ä\"}".into(),
        state: State::Pending,
        at: at(second),
    }
}

/// Transactions are written down once, settled or forgotten, and found by whom they concern.
pub async fn transactions(store: Store) {
    use TransactionKind::{Asset, Basic, Smart};
    let put = async |t: &Transaction| store.put_transaction(t).await.expect("the store answers");
    let find = async |address: Option<&str>, confirmed, offset, limit| {
        let query = TransactionQuery { address: address.map(Into::into), token: None, confirmed, offset, limit };
        let (found, total) = store.transactions(&query).await.expect("the store answers");
        (found.into_iter().map(|t| t.hash).collect::<Vec<_>>(), total)
    };
    let first = Transaction { prev_hash: Some("p".into()), ..transaction("h1", Basic, "ga", "gb", 0) };
    assert_eq!(put(&first).await, Stored::New);
    assert_eq!(put(&first).await, Stored::Known);
    assert_eq!(put(&transaction("h2", Smart, "ga", "gc", 1)).await, Stored::New);
    assert_eq!(put(&transaction("h3", Smart, "ga", "gb", 2)).await, Stored::New);
    assert_eq!(put(&Transaction { token: "t2".into(), ..transaction("h4", Asset, "gb", "ga", 3) }).await, Stored::New);
    assert_eq!(store.transaction("h1").await.expect("answers"), Some(first.clone()));
    assert_eq!(store.last_smart("ga").await.expect("answers"), None, "none is confirmed");
    let settle =
        async |hash, entry| assert!(store.settle_transaction(hash, State::Confirmed(entry)).await.expect("answers"));
    assert!(!store.settle_transaction("h9", State::Confirmed(1)).await.expect("answers"));
    settle("h3", 7).await;
    settle("h2", 9).await;
    assert_eq!(store.last_smart("ga").await.expect("answers"), Some("h2".into()), "by its place in the journal");
    settle("h1", 10).await;
    assert_eq!(store.last_smart("ga").await.expect("answers"), Some("h2".into()));
    assert_eq!(store.last_smart("gb").await.expect("answers"), None);
    assert_eq!(find(None, None, 0, 10).await, (["h4", "h3", "h2", "h1"].map(String::from).to_vec(), 4));
    assert_eq!(find(Some("gb"), None, 0, 10).await, (["h4", "h3", "h1"].map(String::from).to_vec(), 3));
    assert_eq!(find(Some("gb"), Some(true), 1, 1).await, (["h1"].map(String::from).to_vec(), 2));
    assert_eq!(find(Some("gb"), Some(false), 0, 10).await, (["h4"].map(String::from).to_vec(), 1));
    assert_eq!(find(None, Some(true), 0, 2).await, (["h3", "h2"].map(String::from).to_vec(), 3));
    let of_token = TransactionQuery { token: Some("t2".into()), limit: 10, ..TransactionQuery::default() };
    assert_eq!(store.transactions(&of_token).await.expect("answers").1, 1);
    let pending = store.pending_transactions(None, 10).await.expect("answers");
    assert_eq!(pending.iter().map(|t| t.hash.as_str()).collect::<Vec<_>>(), ["h4"]);
    assert!(store.pending_transactions(Some("ga"), 10).await.expect("answers").is_empty());
    let totals = store.totals("gb").await.expect("answers");
    assert_eq!(totals, Totals { received: 10, sent: 0, fees: 0, count: 2 }, "of what is confirmed");
    assert_eq!(store.totals("ga").await.expect("answers"), Totals { received: 0, sent: 15, fees: 3, count: 3 });
    assert_eq!(store.totals("gz").await.expect("answers"), Totals::default());
    assert!(!store.forget_transaction("h1").await.expect("answers"), "it is in the ledger");
    assert!(store.forget_transaction("h4").await.expect("answers"));
    assert_eq!(store.transaction("h4").await.expect("answers"), None);
    assert_eq!(find(Some("gb"), None, 0, 10).await.1, 2);
    assert_eq!(put(&transaction("h4", Asset, "gb", "ga", 4)).await, Stored::New, "it may come again");
}

/// Tokens are kept by id, a bounded number of one issuer.
pub async fn tokens(store: Store) {
    let token = |id: &str, issuer: &str| Token {
        id: id.into(),
        issuer: issuer.into(),
        genesis: "{}".into(),
        public_key: "04".into(),
        signature: "30".into(),
        at: at(1),
    };
    let put = async |t: &Token| store.put_token(t, 2).await.expect("the store answers");
    assert_eq!(put(&token("t1", "ga")).await, Stored::New);
    assert_eq!(put(&token("t1", "gb")).await, Stored::Known);
    assert_eq!(put(&token("t2", "ga")).await, Stored::New);
    assert_eq!(put(&token("t3", "ga")).await, Stored::Full);
    assert_eq!(store.tokens(10).await.expect("answers"), [token("t1", "ga"), token("t2", "ga")]);
    assert_eq!(store.tokens(1).await.expect("answers").len(), 1);
}

/// Expands to the whole contract as tests, for an expression that makes a fresh store (async).
#[macro_export]
macro_rules! wallets_contract {
    ($make:expr) => {
        $crate::wallets_contract!($make; sessions, one_login_two_at_once, links, accounts, transactions, tokens);
    };
    ($make:expr; $($name:ident),*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                $crate::wallets::$name($make.await).await;
            }
        )*
    };
}
