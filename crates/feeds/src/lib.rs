//! Market data from CoinGecko and alternative.me, figures of the economy from FRED, and simulated markets for trying
//! things out.
//!
//! Every call has time-outs, a bound on the answer and bounded retries; a source that asks us to
//! wait is left alone.

mod alternative_me;
mod coingecko;
mod fred;
mod http;
mod simulated;
mod simulated_markets;

pub use alternative_me::AlternativeMe;
pub use coingecko::CoinGecko;
pub use fred::{Fred, Observation, is_series};
pub use http::{FeedClient, OpenError, Options, install_tls};
pub use simulated::Simulated;
pub use simulated_markets::SimulatedMarkets;
