//! Identity's bounds and traces, on a clock that stands where it is put.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use orrery_app::Ctx;
use orrery_app::auth::{Auth, AuthSettings, Registration};
use orrery_app::events::{Event, Events};
use orrery_app::hub::{Connecting, Credential, Delivery, Dialect, Ending, Hub, HubPorts, HubSettings, Notice, Who};
use orrery_app::tasks::Tasks;
use orrery_identity::{Email, IdentityStore, Role, Scope};
use orrery_kernel::{Clock, ErrorCode, Secret};
use orrery_store_memory::{MemoryBroker, MemoryChannels, MemoryIdentity, MemoryRates};
use orrery_testkit::fakes::{ManualClock, SeededEntropy};
use orrery_testkit::ledger::START;

const PASSWORD: &str = "a-decent-Passw0rd-17";

struct Bench {
    auth: Arc<Auth>,
    store: Arc<MemoryIdentity>,
    clock: Arc<ManualClock>,
    events: Events,
}

fn settings() -> AuthSettings {
    AuthSettings { hash_workers: 1, ..orrery_testkit::assembled::settings().auth }
}

fn bench(settings: AuthSettings) -> Bench {
    bench_on(Arc::default(), settings)
}

/// Another process on the same store.
fn bench_on(store: Arc<MemoryIdentity>, settings: AuthSettings) -> Bench {
    let (clock, events) = (Arc::new(ManualClock::at(START)), Events::default());
    let (rates, entropy) = (Arc::new(MemoryRates::default()), Arc::new(SeededEntropy::new(7)));
    let auth = Auth::new(store.clone(), rates, clock.clone(), entropy, settings, events.clone()).unwrap();
    Bench { auth: Arc::new(auth), store, clock, events }
}

impl Bench {
    fn from(&self, last: u8) -> Ctx {
        Ctx {
            caller: None,
            address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)),
            agent: "test".into(),
            request_id: "r".into(),
            now: self.clock.now(),
        }
    }

    async fn as_holder_of(&self, token: &str) -> Ctx {
        Ctx { caller: Some(self.auth.authenticate(token, self.clock.now()).await.unwrap()), ..self.from(1) }
    }

    async fn register(&self, email: &str) -> Secret<String> {
        self.auth.register(&self.from(1), form(email, PASSWORD)).await.unwrap().token
    }

    async fn login(&self, email: &str, password: &str, address: u8) -> Result<(), ErrorCode> {
        let password = Secret::new(password.to_owned());
        self.auth.login(&self.from(address), email, &password).await.map(drop).map_err(|e| e.code)
    }
}

fn form(email: &str, password: &str) -> Registration {
    Registration {
        email: email.into(),
        name: "Ann".into(),
        password: Secret::new(password.into()),
        confirm_password: None,
    }
}

#[tokio::test]
async fn an_account_waits_longer_with_every_guess_and_opens_again() {
    let bench = bench(settings());
    bench.register("ann@example.com").await;
    for address in 1..=5 {
        let guess = bench.login("ann@example.com", "a-wrong-guess", address).await;
        assert_eq!(guess, Err(ErrorCode::BadCredentials), "guess {address}");
    }
    // from anywhere, and with the right password too: otherwise the wait would tell it
    assert_eq!(bench.login("ann@example.com", PASSWORD, 9).await, Err(ErrorCode::RateLimited));
    bench.clock.advance(Duration::from_secs(31));
    assert_eq!(bench.login("ann@example.com", "a-wrong-guess", 9).await, Err(ErrorCode::BadCredentials));
    bench.clock.advance(Duration::from_secs(31));
    assert_eq!(bench.login("ann@example.com", PASSWORD, 9).await, Err(ErrorCode::RateLimited), "the wait has grown");
    bench.clock.advance(Duration::from_secs(900));
    assert_eq!(bench.login("ann@example.com", PASSWORD, 9).await, Ok(()));
    // a good login forgets the failures
    assert_eq!(bench.login("ann@example.com", "a-wrong-guess", 9).await, Err(ErrorCode::BadCredentials));
    assert_eq!(bench.login("ann@example.com", PASSWORD, 9).await, Ok(()));
}

#[tokio::test]
async fn an_address_that_tries_many_accounts_is_slowed() {
    let bench = bench(AuthSettings { address_failures: 10, ..settings() });
    bench.register("ann@example.com").await;
    for n in 0..10 {
        let guess = bench.login(&format!("user{n}@example.com"), "a-wrong-guess", 7).await;
        assert_eq!(guess, Err(ErrorCode::BadCredentials), "guess {n}");
    }
    assert_eq!(bench.login("ann@example.com", PASSWORD, 7).await, Err(ErrorCode::RateLimited));
    assert_eq!(bench.login("ann@example.com", PASSWORD, 8).await, Ok(()), "nobody else is");
    bench.clock.advance(Duration::from_secs(2));
    assert_eq!(bench.login("ann@example.com", PASSWORD, 7).await, Ok(()), "slowed, not locked");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_who_wait_for_the_hash_are_bounded() {
    // cost 10 takes long enough for all to be there at the same time
    let bench = bench(AuthSettings { bcrypt_cost: 10, hash_workers: 1, hash_queue: 2, ..settings() });
    let mut tries = tokio::task::JoinSet::new();
    for n in 0..24_u8 {
        let (auth, ctx) = (bench.auth.clone(), bench.from(n));
        tries.spawn(async move {
            match n % 2 {
                0 => auth.login(&ctx, &format!("u{n}@example.com"), &Secret::new(PASSWORD.into())).await,
                _ => auth.register(&ctx, form(&format!("u{n}@example.com"), PASSWORD)).await,
            }
            .map_err(|e| e.code)
        });
    }
    let busy = tries.join_all().await.into_iter().filter(|r| matches!(r, Err(ErrorCode::Unavailable))).count();
    assert!((1..=21).contains(&busy), "{busy} of 24 were turned away");
    bench.register("late@example.com").await;
}

#[tokio::test]
async fn passwords_that_bcrypt_would_cut_or_everybody_uses_are_refused_or_counted_whole() {
    let bench = bench(settings());
    let long = |last: char| format!("{}{last}", "xY7-".repeat(18));
    assert_eq!(long('a').len(), 73);
    match bench.auth.register(&bench.from(1), form("long@example.com", &long('a'))).await {
        Ok(_) => {
            assert_eq!(bench.login("long@example.com", &long('b'), 1).await, Err(ErrorCode::BadCredentials));
            assert_eq!(bench.login("long@example.com", &long('a'), 1).await, Ok(()));
        }
        Err(refused) => assert_eq!(refused.code, ErrorCode::Invalid),
    }
    for common in ["password", "123456789", "qwerty123", "Password1", "PASSWORD123"] {
        let refused = bench.auth.register(&bench.from(1), form("ann@example.com", common)).await.unwrap_err();
        assert_eq!(refused.code, ErrorCode::Invalid, "{common}");
    }
}

#[tokio::test]
async fn what_another_process_changes_counts_here_at_once() {
    let (here, tasks) = (bench(settings()), Tasks::new());
    let there = bench_on(here.store.clone(), settings());
    here.auth.watch(&tasks);
    let mut heard = here.events.subscribe();
    let token = here.register("ann@example.com").await;
    here.as_holder_of(token.expose()).await;
    let email = Email::parse("ann@example.com").unwrap();
    there.auth.operator_set_role(&email, Role::Viewer).await.unwrap();
    // the first look at the store may be told before the change is
    let mut role = Role::Trader;
    while role != Role::Viewer {
        let told = tokio::time::timeout(Duration::from_secs(20), heard.recv()).await.unwrap().unwrap();
        assert!(matches!(told, Event::Access));
        role = here.as_holder_of(token.expose()).await.caller.unwrap().role;
    }
    there.auth.operator_delete_user(&email).await.unwrap();
    tokio::time::timeout(Duration::from_secs(20), heard.recv()).await.unwrap().unwrap();
    let refused = here.auth.authenticate(token.expose(), here.clock.now()).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::UnauthenticatedInvalid);
    tasks.drain().await;
}

#[tokio::test]
async fn tokens_and_keys_end_when_they_said() {
    let bench = bench(settings());
    let token = bench.register("ann@example.com").await;
    let ctx = bench.as_holder_of(token.expose()).await;
    let key =
        bench.auth.create_api_key(&ctx, "bot", vec![Scope::Read], Some(Duration::from_secs(3_600))).await.unwrap();
    bench.as_holder_of(key.secret.expose()).await;
    bench.clock.advance(Duration::from_secs(3_600));
    let ended = bench.auth.authenticate(key.secret.expose(), bench.clock.now()).await.unwrap_err();
    assert_eq!(ended.code, ErrorCode::UnauthenticatedExpired);
    bench.clock.advance(Duration::from_secs(82_799));
    bench.as_holder_of(token.expose()).await;
    bench.clock.advance(Duration::from_secs(1));
    let ended = bench.auth.authenticate(token.expose(), bench.clock.now()).await.unwrap_err();
    assert_eq!(ended.code, ErrorCode::UnauthenticatedExpired);
}

#[tokio::test]
async fn the_setup_token_makes_one_administrator() {
    let bench = bench(settings());
    let old = bench.auth.issue_setup_token(START).await.unwrap().unwrap();
    let token = bench.auth.issue_setup_token(START).await.unwrap().unwrap();
    assert!(token.expose().len() >= 16);
    let setup = async |token: &str, email: &str| bench.auth.setup(&bench.from(1), token, form(email, PASSWORD)).await;
    assert_eq!(setup(old.expose(), "eve@example.com").await.unwrap_err().code, ErrorCode::Forbidden, "replaced");
    assert_eq!(setup(token.expose(), "ann@example.com").await.unwrap().user.role, Role::Admin);
    assert_eq!(setup(token.expose(), "eve@example.com").await.unwrap_err().code, ErrorCode::Forbidden, "used");
    assert!(bench.auth.issue_setup_token(START).await.unwrap().is_none(), "there is an administrator");
}

#[tokio::test]
async fn the_audit_log_tells_who_came_and_no_secret() {
    let bench = bench(settings());
    let token = bench.register("ann@example.com").await;
    let ctx = bench.as_holder_of(token.expose()).await;
    let key = bench.auth.create_api_key(&ctx, "bot", vec![Scope::Read], None).await.unwrap();
    let _ = bench.login("ann@example.com", "my-Wr0ng-secret", 3).await;
    bench.login("ann@example.com", PASSWORD, 3).await.unwrap();
    bench.auth.logout(&ctx).await.unwrap();
    let events = bench.store.audit_events(100).await.unwrap();
    let told: Vec<_> = events.iter().rev().map(|e| (e.action.as_str(), e.outcome.as_str())).collect();
    assert_eq!(
        told,
        [("register", "ok"), ("api_key_create", "ok"), ("login", "bad credentials"), ("login", "ok"), ("logout", "ok")]
    );
    assert!(events.iter().all(|e| e.address.starts_with("192.0.2.")));
    let whole = format!("{events:?}");
    for secret in [PASSWORD, "my-Wr0ng-secret", token.expose(), key.secret.expose()] {
        assert!(!whole.contains(secret), "the audit log holds {secret}");
    }
}

/// Frames that nobody reads.
struct Mute;

impl Dialect for Mute {
    fn number(&self) -> usize {
        0
    }
    fn publication(&self, _: &Delivery<'_>) -> bytes::Bytes {
        bytes::Bytes::new()
    }
    fn notice(&self, _: &Notice<'_>) -> Option<bytes::Bytes> {
        None
    }
    fn close(&self, _: &Ending) -> bytes::Bytes {
        bytes::Bytes::new()
    }
}

#[tokio::test]
async fn a_key_that_runs_out_ends_its_connection() {
    let bench = bench(settings());
    let token = bench.register("ann@example.com").await;
    let ctx = bench.as_holder_of(token.expose()).await;
    let hour = Some(Duration::from_secs(3_600));
    let key = bench.auth.create_api_key(&ctx, "bot", vec![Scope::Read], hour).await.unwrap();
    let entropy = Arc::new(SeededEntropy::new(1));
    let hub = Hub::new(
        HubPorts {
            broker: Arc::new(MemoryBroker::new(entropy.clone())),
            channels: Arc::new(MemoryChannels::default()),
            rates: Arc::new(MemoryRates::default()),
            clock: bench.clock.clone(),
            entropy,
        },
        HubSettings::default(),
    );
    let who = Who { user: ctx.caller.map(|c| c.user), client: "x".into() };
    let conn = hub.connect(Connecting { who, dialect: Arc::new(Mute), exclusive: false, address: None }).unwrap();
    conn.prove(Credential::Key(key.secret), None);
    hub.recheck(&bench.auth, &conn).await.unwrap();
    assert!(!conn.is_closed());
    bench.clock.advance(Duration::from_secs(3_601));
    hub.recheck(&bench.auth, &conn).await.unwrap_err();
    assert!(conn.is_closed());
}
