//! `kill -9` under load, thirty times: what was acknowledged is there, what wasn't can be asked again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use e2e::{Client, Gateway, Options, Upstream, entries_of, eventually};
use tokio::task::JoinSet;

const ROUNDS: usize = 30;
const USERS: usize = 4;
const CLIENTS: usize = 12;

/// What one client knows of its keys after the connection broke.
#[derive(Default)]
struct Known {
    /// Number of the client, which says whose token it used.
    client: usize,
    /// Key to id of the acknowledged trade.
    acked: BTreeMap<String, i64>,
    /// Keys that were sent and never answered, with the trade.
    unanswered: Vec<(String, &'static str, &'static str, &'static str)>,
}

/// Trades until the server is gone.
async fn trade_on(user: Client, round: usize, client: usize, acks: Arc<AtomicUsize>) -> Known {
    let mut known = Known { client, ..Known::default() };
    for n in 0.. {
        let key = format!("r{round}-c{client}-{n}");
        let (action, amount, currency) = if n % 2 == 0 { ("buy", "1", "inr") } else { ("sell", "0.0000002", "btc") };
        match user.trade_or_lost(action, amount, currency, &key).await {
            Some(answer) if answer.status == 200 => {
                assert_eq!(answer.header("idempotent-replay"), None, "{key} is new");
                known.acked.insert(key, answer.int("id"));
                acks.fetch_add(1, Ordering::SeqCst);
            }
            // not done yet, and to be repeated under its key
            Some(answer) if answer.status == 503 => known.unanswered.push((key, action, amount, currency)),
            Some(answer) => panic!("{key}: {} {}", answer.status, answer.body),
            None => {
                known.unanswered.push((key, action, amount, currency));
                break;
            }
        }
    }
    known
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_trades_survive_thirty_kills() {
    let upstream = Upstream::start(45_000.0);
    // prices outlive the restart, so that trading goes on at once
    let mut gateway = Gateway::start(Options::default().upstream(&upstream)).await;
    gateway.priced().await;
    let mut tokens = Vec::new();
    for n in 0..USERS {
        let user = gateway.funded(&format!("user{n}@example.com"), "100000", 1_000_000).await;
        tokens.push(user.token().unwrap().to_owned());
    }
    let mut acked: BTreeMap<String, i64> = BTreeMap::new();
    let (mut resent, mut found_done) = (0, 0);
    let mut head_before = gateway.journal().1;
    for round in 0..ROUNDS {
        gateway.priced().await;
        let acks = Arc::new(AtomicUsize::new(0));
        let mut clients = JoinSet::new();
        for client in 0..CLIENTS {
            let user = gateway.client().with_token(&tokens[client % USERS]);
            clients.spawn(trade_on(user, round, client, acks.clone()));
        }
        // a different moment each time, told by what was answered and not by a clock
        let enough = 1 + (round * 37) % 120;
        eventually("trades are acknowledged", Duration::from_secs(60), async || {
            let seen = acks.load(Ordering::SeqCst);
            if seen >= enough { Ok(()) } else { Err(format!("{seen} of {enough}")) }
        })
        .await;
        gateway.kill9();
        let known = clients.join_all().await;

        // before anything is started again: the data directory alone must be whole
        gateway.cli(&["ledger", "verify"]);
        let (entries, head) = entries_of(&gateway.cli(&["ledger", "export"]));
        assert_ne!(head, head_before, "round {round} changed nothing");
        let seqs: Vec<i64> = entries.iter().map(|e| e.seq).collect();
        assert_eq!(seqs, (1..=seqs.len() as i64).collect::<Vec<_>>(), "round {round}: a gap");
        let mut by_key: BTreeMap<(&str, &str), i64> = BTreeMap::new();
        for entry in &entries {
            let twice = by_key.insert((&entry.actor, &entry.key), entry.seq);
            assert_eq!(twice, None, "round {round}: two entries under {}", entry.key);
        }
        let mut unanswered = Vec::new();
        for known in known {
            acked.extend(known.acked);
            unanswered.extend(known.unanswered.into_iter().map(|u| (known.client % USERS, u)));
        }
        let stored: BTreeMap<&str, i64> = entries.iter().map(|e| (e.key.as_str(), e.seq)).collect();
        for (key, id) in &acked {
            assert_eq!(stored.get(key.as_str()), Some(id), "round {round}: {key} was acknowledged");
        }

        gateway.restart().await;
        gateway.priced().await;
        for (user, (key, action, amount, currency)) in unanswered {
            let done = stored.get(key.as_str()).copied();
            let user = gateway.client().with_token(&tokens[user]);
            let answer = user.trade(action, amount, currency, Some(&key)).await.expect(200);
            resent += 1;
            match done {
                Some(id) => {
                    found_done += 1;
                    assert_eq!((answer.int("id"), answer.header("idempotent-replay")), (id, Some("true")), "{key}");
                }
                None => assert_eq!(answer.header("idempotent-replay"), None, "{key}"),
            }
            acked.insert(key, answer.int("id"));
        }
        head_before = head;
    }
    gateway.cli(&["ledger", "verify"]);
    let (entries, _) = entries_of(&gateway.cli(&["ledger", "export"]));
    let trades: BTreeSet<(&str, i64)> =
        entries.iter().filter(|e| e.actor.starts_with("user:")).map(|e| (e.key.as_str(), e.seq)).collect();
    let expected: BTreeSet<(&str, i64)> = acked.iter().map(|(key, id)| (key.as_str(), *id)).collect();
    assert_eq!(trades, expected, "exactly one entry for every key that was ever sent");
    assert!(resent >= ROUNDS, "{resent} keys were cut off: the load was too light to prove anything");
    println!("{ROUNDS} kills, {} trades, {resent} resent, {found_done} of them had been done", trades.len());
}
