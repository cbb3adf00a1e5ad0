// A line chart in SVG: grid, line, last price, gaps of the connection, and a reading line that follows
// the pointer or the arrow keys. It knows nothing of where its points come from.

import { axis } from "./format.js";
import { make, set, svg, text } from "./dom.js";
import { framed } from "./signal.js";

const RIGHT = 64;
const BOTTOM = 24;
const TOP = 12;
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const STEPS = [1, 2, 5, 10, 15, 30].map((n) => n * MINUTE).concat(
  [1, 2, 3, 6, 12].map((n) => n * HOUR),
  [1, 2, 5, 7, 14, 30, 61, 91].map((n) => n * DAY),
);

export class LineChart {
  #host;
  #format;
  #onRead;
  #root = svg("svg", { "aria-hidden": "true", focusable: "false" });
  #grid = svg("g", { class: "grid" });
  #labels = svg("g", { class: "axis" });
  #area = svg("path", { class: "area" });
  #gapLayer = svg("g");
  #line = svg("path", { class: "line" });
  #lastLine = svg("line", { class: "last-line" });
  #lastDot = svg("circle", { class: "last-dot", r: 3.5 });
  #cross = svg("g", { class: "cross", visibility: "hidden" });
  #crossLine = svg("line", {});
  #crossDot = svg("circle", { r: 4 });
  #tag = make("span", { class: "price-tag", "aria-hidden": "true" });
  #points = [];
  #gaps = [];
  #until = 0;
  #reading = null;
  #place = null;
  #repaint = framed(() => this.#paint());

  /**
   * `host` is an element with a size of its own; `format(price)` writes a price; `onRead(point)` hears
   * which point is being read, null for none.
   */
  constructor({ host, format, onRead }) {
    this.#host = host;
    this.#format = format;
    this.#onRead = onRead;
    const hatch = svg("pattern", { id: "hatch", width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" });
    hatch.append(svg("rect", { width: 2, height: 6, class: "hatch" }));
    const defs = svg("defs");
    defs.append(hatch);
    this.#cross.append(this.#crossLine, this.#crossDot);
    this.#root.append(defs, this.#grid, this.#area, this.#gapLayer, this.#line, this.#lastLine, this.#lastDot, this.#cross, this.#labels);
    host.append(this.#root, this.#tag);
    new ResizeObserver(this.#repaint).observe(host);
    host.addEventListener("pointermove", (event) => this.#readAt(event.clientX - host.getBoundingClientRect().left));
    host.addEventListener("pointerleave", () => this.#read(null));
    host.addEventListener("blur", () => this.#read(null));
    host.addEventListener("keydown", (event) => this.#key(event));
  }

  /**
   * Points `[ms, price]`, oldest first; the spans `[ms, ms]` in which nothing was heard; and up to when
   * the axis goes if that is later than the last point.
   */
  draw(points, gaps, until) {
    this.#points = points;
    this.#gaps = gaps;
    this.#until = until;
    if (this.#reading !== null && this.#reading >= points.length) this.#reading = null;
    this.#repaint();
  }

  #key(event) {
    const last = this.#points.length - 1;
    if (last < 0) return;
    const at = this.#reading ?? last;
    const stride = event.shiftKey ? 10 : 1;
    const next = {
      ArrowLeft: at - stride,
      ArrowDown: at - stride,
      ArrowRight: at + stride,
      ArrowUp: at + stride,
      PageDown: at - 20,
      PageUp: at + 20,
      Home: 0,
      End: last,
    }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    this.#read(Math.max(0, Math.min(last, next)));
  }

  #readAt(x) {
    if (!this.#place || this.#points.length === 0) return;
    const at = this.#place.time(x);
    let low = 0;
    let high = this.#points.length - 1;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (this.#points[middle][0] < at) low = middle;
      else high = middle;
    }
    this.#read(at - this.#points[low][0] < this.#points[high][0] - at ? low : high);
  }

  #read(index) {
    this.#reading = index;
    this.#onRead(index === null ? null : { at: this.#points[index][0], price: this.#points[index][1], index });
    this.#paintCross();
  }

  #paint() {
    const { clientWidth: width, clientHeight: height } = this.#host;
    const points = this.#points;
    if (width < 40 || height < 40) return;
    set(this.#root, { viewBox: `0 0 ${width} ${height}`, width, height });
    const drawn = points.length > 0;
    for (const part of [this.#lastLine, this.#lastDot]) set(part, { visibility: drawn ? "visible" : "hidden" });
    this.#tag.hidden = !drawn;
    this.#grid.replaceChildren();
    this.#labels.replaceChildren();
    this.#gapLayer.replaceChildren();
    if (!drawn) {
      this.#line.removeAttribute("d");
      this.#area.removeAttribute("d");
      this.#place = null;
      this.#paintCross();
      return;
    }
    const [from, to] = [points[0][0], Math.max(points.at(-1)[0], this.#until, points[0][0] + MINUTE)];
    let [low, high] = [Infinity, -Infinity];
    for (const [, price] of points) {
      if (price < low) low = price;
      if (price > high) high = price;
    }
    const pad = Math.max((high - low) * 0.08, high * 0.0004, 1);
    [low, high] = [low - pad, high + pad];
    const [plotWidth, plotHeight] = [width - RIGHT, height - BOTTOM - TOP];
    const x = (at) => ((at - from) / (to - from)) * plotWidth;
    const y = (price) => TOP + (1 - (price - low) / (high - low)) * plotHeight;
    this.#place = { x, y, plotWidth, bottom: TOP + plotHeight, time: (px) => from + (px / plotWidth) * (to - from) };

    for (const price of levels(low, high, Math.max(2, Math.floor(plotHeight / 56)))) {
      const line = Math.round(y(price)) + 0.5;
      this.#grid.append(svg("line", { x1: 0, x2: plotWidth, y1: line, y2: line }));
      // the tag of the last price stands in the same column
      if (Math.abs(y(price) - y(points.at(-1)[1])) > 15) {
        this.#label(plotWidth + 8, y(price) + 4, this.#format(price), "start");
      }
    }
    for (const { at, step } of moments(from, to, Math.max(2, Math.floor(plotWidth / 96)))) {
      if (x(at) < 18 || x(at) > plotWidth - 18) continue;
      this.#label(x(at), height - 7, axis(at, step), "middle");
    }

    let path = "";
    let previous = null;
    for (const [at, price] of points) {
      const broken = previous !== null && this.#gaps.some(([a, b]) => a >= previous && b <= at && x(b) - x(a) >= 3);
      path += `${path && !broken ? "L" : "M"}${x(at).toFixed(1)} ${y(price).toFixed(1)}`;
      previous = at;
    }
    set(this.#line, { d: path });
    const floor = TOP + plotHeight;
    set(this.#area, { d: `M0 ${floor}${path.replaceAll("M", "L")}L${x(points.at(-1)[0]).toFixed(1)} ${floor}Z` });
    for (const [a, b] of this.#gaps) {
      const [left, right] = [Math.max(0, x(a)), Math.min(plotWidth, x(b))];
      if (right - left < 3) continue;
      this.#gapLayer.append(svg("rect", { x: left, y: TOP, width: right - left, height: plotHeight, fill: "url(#hatch)" }));
    }

    const [lastAt, lastPrice] = points.at(-1);
    const level = y(lastPrice);
    set(this.#lastLine, { x1: 0, x2: plotWidth, y1: level, y2: level });
    set(this.#lastDot, { cx: x(lastAt), cy: level });
    text(this.#tag, this.#format(lastPrice));
    this.#tag.style.transform = `translateY(${Math.round(level - 10)}px)`;
    set(this.#root, { class: lastPrice >= points[0][1] ? "up" : "down" });
    this.#tag.dataset.direction = lastPrice >= points[0][1] ? "up" : "down";
    this.#paintCross();
  }

  #paintCross() {
    const point = this.#reading === null ? undefined : this.#points[this.#reading];
    set(this.#cross, { visibility: point && this.#place ? "visible" : "hidden" });
    if (!point || !this.#place) return;
    const { x, y, bottom } = this.#place;
    const left = x(point[0]);
    set(this.#crossLine, { x1: left, x2: left, y1: TOP, y2: bottom });
    set(this.#crossDot, { cx: left, cy: y(point[1]) });
  }

  #label(x, y, content, anchor) {
    const label = svg("text", { x, y, "text-anchor": anchor });
    label.textContent = content;
    this.#labels.append(label);
  }
}

/** Round prices between two bounds, about `count` of them. */
function levels(low, high, count) {
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = Math.max(1, [1, 2, 2.5, 5, 10].map((n) => n * power).find((n) => n >= rough));
  const found = [];
  for (let price = Math.ceil(low / step) * step; price < high && found.length < 20; price += step) found.push(price);
  return found;
}

/** Round local times between two bounds, at most `count` of them. */
function moments(from, to, count) {
  const step = STEPS.find((n) => (to - from) / n <= count) ?? STEPS.at(-1);
  const zone = new Date(to).getTimezoneOffset() * MINUTE;
  const found = [];
  for (let at = Math.ceil((from - zone) / step) * step + zone; at <= to && found.length < 40; at += step) {
    found.push({ at, step });
  }
  return found;
}
