//! `Stels.runtime.cex`: names, arguments, CCXT's helpers.

use serde_json::{Value, json};

use crate::host::{TestHost, value, value_with};

fn echo(arguments: &Value) -> Result<Value, orrery_workers::script::HostError> {
    Ok(arguments.clone())
}

#[tokio::test]
async fn an_exchange_is_opened_with_and_without_new() {
    let host = TestHost::new().on("cex.bybit.fetchTicker", echo).on("cex.okx.fetchTicker", echo);
    let seen = value_with(
        "const a = new Stels.runtime.cex.bybit({ apiKey: 'k', secret: 's' });
         const b = Stels.runtime.cex.okx();
         return [await a.fetchTicker('BTC/USDT'), await b.fetchTicker('BTC/USDT', { x: 1 }), a.id, b.id, b.name]",
        &host,
    )
    .await;
    assert_eq!(
        seen,
        json!([
            { "config": { "apiKey": "k", "secret": "s" }, "arguments": ["BTC/USDT"] },
            { "config": null, "arguments": ["BTC/USDT", { "x": 1 }] },
            "bybit", "okx", "OKX"
        ])
    );
}

#[tokio::test]
async fn arguments_pass_unchanged() {
    let host = TestHost::new().on("cex.bybit.createOrder", echo).on("cex.bybit.createLimitOrder", echo);
    let seen = value_with(
        "const x = new Stels.runtime.cex.bybit();
         return [
           await x.createOrder('BTC/USDT', 'limit', 'buy', 0.1 + 0.2, 1e-7, { clientOrderId: 'abc' }),
           await x.createLimitOrder('BTC/USDT', 'sell', 1, undefined, null),
         ].map((seen) => seen.arguments)",
        &host,
    )
    .await;
    let first = json!(["BTC/USDT", "limit", "buy", 0.300_000_000_000_000_04, 1e-7, { "clientOrderId": "abc" }]);
    assert_eq!(seen, json!([first, ["BTC/USDT", "sell", 1, null, null]]));
}

#[tokio::test]
async fn methods_are_ccxts_and_nothing_else() {
    let seen = value(
        "const x = new Stels.runtime.cex.kraken();
         return [typeof x.fetchOHLCV, typeof x.watchOrderBook, typeof x.setLeverage, typeof x.fetchFortune,
           typeof x.then,
           'fetchTrades' in x, 'fetchNothing' in x, x.has.fetchTicker, x.has.fetchFortune ?? null, x.fetchTicker.name,
           x.timeframes['1h'] !== undefined, JSON.stringify(x).includes('config'), Stels.runtime.cex.mtgox ?? null,
           Stels.runtime.cex.exchanges.length, typeof Stels.runtime.cex.paper, Stels.runtime.cex.huobi().id,
           await x.close() ?? null]",
    )
    .await;
    let expected = json!([
        "function",
        "function",
        "function",
        "undefined",
        "undefined",
        true,
        false,
        true,
        null,
        "fetchTicker",
        true,
        false,
        null,
        11,
        "function",
        "htx",
        null
    ]);
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn markets_are_loaded_once_and_give_precision() {
    let host = TestHost::new().on("cex.binance.fetchMarkets", |_| {
        Ok(json!([{ "id": "BTCUSDT", "symbol": "BTC/USDT", "precision": { "amount": 0.00001, "price": 0.01 } }]))
    });
    let seen = value_with(
        "const x = new Stels.runtime.cex.binance();
         let early; try { x.market('BTC/USDT') } catch (e) { early = e.name }
         await x.loadMarkets(); await x.loadMarkets();
         let unknown; try { x.market('A/B') } catch (e) { unknown = e.name }
         let small; try { x.amountToPrecision('BTC/USDT', 0.000001) } catch (e) { small = [e.name, e.message] }
         return [early, unknown, x.symbols, x.markets['BTC/USDT'].id, x.markets_by_id.BTCUSDT.length,
           x.amountToPrecision('BTC/USDT', 0.123456789), x.priceToPrecision('BTC/USDT', 61234.567),
           x.costToPrecision('BTC/USDT', '10.999'), small, x.parseTimeframe('4h'), x.iso8601(0),
             x.parse8601('1970-01-01T00:00:01Z')]",
        &host,
    )
    .await;
    let small = "binance amount of BTC/USDT must be greater than minimum amount precision of 0.00001";
    let expected = json!([
        "ExchangeError",
        "BadSymbol",
        ["BTC/USDT"],
        "BTCUSDT",
        1,
        "0.12345",
        "61234.57",
        "10.99",
        ["InvalidOrder", small],
        14_400,
        "1970-01-01T00:00:00.000Z",
        1_000
    ]);
    assert_eq!(seen, expected);
    assert_eq!(host.calls().len(), 1);
}

#[tokio::test]
async fn thousands_of_markets_fit() {
    let host = TestHost::new().on("cex.binance.fetchMarkets", |_| {
        let info = "x".repeat(3_000);
        let market =
            |i: usize| json!({ "id": format!("M{}", i / 2), "symbol": format!("M{i}/USDT"), "info": { "raw": info } });
        Ok((0..4_000).map(market).collect::<Vec<_>>().into())
    });
    let limits = orrery_workers::script::Limits { memory: 8 << 20, ..Default::default() };
    let script = "const x = new Stels.runtime.cex.binance();
      const markets = await x.loadMarkets();
      const names = Object.keys(markets);
      const out = [names.length, names[1], markets['M7/USDT'].info.raw.length, 'M3999/USDT' in markets,
        markets.none ?? null,
        x.markets_by_id.M3.map((market) => market.symbol), x.ids.length, x.market('M5').symbol,
        markets['M1/USDT'] === markets['M1/USDT']];
      markets.mine = 1; delete markets['M0/USDT'];
      return [...out, markets.mine, Object.keys(x.markets).length]";
    let outcome = crate::host::run_within(script, &host, limits).await;
    let expected =
        json!([4_000, "M1/USDT", 3_000, true, null, ["M6/USDT", "M7/USDT"], 2_000, "M10/USDT", true, 1, 4_000]);
    assert_eq!(outcome.end, orrery_workers::script::End::Returned(Some(expected.to_string())), "{:?}", host.lines());
}

#[tokio::test]
async fn many_calls_run_at_once() {
    let host = TestHost::new().on("cex.gate.fetchTicker", echo);
    let seen = value_with(
        "const x = new Stels.runtime.cex.gateio();
         const all = await Promise.all(Array.from({ length: 1000 }, (_, i) => x.fetchTicker(`S${i}`)));
         return all.every((seen, i) => seen.arguments[0] === `S${i}`)",
        &host,
    )
    .await;
    assert_eq!((seen, host.calls().len()), (json!(true), 1_000));
}
