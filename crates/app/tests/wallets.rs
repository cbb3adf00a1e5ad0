//! What a crash leaves of a wallet's transactions is found out, and nothing happens twice.
#![expect(clippy::unwrap_used, reason = "a panic in a test is its failure")]

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use orrery_app::tasks::Tasks;
use orrery_app::{App, Ctx, Ports};
use orrery_crypto::Wallet;
use orrery_crypto::json::{Duplicates, JsValue, parse};
use orrery_crypto::transaction::{NewBasic, NewSmart, PublicKeyForm, create_basic, create_smart};
use orrery_feeds::Simulated;
use orrery_kernel::{Clock, ErrorCode, Timestamp};
use orrery_ledger::{Actor, Command, IdemKey, Operation, Verifier, decide, needs};
use orrery_testkit::assembled::{ports, settings};
use orrery_testkit::fakes::{ManualClock, SeededEntropy};
use orrery_wallets::State;

const NOW: Timestamp = Timestamp::from_millis(1_760_000_000_000);

struct Bench {
    app: Arc<App>,
    clock: Arc<ManualClock>,
    ports: Ports,
    tasks: Tasks,
}

impl Bench {
    async fn open() -> Self {
        let clock = Arc::new(ManualClock::at(NOW));
        let ports = ports(clock.clone(), Arc::new(SeededEntropy::new(5)), Arc::new(Simulated::new(1, 50_000)));
        let tasks = Tasks::new();
        let app = App::start(ports.clone(), settings(), &tasks).await.unwrap();
        Self { app, clock, ports, tasks }
    }

    fn ctx(&self) -> Ctx {
        Ctx {
            caller: None,
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            agent: "test".into(),
            request_id: "test".into(),
            now: self.clock.now(),
        }
    }

    async fn grant(&self, wallet: &Wallet, amount: i64) {
        let key = IdemKey::new(&format!("grant-{}-{amount}", wallet.address())).unwrap();
        let operation = Operation::Grant { wallet: wallet.address().into(), amount };
        let commands = vec![Command { actor: Actor::System, key, operation }];
        let now = self.clock.now();
        let wanted = needs(&commands);
        let decide = Box::new(move |view| decide(view, &commands, now, &orrery_ledger::Limits::default()));
        self.ports.ledger.commit(&wanted, decide).await.unwrap();
    }

    async fn held(&self, wallet: &Wallet) -> i64 {
        self.app.wallets.balance(wallet.address()).await.unwrap().held
    }
}

fn wallet(n: u8) -> Wallet {
    Wallet::import(&format!("{n:02x}").repeat(32)).unwrap()
}

fn basic(from: &Wallet, to: &Wallet, amount: f64) -> JsValue {
    let (from_address, to) = (from.address(), to.address());
    let (timestamp, key) = (NOW.millis() as f64, PublicKeyForm::Compressed);
    create_basic(from, &NewBasic { from: from_address, to, amount, fee: 1.0, data: None, timestamp, key }).unwrap()
}

fn smart(from: &Wallet, to: &Wallet, prev_hash: Option<&str>, at: i64) -> JsValue {
    let ops = format!(r#"[{{"op":"transfer","to":"{}","amount":"0.000010"}}]"#, to.address());
    let JsValue::Array(operations) = parse(&ops, Duplicates::Refused).unwrap() else { panic!("a list") };
    let timestamp = (NOW.millis() + at) as f64;
    create_smart(from, &NewSmart { operations, fee: "0.000001", memo: None, prev_hash, raw: None, timestamp }).unwrap()
}

#[tokio::test]
async fn a_transaction_whose_settling_was_lost_is_found_in_the_ledger() {
    let bench = Bench::open().await;
    let (ann, ben) = (wallet(1), wallet(2));
    bench.grant(&ann, 1_000).await;
    let (ctx, wallets, store) = (bench.ctx(), &bench.app.wallets, &bench.ports.wallets);
    let sent = basic(&ann, &ben, 100.0);
    let first = wallets.submit(&ctx, &sent).await.unwrap();
    assert!(!first.replay && matches!(first.transaction.state, State::Confirmed(_)));
    // as after a crash between the ledger's commit and the note about it
    assert!(store.settle_transaction(&first.transaction.hash, State::Pending).await.unwrap());
    let again = wallets.submit(&ctx, &sent).await.unwrap();
    assert!(again.replay && again.transaction.state == first.transaction.state && again.events.is_empty());
    assert_eq!((bench.held(&ann).await, bench.held(&ben).await), (899, 100));

    // the chain goes on from a smart one that was lost so
    let one = wallets.submit(&ctx, &smart(&ann, &ben, None, 0)).await.unwrap().transaction;
    assert!(store.settle_transaction(&one.hash, State::Pending).await.unwrap());
    let two = wallets.submit(&ctx, &smart(&ann, &ben, Some(&one.hash), 1)).await.unwrap().transaction;
    assert_eq!(wallets.transaction(&one.hash).await.unwrap().state, one.state);
    assert_eq!(store.last_smart(ann.address()).await.unwrap(), Some(two.hash));
    assert_eq!((bench.held(&ann).await, bench.held(&ben).await), (877, 120));
    bench.tasks.drain().await;
}

#[tokio::test]
async fn one_that_never_reached_the_ledger_is_given_up_after_a_while() {
    let bench = Bench::open().await;
    let (ann, ben) = (wallet(1), wallet(2));
    let (wallets, store) = (&bench.app.wallets, &bench.ports.wallets);
    let sent = basic(&ann, &ben, 100.0);
    let refused = wallets.submit(&bench.ctx(), &sent).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::InsufficientFunds);
    assert!(store.pending_transactions(None, 10).await.unwrap().is_empty(), "a refusal leaves nothing");

    bench.grant(&ann, 1_000).await;
    let done = wallets.submit(&bench.ctx(), &sent).await.unwrap().transaction;
    // as after a crash between the note and the ledger
    let lost = basic(&ann, &ben, 5.0);
    let hash = lost.get("hash").and_then(JsValue::as_str).unwrap().to_owned();
    let pending = orrery_wallets::Transaction { hash: hash.clone(), state: State::Pending, ..done.clone() };
    store.put_transaction(&pending).await.unwrap();
    wallets.submit(&bench.ctx(), &basic(&ann, &ben, 6.0)).await.unwrap();
    assert!(store.transaction(&hash).await.unwrap().is_some(), "another request may be at it");
    bench.clock.advance(Duration::from_secs(121));
    wallets.submit(&bench.ctx(), &basic(&ann, &ben, 7.0)).await.unwrap();
    assert!(store.transaction(&hash).await.unwrap().is_none());
    assert_eq!(bench.held(&ben).await, 113);

    // whatever happened, the journal holds up
    let mut verifier = Verifier::default();
    bench.ports.ledger.audit(&mut verifier).await.unwrap();
    let report = verifier.finish();
    assert!(report.is_ok(), "{:?}", report.faults);
    bench.tasks.drain().await;
}
