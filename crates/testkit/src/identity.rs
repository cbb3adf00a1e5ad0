//! The contract of the identity port.

use std::sync::Arc;

use orrery_identity::{
    AuditEvent, Created, Email, IdentityStore, NewApiKey, NewUser, PasswordHash, Role, Scope, Session, SessionId, User,
};
use orrery_kernel::{Timestamp, UserId};

/// A store under test.
pub type Store = Arc<dyn IdentityStore>;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_secs(seconds)
}

fn email(text: &str) -> Email {
    Email::parse(text).expect("the store answers")
}

/// One to be made.
pub fn new_user(address: &str, role: Role) -> NewUser {
    NewUser { email: email(address), name: "Asha".into(), password: PasswordHash("hash".into()), role, at: at(10) }
}

async fn user(store: &Store, address: &str) -> User {
    match store.create_user(&new_user(address, Role::Trader)).await.expect("the store answers") {
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

/// An address belongs to one living user, however it is written; an id to one user for ever.
pub async fn addresses_are_unique_among_the_living_and_ids_are_never_reused(store: Store) {
    let first = user(&store, "Asha@Example.com").await;
    assert_eq!(
        store.create_user(&new_user("asha@example.COM", Role::Trader)).await.expect("the store answers"),
        Created::Taken
    );
    let (found, hash) =
        store.credential(&email("ASHA@example.com")).await.expect("the store answers").expect("the store answers");
    assert_eq!((&found, hash.0.as_str(), found.email.as_str()), (&first, "hash", "Asha@Example.com"));

    assert!(store.delete_user(first.id, at(11)).await.expect("the store answers"));
    assert!(!store.delete_user(first.id, at(12)).await.expect("the store answers"));
    assert!(store.user(first.id).await.expect("the store answers").is_none());
    assert!(store.password(first.id).await.expect("the store answers").is_none());
    assert!(store.credential(&email("asha@example.com")).await.expect("the store answers").is_none());
    let second = user(&store, "asha@example.com").await;
    assert!(second.id > first.id);
    assert_eq!(store.users(UserId(0), 10).await.expect("the store answers"), std::slice::from_ref(&second));
    assert!(store.users(second.id, 10).await.expect("the store answers").is_empty());
    assert_eq!(store.count_role(Role::Trader).await.expect("the store answers"), 1);
}

/// A changed address is as unique as a new one.
pub async fn changing_an_address_keeps_them_unique(store: Store) {
    let (a, b) = (user(&store, "a@x.io").await, user(&store, "b@x.io").await);
    assert_eq!(store.set_email(a.id, &email("B@x.io"), at(20)).await.expect("the store answers"), Created::Taken);
    assert_eq!(
        store.set_email(UserId(99), &email("b@x.io"), at(20)).await.expect("the store answers"),
        Created::New(false)
    );
    assert_eq!(store.set_email(a.id, &email("A@x.io"), at(20)).await.expect("the store answers"), Created::New(true));
    let found = store.user(a.id).await.expect("the store answers").expect("the store answers");
    assert_eq!((found.email.as_str(), found.updated_at), ("A@x.io", at(20)));
    store.delete_user(b.id, at(21)).await.expect("the store answers");
    assert_eq!(store.set_email(a.id, &email("b@x.io"), at(22)).await.expect("the store answers"), Created::New(true));
}

/// A new password ends every other session and every key of its user, and nobody else's.
pub async fn a_new_password_ends_other_sessions_and_all_keys(store: Store) {
    let (a, b) = (user(&store, "a@x.io").await, user(&store, "b@x.io").await);
    for (owner, n) in [(&a, 1), (&a, 2), (&b, 3)] {
        store.create_session(&session(owner.id, sid(n), 20, 90)).await.expect("the store answers");
        store.create_api_key(&api_key(owner.id, n, None)).await.expect("the store answers");
    }
    assert!(
        store.set_password(a.id, &PasswordHash("new".into()), Some(&sid(2)), at(30)).await.expect("the store answers")
    );
    assert!(store.session(&sid(1)).await.expect("the store answers").is_none());
    assert!(store.session(&sid(2)).await.expect("the store answers").is_some());
    assert!(store.session(&sid(3)).await.expect("the store answers").is_some());
    assert!(store.api_key(&[1; 32]).await.expect("the store answers").is_none());
    assert!(store.api_key(&[3; 32]).await.expect("the store answers").is_some());
    assert_eq!(store.password(a.id).await.expect("the store answers").expect("the store answers").0, "new");
    assert!(store.set_password(a.id, &PasswordHash("newer".into()), None, at(31)).await.expect("the store answers"));
    assert!(store.session(&sid(2)).await.expect("the store answers").is_none());
    assert!(!store.set_password(UserId(99), &PasswordHash("x".into()), None, at(31)).await.expect("the store answers"));
}

/// What can change what somebody may do raises the version; nothing else has to.
pub async fn every_change_of_permission_raises_the_version(store: Store) {
    let other = store.clone();
    let (a, doomed) = (user(&store, "a@x.io").await, user(&store, "d@x.io").await);
    let mut last = store.version().await.expect("the store answers");
    macro_rules! raises {
        ($what:literal, $change:expr) => {
            $change.await.expect("the store answers");
            let now = other.version().await.expect("the store answers");
            assert!(now > last, $what);
            last = now;
        };
    }
    macro_rules! leaves {
        ($what:literal, $change:expr) => {
            $change.await.expect("the store answers");
            assert_eq!(other.version().await.expect("the store answers"), last, $what);
        };
    }
    leaves!("session", store.create_session(&session(a.id, sid(1), 20, 90)));
    raises!("role", store.set_role(a.id, Role::Operator, at(20)));
    raises!("password", store.set_password(a.id, &PasswordHash("n".into()), Some(&sid(1)), at(21)));
    raises!("key", store.create_api_key(&api_key(a.id, 1, None)));
    let id = store.api_keys(a.id).await.expect("the store answers")[0].id;
    leaves!("another's key", store.revoke_api_key(doomed.id, id, at(22)));
    raises!("key revoked", store.revoke_api_key(a.id, id, at(22)));
    leaves!("key revoked twice", store.revoke_api_key(a.id, id, at(23)));
    raises!("session revoked", store.revoke_session(&sid(1), at(23)));
    leaves!("session revoked twice", store.revoke_session(&sid(1), at(24)));
    raises!("address", store.set_email(a.id, &email("n@x.io"), at(24)));
    leaves!("name", store.set_name(a.id, "Other", at(25)));
    raises!("deletion", store.delete_user(doomed.id, at(26)));
    leaves!("nobody", store.set_role(UserId(99), Role::Admin, at(27)));
    for n in 0..=100 {
        store.create_session(&session(a.id, sid(100 + n), 30 + i64::from(n), 999)).await.expect("the store answers");
    }
    assert!(store.version().await.expect("the store answers") > last, "a session pushed out");
}

/// The hundred-and-first session pushes the oldest out.
pub async fn a_user_has_at_most_100_live_sessions(store: Store) {
    let (a, b) = (user(&store, "a@x.io").await, user(&store, "b@x.io").await);
    store.create_session(&session(b.id, sid(255), 1, 9_999)).await.expect("the store answers");
    // ended ones do not count
    for n in 200..220 {
        store.create_session(&session(a.id, sid(n), 1, 5)).await.expect("the store answers");
    }
    for n in 0..105 {
        store.create_session(&session(a.id, sid(n), 10, 9_999)).await.expect("the store answers");
    }
    let live = async |n| store.session(&sid(n)).await.expect("the store answers").is_some();
    for n in 0..5 {
        assert!(!live(n).await, "{n} is the oldest");
    }
    for n in 5..105 {
        assert!(live(n).await, "{n}");
    }
    assert!(live(255).await, "another's");
}

/// Only sessions that ended before the moment are dropped.
pub async fn ended_sessions_are_pruned(store: Store) {
    let a = user(&store, "a@x.io").await;
    for (n, expires) in [(1, 50), (2, 51), (3, 50), (4, 90)] {
        store.create_session(&session(a.id, sid(n), 20, expires)).await.expect("the store answers");
    }
    store.revoke_session(&sid(3), at(30)).await.expect("the store answers");
    assert_eq!(store.prune_sessions(at(51)).await.expect("the store answers"), 1);
    assert_eq!(store.prune_sessions(at(51)).await.expect("the store answers"), 0);
    assert!(store.session(&sid(2)).await.expect("the store answers").is_some());
}

/// A session brings its user as stored now, or nothing once they are deleted.
pub async fn a_session_shows_its_user_as_they_are_now(store: Store) {
    let a = user(&store, "a@x.io").await;
    let stored = session(a.id, sid(1), 20, 90);
    store.create_session(&stored).await.expect("the store answers");
    store.set_role(a.id, Role::Viewer, at(30)).await.expect("the store answers");
    store.set_name(a.id, "Other", at(31)).await.expect("the store answers");
    let (found, now) = store.session(&sid(1)).await.expect("the store answers").expect("the store answers");
    assert_eq!((found, now.role, now.name.as_str()), (stored, Role::Viewer, "Other"));
    store.delete_user(a.id, at(40)).await.expect("the store answers");
    assert!(store.session(&sid(1)).await.expect("the store answers").is_none());
    // a login that was already on its way gains nothing
    store.create_session(&session(a.id, sid(2), 41, 90)).await.expect("the store answers");
    assert!(store.session(&sid(2)).await.expect("the store answers").is_none());
}

/// The fifty-first live key is refused.
pub async fn a_user_has_at_most_50_live_keys(store: Store) {
    let a = user(&store, "a@x.io").await;
    // ended before the others are made
    store.create_api_key(&api_key(a.id, 200, Some(at(19)))).await.expect("the store answers");
    for n in 0..50 {
        let created = store.create_api_key(&api_key(a.id, n, Some(at(99)))).await.expect("the store answers");
        assert!(matches!(created, Created::New(_)), "{n}");
    }
    assert_eq!(store.create_api_key(&api_key(a.id, 60, None)).await.expect("the store answers"), Created::Taken);
    let keys = store.api_keys(a.id).await.expect("the store answers");
    assert_eq!(keys[0].key, api_key(a.id, 49, Some(at(99))));
    assert!(store.revoke_api_key(a.id, keys[0].id, at(30)).await.expect("the store answers"));
    assert!(matches!(
        store.create_api_key(&api_key(a.id, 60, None)).await.expect("the store answers"),
        Created::New(_)
    ));
    let (key, owner) = store.api_key(&[60; 32]).await.expect("the store answers").expect("the store answers");
    assert_eq!((key.key, owner), (api_key(a.id, 60, None), a));
    assert!(store.api_key(&[49; 32]).await.expect("the store answers").is_none());
    assert_eq!(store.create_api_key(&api_key(UserId(1), 60, None)).await.expect("the store answers"), Created::Taken);
}

/// Of many who hold the token at once, one becomes the administrator.
pub async fn one_token_makes_one_administrator(store: Store) {
    let other = store.clone();
    let token = [9; 32];
    let admin = |n: usize| new_user(&format!("admin{n}@x.io"), Role::Admin);
    assert!(store.create_first_admin(&token, &admin(0)).await.expect("the store answers").is_none());
    store.put_setup_token(&[8; 32], at(1_000)).await.expect("the store answers");
    store.put_setup_token(&token, at(1_000)).await.expect("the store answers");
    assert!(store.create_first_admin(&[8; 32], &admin(0)).await.expect("the store answers").is_none());

    let mut race = tokio::task::JoinSet::new();
    for n in 0..16 {
        let (store, admin) = (if n % 2 == 0 { store.clone() } else { other.clone() }, admin(n));
        race.spawn(async move { store.create_first_admin(&token, &admin).await.expect("the store answers") });
    }
    let won = race.join_all().await;
    assert_eq!(won.iter().flatten().count(), 1, "{won:?}");
    assert_eq!(store.count_role(Role::Admin).await.expect("the store answers"), 1);
    // not even with another token
    store.put_setup_token(&token, at(1_000)).await.expect("the store answers");
    assert!(store.create_first_admin(&token, &admin(99)).await.expect("the store answers").is_none());
}

/// A form that fails leaves the token usable until it ends.
pub async fn a_taken_address_does_not_consume_the_token(store: Store) {
    user(&store, "a@x.io").await;
    store.put_setup_token(&[9; 32], at(1_000)).await.expect("the store answers");
    let taken = store.create_first_admin(&[9; 32], &new_user("a@x.io", Role::Viewer)).await.expect("the store answers");
    assert_eq!(taken, Some(Created::Taken));
    let late = NewUser { at: at(1_000), ..new_user("b@x.io", Role::Admin) };
    assert!(store.create_first_admin(&[9; 32], &late).await.expect("the store answers").is_none(), "it has ended");
    let made = store.create_first_admin(&[9; 32], &new_user("b@x.io", Role::Viewer)).await.expect("the store answers");
    assert!(matches!(made, Some(Created::New(User { role: Role::Admin, .. }))), "{made:?}");
}

/// The audit log gives the newest first.
pub async fn the_audit_log_tells_the_newest_first(store: Store) {
    let event = |n: i64| AuditEvent {
        at: at(n),
        actor: "user:7".into(),
        action: "login".into(),
        target: format!("t{n}"),
        outcome: "ok".into(),
        address: "::1".into(),
    };
    for n in 0..5 {
        store.audit(&event(n)).await.expect("the store answers");
    }
    assert_eq!(store.audit_events(2).await.expect("the store answers"), [event(4), event(3)]);
    let trail = store.audit_trail(0, 100).await.expect("the store answers");
    assert_eq!(trail.iter().map(|r| r.event.clone()).collect::<Vec<_>>(), (0..5).map(event).collect::<Vec<_>>());
    let mut prev = [0; 32];
    for record in &trail {
        assert_eq!(record.hash, record.event.link(prev), "event {} is linked", record.id);
        prev = record.hash;
    }
    let rest = store.audit_trail(trail[2].id, 1).await.expect("the store answers");
    assert_eq!(rest, trail[3..4]);
}

/// Expands to the whole contract as tests, for an expression that makes a fresh store (async).
#[macro_export]
macro_rules! identity_contract {
    ($make:expr) => {
        $crate::identity_contract!(@each $make;
            addresses_are_unique_among_the_living_and_ids_are_never_reused
            changing_an_address_keeps_them_unique
            a_new_password_ends_other_sessions_and_all_keys
            every_change_of_permission_raises_the_version
            a_user_has_at_most_100_live_sessions
            ended_sessions_are_pruned
            a_session_shows_its_user_as_they_are_now
            a_user_has_at_most_50_live_keys
            one_token_makes_one_administrator
            a_taken_address_does_not_consume_the_token
            the_audit_log_tells_the_newest_first);
    };
    (@each $make:expr; $($name:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                $crate::identity::$name($make.await).await;
            }
        )*
    };
}
