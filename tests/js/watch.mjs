// Watches gateways as the documented client does, whatever happens to them: a line for each connection,
// log-in and price. ORRERY_URLS holds their addresses, with commas; ORRERY_TOKEN somebody's token.

import { io } from "socket.io-client";

const { ORRERY_URLS: urls, ORRERY_TOKEN: token } = process.env;
for (const url of urls.split(",")) {
  const say = (...words) => console.log([url, ...words].join(" "));
  const socket = io(url, { transports: ["websocket", "polling"], forceNew: true, reconnectionDelayMax: 1_000 });
  socket.on("connect", () => {
    say("connected");
    socket.emit("authenticate", token);
  });
  socket.on("disconnect", (reason) => say("lost", reason));
  socket.on("authentication_success", () => say("authenticated"));
  socket.on("authentication_error", (error) => say("refused", error.error));
  socket.on("btc_price_update", (price) => say("price", price.btc_usd_price));
  socket.on("order_executed", (order) => say("executed", order.orderId));
}
