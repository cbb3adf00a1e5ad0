// Indicators. Values are arrays of numbers or Float64Arrays; candles are rows as `fetchOHLCV` gives them.
(function (kit) {
  "use strict";
  const { $, freeze } = kit;
  const { isArray } = Array;
  const rows = (value) => isArray(value) && isArray(value[0]);
  const NAMES = ["timestamp", "open", "high", "low", "close", "volume"];
  const columns = (candles, ...names) => $.ta("columns", [candles], names.map((name) => NAMES.indexOf(name)));
  // closes, where candles are given
  const one = (value) => (rows(value) ? columns(value, "close").close : value);
  // candles, or one column after the other; and what follows them
  const several = (names, values) => {
    if (rows(values[0]) || values[0]?.close !== undefined) {
      const all = rows(values[0]) ? columns(values[0], ...names) : values[0];
      return [names.map((name) => all[name]), values.slice(1)];
    }
    return [values.slice(0, names.length), values.slice(names.length)];
  };
  const OHLC = ["high", "low", "close"];
  const series = (value) => (typeof value === "number" ? [value, value] : one(value));
  return freeze({
    columns: (candles) => columns(candles),
    sma: (values, period = 20) => $.ta("sma", [one(values)], [period]),
    ema: (values, period = 20) => $.ta("ema", [one(values)], [period]),
    rsi: (values, period = 14) => $.ta("rsi", [one(values)], [period]),
    macd: (values, fast = 12, slow = 26, signal = 9) => $.ta("macd", [one(values)], [fast, slow, signal]),
    bollinger: (values, period = 20, width = 2) => $.ta("bollinger", [one(values)], [period, width]),
    atr: (...values) => {
      const [all, [period = 14]] = several(OHLC, values);
      return $.ta("atr", all, [period]);
    },
    vwap: (...values) => {
      const [all, [period]] = several([...OHLC, "volume"], values);
      return $.ta("vwap", all, period === undefined ? [] : [period]);
    },
    stochastic: (...values) => {
      const [all, [period = 14, signal = 3, smooth = 1]] = several(OHLC, values);
      return $.ta("stochastic", all, [period, signal, smooth]);
    },
    highest: (values, period = 14) => $.ta("highest", [rows(values) ? columns(values, "high").high : values], [period]),
    lowest: (values, period = 14) => $.ta("lowest", [rows(values) ? columns(values, "low").low : values], [period]),
    crossover: (a, b) => $.ta("crossover", [series(a), series(b)]),
    crossunder: (a, b) => $.ta("crossunder", [series(a), series(b)]),
  });
})
