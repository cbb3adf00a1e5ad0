//! Market data from CoinGecko, alternative.me and a simulated source
