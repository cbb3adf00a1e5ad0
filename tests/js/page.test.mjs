// The page in a real browser, as people use it.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import axe from "axe-core";
import { chromium } from "playwright-core";
import { BASE, PATIENCE_MS, PRICE_PATIENCE_MS, call, freshEmail, freshPassword, register } from "./gateway.mjs";

const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
if (!existsSync(executablePath)) throw new Error(`no Chromium at ${executablePath}: install one, or name it in CHROMIUM`);

let browser;
before(async () => {
  browser = await chromium.launch({
    executablePath,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
});
after(() => browser?.close());

/** A fresh profile on the page. `faults` collects what must not happen: policy violations, errors. */
async function visit({ path = "/", colorScheme = "dark", width = 1440, height = 900, prepare } = {}) {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  const faults = [];
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") faults.push(message.text());
  });
  page.on("pageerror", (error) => faults.push(error.message));
  page.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(BASE) && !url.startsWith("data:")) faults.push(`a request elsewhere: ${url}`);
  });
  await page.exposeFunction("policyViolated", (what) => faults.push(what));
  await page.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) => {
      globalThis.policyViolated(`${event.violatedDirective}: ${event.blockedURI}`);
    });
  });
  await prepare?.(page);
  await page.goto(BASE + path);
  return { context, page, faults };
}

async function signUp(page) {
  const person = { name: "Ada Lovelace", email: freshEmail("ada"), password: freshPassword() };
  await page.fill("#register-name", person.name);
  await page.fill("#register-email", person.email);
  await page.fill("#register-password", person.password);
  await page.click('#register-form button[type="submit"]');
  await ready(page);
  return person;
}

async function logIn(page, { email, password }) {
  await page.click("#tab-login");
  await page.fill("#login-email", email);
  await page.fill("#login-password", password);
  await page.click('#login-form button[type="submit"]');
  await ready(page);
}

async function ready(page) {
  await page.waitForSelector('#balances[data-state="ready"]');
  await page.waitForSelector('#history[data-state="ready"], #history[data-state="empty"]');
  await page.waitForSelector('#connection[data-state="live"]');
}

const rows = (page) => page.locator("#rows tr").count();
const textOf = (page, selector) => page.locator(selector).textContent();

/** Waits until an element's text is another one. */
function changed(page, selector, from, timeout = PATIENCE_MS) {
  return page.waitForFunction(([one, old]) => document.querySelector(one).textContent !== old, [selector, from], { timeout });
}

describe("the page", () => {
  test("register, see the price move, buy, see balance and history change", async () => {
    const { context, page, faults } = await visit();
    await page.waitForSelector('#chart[data-state="ready"]');
    await page.waitForSelector('#mood[data-state="ready"]');
    await page.waitForSelector('#connection[data-state="live"]');
    await changed(page, "#usd", await textOf(page, "#usd"), PRICE_PATIENCE_MS);
    const { source } = (await call("GET", "/api/market-rates")).body;
    assert.equal(await page.locator(".bar .simulated").isVisible(), source === "simulated");

    await signUp(page);
    const [heldInr, heldBtc, before] = [await textOf(page, "#available-inr"), await textOf(page, "#available-btc"), await rows(page)];
    await page.fill("#amount", "1,234.56");
    await page.waitForFunction(() => document.querySelector("#pay").textContent === "₹1,234.56");
    assert.match(await textOf(page, "#get"), /^0\.\d{8} BTC$/);
    await page.press("#amount", "Enter");
    await page.waitForSelector("#order-done:not([hidden])");
    assert.match(await textOf(page, "#order-done"), /^Bought 0\.\d{8} BTC for ₹1,234\.56\.$/);
    await changed(page, "#available-inr", heldInr);
    await changed(page, "#available-btc", heldBtc);
    await page.waitForFunction((count) => document.querySelectorAll("#rows tr").length === count + 1, before);
    assert.match(await page.locator("#rows tr").first().textContent(), /Buy.*−₹1,234\.56/);
    assert.equal(await page.inputValue("#amount"), "");

    // all of it back, by the chip
    await page.check('input[name="action"][value="sell"]', { force: true });
    await page.check('input[name="currency"][value="btc"]', { force: true });
    await page.click('[data-percent="100"]');
    await page.click("#submit");
    await page.waitForFunction(() => document.querySelector("#order-done").textContent.startsWith("Sold"));
    await page.waitForFunction(() => document.querySelector("#available-btc").textContent === "0.00000000");

    // a reload keeps the session, another tab has none
    await page.reload();
    await ready(page);
    assert.equal(await textOf(page, "#available-btc"), "0.00000000");
    const other = await context.newPage();
    await other.goto(BASE);
    await other.waitForSelector("#entry:not([hidden])");

    await page.click("#menu-button");
    await page.click("#log-out");
    await page.waitForSelector("#entry:not([hidden])");
    assert.equal(await page.evaluate(() => sessionStorage.length), 0);
    assert.deepEqual(faults, []);
    await context.close();
  });

  test("what is wrong is said beside the field, before and by the server", async () => {
    const person = await register("Somebody");
    const { context, page } = await visit();
    await page.click('#register-form button[type="submit"]');
    for (const field of ["name", "email", "password"]) {
      assert.notEqual(await textOf(page, `#register-${field}-error`), "");
      assert.equal(await page.getAttribute(`#register-${field}`, "aria-invalid"), "true");
    }
    assert.equal(await page.evaluate(() => document.activeElement.id), "register-name");
    await page.fill("#register-name", "Somebody Else");
    await page.fill("#register-email", person.email);
    await page.fill("#register-password", freshPassword());
    await page.click('#register-form button[type="submit"]');
    await page.waitForFunction(() => /already exists/.test(document.querySelector("#register-email-error").textContent));

    await logIn(page, person);
    for (const [amount, words] of [["", /Enter/], ["abc", /digits/], ["0", /more than zero/], ["1.001", /decimals/], ["99999999999", /more than the/]]) {
      await page.fill("#amount", amount);
      await page.click("#submit");
      assert.match(await textOf(page, "#amount-error"), words);
    }
    const held = await textOf(page, "#available-inr");
    // the server has the last word: let the page believe in money that is not there
    await page.route("**/api/trade", (route) =>
      route.fulfill({ status: 400, contentType: "application/json", body: '{"error":"Insufficient INR balance. Required: ₹5, Available: ₹1"}' }),
    );
    await page.fill("#amount", "5");
    await page.click("#submit");
    await page.waitForFunction(() => /Insufficient INR/.test(document.querySelector("#amount-error").textContent));
    assert.equal(await textOf(page, "#available-inr"), held);
    assert.equal(await page.locator("#unconfirmed").isVisible(), false);
    await context.close();
  });

  test("an order whose answer is lost is sent again under its key and made once", async () => {
    const { context, page } = await visit();
    await signUp(page);
    const before = await rows(page);
    const keys = [];
    await page.route("**/api/trade", async (route) => {
      keys.push(route.request().headers()["idempotency-key"]);
      // the server makes the trade; the answer never arrives
      await route.fetch();
      await route.abort();
    });
    await page.fill("#amount", "4321");
    await page.click("#submit");
    await page.waitForSelector("#unconfirmed:not([hidden])");
    assert.ok(await page.isDisabled("#submit"));
    await page.reload();
    await page.waitForSelector("#unconfirmed:not([hidden])");
    await page.unroute("**/api/trade");
    const [request] = await Promise.all([page.waitForRequest("**/api/trade"), page.click("#order-retry")]);
    await page.waitForSelector("#order-done:not([hidden])");
    assert.equal(request.headers()["idempotency-key"], keys[0]);
    assert.match(keys[0], /^[0-9a-f]{32}$/);
    await page.waitForFunction((count) => document.querySelectorAll("#rows tr").length === count + 1, before);
    const texts = await page.locator("#rows tr").allTextContents();
    assert.equal(texts.filter((row) => row.includes("₹4,321.00")).length, 1);
    await context.close();
  });

  test("a fill in one window shows in another", async () => {
    const first = await visit();
    const person = await signUp(first.page);
    const second = await visit();
    await logIn(second.page, person);
    const held = await textOf(second.page, "#available-inr");
    await first.page.fill("#amount", "2500");
    await first.page.click("#submit");
    await changed(second.page, "#available-inr", held);
    await second.page.waitForFunction(() => /₹2,500\.00/.test(document.querySelector("#rows tr").textContent));
    await Promise.all([first.context.close(), second.context.close()]);
  });

  test("a lost connection is said, pauses trading, and mends", async () => {
    let cut = false;
    const wires = new Set();
    const { context, page } = await visit({
      prepare: (fresh) =>
        fresh.routeWebSocket(/\/socket\.io\//, (wire) => {
          if (cut) {
            wire.close();
            return;
          }
          wire.connectToServer();
          wires.add(wire);
        }),
    });
    await signUp(page);
    cut = true;
    for (const wire of wires) await wire.close();
    await page.waitForSelector("#banner:not([hidden])");
    await page.waitForFunction(() => /Trading is paused/.test(document.querySelector("#reason").textContent));
    assert.ok(await page.isDisabled("#submit"));
    cut = false;
    await page.click("#retry-now");
    await page.waitForSelector("#banner", { state: "hidden" });
    await page.waitForSelector("#submit:not([disabled])");
    await context.close();
  });

  test("a price that is too old pauses trading and says why", async () => {
    let quiet = false;
    const { context, page } = await visit({
      prepare: (fresh) =>
        fresh.routeWebSocket(/\/socket\.io\//, (wire) => {
          const server = wire.connectToServer();
          // with the feed dead no tick comes, which would say that the price is fresh again
          server.onMessage((message) => {
            if (!quiet || !String(message).includes("btc_price_update")) wire.send(message);
          });
        }),
    });
    await signUp(page);
    quiet = true;
    let stale = true;
    await page.route("**/api/market-rates", async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, json: { ...(await response.json()), stale } });
    });
    const look = (words) =>
      page.waitForFunction(
        (wanted) => {
          document.dispatchEvent(new Event("visibilitychange"));
          return document.querySelector("#reason").textContent.includes(wanted);
        },
        words,
        { polling: 200 },
      );
    await look("the price is too old");
    assert.ok(await page.isDisabled("#submit"));
    assert.ok(await page.isVisible("#stale"));
    stale = false;
    await look("");
    await page.waitForSelector("#submit:not([disabled])");
    await context.close();
  });

  test("the setup link's token leaves the address bar, and a wrong one is refused", async () => {
    const { context, page } = await visit({ path: "/setup#token=not-the-token-of-this-server" });
    await page.waitForSelector("#setup-view:not([hidden])");
    assert.equal(page.url(), `${BASE}/setup`);
    await page.fill("#setup-name", "First Admin");
    await page.fill("#setup-email", freshEmail("admin"));
    await page.fill("#setup-password", freshPassword());
    await page.click('#setup-form button[type="submit"]');
    await page.waitForFunction(() =>
      ["#setup-problem", "#setup-token-error"].some((one) => document.querySelector(one).textContent !== ""),
    );
    assert.equal(await page.evaluate(() => sessionStorage.length), 0);
    await context.close();
  });

  test("a password is changed in the menu, and the session goes on", async () => {
    const { context, page } = await visit();
    const person = await signUp(page);
    await page.click("#menu-button");
    await page.click("#change-password");
    await page.fill("#current-password", "not it at all");
    const fresh = freshPassword();
    await page.fill("#fresh-password", fresh);
    await page.click('#password-form button[type="submit"]');
    await page.waitForFunction(() => /incorrect/.test(document.querySelector("#current-password-error").textContent));
    await page.fill("#current-password", person.password);
    await page.click('#password-form button[type="submit"]');
    await page.waitForSelector("#password-dialog", { state: "hidden" });
    await page.reload();
    await ready(page);
    await context.close();
  });

  test("the keyboard reaches everything and the chart can be read with it", async () => {
    const { context, page } = await visit();
    await page.waitForSelector('#chart[data-state="ready"]');
    await page.waitForSelector("#entry:not([hidden])");
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
    await page.focus("#plot");
    await page.keyboard.press("Home");
    await page.waitForSelector("#legend:not([hidden])");
    const first = await page.getAttribute("#plot", "aria-valuetext");
    await page.keyboard.press("ArrowRight");
    assert.notEqual(await page.getAttribute("#plot", "aria-valuetext"), first);
    await page.focus("#table-toggle");
    await page.keyboard.press("Enter");
    assert.ok((await page.locator("#chart-table tr").count()) > 5);
    for (const frame of ["7d", "30d", "90d", "365d"]) {
      const summary = await textOf(page, "#chart-summary");
      await page.check(`input[name="frame"][value="${frame}"]`, { force: true });
      await changed(page, "#chart-summary", summary);
      await page.waitForSelector('#chart[data-state="ready"]');
    }
    await page.focus("#tab-register");
    await page.keyboard.press("ArrowRight");
    assert.equal(await page.evaluate(() => document.activeElement.id), "tab-login");
    assert.ok(await page.isVisible("#login-email"));
    await context.close();
  });
});

describe("accessibility", () => {
  let person;
  before(async () => {
    person = await register("Ada Lovelace");
  });

  for (const colorScheme of ["dark", "light"]) {
    for (const width of [1440, 390]) {
      test(`${colorScheme}, ${width} px: nothing serious, nothing cut off`, async () => {
        const { context, page, faults } = await visit({ colorScheme, width });
        await page.waitForSelector('#chart[data-state="ready"]');
        await page.waitForSelector("#entry:not([hidden])");
        await audit(page);
        await logIn(page, person);
        await page.fill("#amount", "1000");
        await page.click("#menu-button");
        await audit(page);
        await page.click("#change-password");
        await audit(page);
        await context.close();
        assert.deepEqual(faults, []);
      });
    }
  }

  test("the setup form", async () => {
    const { context, page } = await visit({ path: "/setup", colorScheme: "light" });
    await page.click('#setup-form button[type="submit"]');
    await audit(page);
    await context.close();
  });

  test("nothing is cut off at 320 px", async () => {
    const { context, page } = await visit({ width: 320, height: 640 });
    await page.waitForSelector('#chart[data-state="ready"]');
    await logIn(page, person);
    await page.fill("#amount", "1000");
    assert.deepEqual(await overflow(page), 0);
    await context.close();
  });
});

function overflow(page) {
  return page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
}

async function audit(page) {
  // through the debugger, which the page's policy does not bind
  await page.evaluate(axe.source);
  const { violations, passes } = await page.evaluate(() =>
    globalThis.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }),
  );
  const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  assert.deepEqual(
    serious.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.target.join(" ")).join(", ")}`),
    [],
  );
  assert.ok(passes.length > 10, "the audit looked at nothing");
  assert.equal(await overflow(page), 0);
}
