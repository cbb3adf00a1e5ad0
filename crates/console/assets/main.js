// Puts the page together.

import * as account from "./account.js";
import * as chart from "./chart-panel.js";
import { id, show, text } from "./dom.js";
import * as entry from "./entry.js";
import * as history from "./history.js";
import * as live from "./live.js";
import * as market from "./market.js";
import * as menu from "./menu.js";
import { toast } from "./notices.js";
import { restore, user } from "./session.js";
import * as ticket from "./ticket.js";

const RESTORE_AGAIN_MS = 5_000;

for (const part of [menu, entry, account, history, ticket, market, chart]) part.start();
user.watch((who) => {
  const desk = id("desk");
  desk.dataset.who = who === undefined ? "unknown" : who ? "somebody" : "nobody";
  show(id("entry"), who === null);
  show(id("ticket-pane"), Boolean(who));
  show(id("balances"), Boolean(who));
});
entry.setup();
live.start();
text(id("zone"), `Times: ${Intl.DateTimeFormat().resolvedOptions().timeZone}`);
tryRestore(true);

/** The stored session stays stored while the server is away, and is checked again when it is back. */
async function tryRestore(first) {
  try {
    await restore();
  } catch {
    if (first) toast("The server cannot be reached; your session is kept.");
    setTimeout(() => tryRestore(false), RESTORE_AGAIN_MS);
  }
}
