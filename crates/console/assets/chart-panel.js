// The chart's panel: which window of time it shows, where its points come from, the live end of it, and
// the same data as sentence and table.

import { call, explain } from "./api.js";
import { LineChart } from "./chart.js";
import { id, make, show, state, text } from "./dom.js";
import { change, moment, usd, utc } from "./format.js";
import { connection, rates } from "./live.js";
import { signal } from "./signal.js";

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
/** How wide each window is, how long its answer may be reused, and its words. */
const FRAMES = {
  live: { width: 15 * MINUTE, fresh: 0, words: "last 15 minutes" },
  "1d": { width: DAY, fresh: 5 * MINUTE, words: "past 24 hours" },
  "7d": { width: 7 * DAY, fresh: 10 * MINUTE, words: "past 7 days" },
  "30d": { width: 30 * DAY, fresh: 30 * MINUTE, words: "past 30 days" },
  "90d": { width: 90 * DAY, fresh: 30 * MINUTE, words: "past 90 days" },
  "365d": { width: 365 * DAY, fresh: 60 * MINUTE, words: "past year" },
};
const TICKS_MAX = 1_200;
const GAPS_MAX = 50;
const TABLE_ROWS = 25;

/** The change over the past day in per cent, null while unknown. */
export const dayChange = signal(null);

const panel = id("chart");
const plot = id("plot");
const legend = id("legend");
const table = id("chart-table");
const ticks = [];
const gaps = [];
const charts = new Map();
let frame = "1d";
let asked = 0;
let quietSince = null;
let shown = [];

const chart = new LineChart({
  host: plot,
  format: usd,
  onRead(point) {
    if (!point) {
      legend.hidden = true;
      describe();
      return;
    }
    const words = `${moment(point.at)}  ${usd(point.price)}`;
    text(legend, words);
    legend.hidden = false;
    plot.setAttribute("aria-valuenow", String(point.index));
    plot.setAttribute("aria-valuetext", words);
  },
});

/** Wires the panel up and loads its first window. */
export function start() {
  for (const radio of document.querySelectorAll('input[name="frame"]')) {
    radio.addEventListener("change", () => {
      frame = radio.value;
      load();
    });
  }
  id("chart-retry").addEventListener("click", load);
  id("table-toggle").addEventListener("click", (event) => {
    const open = event.currentTarget.getAttribute("aria-expanded") !== "true";
    event.currentTarget.setAttribute("aria-expanded", String(open));
    show(id("chart-data"), open);
    fillTable();
  });
  rates.watch(tick);
  connection.watch(gap);
  setInterval(() => {
    if (document.hidden) return;
    if (quietSince !== null) draw();
    else if (frame !== "live" && stale(frame)) load();
  }, 5_000);
  load();
  if (frame !== "1d") refresh("1d").catch(() => {});
}

function tick(rate) {
  if (!rate) return;
  const point = [rate.at, Number(rate.usd)];
  const last = ticks.at(-1);
  if (last && last[0] >= point[0]) {
    if (last[0] === point[0]) last[1] = point[1];
    return;
  }
  ticks.push(point);
  if (ticks.length > TICKS_MAX) ticks.splice(0, ticks.length - TICKS_MAX);
  draw();
}

function gap({ name }) {
  if (name === "live" && quietSince !== null) {
    gaps.push([quietSince, serverNow()]);
    if (gaps.length > GAPS_MAX) gaps.shift();
    quietSince = null;
  } else if (name === "offline" && quietSince === null && ticks.length > 0) {
    quietSince = serverNow();
  }
  draw();
}

/** The server's clock, as far as the last price tells it: the points carry its times. */
function serverNow() {
  const known = rates.get();
  return known ? known.at + Date.now() - known.seenAt : Date.now();
}

function stale(name) {
  const known = charts.get(name);
  return !known || Date.now() - known.loadedAt > FRAMES[name].fresh;
}

async function load() {
  const mine = ++asked;
  if (!charts.has(frame)) state(panel, "loading");
  else draw();
  fillTable();
  if (!stale(frame)) return;
  try {
    await refresh(frame);
    if (mine !== asked) return;
    draw();
    fillTable();
  } catch (error) {
    if (mine !== asked || charts.has(frame)) return;
    const none = error.status === 404;
    text(id("chart-error"), none ? "The server has no chart for this window yet." : explain(error));
    state(panel, none ? "empty" : "error");
  }
}

async function refresh(name) {
  let points;
  if (name === "live") {
    const history = await call("GET", "/api/bitcoin/history?limit=450");
    points = history.map((item) => [Date.parse(item.created_at), item.btc_usd_price]);
  } else {
    const answer = await call("GET", `/api/bitcoin/chart/${name}`);
    points = answer.price_data.map((item) => [Date.parse(item.timestamp), item.price]);
  }
  points = points.filter(([at, price]) => Number.isFinite(at) && Number.isFinite(price)).sort((a, b) => a[0] - b[0]);
  charts.set(name, { points, loadedAt: Date.now() });
}

/** The stored points and the ticks that came after them, cut to the window. */
function series(name) {
  const stored = charts.get(name)?.points ?? [];
  const end = stored.at(-1)?.[0] ?? 0;
  const all = stored.concat(ticks.filter(([at]) => at > end));
  const from = (all.at(-1)?.[0] ?? 0) - FRAMES[name].width;
  return all.filter(([at]) => at >= from);
}

function draw() {
  if (charts.has("1d")) {
    const past = series("1d");
    dayChange.set(past.length > 1 ? percent(past) : null);
  }
  if (!charts.has(frame)) return;
  shown = series(frame);
  if (shown.length < 2) {
    text(id("chart-error"), "Not enough points yet for this window. They come with the next prices.");
    state(panel, "empty");
    return;
  }
  state(panel, "ready");
  if (quietSince === null) chart.draw(shown, gaps, 0);
  else chart.draw(shown, gaps.concat([[quietSince, serverNow()]]), serverNow());
  describe();
}

function percent(points) {
  return ((points.at(-1)[1] - points[0][1]) / points[0][1]) * 100;
}

function describe() {
  if (shown.length < 2) return;
  const moved = percent(shown);
  const label = id("chart-change");
  text(label, change(moved));
  label.dataset.direction = moved > 0 ? "up" : moved < 0 ? "down" : "flat";
  text(id("chart-words"), FRAMES[frame].words);
  const prices = shown.map(([, price]) => price);
  const words =
    `Bitcoin in US dollars, ${FRAMES[frame].words}: from ${usd(prices[0])} to ${usd(prices.at(-1))}, ` +
    `lowest ${usd(Math.min(...prices))}, highest ${usd(Math.max(...prices))}.`;
  // not a live region: this changes with every tick
  text(id("chart-summary"), words);
  plot.setAttribute("aria-valuemin", "0");
  plot.setAttribute("aria-valuemax", String(shown.length - 1));
  if (legend.hidden) {
    plot.setAttribute("aria-valuenow", String(shown.length - 1));
    plot.setAttribute("aria-valuetext", usd(prices.at(-1)));
  }
  text(id("chart-low"), usd(Math.min(...prices)));
  text(id("chart-high"), usd(Math.max(...prices)));
}

function fillTable() {
  if (id("chart-data").hidden) return;
  const stride = Math.max(1, Math.ceil(shown.length / TABLE_ROWS));
  const rows = shown.filter((_, index) => index % stride === 0 || index === shown.length - 1).reverse();
  table.replaceChildren(
    ...rows.map(([at, price]) =>
      make(
        "tr",
        {},
        make("td", {}, make("time", { datetime: new Date(at).toISOString(), title: utc(at) }, moment(at))),
        make("td", { class: "number" }, usd(price)),
      ),
    ),
  );
}
