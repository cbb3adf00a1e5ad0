// EMA and RSI over 100,000 candles: by the runtime's own on columns and on rows, and in the script itself.
const price = (i) => 100 + Math.sin(i / 50) * 10 + (i % 7);
const rows = Array.from({ length: 100000 }, (_, i) => [i, price(i), price(i) + 1, price(i) - 1, price(i), 5]);
const close = Stels.ta.columns(rows).close;
const ema = (values, period) => {
  const weight = 2 / (period + 1);
  const out = new Float64Array(values.length);
  let now = values[0];
  for (let i = 0; i < values.length; i++) {
    now += (values[i] - now) * weight;
    out[i] = now;
  }
  return out;
};
const rsi = (values, period) => {
  const out = new Float64Array(values.length);
  let gain = 0;
  let loss = 0;
  for (let i = 1; i < values.length; i++) {
    const change = values[i] - values[i - 1];
    gain += ((change > 0 ? change : 0) - gain) / period;
    loss += ((change < 0 ? -change : 0) - loss) / period;
    out[i] = (100 * gain) / (gain + loss);
  }
  return out;
};
const best = (compute) => {
  let least = Infinity;
  for (let i = 0; i < 20; i++) {
    const began = performance.now();
    compute();
    least = Math.min(least, performance.now() - began);
  }
  return least;
};
return {
  own: best(() => [Stels.ta.ema(close, 20), Stels.ta.rsi(close, 14)]),
  rows: best(() => [Stels.ta.ema(rows, 20), Stels.ta.rsi(rows, 14)]),
  script: best(() => [ema(close, 20), rsi(close, 14)]),
};
