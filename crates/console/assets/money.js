// Exact money. Rupees are counted in paise and bitcoin in satoshis, both as BigInt; a rate is whole
// rupees per bitcoin. Nothing here uses a floating-point number.

export const SATS_PER_BTC = 100_000_000n;
const PAISE_PER_RUPEE = 100n;
// the ledger takes no larger amount
const AMOUNT_MAX = 4_000_000_000_000_000_000n;

const grouped = new Intl.NumberFormat("en-IN", { maximumFractionDigits: 0 });

/** An integer of a JSON answer as BigInt; null for anything that is not an exact integer. */
export function integer(value) {
  if (typeof value === "bigint") return value;
  return Number.isSafeInteger(value) ? BigInt(value) : null;
}

/** Text of an amount field to minor units: `{ value }`, or `{ error }` with a sentence to show. */
export function parseAmount(text, currency) {
  const decimals = currency === "inr" ? 2 : 8;
  const trimmed = text.trim().replace(/^₹\s*/, "");
  if (trimmed === "") return { error: "Enter an amount." };
  // commas only where they can't be meant as a decimal point
  const grouping = currency === "inr" && /^[1-9]\d{0,2}(,\d{2,3})*,\d{3}(\.\d*)?$/.test(trimmed);
  const plain = grouping ? trimmed.replaceAll(",", "") : trimmed;
  const match = /^(\d*)(?:\.(\d*))?$/.exec(plain);
  if (!match || (!match[1] && !match[2])) {
    return { error: `Use digits and a point, such as ${currency === "inr" ? "1000.50" : "0.001"}.` };
  }
  const [, whole, fraction = ""] = match;
  if (fraction.length > decimals) {
    return { error: `At most ${decimals} decimals for ${currency === "inr" ? "rupees" : "bitcoin"}.` };
  }
  if (whole.length > 20) return { error: "That is more than one order can carry." };
  const value = BigInt(whole || "0") * 10n ** BigInt(decimals) + BigInt(fraction.padEnd(decimals, "0"));
  if (value === 0n) return { error: "Enter more than zero." };
  if (value > AMOUNT_MAX) return { error: "That is more than one order can carry." };
  return { value };
}

/**
 * Both sides of a trade, rounded as the ledger rounds: the side that was named is exact, the other
 * one goes against the customer by less than one minor unit. Null when a side rounds to nothing.
 */
export function convert(action, currency, amount, rate) {
  const paisePerBtc = rate * PAISE_PER_RUPEE;
  if (paisePerBtc <= 0n) return null;
  let paise = amount;
  let sats = amount;
  if (currency === "inr") {
    const worth = amount * SATS_PER_BTC;
    sats = action === "buy" ? worth / paisePerBtc : ceilDiv(worth, paisePerBtc);
  } else {
    const worth = amount * paisePerBtc;
    paise = action === "buy" ? ceilDiv(worth, SATS_PER_BTC) : worth / SATS_PER_BTC;
  }
  return paise > 0n && sats > 0n ? { paise, sats } : null;
}

/** The amount, in `currency`, that spends `percent` of what is available; never more than there is. */
export function portion(action, currency, percent, available, rate) {
  const part = (available * BigInt(percent)) / 100n;
  const own = action === "buy" ? "inr" : "btc";
  if (currency === own) return part;
  const paisePerBtc = rate * PAISE_PER_RUPEE;
  return own === "inr" ? (part * SATS_PER_BTC) / paisePerBtc : (part * paisePerBtc) / SATS_PER_BTC;
}

/** What satoshis fetch at a rate, in paise, rounded down. */
export function worth(sats, rate) {
  return (sats * rate * PAISE_PER_RUPEE) / SATS_PER_BTC;
}

function ceilDiv(a, b) {
  return (a + b - 1n) / b;
}

/** Plain decimal text for a field or a request: `1000`, `1000.50`, `0.0002442`. */
export function plain(value, currency) {
  const decimals = currency === "inr" ? 2 : 8;
  const unit = 10n ** BigInt(decimals);
  const fraction = (value % unit).toString().padStart(decimals, "0");
  const kept = currency === "inr" ? (fraction === "00" ? "" : fraction) : fraction.replace(/0+$/, "");
  return `${value / unit}${kept && "."}${kept}`;
}

/** `₹1,23,456.78`; a real minus sign. */
export function inr(paise) {
  const size = paise < 0n ? -paise : paise;
  const cents = (size % PAISE_PER_RUPEE).toString().padStart(2, "0");
  return `${paise < 0n ? "−" : ""}₹${grouped.format(size / PAISE_PER_RUPEE)}.${cents}`;
}

/** `0.00024420`; a real minus sign, no unit. */
export function btc(sats) {
  const size = sats < 0n ? -sats : sats;
  const fraction = (size % SATS_PER_BTC).toString().padStart(8, "0");
  return `${sats < 0n ? "−" : ""}${grouped.format(size / SATS_PER_BTC)}.${fraction}`;
}

/** `₹40,95,000`: a rate, which has no paise. */
export function rate(rupees) {
  return `₹${grouped.format(rupees)}`;
}
