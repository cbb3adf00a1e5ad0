//! Tunnels as users open and close them, over a provider that does as it is told.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by its panic")]

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use orrery_app::tasks::Tasks;
use orrery_app::tunnels::{State, TunnelParts, TunnelSettings, Tunnels};
use orrery_app::{App, Ctx};
use orrery_feeds::Simulated;
use orrery_identity::{Caller, Proof, Role, Scope};
use orrery_kernel::{ErrorCode, Secret, UserId};
use orrery_testkit::assembled::{ports, settings};
use orrery_testkit::fakes::{ManualClock, SeededEntropy};
use orrery_testkit::ledger::START;
use orrery_testkit::tunnels::{Does, Pretend};
use orrery_tunnels::{Asked, Door, Doors, Kind, Name, TunnelError};

#[derive(Default)]
struct Frame {
    names: Arc<Mutex<Vec<String>>>,
    open: Arc<AtomicUsize>,
}

struct Opening(Arc<Mutex<Vec<String>>>, Arc<AtomicUsize>);

impl Door for Opening {
    fn port(&self) -> u16 {
        4_711
    }

    fn answer_to(&self, host: &str) {
        self.0.lock().unwrap().push(host.to_owned());
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        self.1.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl Doors for Frame {
    async fn open(&self) -> std::io::Result<Arc<dyn Door>> {
        self.open.fetch_add(1, Ordering::SeqCst);
        Ok(Arc::new(Opening(self.names.clone(), self.open.clone())))
    }
}

struct Shop {
    app: Arc<App>,
    provider: Arc<Pretend>,
    names: Arc<Mutex<Vec<String>>>,
    open: Arc<AtomicUsize>,
    tasks: Tasks,
}

impl Shop {
    async fn open(does: Vec<Does>, settings_of: TunnelSettings) -> Self {
        let (tasks, frame) = (Tasks::new(), Frame::default());
        let (names, open) = (frame.names.clone(), frame.open.clone());
        let provider = Pretend::new(does);
        let parts = TunnelParts { providers: vec![provider.clone()], doors: Arc::new(frame), settings: settings_of };
        let (clock, entropy) = (Arc::new(ManualClock::at(START)), Arc::new(SeededEntropy::new(1)));
        let feed = Arc::new(Simulated::new(1, 50_000));
        let ports = orrery_app::Ports { tunnels: Some(parts), ..ports(clock, entropy, feed) };
        let app = App::start(ports, settings(), &tasks).await.unwrap();
        Self { app, provider, names, open, tasks }
    }

    fn tunnels(&self) -> &Arc<Tunnels> {
        self.app.tunnels.as_ref().unwrap()
    }

    /// Waits until the tunnel is as it should be.
    async fn until(&self, state: &str) {
        for _ in 0..2_000 {
            if self.tunnels().status(&operator(), Kind::Ngrok).unwrap().state.name() == state {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("never {state}: {:?}", self.tunnels().status(&operator(), Kind::Ngrok));
    }
}

fn ctx(role: Role, proof: Proof) -> Ctx {
    let caller = Caller { user: UserId(7), email: "a@example.com".into(), role, proof };
    Ctx {
        caller: Some(caller),
        address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        agent: String::new(),
        request_id: "r".into(),
        now: START,
    }
}

fn operator() -> Ctx {
    ctx(Role::Operator, Proof::Local)
}

fn quick() -> TunnelSettings {
    let ms = Duration::from_millis;
    TunnelSettings { patience: ms(200), again: (ms(1), ms(4)), ..TunnelSettings::default() }
}

#[tokio::test]
async fn one_is_opened_and_closed() {
    let shop = Shop::open(vec![Does::Opens("https://My-App.example"), Does::Opens("https://b.example")], quick()).await;
    let asked = || Asked { name: Name::new("my-app"), token: Some(Secret::new("2abcSECRET".into())) };
    let (tunnels, ctx) = (shop.tunnels(), operator());
    let both = tokio::join!(tunnels.start(&ctx, Kind::Ngrok, asked()), tunnels.start(&ctx, Kind::Ngrok, asked()));
    let (first, second) = (both.0.unwrap(), both.1.unwrap());
    assert_eq!((first.state, first.url.as_deref()), (State::Running, Some("https://My-App.example")));
    assert_eq!(second.url, first.url, "who asks meanwhile gets the same");
    assert_eq!(shop.provider.alive(), 1);
    assert_eq!(shop.provider.names(), [Some("my-app".to_owned())]);
    assert_eq!(*shop.names.lock().unwrap(), ["my-app.example"]);
    assert!(!format!("{:?}", first.log).contains("SECRET"), "{:?}", first.log);
    assert!(first.until > first.since);
    for _ in 0..2 {
        let stopped = tunnels.stop(&ctx, Kind::Ngrok).await.unwrap();
        assert_eq!((stopped.state, stopped.url), (State::Stopped, None));
    }
    assert_eq!((shop.provider.alive(), shop.open.load(Ordering::SeqCst)), (0, 0));
    assert_eq!(tunnels.start(&ctx, Kind::Ngrok, asked()).await.unwrap().url.as_deref(), Some("https://b.example"));
    shop.tasks.drain().await;
    assert_eq!(shop.provider.alive(), 0, "it ends with the process");
}

#[tokio::test]
async fn who_may_not_opens_none() {
    let shop = Shop::open(Vec::new(), quick()).await;
    let code = async |ctx: &Ctx| shop.tunnels().start(ctx, Kind::Ngrok, Asked::default()).await.unwrap_err().code;
    assert_eq!(code(&ctx(Role::Trader, Proof::Local)).await, ErrorCode::Forbidden);
    assert_eq!(code(&ctx(Role::Operator, Proof::ApiKey(vec![Scope::Exec]))).await, ErrorCode::Forbidden);
    assert_eq!(code(&Ctx { caller: None, ..operator() }).await, ErrorCode::UnauthenticatedMissing);
    assert_eq!(
        shop.tunnels().status(&ctx(Role::Trader, Proof::Local), Kind::Ngrok).unwrap_err().code,
        ErrorCode::Forbidden
    );
    let open = Shop::open(Vec::new(), TunnelSettings { open_to_others: true, ..quick() }).await;
    let refused = open.tunnels().start(&operator(), Kind::Ngrok, Asked::default()).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::Forbidden);
    assert!(shop.provider.names().is_empty() && open.provider.names().is_empty());
}

#[tokio::test]
async fn what_fails_says_why() {
    let missing = TunnelError::Missing { tool: "ngrok", advice: "get it from there" };
    let refused = TunnelError::Refused("ERR_NGROK_4018".into());
    let shop = Shop::open(vec![Does::Fails(missing), Does::Fails(refused), Does::Hangs], quick()).await;
    let start = async || shop.tunnels().start(&operator(), Kind::Ngrok, Asked::default()).await.unwrap_err();
    let error = start().await;
    assert_eq!(error.code, ErrorCode::Unavailable);
    assert!(error.public.contains("not installed") && error.public.contains("get it from there"), "{}", error.public);
    let error = start().await;
    assert_eq!((error.code, error.public.as_ref()), (ErrorCode::Upstream, "ERR_NGROK_4018"));
    assert_eq!(shop.tunnels().status(&operator(), Kind::Ngrok).unwrap().state.problem().unwrap(), "ERR_NGROK_4018");
    let error = start().await;
    assert_eq!(error.code, ErrorCode::Upstream, "{}", error.public);
    shop.until("stopped").await;
    assert_eq!(shop.provider.alive(), 0, "what takes too long is ended");
    let other = shop.tunnels().start(&operator(), Kind::Cloudflared, Asked::default()).await.unwrap_err();
    assert_eq!(other.code, ErrorCode::Unavailable);
}

#[tokio::test]
async fn a_lost_one_is_asked_for_again_but_not_for_ever() {
    let gone = || Does::Fails(TunnelError::Unreachable("no route".into()));
    let mut does = vec![Does::Opens("https://a.example"), gone(), gone(), Does::Opens("https://b.example")];
    does.extend((0..6).map(|_| gone()));
    let shop = Shop::open(does, quick()).await;
    shop.tunnels().start(&operator(), Kind::Ngrok, Asked::default()).await.unwrap();
    shop.provider.lose();
    for _ in 0..2_000 {
        if shop.tunnels().status(&operator(), Kind::Ngrok).unwrap().url.as_deref() == Some("https://b.example") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    shop.until("running").await;
    let names = shop.provider.names();
    assert_eq!(names, [None, Some("given".into()), Some("given".into()), Some("given".into())]);
    shop.provider.lose();
    shop.until("failed").await;
    assert_eq!(shop.provider.names().len(), 10);
    assert_eq!(shop.open.load(Ordering::SeqCst), 0, "nobody can come in any more");
}

#[tokio::test]
async fn none_stays_for_ever() {
    let settings = TunnelSettings { lifetime: Duration::from_millis(50), ..quick() };
    let shop = Shop::open(vec![Does::Opens("https://a.example")], settings).await;
    shop.tunnels().start(&operator(), Kind::Ngrok, Asked::default()).await.unwrap();
    shop.until("stopped").await;
    let log = shop.tunnels().status(&operator(), Kind::Ngrok).unwrap().log;
    assert_eq!(log.last().map(String::as_str), Some("its time is over"));
}
