//! Users, sessions, keys, the setup token, the audit log.

use orrery_identity::{
    AuditEvent, Created, Email, IdentityStore, NewApiKey, NewUser, PasswordHash, Role, Scope, Session, SessionId, User,
};
use orrery_kernel::{StoreError, Timestamp, UserId};
use orrery_store_sqlite::Sqlite;

use crate::support::{Breaker, Db, at};

fn email(text: &str) -> Email {
    Email::parse(text).unwrap()
}

fn new_user(address: &str, role: Role) -> NewUser {
    NewUser { email: email(address), name: "Asha".into(), password: PasswordHash("hash".into()), role, at: at(10) }
}

async fn user(store: &Sqlite, address: &str) -> User {
    match store.create_user(&new_user(address, Role::Trader)).await.unwrap() {
        Created::New(user) => user,
        Created::Taken => panic!("{address} is taken"),
    }
}

fn sid(n: u8) -> SessionId {
    SessionId::from_bits([n; 16])
}

fn session(user: UserId, id: SessionId, created: i64, expires: i64) -> Session {
    Session {
        id,
        user,
        created_at: at(created),
        expires_at: at(expires),
        address: "127.0.0.1".into(),
        agent: "test".into(),
    }
}

fn api_key(user: UserId, n: u8, expires_at: Option<Timestamp>) -> NewApiKey {
    NewApiKey {
        user,
        name: "bot".into(),
        prefix: "ok_abc".into(),
        hash: [n; 32],
        scopes: vec![Scope::Read, Scope::Trade],
        created_at: at(20),
        expires_at,
    }
}

#[tokio::test]
async fn addresses_are_unique_among_the_living_and_ids_are_never_reused() {
    let db = Db::new().await;
    let first = user(&db.store, "Asha@Example.com").await;
    assert_eq!(db.store.create_user(&new_user("asha@example.COM", Role::Trader)).await.unwrap(), Created::Taken);
    let (found, hash) = db.store.credential(&email("ASHA@example.com")).await.unwrap().unwrap();
    assert_eq!((&found, hash.0.as_str(), found.email.as_str()), (&first, "hash", "Asha@Example.com"));

    assert!(db.store.delete_user(first.id, at(11)).await.unwrap());
    assert!(!db.store.delete_user(first.id, at(12)).await.unwrap());
    assert!(db.store.user(first.id).await.unwrap().is_none());
    assert!(db.store.password(first.id).await.unwrap().is_none());
    assert!(db.store.credential(&email("asha@example.com")).await.unwrap().is_none());
    let second = user(&db.store, "asha@example.com").await;
    assert!(second.id > first.id);
    assert_eq!(db.count("SELECT count(*) FROM users WHERE password = 'hash'").await, 1);
    assert_eq!(db.store.users(UserId(0), 10).await.unwrap(), std::slice::from_ref(&second));
    assert!(db.store.users(second.id, 10).await.unwrap().is_empty());
    assert_eq!(db.store.count_role(Role::Trader).await.unwrap(), 1);
}

#[tokio::test]
async fn changing_an_address_keeps_them_unique() {
    let db = Db::new().await;
    let (a, b) = (user(&db.store, "a@x.io").await, user(&db.store, "b@x.io").await);
    assert_eq!(db.store.set_email(a.id, &email("B@x.io"), at(20)).await.unwrap(), Created::Taken);
    assert_eq!(db.store.set_email(UserId(99), &email("b@x.io"), at(20)).await.unwrap(), Created::New(false));
    assert_eq!(db.store.set_email(a.id, &email("A@x.io"), at(20)).await.unwrap(), Created::New(true));
    let found = db.store.user(a.id).await.unwrap().unwrap();
    assert_eq!((found.email.as_str(), found.updated_at), ("A@x.io", at(20)));
    db.store.delete_user(b.id, at(21)).await.unwrap();
    assert_eq!(db.store.set_email(a.id, &email("b@x.io"), at(22)).await.unwrap(), Created::New(true));
}

#[tokio::test]
async fn a_new_password_ends_other_sessions_and_all_keys() {
    let db = Db::new().await;
    let (a, b) = (user(&db.store, "a@x.io").await, user(&db.store, "b@x.io").await);
    for (owner, n) in [(&a, 1), (&a, 2), (&b, 3)] {
        db.store.create_session(&session(owner.id, sid(n), 20, 90)).await.unwrap();
        db.store.create_api_key(&api_key(owner.id, n, None)).await.unwrap();
    }
    assert!(db.store.set_password(a.id, &PasswordHash("new".into()), Some(&sid(2)), at(30)).await.unwrap());
    assert!(db.store.session(&sid(1)).await.unwrap().is_none());
    assert!(db.store.session(&sid(2)).await.unwrap().is_some());
    assert!(db.store.session(&sid(3)).await.unwrap().is_some());
    assert!(db.store.api_key(&[1; 32]).await.unwrap().is_none());
    assert!(db.store.api_key(&[3; 32]).await.unwrap().is_some());
    assert_eq!(db.store.password(a.id).await.unwrap().unwrap().0, "new");
    assert!(db.store.set_password(a.id, &PasswordHash("newer".into()), None, at(31)).await.unwrap());
    assert!(db.store.session(&sid(2)).await.unwrap().is_none());
    assert!(!db.store.set_password(UserId(99), &PasswordHash("x".into()), None, at(31)).await.unwrap());
}

#[tokio::test]
async fn every_change_of_permission_raises_the_version() {
    let db = Db::new().await;
    let other = db.again().await;
    let (a, doomed) = (user(&db.store, "a@x.io").await, user(&db.store, "d@x.io").await);
    let mut last = db.store.version().await.unwrap();
    macro_rules! raises {
        ($what:literal, $change:expr) => {
            $change.await.unwrap();
            let now = other.version().await.unwrap();
            assert!(now > last, $what);
            last = now;
        };
    }
    macro_rules! leaves {
        ($what:literal, $change:expr) => {
            $change.await.unwrap();
            assert_eq!(other.version().await.unwrap(), last, $what);
        };
    }
    leaves!("session", db.store.create_session(&session(a.id, sid(1), 20, 90)));
    raises!("role", db.store.set_role(a.id, Role::Operator, at(20)));
    raises!("password", db.store.set_password(a.id, &PasswordHash("n".into()), Some(&sid(1)), at(21)));
    raises!("key", db.store.create_api_key(&api_key(a.id, 1, None)));
    let id = db.store.api_keys(a.id).await.unwrap()[0].id;
    leaves!("another's key", db.store.revoke_api_key(doomed.id, id, at(22)));
    raises!("key revoked", db.store.revoke_api_key(a.id, id, at(22)));
    leaves!("key revoked twice", db.store.revoke_api_key(a.id, id, at(23)));
    raises!("session revoked", db.store.revoke_session(&sid(1), at(23)));
    leaves!("session revoked twice", db.store.revoke_session(&sid(1), at(24)));
    raises!("address", db.store.set_email(a.id, &email("n@x.io"), at(24)));
    leaves!("name", db.store.set_name(a.id, "Other", at(25)));
    raises!("deletion", db.store.delete_user(doomed.id, at(26)));
    leaves!("nobody", db.store.set_role(UserId(99), Role::Admin, at(27)));
    for n in 0..=100 {
        db.store.create_session(&session(a.id, sid(100 + n), 30 + i64::from(n), 999)).await.unwrap();
    }
    assert!(db.store.version().await.unwrap() > last, "a session pushed out");
}

/// The version is raised with the change or not at all.
#[tokio::test]
async fn a_change_and_its_version_are_one() {
    let breaker = Breaker::default();
    let db = Db::with(breaker.options()).await;
    let a = user(&db.store, "a@x.io").await;
    breaker.set(Some("raise_version"));
    assert!(matches!(db.store.set_role(a.id, Role::Admin, at(20)).await, Err(StoreError::Unavailable(_))));
    breaker.set(None);
    assert_eq!(db.store.user(a.id).await.unwrap().unwrap().role, Role::Trader);
}

#[tokio::test]
async fn a_user_has_at_most_100_live_sessions() {
    let db = Db::new().await;
    let (a, b) = (user(&db.store, "a@x.io").await, user(&db.store, "b@x.io").await);
    db.store.create_session(&session(b.id, sid(255), 1, 9_999)).await.unwrap();
    // ended ones do not count
    for n in 200..220 {
        db.store.create_session(&session(a.id, sid(n), 1, 5)).await.unwrap();
    }
    for n in 0..105 {
        db.store.create_session(&session(a.id, sid(n), 10, 9_999)).await.unwrap();
    }
    let live = async |n| db.store.session(&sid(n)).await.unwrap().is_some();
    for n in 0..5 {
        assert!(!live(n).await, "{n} is the oldest");
    }
    for n in 5..105 {
        assert!(live(n).await, "{n}");
    }
    assert!(live(255).await, "another's");
}

#[tokio::test]
async fn ended_sessions_are_pruned() {
    let db = Db::new().await;
    let a = user(&db.store, "a@x.io").await;
    for (n, expires) in [(1, 50), (2, 51), (3, 50), (4, 90)] {
        db.store.create_session(&session(a.id, sid(n), 20, expires)).await.unwrap();
    }
    db.store.revoke_session(&sid(3), at(30)).await.unwrap();
    assert_eq!(db.store.prune_sessions(at(51)).await.unwrap(), 1);
    assert_eq!(db.count("SELECT count(*) FROM sessions").await, 2);
    assert_eq!(db.store.prune_sessions(at(51)).await.unwrap(), 0);
    assert!(db.store.session(&sid(2)).await.unwrap().is_some());
}

#[tokio::test]
async fn a_session_shows_its_user_as_they_are_now() {
    let db = Db::new().await;
    let a = user(&db.store, "a@x.io").await;
    let stored = session(a.id, sid(1), 20, 90);
    db.store.create_session(&stored).await.unwrap();
    db.store.set_role(a.id, Role::Viewer, at(30)).await.unwrap();
    db.store.set_name(a.id, "Other", at(31)).await.unwrap();
    let (found, now) = db.store.session(&sid(1)).await.unwrap().unwrap();
    assert_eq!((found, now.role, now.name.as_str()), (stored, Role::Viewer, "Other"));
    db.store.delete_user(a.id, at(40)).await.unwrap();
    assert!(db.store.session(&sid(1)).await.unwrap().is_none());
    // a login that was already on its way gains nothing
    db.store.create_session(&session(a.id, sid(2), 41, 90)).await.unwrap();
    assert!(db.store.session(&sid(2)).await.unwrap().is_none());
}

#[tokio::test]
async fn a_user_has_at_most_50_live_keys() {
    let db = Db::new().await;
    let a = user(&db.store, "a@x.io").await;
    // ended before the others are made
    db.store.create_api_key(&api_key(a.id, 200, Some(at(19)))).await.unwrap();
    for n in 0..50 {
        let created = db.store.create_api_key(&api_key(a.id, n, Some(at(99)))).await.unwrap();
        assert!(matches!(created, Created::New(_)), "{n}");
    }
    assert_eq!(db.store.create_api_key(&api_key(a.id, 60, None)).await.unwrap(), Created::Taken);
    let keys = db.store.api_keys(a.id).await.unwrap();
    assert_eq!(keys[0].key, api_key(a.id, 49, Some(at(99))));
    assert!(db.store.revoke_api_key(a.id, keys[0].id, at(30)).await.unwrap());
    assert!(matches!(db.store.create_api_key(&api_key(a.id, 60, None)).await.unwrap(), Created::New(_)));
    let (key, owner) = db.store.api_key(&[60; 32]).await.unwrap().unwrap();
    assert_eq!((key.key, owner), (api_key(a.id, 60, None), a));
    assert!(db.store.api_key(&[49; 32]).await.unwrap().is_none());
    assert_eq!(db.store.create_api_key(&api_key(UserId(1), 60, None)).await.unwrap(), Created::Taken);
}

#[tokio::test]
async fn nobody_has_no_keys_or_sessions() {
    let db = Db::new().await;
    let key = db.store.create_api_key(&api_key(UserId(99), 1, None)).await;
    assert!(matches!(key, Err(StoreError::Corrupt { .. })), "{key:?}");
    let opened = db.store.create_session(&session(UserId(99), sid(1), 1, 9)).await;
    assert!(matches!(opened, Err(StoreError::Corrupt { .. })), "{opened:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_token_makes_one_administrator() {
    let db = Db::new().await;
    let other = db.again().await;
    let token = [9; 32];
    let admin = |n: usize| new_user(&format!("admin{n}@x.io"), Role::Admin);
    assert!(db.store.create_first_admin(&token, &admin(0)).await.unwrap().is_none());
    db.store.put_setup_token(&[8; 32], at(1_000)).await.unwrap();
    db.store.put_setup_token(&token, at(1_000)).await.unwrap();
    assert!(db.store.create_first_admin(&[8; 32], &admin(0)).await.unwrap().is_none());

    let (db, other, admin) = (&db, &other, &admin);
    let race = (0..16).map(|n| async move {
        let store = if n % 2 == 0 { &db.store } else { other };
        store.create_first_admin(&token, &admin(n)).await.unwrap()
    });
    let won = futures_util::future::join_all(race).await;
    assert_eq!(won.iter().flatten().count(), 1, "{won:?}");
    assert_eq!(db.store.count_role(Role::Admin).await.unwrap(), 1);
    // not even with another token
    db.store.put_setup_token(&token, at(1_000)).await.unwrap();
    assert!(db.store.create_first_admin(&token, &admin(99)).await.unwrap().is_none());
}

#[tokio::test]
async fn a_taken_address_does_not_consume_the_token() {
    let db = Db::new().await;
    user(&db.store, "a@x.io").await;
    db.store.put_setup_token(&[9; 32], at(1_000)).await.unwrap();
    let taken = db.store.create_first_admin(&[9; 32], &new_user("a@x.io", Role::Viewer)).await.unwrap();
    assert_eq!(taken, Some(Created::Taken));
    let late = NewUser { at: at(1_000), ..new_user("b@x.io", Role::Admin) };
    assert!(db.store.create_first_admin(&[9; 32], &late).await.unwrap().is_none(), "it has ended");
    let made = db.store.create_first_admin(&[9; 32], &new_user("b@x.io", Role::Viewer)).await.unwrap();
    assert!(matches!(made, Some(Created::New(User { role: Role::Admin, .. }))), "{made:?}");
}

#[tokio::test]
async fn the_audit_log_only_grows() {
    let db = Db::new().await;
    let event = |n: i64| AuditEvent {
        at: at(n),
        actor: "user:7".into(),
        action: "login".into(),
        target: format!("t{n}"),
        outcome: "ok".into(),
        address: "::1".into(),
    };
    for n in 0..5 {
        IdentityStore::audit(&db.store, &event(n)).await.unwrap();
    }
    assert_eq!(db.store.audit_events(2).await.unwrap(), [event(4), event(3)]);
    for bad in ["UPDATE audit_log SET outcome = 'ok'", "DELETE FROM audit_log"] {
        assert!(db.sql(bad).await.unwrap_err().to_string().contains("append-only"));
    }
}

#[tokio::test]
async fn a_stored_role_that_is_none_is_corrupt() {
    let db = Db::new().await;
    let a = user(&db.store, "a@x.io").await;
    let mut conn = db.bare().await;
    sqlx::raw_sql("PRAGMA ignore_check_constraints = ON; UPDATE users SET role = 'king'")
        .execute(&mut conn)
        .await
        .unwrap();
    assert!(matches!(db.store.user(a.id).await, Err(StoreError::Corrupt { what: "users.role", .. })));
}
