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
async fn nobody_has_no_keys_or_sessions() {
    let db = Db::new().await;
    let key = db.store.create_api_key(&api_key(UserId(99), 1, None)).await;
    assert!(matches!(key, Err(StoreError::Corrupt { .. })), "{key:?}");
    let opened = db.store.create_session(&session(UserId(99), sid(1), 1, 9)).await;
    assert!(matches!(opened, Err(StoreError::Corrupt { .. })), "{opened:?}");
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
