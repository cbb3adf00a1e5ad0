// The page's arithmetic, against the rules of the ledger. Needs no gateway.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

const source = await readFile(new URL("../../crates/console/assets/money.js", import.meta.url), "utf8");
const money = await import(`data:text/javascript,${encodeURIComponent(source)}`);

test("amounts are read exactly, or refused with a sentence", () => {
  const good = [
    ["1000", "inr", 100_000n],
    ["1000.5", "inr", 100_050n],
    ["1000.50", "inr", 100_050n],
    [" ₹ 1,00,000.01 ", "inr", 10_000_001n],
    ["1,234,567", "inr", 123_456_700n],
    [".5", "inr", 50n],
    ["5.", "inr", 500n],
    ["0.00000001", "btc", 1n],
    ["21", "btc", 2_100_000_000n],
    ["90071992547409.93", "inr", 9_007_199_254_740_993n],
  ];
  for (const [text, currency, value] of good) assert.deepEqual(money.parseAmount(text, currency), { value }, text);
  const bad = ["", " ", "0", "0.00", ".", "-1", "+1", "1e3", "0x10", "Infinity", "NaN", "1.001", "1..2", "1,2", "1,50", "0,500", "12,34.5,6", "१२", "1 000", "9".repeat(30)];
  for (const text of bad) {
    const answer = money.parseAmount(text, "inr");
    assert.equal(answer.value, undefined, text);
    assert.match(answer.error, /\.$/, text);
  }
  for (const text of ["0.000000001", "0,001", "1,000"]) assert.ok(money.parseAmount(text, "btc").error, text);
});

test("the documented sample comes out as its formula says", () => {
  assert.deepEqual(money.convert("buy", "inr", 100_000n, 4_095_000n), { paise: 100_000n, sats: 24_420n });
});

test("the named side is exact and the other goes against the customer by less than one unit", () => {
  for (const { rate, amount } of samples()) {
    for (const action of ["buy", "sell"]) {
      for (const currency of ["inr", "btc"]) {
        const sides = money.convert(action, currency, amount, rate);
        if (!sides) continue;
        assert.equal(currency === "inr" ? sides.paise : sides.sats, amount);
        // what the house gains, in paise times satoshis per bitcoin
        const gain = (sides.paise * money.SATS_PER_BTC - sides.sats * rate * 100n) * (action === "buy" ? 1n : -1n);
        const unit = currency === "inr" ? rate * 100n : money.SATS_PER_BTC;
        assert.ok(gain >= 0n && gain < unit, `${action} ${amount} ${currency} at ${rate}: ${gain}`);
      }
    }
  }
});

test("a trade that rounds to nothing is none", () => {
  assert.equal(money.convert("buy", "inr", 1n, 9_000_000_000n), null);
  assert.equal(money.convert("sell", "btc", 1n, 100_000n), null);
  assert.equal(money.convert("buy", "inr", 100n, 0n), null);
});

test("a share never costs more than there is, and all of it leaves less than one unit", () => {
  for (const { rate, amount: available } of samples()) {
    for (const percent of [25, 50, 75, 100]) {
      for (const action of ["buy", "sell"]) {
        for (const currency of ["inr", "btc"]) {
          const value = money.portion(action, currency, percent, available, rate);
          const sides = money.convert(action, currency, value, rate);
          if (!sides) continue;
          const cost = action === "buy" ? sides.paise : sides.sats;
          assert.ok(cost * 100n <= available * BigInt(percent), `${action} ${percent} % of ${available} as ${currency} at ${rate}`);
        }
      }
    }
  }
});

test("money is written exactly", () => {
  assert.equal(money.inr(0n), "₹0.00");
  assert.equal(money.inr(12_345_678n), "₹1,23,456.78");
  assert.equal(money.inr(-5n), "−₹0.05");
  assert.equal(money.inr(9_007_199_254_740_993n), "₹9,00,71,99,25,47,409.93");
  assert.equal(money.btc(24_420n), "0.00024420");
  assert.equal(money.btc(-100_000_001n), "−1.00000001");
  assert.equal(money.rate(4_095_000n), "₹40,95,000");
  assert.equal(money.plain(100_050n, "inr"), "1000.50");
  assert.equal(money.plain(100_000n, "inr"), "1000");
  assert.equal(money.plain(24_420n, "btc"), "0.0002442");
  assert.equal(money.plain(100_000_000n, "btc"), "1");
});

test("what is written into the field is read back as the same amount", () => {
  for (const { amount } of samples()) {
    for (const currency of ["inr", "btc"]) {
      assert.deepEqual(money.parseAmount(money.plain(amount, currency), currency), { value: amount });
    }
  }
});

test("only exact integers of an answer count as money", () => {
  assert.equal(money.integer(5), 5n);
  assert.equal(money.integer(2n ** 60n), 2n ** 60n);
  for (const value of [1.5, "5", null, undefined, Number.NaN, 2 ** 53]) assert.equal(money.integer(value), null);
});

/** Rates and amounts over the whole range, the same in every run. */
function* samples() {
  let state = 0x2545_f491_4f6c_dd1dn;
  const next = (below) => {
    state ^= (state << 13n) & 0xffff_ffff_ffff_ffffn;
    state ^= state >> 7n;
    state ^= (state << 17n) & 0xffff_ffff_ffff_ffffn;
    return state % below;
  };
  for (let round = 0; round < 2_000; round += 1) {
    yield { rate: 1n + next(10n ** (1n + next(9n))), amount: 1n + next(10n ** (1n + next(15n))) };
  }
}
