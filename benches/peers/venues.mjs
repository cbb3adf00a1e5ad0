// The ccxt package on an exchange's payloads: `venues.mjs FOLDER SECONDS`. A line for each thing it does goes out, with
// how many it does in a second of CPU, and the final book.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

// of this folder's packages, or of those in NODE_PATH, which `import` does not look at
const ccxt = createRequire(import.meta.url)("ccxt");

const [folder, seconds] = [process.argv[2], Number(process.argv[3] ?? 3)];
const read = (name) => readFileSync(join(folder, name), "utf8");
const depth = read("depth.jsonl").split("\n");
const [tickers, trades, snapshot] = ["tickers.json", "trades.json", "snapshot.json"].map(read);

const exchange = new ccxt.pro.binance({ apiKey: "key", secret: "secret", enableRateLimit: false, newUpdates: false });
exchange.options.fetchMarkets = { types: ["spot"] };
exchange.options.fetchCurrencies = false;
exchange.options.defaultType = "spot";
exchange.fetch = async () => JSON.parse(read("markets.json"));
await exchange.loadMarkets();
const market = exchange.market("BTC/USDT");

const used = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};

function rate(name, each) {
  each();
  const start = used();
  let done = 0;
  while (used() - start < seconds) done += each();
  console.log(`${name} ${(done / (used() - start)).toFixed(1)}`);
}

let book;
rate("books", () => {
  const whole = exchange.parseOrderBook(JSON.parse(snapshot), market.symbol);
  whole.nonce = 1;
  book = exchange.orderBook(whole, 10000);
  for (const line of depth) {
    const message = JSON.parse(line);
    if (message.U > book.nonce + 1) throw new Error("a change does not follow");
    exchange.handleOrderBookMessage({}, message, book);
  }
  return depth.length;
});
rate("tickers", () => Object.keys(exchange.parseTickers(JSON.parse(tickers))).length);
rate("trades", () => exchange.parseTrades(JSON.parse(trades), market).length);
rate("orders", () => {
  for (let n = 0; n < 1000; n++) {
    const request = exchange.createOrderRequest("BTC/USDT", "limit", "buy", 0.0123456789, 43210.987654);
    exchange.sign("order", "private", "POST", request);
  }
  return 1000;
});
const digits = (number) => exchange.decimalToPrecision(number, ccxt.ROUND, 12, ccxt.DECIMAL_PLACES, ccxt.NO_PADDING);
const side = (levels) => levels.slice(0, 100).map(([price, amount]) => `${digits(price)}x${digits(amount)}`).join(",");
console.log(`book ${side(book.bids)}|${side(book.asks)}`);
process.exit(0);
