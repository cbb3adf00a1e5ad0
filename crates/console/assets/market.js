// The price at the top, the tiles under the chart, the connection's words and the banner.

import { call, explain } from "./api.js";
import { dayChange } from "./chart-panel.js";
import { id, set, show, state, text } from "./dom.js";
import { change, span, time, usd, utc } from "./format.js";
import { connection, loadRates, rates, ratesError, retryNow } from "./live.js";
import * as money from "./money.js";
import { framed } from "./signal.js";

const BANNER_AFTER_MS = 3_000;
const MOODS_MS = 60 * 60_000;

/** Wires everything up and loads what the socket does not bring. */
export function start() {
  const paint = framed(paintPrice);
  rates.watch(paint);
  ratesError.watch(paint);
  dayChange.watch(paint);
  connection.watch(paintConnection);
  setInterval(paintConnection, 500);
  setInterval(paintAge, 1_000);
  id("retry-now").addEventListener("click", retryNow);
  id("rates-retry").addEventListener("click", loadRates);
  id("mood-retry").addEventListener("click", loadMood);
  loadRates();
  loadMood();
  setInterval(loadMood, MOODS_MS);
}

let paintedUsd = null;

function paintPrice() {
  const rate = rates.get();
  const panel = id("rates");
  if (!rate) {
    const error = ratesError.get();
    if (!error) return;
    const empty = error.status === 404;
    text(id("rates-error"), empty ? "No price yet: the server is waiting for its first one." : explain(error));
    text(id("bar-usd"), "No price");
    text(id("usd"), "No price yet");
    state(panel, "error");
    return;
  }
  state(panel, "ready");
  const words = usd(rate.usd);
  text(id("bar-usd"), words);
  paintDigits(words);
  const direction = rate.direction > 0 ? "up" : rate.direction < 0 ? "down" : "flat";
  for (const arrow of [id("bar-arrow"), id("arrow")]) {
    arrow.dataset.direction = direction;
    text(arrow, { up: "▲", down: "▼", flat: "" }[direction]);
  }
  text(id("bar-direction"), { up: "rising", down: "falling", flat: "" }[direction]);
  const day = dayChange.get();
  text(id("bar-change"), day === null ? "" : `${change(day)} 24 h`);
  id("bar-change").dataset.direction = day > 0 ? "up" : day < 0 ? "down" : "flat";
  text(id("buy-rate"), money.rate(rate.buy));
  text(id("sell-rate"), money.rate(rate.sell));
  text(id("spread"), money.rate(rate.buy - rate.sell));
  // of the buy rate, in hundredths of a per cent
  const share = rate.buy > 0n ? ((rate.buy - rate.sell) * 10_000n) / rate.buy : 0n;
  text(id("spread-share"), `${share / 100n}.${(share % 100n).toString().padStart(2, "0")} % of the buy rate`);
  const simulated = rate.source === "simulated";
  document.documentElement.dataset.market = simulated ? "simulated" : "real";
  for (const badge of document.querySelectorAll(".simulated")) show(badge, simulated);
  text(id("source"), { simulated: "Simulated prices", coingecko: "Prices: CoinGecko" }[rate.source] ?? "");
  show(id("stale"), rate.stale);
  paintAge();
}

/** The price, with the digits that changed marked for a moment. */
function paintDigits(words) {
  if (paintedUsd === words) return;
  const before = paintedUsd ?? words;
  let same = 0;
  while (same < words.length && words[same] === before[same]) same += 1;
  if (before.length !== words.length) same = 0;
  text(id("usd-same"), words.slice(0, same));
  const changed = id("usd-changed");
  text(changed, words.slice(same));
  if (paintedUsd !== null) {
    changed.dataset.direction = rates.get().direction > 0 ? "up" : "down";
    changed.classList.remove("flash");
    // reading a size makes the browser forget the old animation
    void changed.offsetWidth;
    changed.classList.add("flash");
  }
  paintedUsd = words;
}

function paintAge() {
  const rate = rates.get();
  if (!rate) return;
  text(id("age"), `Updated ${span(Date.now() - rate.seenAt)} ago`);
  id("age").title = `${time(rate.at)} here, ${utc(rate.at)}`;
}

let lostAt = null;

function paintConnection() {
  const { name, retryAt } = connection.get();
  const pill = id("connection");
  pill.dataset.state = name;
  text(id("connection-words"), { live: "Live", connecting: "Connecting", offline: "Disconnected" }[name]);
  if (name === "live") lostAt = null;
  else if (lostAt === null) lostAt = Date.now();
  const long = lostAt !== null && Date.now() - lostAt >= BANNER_AFTER_MS;
  const banner = id("banner");
  if (banner.hidden === long) {
    show(banner, long);
    // said once; the countdown itself stays silent
    text(id("said"), long ? "Connection lost. Trading is paused until it is back." : "Connected again.");
  }
  if (!long) return;
  const left = retryAt === null ? 0 : Math.ceil((retryAt - Date.now()) / 1000);
  text(id("countdown"), name === "connecting" || left <= 0 ? "Connecting…" : `Next try in ${left} s.`);
}

async function loadMood() {
  const tile = id("mood");
  try {
    const answer = await call("GET", "/api/bitcoin/sentiment");
    const value = Math.max(0, Math.min(100, answer.fear_greed_value));
    text(id("mood-value"), String(value));
    text(id("mood-words"), answer.fear_greed_classification);
    set(id("mood-mark"), { cx: value });
    text(id("mood-date"), answer.data_date);
    state(tile, "ready");
  } catch (error) {
    if (tile.dataset.state === "ready") return;
    text(id("mood-error"), error.status === 404 ? "No value yet." : "Could not be loaded.");
    state(tile, "error");
  }
}
