// Node.js or Deno at what scripts of workers do: EMA and RSI over 100,000 closes, warm and the first time, and calls
// from a worker to its parent and back, one after the other. One JSON object goes out.
const isDeno = "Deno" in globalThis;
const { Worker: Thread } = isDeno ? {} : await import("node:worker_threads");
const CALLS = 20000;
const price = (i) => 100 + Math.sin(i / 50) * 10 + (i % 7);
const close = Float64Array.from({ length: 100000 }, (_, i) => price(i));
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
let first;
let best = Infinity;
for (let i = 0; i < 200; i++) {
  const began = performance.now();
  ema(close, 20);
  rsi(close, 14);
  const time = performance.now() - began;
  first ??= time;
  best = Math.min(best, time);
}

const loop = `let left = ${CALLS}; const ask = () => (left-- > 0 ? send('{"symbol":"BTC/USDT"}') : send(null));`;
const calls = await new Promise((resolve) => {
  let began;
  const answer = (worker, message) => {
    began ??= performance.now();
    if (message === null) resolve((CALLS / (performance.now() - began)) * 1000);
    else worker.postMessage('{"last":60000}');
  };
  if (isDeno) {
    const text = `const send = (m) => postMessage(m); ${loop} onmessage = ask; ask();`;
    const worker = new Worker(`data:text/javascript,${encodeURIComponent(text)}`, { type: "module" });
    worker.onmessage = (event) => answer(worker, event.data);
  } else {
    const text = `const { parentPort } = require("node:worker_threads"); const send = (m) => parentPort.postMessage(m);
      ${loop} parentPort.on("message", ask); ask();`;
    const worker = new Thread(text, { eval: true });
    worker.on("message", (message) => answer(worker, message));
  }
});
console.log(JSON.stringify({ best, first, calls: Math.round(calls) }));
(isDeno ? Deno : process).exit(0);
