// Times and percentages for people, in the browser's zone, with the exact UTC time at hand.

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const shortClock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const month = new Intl.DateTimeFormat("en-GB", { month: "short", year: "numeric" });
const dollars = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

/** `$45,000`, from whole dollars as number or BigInt. */
export function usd(value) {
  return `$${dollars.format(value)}`;
}

/** `▲ 2.25 %`, `▼ 0.40 %`: the direction is in the sign, never in the colour alone. */
export function change(percent) {
  const size = `${Math.abs(percent).toFixed(2)} %`;
  if (size === "0.00 %") return size;
  return percent > 0 ? `▲ +${size}` : `▼ −${size}`;
}

/** A moment on the axis of a chart whose labels are `step` milliseconds apart. */
export function axis(at, step) {
  if (step < 86_400_000) return shortClock.format(at);
  return step < 28 * 86_400_000 ? day.format(at) : month.format(at);
}

/** `24 Nov, 14:02:11`, in the browser's zone. */
export function moment(at) {
  return `${day.format(at)}, ${clock.format(at)}`;
}

/** `14:02:11`. */
export function time(at) {
  return clock.format(at);
}

/** `2026-11-24 08:32:11 UTC`. */
export function utc(at) {
  return `${new Date(at).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

/** `3 s`, `4 min`, `2 h`. */
export function span(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 90) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 90 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
}
