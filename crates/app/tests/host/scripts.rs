//! The documented example and the patterns of the client's templates, unchanged, in the real runtime.

use orrery_app::fleet::Running;
use orrery_venues::{Venue, Verb};
use orrery_workers::script::End;
use serde_json::json;

use crate::bench::{Bench, bench};

/// "Worker Script Example" of the document, to the letter.
const GRID: &str = r#"// Grid Trading Worker
const exchange = new Stels.runtime.cex.bybit({
  apiKey: "YOUR_API_KEY",
  secret: "YOUR_SECRET",
});

const SYMBOL = "BTC/USDT";
const GRID_LEVELS = 10;
const GRID_STEP = 100;
const ORDER_SIZE = 0.001;

logger.info("Grid Trading Strategy v2.0");
logger.info(`Node: ${Stels.config.nid}`);

try {
  const ticker = await exchange.fetchTicker(SYMBOL);
  const basePrice = ticker.last;

  for (let i = 0; i < GRID_LEVELS; i++) {
    const price = basePrice - (GRID_LEVELS / 2) * GRID_STEP + (i * GRID_STEP);
    const side = price < basePrice ? "buy" : "sell";

    const order = await exchange.createLimitOrder(
      SYMBOL,
      side,
      ORDER_SIZE,
      price,
    );

    logger.info(`✅ ${side.toUpperCase()} order @ ${price}: ${order.id}`);
    await Stels.sleep(200);
  }

  logger.info(`🎉 Grid complete: ${GRID_LEVELS} orders placed`);
} catch (error) {
  logger.error("Grid strategy error:", error);
  throw error;
}
"#;

fn dry(bench: &Bench) -> Running {
    Running { dry_run: true, ..bench.free() }
}

#[tokio::test]
async fn the_documented_grid_runs_on_paper() {
    let bench = bench().await;
    let outcome = bench.run(GRID, dry(&bench)).await;
    let lines = bench.lines.all();
    assert_eq!(outcome.end, End::Returned(None), "{lines:?}");
    assert_eq!(lines.iter().filter(|line| line.starts_with('✅')).count(), 10, "{lines:?}");
    assert_eq!(lines.last().unwrap(), "🎉 Grid complete: 10 orders placed");
    bench.tasks.drain().await;
}

#[tokio::test]
async fn the_documented_grid_runs_at_an_exchange() {
    let bench = bench().await;
    let stub = bench.exchanges.stub(Venue::Bybit);
    let ticker = json!({ "symbol": "BTCUSDT", "lastPrice": "60000", "bid1Price": "59999", "ask1Price": "60001" });
    let list =
        json!({ "retCode": 0, "result": { "category": "spot", "list": [ticker] }, "time": 1_700_000_000_000_i64 });
    stub.answer(Verb::Get, "/v5/market/tickers", &list.to_string());
    let outcome = bench.run(GRID, bench.free()).await;
    assert_eq!(outcome.end, End::Returned(None), "{:?}", bench.lines.all());
    let orders: Vec<_> = stub.seen().into_iter().filter(|seen| seen.path.ends_with("/v5/order/create")).collect();
    assert_eq!(orders.len(), 10);
    assert!(orders.iter().all(|order| order.body.contains("orderLinkId")), "each has a name");
    bench.tasks.drain().await;
}

#[tokio::test]
async fn a_monitor_publishes_and_reads_back() {
    let bench = bench().await;
    let script = r#"
        const exchange = new Stels.runtime.cex.bybit();
        const ticker = await exchange.fetchTicker("BTC/USDT");
        await Stels.webfix({
          brain: Stels.net, method: "set", channel: ["market", "ticker", "BTC/USDT", Stels.config.nid],
          module: "ticker",
          raw: { last: ticker.last, volume: ticker.baseVolume, change: ticker.percentage }, timestamp: Date.now(),
        });
        const stored = await Stels.net.get(["market", "ticker", "BTC/USDT", Stels.config.nid]);
        const missing = await Stels.net.get(["nothing"]);
        await Stels.webfix({ brain: Stels.local, method: "set", channel: ["backup", Date.now()], module: "backup",
          raw: { a: 1 }, timestamp: Date.now() });
        const backups = await Array.fromAsync(Stels.local.list({ prefix: ["backup"] }));
        for (const entry of backups) await Stels.local.delete(entry.key);
        const got = await Stels.webfix({ brain: Stels.net, method: "get",
          channel: ["market", "ticker", "BTC/USDT", Stels.config.nid] });
        return [stored.value.raw.last === ticker.last, missing.value, backups.length, backups[0].value.raw,
          (await Array.fromAsync(Stels.local.list({ prefix: ["backup"] }))).length, typeof Stels.startTime,
          got.value.raw.last === ticker.last]"#;
    let seen = bench.value(script, dry(&bench)).await;
    assert_eq!(seen, json!([true, null, 1, { "a": 1 }, 0, "number", true]));
    let heard = bench.heard.0.lock().unwrap().clone();
    assert_eq!(heard[0].1, "market.ticker.BTC/USDT.s-0001");
    assert!(heard[1].1.starts_with("backup.17"), "{heard:?}");
    bench.tasks.drain().await;
}

#[tokio::test]
async fn every_call_of_the_templates_works_on_paper() {
    let bench = bench().await;
    let script = r#"
        const exchange = new Stels.runtime.cex.bybit({ apiKey: "a", secret: "b" });
        const balance = await exchange.fetchBalance();
        const equity = Number(balance.info.result.list[0].totalEquity);
        const bought = await exchange.createMarketBuyOrder("BTC/USDT", 0.01);
        const sold = await exchange.createMarketOrder("BTC/USDT", "sell", 0.005);
        const last = (await exchange.fetchTicker("BTC/USDT")).last;
        const limit = await exchange.createLimitOrder("BTC/USDT", "buy", 0.001, Math.round(last * 0.8));
        const open = await exchange.fetchOpenOrders("BTC/USDT");
        const positions = await exchange.fetchPositions();
        const book = await exchange.fetchOrderBook("BTC/USDT", 5);
        const watched = await exchange.watchOrderBook("BTC/USDT", 5);
        const canceled = await exchange.cancelOrder(limit.id, "BTC/USDT");
        const plain = await Stels.runtime.cex.bybit().fetchTicker("BTC/USDT");
        return [equity > 10000, bought.status, sold.filled, open.length, open[0].id === limit.id, positions.length,
          book.bids.length <= 5, watched.asks.length > 0, canceled.status, plain.symbol]"#;
    let seen = bench.value(script, dry(&bench)).await;
    assert_eq!(seen, json!([true, "closed", 0.005, 1, true, 0, true, true, "canceled", "BTC/USDT"]));
    bench.tasks.drain().await;
}

/// `{clientOrderId}` as the last argument, by the worker's account.
#[tokio::test]
async fn names_of_orders_pass_unchanged() {
    let bench = bench().await;
    let script = r#"
        const exchange = new Stels.runtime.cex.binance();
        const order = await exchange.createOrder("BTC/USDT", "limit", "buy", 0.01, 35000, { clientOrderId: "grid-1" });
        const again = await exchange.createOrder("BTC/USDT", "limit", "buy", 0.01, 35000, { clientOrderId: "grid-1" });
        return [order.clientOrderId, order.id === again.id]"#;
    assert_eq!(bench.value(script, bench.free()).await, json!(["grid-1", true]));
    assert_eq!(bench.stub.orders()["grid-1"], 1);
    bench.tasks.drain().await;
}

#[tokio::test]
async fn an_endless_template_ends_when_its_right_does() {
    let bench = bench().await;
    bench.stub.answer(
        Verb::Get,
        "/api/v3/ticker/24hr",
        &json!({ "symbol": "BTCUSDT", "lastPrice": "1", "closeTime": 1 }).to_string(),
    );
    let running = bench.free();
    let script = r#"
      const exchange = new Stels.runtime.cex.binance();
      while (true) {
        try {
          const ticker = await exchange.fetchTicker("BTC/USDT");
          logger.info(`price ${ticker.last}`);
        } catch (error) {
          logger.error("failed:", error);
        }
        await Stels.sleep(1);
      }"#;
    let (right, lines) = (running.right.clone(), bench.lines.clone());
    let end = async {
        while lines.all().len() < 3 {
            tokio::task::yield_now().await;
        }
        right.end();
    };
    let (outcome, ()) = tokio::join!(bench.run(script, running), end);
    assert_eq!(outcome.end, End::Stopped);
    assert!(bench.lines.all().iter().all(|line| line == "price 1"), "no error is seen: {:?}", bench.lines.all());
    bench.tasks.drain().await;
}

#[tokio::test]
async fn errors_have_the_exchanges_classes() {
    let bench = bench().await;
    let script = r#"
        const exchange = new Stels.runtime.cex.bybit();
        const names = [];
        for (const act of [() => exchange.createLimitOrder("BTC/USDT", "buy", 10, 50000),
          () => exchange.fetchTicker("NO/SUCH"), () => exchange.cancelOrder("BTCUSDT-999999", "BTC/USDT"),
          () => exchange.fetchFundingRate("BTC/USDT")]) {
          try { await act(); names.push("DONE") } catch (error) { names.push(error.name) }
        }
        return names"#;
    let seen = bench.value(script, dry(&bench)).await;
    assert_eq!(seen, json!(["InsufficientFunds", "BadSymbol", "OrderNotFound", "NotSupported"]));
    bench.tasks.drain().await;
}
