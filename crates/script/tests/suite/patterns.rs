//! The patterns of the document and of the client's templates, unchanged.

use orrery_workers::Stop;
use orrery_workers::script::{End, HostError, Level, Limits, ScriptRuntime as _};
use serde_json::json;

use crate::host::{TestHost, engine, order, prepare, run, until, value, value_with};

/// "Worker Script Example" of the document, to the letter.
const GRID: &str = r#"
// Grid Trading Worker
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

fn market() -> std::sync::Arc<TestHost> {
    TestHost::new()
        .on("cex.bybit.fetchTicker", |_| {
            Ok(json!({ "symbol": "BTC/USDT", "last": 60_000, "percentage": 1.5,
          "baseVolume": 9 }))
        })
        .on("cex.bybit.createLimitOrder", |a| {
            Ok(json!({ "id": format!("o-{}", a["arguments"][3]), "price": a["arguments"][3],
              "amount": a["arguments"][2] }))
        })
}

#[tokio::test]
async fn the_documented_grid_runs_unchanged() {
    let host = market();
    let outcome = run(GRID, &host).await;
    assert_eq!(outcome.end, End::Returned(None), "{:?}", host.lines());
    let orders = host.calls_of("cex.bybit.createLimitOrder");
    assert_eq!(orders.len(), 10);
    assert_eq!(orders[0]["arguments"], json!(["BTC/USDT", "buy", 0.001, 59_500]));
    assert_eq!(orders[9]["arguments"], json!(["BTC/USDT", "sell", 0.001, 60_400]));
    assert_eq!(orders[0]["config"], json!({ "apiKey": "YOUR_API_KEY", "secret": "YOUR_SECRET" }));
    let lines = host.lines();
    assert_eq!(lines[..3], ["Grid Trading Strategy v2.0", "Node: s-0001", "✅ BUY order @ 59500: o-59500"]);
    assert_eq!(lines[12], "🎉 Grid complete: 10 orders placed");
}

#[tokio::test]
async fn the_documented_grid_tells_of_its_errors() {
    let host = TestHost::new().on("cex.bybit.fetchTicker", |_| Err(HostError::new("RateLimitExceeded", "slow down")));
    let End::Threw(thrown) = run(GRID, &host).await.end else { panic!() };
    assert_eq!((thrown.class.as_str(), thrown.message.as_str()), ("RateLimitExceeded", "slow down"));
    let (level, line) = host.logs().pop().unwrap();
    assert_eq!(level, Level::Error);
    assert!(
        line.starts_with("Grid strategy error: RateLimitExceeded: slow down\n    at <anonymous> (script:17:"),
        "{line}"
    );
}

#[tokio::test]
async fn a_script_awaits_and_returns_at_its_top() {
    assert_eq!(
        value("const a = await Promise.resolve(2); if (a > 1) return { a }; return 'never'").await,
        json!({ "a": 2 })
    );
    assert_eq!(
        value("undeclared = 5; return undeclared").await,
        json!(5),
        "a script is sloppy unless it says otherwise"
    );
    assert_eq!(
        value("'use strict'; try { undeclared = 5 } catch (e) { return e.name }").await,
        json!("ReferenceError")
    );
    assert_eq!(run("\nlogger.info(\"Worker script initialized!\")\n", &TestHost::new()).await.end, End::Returned(None));
}

#[tokio::test]
async fn loggers_take_anything() {
    let host = TestHost::new();
    let script = "logger.info('text', 1, { a: [1, 'x', null], f() {}, d: new Date(0) });
      logger.warn(new Map([['k', new Set([1])]]), Symbol('s'), 10n, undefined, -0);
      logger.error('failed:', new TypeError('why'));
      logger.debug([], {}, new Float64Array(2), 'lone \\ud800');
      const loop = {}; loop.self = loop; console.log(loop, /x/g); console.error('e');
      class Bot { constructor() { this.n = 1 } } console.warn(new Bot())";
    run(script, &host).await;
    let logs = host.logs();
    assert_eq!(
        logs[0],
        (Level::Info, "text 1 { a: [ 1, \"x\", null ], f: [Function f], d: 1970-01-01T00:00:00.000Z }".into())
    );
    assert_eq!(logs[1], (Level::Warn, "Map(1) { \"k\" => Set(1) { 1 } } Symbol(s) 10n undefined -0".into()));
    assert!(logs[2].1.starts_with("failed: TypeError: why\n    at <anonymous> (script:3:"), "{}", logs[2].1);
    assert_eq!(logs[3], (Level::Debug, "[] {} Float64Array(2) [ 0, 0 ] lone \u{fffd}".into()));
    assert_eq!(logs[4], (Level::Info, "{ self: [Circular] } /x/g".into()));
    assert_eq!(logs[5], (Level::Error, "e".into()));
    assert_eq!(logs[6], (Level::Warn, "Bot { n: 1 }".into()));
}

/// What templates of the client do: monitors, backups, signals.
#[tokio::test]
async fn a_monitor_publishes_and_reads_back() {
    let host = market();
    let seen = value_with(
        r#"
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
        return [stored.value.raw, missing.value, backups.length, backups[0].value.raw,
          (await Array.fromAsync(Stels.local.list({ prefix: ["backup"] }))).length, typeof Stels.startTime]
        "#,
        &host,
    )
    .await;
    let raw = json!({ "last": 60_000, "volume": 9, "change": 1.5 });
    assert_eq!(seen, json!([raw, null, 1, { "a": 1 }, 0, "number"]));
}

#[tokio::test]
async fn every_call_of_the_templates_is_there() {
    let host = TestHost::new();
    for method in [
        "fetchOpenOrders",
        "createMarketBuyOrder",
        "createMarketOrder",
        "fetchBalance",
        "fetchPositions",
        "fetchOrderBook",
    ] {
        host.on(&format!("cex.binance.{method}"), |a| Ok(a["arguments"].clone()));
    }
    let seen = value_with(
        "const exchange = Stels.runtime.cex.binance({ apiKey: 'a', secret: 'b' });
         return [await exchange.fetchOpenOrders('BTC/USDT'), await exchange.createMarketBuyOrder('BTC/USDT', 0.01),
           await exchange.createMarketOrder('BTC/USDT', 'sell', 1), await exchange.fetchBalance(),
             await exchange.fetchPositions(),
           await exchange.fetchOrderBook('BTC/USDT', 5)]",
        &host,
    )
    .await;
    assert_eq!(seen, json!([["BTC/USDT"], ["BTC/USDT", 0.01], ["BTC/USDT", "sell", 1], [], [], ["BTC/USDT", 5]]));
}

#[tokio::test]
async fn a_script_knows_its_accounts_strategy() {
    let seen = value(
        "const { account, protocol, tick } = Stels.config;
         return [account, protocol.strategy, protocol.levels, protocol === Stels.config.protocol, tick]",
    )
    .await;
    assert_eq!(seen, json!(["main", "grid", [1, 2], true, 5_000]));
}

/// A "single" template: an endless loop of its own, which a stop has to interrupt.
#[tokio::test]
async fn an_endless_template_stops() {
    let (engine, host, stop) = (engine(), market(), Stop::new());
    let script = r#"
      const exchange = new Stels.runtime.cex.bybit();
      while (true) {
        try {
          const ticker = await exchange.fetchTicker("BTC/USDT");
          logger.info(`price ${ticker.last}`);
        } catch {
          logger.error("failed:", error);
        }
        await Stels.sleep(60000);
      }"#;
    let run = engine.run(order(prepare(&engine, script), &host, Limits::default(), &stop));
    let act = async {
        until("it runs", || !host.lines().is_empty()).await;
        stop.gently();
    };
    let (outcome, ()) = futures_util::future::join(run, act).await;
    assert_eq!((outcome.end, host.lines()), (End::Stopped, vec!["price 60000".to_owned()]));
}

/// Templates whose `catch` has no name and uses one throw from there.
#[tokio::test]
async fn a_catch_without_a_name_throws_as_javascript_does() {
    let host = TestHost::new();
    let End::Threw(thrown) = run("try { exchange.fetchTicker() } catch { logger.error('x', error) }", &host).await.end
    else {
        panic!()
    };
    assert_eq!(thrown.class, "ReferenceError");
}

#[tokio::test]
async fn typescript_runs() {
    let host = market();
    let seen = value_with(
        r#"
        interface Position { symbol: string; size: number }
        type Side = "buy" | "sell";
        enum Mode { Fast = 1, Slow, Named = "named" }
        const positions: Map<string, Position> = new Map();
        abstract class Base<T> { constructor(protected readonly name: string) {} abstract run(x: T): Promise<T>; }
        class Bot extends Base<number> implements Disposable {
          private count: number = 0;
          constructor(name: string, public readonly side: Side) { super(name); }
          async run(x: number): Promise<number> { this.count += x; return this.count as number; }
          describe(): string { return `${this.name}/${this.side}/${this.count}`; }
        }
        const bot = new Bot("grid", "buy");
        await bot.run(<number>2); await bot.run(3!);
        const ticker = (await new Stels.runtime.cex.bybit().fetchTicker("BTC/USDT")) as { last: number };
        positions.set("a", { symbol: "a", size: ticker.last } satisfies Position);
        return [bot.describe(), positions.get("a")!.size, Mode.Slow, Mode[1], Mode.Named];
        "#,
        &host,
    )
    .await;
    assert_eq!(seen, json!(["grid/buy/5", 60_000, 2, "Fast", "named"]));
}
