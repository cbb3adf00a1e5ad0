// What scripts of workers find: `Stels`, `logger`, exchanges, indicators, and the globals of the web.
//
// Put this file beside your scripts; add `export {}` at the end of a script so that editors take it for a module and
// allow `await` at its top. A script is the body of an async function: `return` is allowed there too.

type JsonValue = null | boolean | number | string | JsonValue[] | { [name: string]: JsonValue };
type Dictionary<T> = { [name: string]: T };

// ───────────────────────────── Stels ─────────────────────────────

/** A part of a key. Numbers are ordered by their value. */
type KeyPart = string | number | boolean | Uint8Array;
type Key = readonly KeyPart[];

interface Entry<T = any> {
  key: KeyPart[];
  /** `null` where there is none. */
  value: T | null;
  /** Twenty hex digits that rise with every change; `null` where there is none. */
  versionstamp: string | null;
}

interface Committed {
  ok: boolean;
  versionstamp?: string;
}

interface SetOptions {
  /** Milliseconds after which it is gone. */
  expireIn?: number;
}

interface ListSelector {
  prefix?: Key;
  start?: Key;
  end?: Key;
}

interface ListOptions {
  limit?: number;
  reverse?: boolean;
  cursor?: string;
  batchSize?: number;
}

interface Listing<T = any> extends AsyncIterableIterator<Entry<T>> {
  /** Where a later listing may go on. */
  readonly cursor: string;
}

/** Changes that happen together, if every check holds. */
interface Batch {
  check(...checks: { key: Key; versionstamp: string | null }[]): Batch;
  set(key: Key, value: unknown, options?: SetOptions): Batch;
  delete(key: Key): Batch;
  commit(): Promise<Committed>;
}

/** An ordered store of JSON values: `Stels.net` is the owner's on every node, `Stels.local` that of this node. */
interface Store {
  get<T = any>(key: Key): Promise<Entry<T>>;
  getMany<T = any>(keys: readonly Key[]): Promise<Entry<T>[]>;
  set(key: Key, value: unknown, options?: SetOptions): Promise<Committed>;
  delete(key: Key): Promise<void>;
  /** Sets the value if the key's versionstamp is still this one (`null`: there is none). */
  cas(key: Key, versionstamp: string | null, value: unknown, options?: SetOptions): Promise<Committed>;
  atomic(): Batch;
  list<T = any>(selector: ListSelector & ListOptions, options?: ListOptions): Listing<T>;
  /** How things are, then how they are after each change. Quick changes may be seen as one. */
  watch<T = any>(key: Key, options?: { signal?: AbortSignal }): AsyncIterableIterator<Entry<T>>;
  watch<T = any>(keys: readonly Key[], options?: { signal?: AbortSignal }): AsyncIterableIterator<Entry<T>[]>;
}

interface WebfixMessage {
  /** Where it is kept; `Stels.net` unless said otherwise. */
  brain?: Store;
  method?: "set" | "get";
  channel: Key;
  module?: string;
  raw?: Dictionary<any>;
  /** Milliseconds; now, unless said otherwise. */
  timestamp?: number;
  expireIn?: number;
}

interface WalletKeys {
  privateKey: string;
  publicKey: string;
  address: string;
  number: string;
}

interface BasicTransaction {
  from: { address: string; publicKey: string; number: string };
  to: string;
  amount: number;
  fee: number;
  timestamp: number;
  hash: string;
  signature: string;
  validators: string[];
  verified: boolean;
  data?: string;
}

interface SmartTransaction {
  type: "smart";
  method: "smart.exec";
  args: { ops: Dictionary<any>[]; memo?: string };
  from: string;
  fee: string;
  currency: string;
  prev_hash: string | null;
  timestamp: number;
  signatures: { kid: string; alg: string; sig: string }[];
  raw?: string;
  raw_encoding?: "utf8";
  raw_sha256?: string;
}

/** The client's library for wallets and transactions; also the module `gliesereum`. */
interface Blockchain {
  createWallet(): WalletKeys;
  importWallet(privateKey: string): WalletKeys;
  validateAddress(address: string): boolean;
  getAddress(publicKey: string): string;
  getCardNumber(address: string): string;
  sign(text: string, wallet: WalletKeys | string): string;
  verify(text: string, signature: string, publicKey: string): boolean;
  deterministicStringify(value: unknown): string;
  createSignedTransaction(wallet: WalletKeys, to: string, amount: number, fee: number, data?: string): BasicTransaction;
  createSmartTransaction(
    wallet: WalletKeys,
    ops: Dictionary<any>[],
    fee: string,
    memo?: string | null,
    prevHash?: string | null,
    rawData?: string,
  ): SmartTransaction;
  validateTransaction(transaction: BasicTransaction): boolean;
}

type Numbers = ArrayLike<number> & (Float64Array | number[]);
type Candles = readonly Candle[];
interface Columns {
  timestamp: Float64Array;
  open: Float64Array;
  high: Float64Array;
  low: Float64Array;
  close: Float64Array;
  volume: Float64Array;
}

/** Indicators: one value for each candle, `NaN` until there are enough. Candles stand for their closes. */
interface Indicators {
  columns(candles: Candles): Columns;
  sma(values: Numbers | Candles, period?: number): Float64Array;
  ema(values: Numbers | Candles, period?: number): Float64Array;
  rsi(values: Numbers | Candles, period?: number): Float64Array;
  macd(
    values: Numbers | Candles,
    fast?: number,
    slow?: number,
    signal?: number,
  ): { macd: Float64Array; signal: Float64Array; histogram: Float64Array };
  bollinger(
    values: Numbers | Candles,
    period?: number,
    width?: number,
  ): { upper: Float64Array; middle: Float64Array; lower: Float64Array };
  atr(candles: Candles | Columns, period?: number): Float64Array;
  atr(high: Numbers, low: Numbers, close: Numbers, period?: number): Float64Array;
  /** From the first candle on, or over the last `period`. */
  vwap(candles: Candles | Columns, period?: number): Float64Array;
  vwap(high: Numbers, low: Numbers, close: Numbers, volume: Numbers, period?: number): Float64Array;
  stochastic(
    candles: Candles | Columns,
    period?: number,
    signal?: number,
    smooth?: number,
  ): { k: Float64Array; d: Float64Array };
  stochastic(
    high: Numbers,
    low: Numbers,
    close: Numbers,
    period?: number,
    signal?: number,
    smooth?: number,
  ): { k: Float64Array; d: Float64Array };
  highest(values: Numbers | Candles, period?: number): Float64Array;
  lowest(values: Numbers | Candles, period?: number): Float64Array;
  /** Did `a` rise above `b` with its last value? */
  crossover(a: Numbers | Candles, b: Numbers | Candles | number): boolean;
  /** Did `a` fall below `b` with its last value? */
  crossunder(a: Numbers | Candles, b: Numbers | Candles | number): boolean;
}

interface StelsApi {
  readonly config: {
    /** The node. */
    readonly nid: string;
    readonly network: string;
    /** The worker. */
    readonly sid: string;
    /** The worker's exchange account, which an exchange opened without arguments is. */
    readonly account: string | null;
    /** What `setAccount` was given as the account's `protocol`: its owner's strategy. */
    readonly protocol: any;
    /** How often the node tells of itself, in milliseconds. */
    readonly tick: number;
  };
  /** When the worker was started, in milliseconds. */
  readonly startTime: number;
  readonly net: Store;
  readonly local: Store;
  readonly runtime: { readonly cex: Exchanges };
  readonly ta: Indicators;
  readonly blockchain: Blockchain;
  /** The wallet whose the worker is; no keys. */
  readonly wallet: { readonly address: string | null; readonly number: string | null };
  /** Waits so many milliseconds, at most 86,400,000. Stopping the worker ends it at once. */
  sleep(ms: number): Promise<void>;
  /** Publishes on a channel and keeps the message under the channel's parts; or reads it. */
  webfix(message: WebfixMessage): Promise<any>;
}

declare const Stels: StelsApi;

declare const logger: {
  debug(...values: unknown[]): void;
  info(...values: unknown[]): void;
  warn(...values: unknown[]): void;
  error(...values: unknown[]): void;
};

/** Is the worker to stop? Who asks is trusted to end soon: its sleeps end well instead of throwing. */
declare function shouldStop(): boolean;
/** Is aborted when the worker is to stop. */
declare const signal: AbortSignal;

declare module "gliesereum" {
  export const createWallet: Blockchain["createWallet"];
  export const importWallet: Blockchain["importWallet"];
  export const validateAddress: Blockchain["validateAddress"];
  export const getAddress: Blockchain["getAddress"];
  export const getCardNumber: Blockchain["getCardNumber"];
  export const sign: Blockchain["sign"];
  export const verify: Blockchain["verify"];
  export const deterministicStringify: Blockchain["deterministicStringify"];
  export const createSignedTransaction: Blockchain["createSignedTransaction"];
  export const createSmartTransaction: Blockchain["createSmartTransaction"];
  export const validateTransaction: Blockchain["validateTransaction"];
  export const blockchain: Blockchain;
  export const cex: Exchanges;
  const library: Blockchain;
  export default library;
}

// ─────────────────────── exchanges, as CCXT has them ───────────────────────

type Params = Dictionary<any>;
type OrderParams = Params & { clientOrderId?: string };
type Side = "buy" | "sell";
type OrderType = "limit" | "market" | (string & {});
/** Time, open, high, low, close, volume. */
type Candle = [number, number, number, number, number, number];

interface Market {
  id: string;
  symbol: string;
  base: string;
  quote: string;
  settle?: string;
  type: string;
  spot: boolean;
  swap: boolean;
  future: boolean;
  option: boolean;
  active?: boolean;
  contract: boolean;
  linear?: boolean;
  inverse?: boolean;
  taker?: number;
  maker?: number;
  contractSize?: number;
  precision: { amount?: number; price?: number; cost?: number };
  limits: Dictionary<{ min?: number; max?: number }>;
  info: any;
  [field: string]: any;
}

interface Ticker {
  symbol: string;
  timestamp?: number;
  datetime?: string;
  high?: number;
  low?: number;
  bid?: number;
  bidVolume?: number;
  ask?: number;
  askVolume?: number;
  vwap?: number;
  open?: number;
  close?: number;
  last?: number;
  previousClose?: number;
  change?: number;
  percentage?: number;
  average?: number;
  baseVolume?: number;
  quoteVolume?: number;
  info: any;
}

interface OrderBook {
  symbol: string;
  bids: [price: number, amount: number][];
  asks: [price: number, amount: number][];
  timestamp?: number;
  datetime?: string;
  nonce?: number;
}

interface Fee {
  cost?: number;
  currency?: string;
  rate?: number;
}

interface Trade {
  id?: string;
  order?: string;
  symbol: string;
  timestamp?: number;
  datetime?: string;
  type?: string;
  side?: Side;
  takerOrMaker?: "taker" | "maker";
  price: number;
  amount: number;
  cost?: number;
  fee?: Fee;
  info: any;
}

interface Order {
  id: string;
  clientOrderId?: string;
  symbol: string;
  timestamp?: number;
  datetime?: string;
  lastTradeTimestamp?: number;
  status?: "open" | "closed" | "canceled" | "expired" | "rejected" | (string & {});
  type?: string;
  timeInForce?: string;
  postOnly?: boolean;
  reduceOnly?: boolean;
  side?: Side;
  price?: number;
  triggerPrice?: number;
  average?: number;
  amount?: number;
  filled?: number;
  remaining?: number;
  cost?: number;
  fee?: Fee;
  trades?: Trade[];
  info: any;
}

interface OrderRequest {
  symbol: string;
  type: OrderType;
  side: Side;
  amount?: number;
  price?: number;
  params?: OrderParams;
}

interface Balance {
  free?: number;
  used?: number;
  total?: number;
}

interface Balances {
  info: any;
  free: Dictionary<number>;
  used: Dictionary<number>;
  total: Dictionary<number>;
  timestamp?: number;
  datetime?: string;
  [currency: string]: any;
}

interface Position {
  symbol: string;
  id?: string;
  side?: "long" | "short";
  contracts?: number;
  contractSize?: number;
  entryPrice?: number;
  markPrice?: number;
  notional?: number;
  leverage?: number;
  collateral?: number;
  unrealizedPnl?: number;
  liquidationPrice?: number;
  marginMode?: "cross" | "isolated";
  percentage?: number;
  timestamp?: number;
  info: any;
}

interface FundingRate {
  symbol: string;
  fundingRate?: number;
  fundingTimestamp?: number;
  nextFundingRate?: number;
  markPrice?: number;
  indexPrice?: number;
  timestamp?: number;
  info: any;
}

/** What an exchange is opened with. Without anything it is the worker's account, whose keys no script ever sees. */
interface ExchangeConfig {
  apiKey?: string;
  secret?: string;
  password?: string;
  /** The `nid` of one of the owner's accounts. */
  account?: string;
  sandbox?: boolean;
  [option: string]: any;
}

interface ExchangeConstructor {
  new (config?: ExchangeConfig): Exchange;
  (config?: ExchangeConfig): Exchange;
}

interface Exchanges {
  binance: ExchangeConstructor;
  bybit: ExchangeConstructor;
  okx: ExchangeConstructor;
  coinbase: ExchangeConstructor;
  kraken: ExchangeConstructor;
  kucoin: ExchangeConstructor;
  htx: ExchangeConstructor;
  gate: ExchangeConstructor;
  bitget: ExchangeConstructor;
  upbit: ExchangeConstructor;
  paper: ExchangeConstructor;
  gateio: ExchangeConstructor;
  huobi: ExchangeConstructor;
  readonly exchanges: readonly string[];
}

/** CCXT's other methods, with its arguments. */
type OtherMethod =
    | "addMargin" | "borrowCrossMargin" | "borrowIsolatedMargin" | "borrowMargin" | "cancelAllOrdersAfter"
    | "cancelAllOrdersWs" | "cancelOrderWithClientOrderId" | "cancelOrderWs" | "cancelOrdersForSymbols"
    | "cancelOrdersWithClientOrderId" | "cancelOrdersWs" | "closeAllPositions" | "createConvertTrade"
    | "createDepositAddress" | "createLimitBuyOrderWs" | "createLimitOrderWs" | "createLimitSellOrderWs"
    | "createMarketBuyOrderWithCostWs" | "createMarketBuyOrderWs" | "createMarketOrderWithCostWs"
    | "createMarketOrderWs" | "createMarketSellOrderWithCostWs" | "createMarketSellOrderWs"
    | "createOrderWithTakeProfitAndStopLoss" | "createOrderWithTakeProfitAndStopLossWs" | "createOrderWs"
    | "createPostOnlyOrder" | "createPostOnlyOrderWs" | "createReduceOnlyOrder" | "createReduceOnlyOrderWs"
    | "createStopLimitOrder" | "createStopLimitOrderWs" | "createStopLossOrder" | "createStopLossOrderWs"
    | "createStopMarketOrder" | "createStopMarketOrderWs" | "createStopOrder" | "createStopOrderWs"
    | "createTakeProfitOrder" | "createTakeProfitOrderWs" | "createTrailingAmountOrder"
    | "createTrailingAmountOrderWs" | "createTrailingPercentOrder" | "createTrailingPercentOrderWs"
    | "createTriggerOrder" | "createTriggerOrderWs" | "editLimitBuyOrder" | "editLimitOrder" | "editLimitSellOrder"
    | "editOrderWithClientOrderId" | "editOrderWs" | "editOrders" | "fetchADLRank" | "fetchAccounts"
    | "fetchAllGreeks" | "fetchBalanceWs" | "fetchBorrowInterest" | "fetchBorrowRate" | "fetchBorrowRateHistories"
    | "fetchBorrowRateHistory" | "fetchBorrowRates" | "fetchBorrowRatesPerSymbol" | "fetchClosedOrder"
    | "fetchClosedOrdersWs" | "fetchConvertCurrencies" | "fetchConvertQuote" | "fetchConvertTrade"
    | "fetchConvertTradeHistory" | "fetchCrossBorrowRate" | "fetchCrossBorrowRates" | "fetchCurrenciesWs"
    | "fetchDeposit" | "fetchDepositAddresses" | "fetchDepositAddressesByNetwork" | "fetchDepositMethodId"
    | "fetchDepositMethodIds" | "fetchDepositWithdrawFee" | "fetchDepositWithdrawFees" | "fetchDeposits"
    | "fetchDepositsWithdrawals" | "fetchDepositsWs" | "fetchFreeBalance" | "fetchFundingHistory"
    | "fetchFundingInterval" | "fetchFundingIntervals" | "fetchFundingRates" | "fetchGreeks" | "fetchIndexOHLCV"
    | "fetchIsolatedBorrowRate" | "fetchIsolatedBorrowRates" | "fetchIsolatedPositions" | "fetchL2OrderBook"
    | "fetchL3OrderBook" | "fetchLastPrices" | "fetchLedgerEntry" | "fetchLeverageTiers" | "fetchLeverages"
    | "fetchLiquidations" | "fetchLongShortRatio" | "fetchLongShortRatioHistory" | "fetchMarginAdjustmentHistory"
    | "fetchMarginMode" | "fetchMarginModes" | "fetchMarkOHLCV" | "fetchMarkPrice" | "fetchMarkPrices"
    | "fetchMarketLeverageTiers" | "fetchMarketsWs" | "fetchMyBuys" | "fetchMyLiquidations" | "fetchMySells"
    | "fetchMySettlementHistory" | "fetchMyTradesWs" | "fetchNetworkDepositAddress" | "fetchOHLCVWs"
    | "fetchOpenInterest" | "fetchOpenInterestHistory" | "fetchOpenInterests" | "fetchOpenOrder"
    | "fetchOpenOrdersWs" | "fetchOption" | "fetchOptionChain" | "fetchOrderBookWs" | "fetchOrderBooks"
    | "fetchOrderWithClientOrderId" | "fetchOrderWs" | "fetchOrdersByStatus" | "fetchOrdersWs"
    | "fetchPositionADLRank" | "fetchPositionHistory" | "fetchPositionMode" | "fetchPositionWs"
    | "fetchPositionsADLRank" | "fetchPositionsForSymbol" | "fetchPositionsForSymbolWs" | "fetchPositionsHistory"
    | "fetchPositionsRisk" | "fetchPositionsWs" | "fetchPremiumIndexOHLCV" | "fetchSettlementHistory"
    | "fetchTickerWs" | "fetchTickersWs" | "fetchTotalBalance" | "fetchTradesWs" | "fetchTradingFees"
    | "fetchTradingFeesWs" | "fetchTradingLimits" | "fetchTransactionFee" | "fetchTransactionFees"
    | "fetchTransactions" | "fetchTransfer" | "fetchTransfers" | "fetchUnderlyingAssets" | "fetchUsedBalance"
    | "fetchVolatilityHistory" | "fetchWithdrawAddresses" | "fetchWithdrawal" | "fetchWithdrawalWhitelist"
    | "fetchWithdrawals" | "fetchWithdrawalsWs" | "reduceMargin" | "repayCrossMargin" | "repayIsolatedMargin"
    | "repayMargin" | "setMargin" | "signIn" | "unWatchMyTrades" | "unWatchOHLCV" | "unWatchOHLCVForSymbols"
    | "unWatchOrderBook" | "unWatchOrderBookForSymbols" | "unWatchOrders" | "unWatchPositions" | "unWatchTicker"
    | "unWatchTickers" | "unWatchTrades" | "unWatchTradesForSymbols" | "watchBidsAsks" | "watchLiquidations"
    | "watchLiquidationsForSymbols" | "watchMyLiquidations" | "watchMyLiquidationsForSymbols"
    | "watchOHLCVForSymbols" | "watchOrderBookForSymbols" | "watchOrdersForSymbols" | "watchPosition"
    | "watchPositions" | "watchStatus" | "watchTradesForSymbols";

interface Exchange extends Readonly<Record<OtherMethod, (...values: any[]) => Promise<any>>> {
  readonly id: string;
  readonly name: string;
  readonly has: Dictionary<boolean>;
  readonly timeframes: Dictionary<string>;
  options: Params;
  /** After `loadMarkets`. */
  markets?: Dictionary<Market>;
  markets_by_id?: Dictionary<Market[]>;
  symbols?: string[];
  ids?: string[];
  currencies?: Dictionary<any>;

  // ── market data ──
  loadMarkets(reload?: boolean): Promise<Dictionary<Market>>;
  fetchMarkets(params?: Params): Promise<Market[]>;
  fetchCurrencies(params?: Params): Promise<Dictionary<unknown>>;
  fetchTime(params?: Params): Promise<number>;
  fetchStatus(params?: Params): Promise<{ status: string; updated?: number; eta?: number; url?: string;
    info: unknown }>;
  fetchTicker(symbol: string, params?: Params): Promise<Ticker>;
  fetchTickers(symbols?: string[], params?: Params): Promise<Dictionary<Ticker>>;
  fetchBidsAsks(symbols?: string[], params?: Params): Promise<Dictionary<Ticker>>;
  fetchOrderBook(symbol: string, limit?: number, params?: Params): Promise<OrderBook>;
  fetchTrades(symbol: string, since?: number, limit?: number, params?: Params): Promise<Trade[]>;
  fetchOHLCV(symbol: string, timeframe?: string, since?: number, limit?: number, params?: Params): Promise<Candle[]>;
  fetchFundingRate(symbol: string, params?: Params): Promise<FundingRate>;
  fetchFundingRateHistory(symbol?: string, since?: number, limit?: number, params?: Params): Promise<FundingRate[]>;
  // ── orders; `params.clientOrderId` names one ──
  createOrder(symbol: string, type: OrderType, side: Side, amount: number, price?: number,
    params?: OrderParams): Promise<Order>;
  createLimitOrder(symbol: string, side: Side, amount: number, price: number, params?: OrderParams): Promise<Order>;
  createLimitBuyOrder(symbol: string, amount: number, price: number, params?: OrderParams): Promise<Order>;
  createLimitSellOrder(symbol: string, amount: number, price: number, params?: OrderParams): Promise<Order>;
  createMarketOrder(symbol: string, side: Side, amount: number, price?: number, params?: OrderParams): Promise<Order>;
  createMarketBuyOrder(symbol: string, amount: number, params?: OrderParams): Promise<Order>;
  createMarketSellOrder(symbol: string, amount: number, params?: OrderParams): Promise<Order>;
  createMarketOrderWithCost(symbol: string, side: Side, cost: number, params?: OrderParams): Promise<Order>;
  createMarketBuyOrderWithCost(symbol: string, cost: number, params?: OrderParams): Promise<Order>;
  createMarketSellOrderWithCost(symbol: string, cost: number, params?: OrderParams): Promise<Order>;
  createOrders(orders: OrderRequest[], params?: Params): Promise<Order[]>;
  editOrder(id: string, symbol: string, type: OrderType, side: Side, amount?: number, price?: number,
    params?: OrderParams): Promise<Order>;
  cancelOrder(id: string, symbol?: string, params?: Params): Promise<Order>;
  cancelOrders(ids: string[], symbol?: string, params?: Params): Promise<Order[]>;
  cancelAllOrders(symbol?: string, params?: Params): Promise<Order[]>;
  fetchOrder(id: string, symbol?: string, params?: Params): Promise<Order>;
  fetchOrders(symbol?: string, since?: number, limit?: number, params?: Params): Promise<Order[]>;
  fetchOpenOrders(symbol?: string, since?: number, limit?: number, params?: Params): Promise<Order[]>;
  fetchClosedOrders(symbol?: string, since?: number, limit?: number, params?: Params): Promise<Order[]>;
  fetchCanceledOrders(symbol?: string, since?: number, limit?: number, params?: Params): Promise<Order[]>;
  fetchCanceledAndClosedOrders(symbol?: string, since?: number, limit?: number, params?: Params): Promise<Order[]>;
  fetchOrderTrades(id: string, symbol?: string, since?: number, limit?: number, params?: Params): Promise<Trade[]>;
  fetchMyTrades(symbol?: string, since?: number, limit?: number, params?: Params): Promise<Trade[]>;
  // ── the account ──
  fetchBalance(params?: Params): Promise<Balances>;
  fetchLedger(code?: string, since?: number, limit?: number, params?: Params): Promise<unknown[]>;
  fetchDepositAddress(code: string, params?: Params): Promise<{ currency: string; address: string; tag?: string;
    network?: string; info: unknown }>;
  transfer(code: string, amount: number, fromAccount: string, toAccount: string, params?: Params): Promise<unknown>;
  withdraw(code: string, amount: number, address: string, tag?: string, params?: Params): Promise<unknown>;
  fetchTradingFee(symbol: string, params?: Params): Promise<{ symbol: string; maker: number; taker: number;
    info: unknown }>;
  fetchPosition(symbol: string, params?: Params): Promise<Position>;
  fetchPositions(symbols?: string[], params?: Params): Promise<Position[]>;
  closePosition(symbol: string, side?: Side, params?: Params): Promise<Order>;
  fetchLeverage(symbol: string, params?: Params): Promise<unknown>;
  setLeverage(leverage: number, symbol?: string, params?: Params): Promise<unknown>;
  setMarginMode(marginMode: "cross" | "isolated", symbol?: string, params?: Params): Promise<unknown>;
  setPositionMode(hedged: boolean, symbol?: string, params?: Params): Promise<unknown>;
  // ── streams: each promise is the next change ──
  watchTicker(symbol: string, params?: Params): Promise<Ticker>;
  watchTickers(symbols?: string[], params?: Params): Promise<Dictionary<Ticker>>;
  watchOrderBook(symbol: string, limit?: number, params?: Params): Promise<OrderBook>;
  watchTrades(symbol: string, since?: number, limit?: number, params?: Params): Promise<Trade[]>;
  watchOHLCV(symbol: string, timeframe?: string, since?: number, limit?: number, params?: Params): Promise<Candle[]>;
  watchBalance(params?: Params): Promise<Balances>;
  watchOrders(symbol?: string, since?: number, limit?: number, params?: Params): Promise<Order[]>;
  watchMyTrades(symbol?: string, since?: number, limit?: number, params?: Params): Promise<Trade[]>;

  // ── helpers ──
  setMarkets(markets: Market[]): Dictionary<Market>;
  market(symbol: string): Market;
  marketId(symbol: string): string;
  amountToPrecision(symbol: string, amount: number | string): string;
  priceToPrecision(symbol: string, price: number | string): string;
  costToPrecision(symbol: string, cost: number | string): string;
  feeToPrecision(symbol: string, fee: number | string): string;
  currencyToPrecision(code: string, amount: number | string): string;
  setSandboxMode(enabled: boolean): void;
  checkRequiredCredentials(): boolean;
  milliseconds(): number;
  seconds(): number;
  microseconds(): number;
  nonce(): number;
  iso8601(ms: number): string | undefined;
  parse8601(text: string): number | undefined;
  parseTimeframe(timeframe: string): number;
  sleep(ms: number): Promise<void>;
  uuid(): string;
  close(): Promise<void>;
}

// ───────────────────────── errors, as CCXT has them ─────────────────────────

declare class BaseError extends Error {}
declare class ExchangeError extends BaseError {}
declare class ArgumentsRequired extends ExchangeError {}
declare class AuthenticationError extends ExchangeError {}
declare class AccountSuspended extends AuthenticationError {}
declare class PermissionDenied extends AuthenticationError {}
declare class AccountNotEnabled extends PermissionDenied {}
declare class BadRequest extends ExchangeError {}
declare class BadSymbol extends BadRequest {}
declare class ExchangeClosedByUser extends ExchangeError {}
declare class InsufficientFunds extends ExchangeError {}
declare class InvalidAddress extends ExchangeError {}
declare class AddressPending extends InvalidAddress {}
declare class InvalidOrder extends ExchangeError {}
declare class ContractUnavailable extends InvalidOrder {}
declare class DuplicateOrderId extends InvalidOrder {}
declare class OrderImmediatelyFillable extends InvalidOrder {}
declare class OrderNotCached extends InvalidOrder {}
declare class OrderNotFillable extends InvalidOrder {}
declare class OrderNotFound extends InvalidOrder {}
declare class InvalidProxySettings extends ExchangeError {}
declare class NotSupported extends ExchangeError {}
declare class OperationRejected extends ExchangeError {}
declare class ManualInteractionNeeded extends OperationRejected {}
declare class MarketClosed extends OperationRejected {}
declare class NoChange extends OperationRejected {}
declare class MarginModeAlreadySet extends NoChange {}
declare class RestrictedLocation extends OperationRejected {}
declare class OperationFailed extends BaseError {}
declare class BadResponse extends OperationFailed {}
declare class NullResponse extends BadResponse {}
declare class CancelPending extends OperationFailed {}
declare class NetworkError extends OperationFailed {}
declare class DDoSProtection extends NetworkError {}
declare class ExchangeNotAvailable extends NetworkError {}
declare class OnMaintenance extends ExchangeNotAvailable {}
declare class InvalidNonce extends NetworkError {}
declare class ChecksumError extends InvalidNonce {}
declare class RateLimitExceeded extends NetworkError {}
declare class RequestTimeout extends NetworkError {}
declare class UnsubscribeError extends BaseError {}

// ───────────────────────── the web, as far as it is here ─────────────────────────

declare class DOMException extends Error {
  constructor(message?: string, name?: string);
  readonly code: number;
}

interface EventInit {
  bubbles?: boolean;
  cancelable?: boolean;
  composed?: boolean;
}

declare class Event {
  constructor(type: string, init?: EventInit);
  readonly type: string;
  readonly bubbles: boolean;
  readonly cancelable: boolean;
  readonly composed: boolean;
  readonly defaultPrevented: boolean;
  readonly target: EventTarget | null;
  readonly currentTarget: EventTarget | null;
  readonly timeStamp: number;
  preventDefault(): void;
  stopPropagation(): void;
  stopImmediatePropagation(): void;
}

declare class CustomEvent<T = any> extends Event {
  constructor(type: string, init?: EventInit & { detail?: T });
  readonly detail: T;
}

declare class MessageEvent<T = any> extends Event {
  constructor(type: string, init?: EventInit & { data?: T; origin?: string });
  readonly data: T;
  readonly origin: string;
}

declare class CloseEvent extends Event {
  constructor(type: string, init?: EventInit & { code?: number; reason?: string; wasClean?: boolean });
  readonly code: number;
  readonly reason: string;
  readonly wasClean: boolean;
}

type Listener = ((event: any) => void) | { handleEvent(event: any): void };

declare class EventTarget {
  addEventListener(type: string, listener: Listener | null, options?: boolean | { once?: boolean;
    signal?: AbortSignal }): void;
  removeEventListener(type: string, listener: Listener | null): void;
  dispatchEvent(event: Event): boolean;
}

declare class AbortSignal extends EventTarget {
  private constructor();
  readonly aborted: boolean;
  readonly reason: any;
  onabort: ((event: Event) => void) | null;
  throwIfAborted(): void;
  static abort(reason?: any): AbortSignal;
  static timeout(ms: number): AbortSignal;
  static any(signals: AbortSignal[]): AbortSignal;
}

declare class AbortController {
  readonly signal: AbortSignal;
  abort(reason?: any): void;
}

declare class URLSearchParams {
  constructor(init?: string | Dictionary<string> | Iterable<[string, string]> | URLSearchParams);
  readonly size: number;
  append(name: string, value: string): void;
  delete(name: string, value?: string): void;
  get(name: string): string | null;
  getAll(name: string): string[];
  has(name: string, value?: string): boolean;
  set(name: string, value: string): void;
  sort(): void;
  forEach(each: (value: string, name: string, params: URLSearchParams) => void, self?: any): void;
  entries(): IterableIterator<[string, string]>;
  keys(): IterableIterator<string>;
  values(): IterableIterator<string>;
  [Symbol.iterator](): IterableIterator<[string, string]>;
  toString(): string;
}

declare class URL {
  constructor(url: string | URL, base?: string | URL);
  static canParse(url: string | URL, base?: string | URL): boolean;
  static parse(url: string | URL, base?: string | URL): URL | null;
  href: string;
  protocol: string;
  username: string;
  password: string;
  host: string;
  hostname: string;
  port: string;
  pathname: string;
  search: string;
  hash: string;
  readonly origin: string;
  readonly searchParams: URLSearchParams;
  toString(): string;
  toJSON(): string;
}

type HeadersInit = Headers | Dictionary<string> | Iterable<[string, string]>;
type BodyInit = string | ArrayBuffer | ArrayBufferView | URLSearchParams;

declare class Headers {
  constructor(init?: HeadersInit);
  append(name: string, value: string): void;
  set(name: string, value: string): void;
  get(name: string): string | null;
  getSetCookie(): string[];
  has(name: string): boolean;
  delete(name: string): void;
  forEach(each: (value: string, name: string, headers: Headers) => void, self?: any): void;
  entries(): IterableIterator<[string, string]>;
  keys(): IterableIterator<string>;
  values(): IterableIterator<string>;
  [Symbol.iterator](): IterableIterator<[string, string]>;
}

interface RequestInit {
  method?: string;
  headers?: HeadersInit;
  body?: BodyInit | null;
  redirect?: "follow" | "error" | "manual";
  signal?: AbortSignal;
}

interface Body {
  /** There are no streams: bodies come whole. */
  readonly body: null;
  readonly bodyUsed: boolean;
  bytes(): Promise<Uint8Array>;
  arrayBuffer(): Promise<ArrayBuffer>;
  text(): Promise<string>;
  json(): Promise<any>;
}

interface Request extends Body {}
declare class Request {
  constructor(input: string | URL | Request, init?: RequestInit);
  readonly url: string;
  readonly method: string;
  readonly headers: Headers;
  readonly redirect: "follow" | "error" | "manual";
  readonly signal?: AbortSignal;
  clone(): Request;
}

interface Response extends Body {}
declare class Response {
  constructor(body?: BodyInit | null, init?: { status?: number; statusText?: string; headers?: HeadersInit });
  readonly ok: boolean;
  readonly status: number;
  readonly statusText: string;
  readonly headers: Headers;
  readonly url: string;
  readonly redirected: boolean;
  readonly type: string;
  clone(): Response;
  static json(value: unknown, init?: { status?: number; statusText?: string; headers?: HeadersInit }): Response;
  static error(): Response;
  static redirect(url: string | URL, status?: number): Response;
}

/** Private addresses and those of the node's own network are refused. */
declare function fetch(input: string | URL | Request, init?: RequestInit): Promise<Response>;

declare class WebSocket extends EventTarget {
  static readonly CONNECTING: 0;
  static readonly OPEN: 1;
  static readonly CLOSING: 2;
  static readonly CLOSED: 3;
  readonly CONNECTING: 0;
  readonly OPEN: 1;
  readonly CLOSING: 2;
  readonly CLOSED: 3;
  constructor(url: string | URL, protocols?: string | string[]);
  readonly url: string;
  readonly protocol: string;
  readonly extensions: string;
  readonly readyState: 0 | 1 | 2 | 3;
  readonly bufferedAmount: number;
  binaryType: "arraybuffer";
  onopen: ((event: Event) => void) | null;
  onmessage: ((event: MessageEvent<string | ArrayBuffer>) => void) | null;
  onerror: ((event: Event) => void) | null;
  onclose: ((event: CloseEvent) => void) | null;
  send(data: string | ArrayBuffer | ArrayBufferView): void;
  close(code?: number, reason?: string): void;
}

declare class TextEncoder {
  readonly encoding: "utf-8";
  encode(text?: string): Uint8Array;
  encodeInto(text: string, into: Uint8Array): { read: number; written: number };
}

declare class TextDecoder {
  constructor(label?: string, options?: { fatal?: boolean; ignoreBOM?: boolean });
  readonly encoding: "utf-8";
  readonly fatal: boolean;
  readonly ignoreBOM: boolean;
  decode(bytes?: ArrayBuffer | ArrayBufferView, options?: { stream?: boolean }): string;
}

declare function atob(text: string): string;
declare function btoa(text: string): string;
declare function structuredClone<T>(value: T): T;
declare function queueMicrotask(run: () => void): void;
declare function setTimeout<V extends any[]>(run: (...values: V) => void, ms?: number, ...values: V): number;
declare function setInterval<V extends any[]>(run: (...values: V) => void, ms?: number, ...values: V): number;
declare function clearTimeout(id?: number): void;
declare function clearInterval(id?: number): void;
declare function gc(): void;

interface HmacKey {
  readonly type: "secret";
  readonly extractable: false;
  readonly algorithm: { name: "HMAC"; hash: { name: string } };
  readonly usages: string[];
}

/** SHA-1, SHA-256, SHA-384 and SHA-512, and HMAC with each. */
declare const crypto: {
  readonly subtle: {
    digest(algorithm: string | { name: string }, data: ArrayBuffer | ArrayBufferView): Promise<ArrayBuffer>;
    importKey(
      format: "raw",
      data: ArrayBuffer | ArrayBufferView,
      algorithm: { name: "HMAC"; hash: string | { name: string } },
      extractable: boolean,
      usages: string[],
    ): Promise<HmacKey>;
    sign(algorithm: "HMAC" | { name: "HMAC" }, key: HmacKey, data: ArrayBuffer | ArrayBufferView): Promise<ArrayBuffer>;
    verify(
      algorithm: "HMAC" | { name: "HMAC" },
      key: HmacKey,
      signature: ArrayBuffer | ArrayBufferView,
      data: ArrayBuffer | ArrayBufferView,
    ): Promise<boolean>;
  };
  getRandomValues<T extends ArrayBufferView>(array: T): T;
  randomUUID(): string;
};

declare const performance: { now(): number; readonly timeOrigin: number };

/** Goes to the worker's log. */
declare const console: {
  log(...values: unknown[]): void;
  info(...values: unknown[]): void;
  debug(...values: unknown[]): void;
  warn(...values: unknown[]): void;
  error(...values: unknown[]): void;
  dir(value: unknown): void;
  table(value: unknown): void;
  trace(...values: unknown[]): void;
  assert(truth: unknown, ...values: unknown[]): void;
  count(label?: string): void;
  countReset(label?: string): void;
  time(label?: string): void;
  timeEnd(label?: string): void;
  group(...values: unknown[]): void;
  groupCollapsed(...values: unknown[]): void;
  groupEnd(): void;
  clear(): void;
};

interface DenoAddress {
  transport: "tcp";
  hostname: string;
  port: number;
}

type DenoHandler = (request: Request, info: { remoteAddr: DenoAddress }) => Response | Promise<Response>;

interface DenoServeOptions {
  /** 8000 where it is absent; 0 for any that is free. */
  port?: number;
  signal?: AbortSignal;
  onListen?(address: DenoAddress): void;
  onError?(error: unknown): Response | Promise<Response>;
}

interface DenoServer {
  readonly addr: DenoAddress;
  readonly finished: Promise<void>;
  shutdown(): Promise<void>;
  ref(): void;
  unref(): void;
}

declare const Deno: {
  /** Of this worker's engine, in bytes. */
  memoryUsage(): { rss: number; heapTotal: number; heapUsed: number; external: number };
  loadavg(): [number, number, number];
  /**
   * Answers requests at a port of the node's loopback that its operator admits, as long as the worker runs. `finished`
   * fails with `AddrInUse`, `PermissionDenied` or `QuotaExceeded` where it cannot listen.
   */
  serve(handler: DenoHandler): DenoServer;
  serve(options: DenoServeOptions & { handler: DenoHandler }): DenoServer;
  serve(options: DenoServeOptions, handler: DenoHandler): DenoServer;
  readonly env: { get(name: string): undefined; has(name: string): false; toObject(): {} };
};
