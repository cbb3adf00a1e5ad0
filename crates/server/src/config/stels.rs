//! `[stels]`: WebFix.

use std::time::Duration;

use super::check::{self, Reader};

/// `[stels]`.
#[derive(Clone, Debug)]
pub struct Stels {
    /// Small letters, digits and `-`.
    pub network: String,
    /// Of wallets.
    pub session: Duration,
    /// Addresses; empty lets all in.
    pub wallets: Vec<String>,
    /// May anybody read what is behind an address?
    pub public_wallet_info: bool,
    /// No slash at the end.
    pub public_url: Option<String>,
}

/// Reads them, reporting what is wrong.
pub(super) fn read(r: &mut Reader<'_>) -> Stels {
    let network = r.checked("stels.network", |name| {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let good = (1..=32).contains(&name.len()) && name.bytes().all(plain);
        if good { Ok(()) } else { Err("must be 1 to 32 small letters, digits and -".into()) }
    });
    let days: u64 = r.whole("stels.session_days", "days", 1..=3_650);
    let public_url = r.optional("stels.public_url").map(|url| url.trim_end_matches('/').to_owned());
    if let Some(Err(message)) = public_url.as_deref().map(check::http_url) {
        r.fault("stels.public_url", message);
    }
    Stels {
        network,
        session: Duration::from_secs(days * 86_400),
        wallets: r.parsed_list("stels.wallets", |address| {
            let good = orrery_crypto::is_address(address);
            if good { Ok(address.to_owned()) } else { Err(format!("{address:?} is not a wallet's address")) }
        }),
        public_wallet_info: r.flag("stels.public_wallet_info"),
        public_url,
    }
}
