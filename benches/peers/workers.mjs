// Workers of Node.js or Deno: milliseconds from nothing to the first line of each, one after the other, then what each
// of as many costs that are asleep. One JSON object goes out.
const isDeno = "Deno" in globalThis;
const count = Number((isDeno ? Deno.args : process.argv.slice(2))[0]);
const body = "setTimeout(() => {}, 1e9);";
const { Worker: Thread } = isDeno ? {} : await import("node:worker_threads");
const start = () => {
  if (isDeno) {
    const worker = new Worker(`data:text/javascript,postMessage("on");${body}`, { type: "module" });
    return new Promise((resolve) => (worker.onmessage = () => resolve(worker)));
  }
  const worker = new Thread(`require("node:worker_threads").parentPort.postMessage("on");${body}`, { eval: true });
  return new Promise((resolve) => worker.once("message", () => resolve(worker)));
};
const resident = () => (isDeno ? Deno.memoryUsage().rss : process.memoryUsage.rss()) / 1024;

const ms = [];
for (let i = 0; i < count; i++) {
  const began = performance.now();
  const worker = await start();
  ms.push(performance.now() - began);
  await worker.terminate();
}
const before = resident();
const workers = [];
for (let i = 0; i < count; i++) workers.push(await start());
const kilobytes = (resident() - before) / count;
console.log(JSON.stringify({ ms, kilobytes }));
(isDeno ? Deno : process).exit(0);
