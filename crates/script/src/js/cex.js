// Exchanges behind CCXT's methods. What a method does is the host's; here are names, arguments, and CCXT's helpers.
(function (kit) {
  "use strict";
  const { $, callText, failure, freeze, hide, part, sleep, stringify, parse, mapGet, mapSet, mapDelete } = kit;
  const invoke = (self, method, values) =>
    callText(`cex.${self.id}.${method}`, `{"config":${self[CONFIG]},"arguments":${stringify(values)}}`);
  const CONFIG = Symbol("config");
  const described = { __proto__: null };
  const describe = (id) => (described[id] ??= $.venue(id));
  const digits = (number) => (typeof number === "string" ? number : plain(Number(number)));
  // without an exponent, as exchanges take them
  const plain = (number) => {
    const text = `${number}`;
    const found = /^(-?)(\d)(?:\.(\d+))?e([+-]\d+)$/.exec(text);
    if (found === null) return text;
    const [, sign, whole, fraction = "", exponent] = found;
    const shift = Number(exponent);
    const all = whole + fraction;
    if (shift < 0) return `${sign}0.${"0".repeat(-shift - 1)}${all}`;
    return sign + all + "0".repeat(Math.max(0, shift - fraction.length));
  };
  const UNITS = { s: 1, m: 60, h: 3600, d: 86400, w: 604800, M: 2592000, y: 31536000 };

  const arrange = (exchange, markets, byId) => {
    exchange.markets = markets;
    exchange.markets_by_id = byId;
    exchange.symbols = Object.keys(markets).sort();
    exchange.ids = Object.keys(byId).sort();
  };
  // an object whose values are made when they are looked at; all else is as with any object
  const dictionary = (places, make) => {
    const reveal = (target, name) => {
      const place = mapGet(places, name);
      if (place === undefined) return;
      mapDelete(places, name);
      target[name] = make(place);
    };
    // names are there from the beginning, so that they are listed in their order
    const target = {};
    for (const name of places.keys()) target[name] = undefined;
    return new Proxy(target, {
      get: (_, name) => {
        reveal(target, name);
        return target[name];
      },
      set: (_, name, value) => {
        mapDelete(places, name);
        target[name] = value;
        return true;
      },
      deleteProperty: (_, name) => {
        mapDelete(places, name);
        return delete target[name];
      },
    });
  };
  const lazily = (exchange, kept) => {
    const names = $.marketNames(kept);
    const symbols = new Map();
    const ids = new Map();
    for (let i = 0; i < names.length; i += 2) {
      mapSet(symbols, names[i], i / 2);
      const same = mapGet(ids, names[i + 1]);
      if (same === undefined) mapSet(ids, names[i + 1], [names[i]]);
      else same.push(names[i]);
    }
    const markets = dictionary(symbols, (place) => $.market(kept, place));
    arrange(exchange, markets, dictionary(ids, (all) => all.map((symbol) => markets[symbol])));
  };

  const helpers = {
    get name() {
      return describe(this.id).name;
    },
    get has() {
      return describe(this.id).has;
    },
    get timeframes() {
      return describe(this.id).timeframes;
    },
    async loadMarkets(reload = false) {
      if (this.markets === undefined || reload) {
        const kept = await callText(`cex.${this.id}.fetchMarkets`, `{"config":${this[CONFIG]},"arguments":[]}`,
          undefined, true);
        lazily(this, kept);
      }
      return this.markets;
    },
    setMarkets(list) {
      const markets = {};
      const byId = {};
      for (const market of list) {
        markets[market.symbol] = market;
        (byId[market.id] ??= []).push(market);
      }
      arrange(this, markets, byId);
      return markets;
    },
    market(symbol) {
      if (this.markets === undefined) throw failure("ExchangeError", `${this.id} markets not loaded`);
      const market = this.markets[symbol] ?? this.markets_by_id[symbol]?.[0];
      if (market === undefined) throw failure("BadSymbol", `${this.id} does not have market symbol ${symbol}`);
      return market;
    },
    marketId(symbol) {
      return this.market(symbol).id;
    },
    amountToPrecision(symbol, amount) {
      const step = this.market(symbol).precision?.amount;
      const text = toStep(amount, step, false);
      if (Number(text) === 0) {
        const message = `${this.id} amount of ${symbol} must be greater than minimum amount precision of ${step}`;
        throw failure("InvalidOrder", message);
      }
      return text;
    },
    priceToPrecision(symbol, price) {
      const step = this.market(symbol).precision?.price;
      const text = toStep(price, step, true);
      if (Number(text) === 0) {
        const message = `${this.id} price of ${symbol} must be greater than minimum price precision of ${step}`;
        throw failure("InvalidOrder", message);
      }
      return text;
    },
    costToPrecision(symbol, cost) {
      return toStep(cost, this.market(symbol).precision?.price, false);
    },
    feeToPrecision(symbol, fee) {
      return toStep(fee, this.market(symbol).precision?.price, true);
    },
    currencyToPrecision(code, amount) {
      return toStep(amount, this.currencies?.[code]?.precision, true);
    },
    setSandboxMode(enabled) {
      this[CONFIG] = stringify({ ...(parse(this[CONFIG]) ?? {}), sandbox: Boolean(enabled) });
    },
    checkRequiredCredentials: () => true,
    milliseconds: () => Date.now(),
    seconds: () => Math.floor(Date.now() / 1000),
    microseconds: () => Date.now() * 1000,
    nonce: () => Math.floor(Date.now() / 1000),
    iso8601: (ms) => (Number.isFinite(ms) && ms >= 0 ? new Date(ms).toISOString() : undefined),
    parse8601: (text) => {
      if (typeof text !== "string") return undefined;
      const ms = Date.parse(/(Z|[+-]\d\d:?\d\d)$/.test(text) ? text : `${text.replace(" ", "T")}Z`);
      return Number.isNaN(ms) ? undefined : ms;
    },
    parseTimeframe: (timeframe) => Number(timeframe.slice(0, -1)) * UNITS[timeframe.slice(-1)],
    sleep: (ms) => sleep(ms),
    uuid: () => part("crypto").crypto.randomUUID(),
    close: async () => {},
  };
  const toStep = (number, step, nearest) => {
    const text = digits(number);
    return step === undefined || step === null ? text : $.toStep(text, digits(step), nearest) ?? text;
  };
  const method = (name) => {
    const { [name]: called } = {
      [name](...values) {
        return invoke(this, name, values);
      },
    };
    hide(called, "length", 0);
    return called;
  };
  // methods are made when they are first asked for
  const methods = new Proxy({}, {
    get: (_, name) => {
      if (typeof name !== "string" || !$.isMethod(name)) return undefined;
      const made = method(name);
      hide(helpers, name, made);
      return made;
    },
    has: (_, name) => typeof name === "string" && $.isMethod(name),
  });
  Object.setPrototypeOf(helpers, methods);

  const names = $.venues();
  const cex = {};
  for (const id of [...names, "gateio", "huobi"]) {
    const venue = { gateio: "gate", huobi: "htx" }[id] ?? id;
    // a plain function, so that it can be called with and without `new`
    const open = function (config) {
      const exchange = Object.create(helpers);
      exchange.id = venue;
      hide(exchange, CONFIG, stringify(config ?? null));
      exchange.options = {};
      exchange.markets = undefined;
      exchange.currencies = undefined;
      return exchange;
    };
    hide(open, "name", id);
    cex[id] = open;
  }
  cex.exchanges = freeze(names);
  return freeze(cex);
})
