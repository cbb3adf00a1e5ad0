//! Tokens: the network's own, and those that wallets found.

use orrery_crypto::json::JsValue;
use orrery_crypto::transaction::{self, genesis_text};
use orrery_kernel::{Asset, Error, ErrorCode, Result};
use orrery_wallets::{Session, Stored, Token};

use super::{TOKENS_MAX, Wallets};
use crate::Ctx;

/// The number of the chain, as tokens are signed for it.
pub const CHAIN_ID: i64 = 2;
/// Tokens in one answer.
const LISTED_MAX: u32 = 1_000;
/// Largest certificate, bytes of JSON.
const GENESIS_BYTES_MAX: usize = 262_144;

/// The network's own token.
pub(super) struct Native {
    /// `token:sha256:…`, the digest of its certificate.
    pub id: String,
    /// The certificate.
    pub genesis: JsValue,
}

impl Native {
    pub fn of(network: &str) -> Self {
        let draft = certificate(network, None);
        let text = genesis_text(&draft).unwrap_or_default();
        let digest = orrery_crypto::sha256(text.as_bytes());
        let id = format!("token:sha256:{}", digest.iter().map(|b| format!("{b:02x}")).collect::<String>());
        let genesis = certificate(network, Some(&id));
        Self { id, genesis }
    }
}

/// The certificate of a network's own token. It is not signed: nobody founded it, the ledger holds it.
pub fn native(network: &str) -> JsValue {
    Native::of(network).genesis
}

fn certificate(network: &str, id: Option<&str>) -> JsValue {
    let currency = Asset::TST.code();
    let decimals = f64::from(Asset::TST.decimals());
    let domain = transaction::TOKEN_DOMAIN.map(JsValue::from).to_vec();
    JsValue::from([
        ("$schema", "https://stels.io/schemas/token-genesis-1.0.json".into()),
        ("version", "1.0.0".into()),
        (
            "network",
            JsValue::from([
                ("id", network.into()),
                ("name", network.into()),
                ("environment", "runtime".into()),
                ("chain_id", (CHAIN_ID as f64).into()),
            ]),
        ),
        (
            "protocol",
            JsValue::from([
                ("tx_version", "smart-1.0".into()),
                ("canonicalization", "gls-det-1".into()),
                ("encoding", "utf-8".into()),
                ("sign_domains", JsValue::from([("token", JsValue::Array(domain))])),
            ]),
        ),
        (
            "token",
            JsValue::from([
                ("id", id.map_or(JsValue::Null, JsValue::from)),
                ("standard", "fungible".into()),
                (
                    "metadata",
                    JsValue::from([
                        ("name", "STELS Test Token".into()),
                        ("symbol", currency.into()),
                        ("decimals", decimals.into()),
                        ("description", "The currency of fees and transfers on this network".into()),
                    ]),
                ),
                (
                    "economics",
                    JsValue::from([(
                        "supply",
                        JsValue::from([("initial", "0".into()), ("mintingPolicy", "operator".into())]),
                    )]),
                ),
            ]),
        ),
        (
            "parameters",
            JsValue::from([(
                "currency",
                JsValue::from([
                    ("symbol", currency.into()),
                    ("decimals", decimals.into()),
                    ("fee_unit", "10^-6 TST".into()),
                ]),
            )]),
        ),
    ])
}

impl Wallets {
    /// The network's own token's certificate.
    pub fn native_genesis(&self) -> &JsValue {
        &self.native.genesis
    }

    /// Tokens that wallets founded, oldest first.
    pub async fn tokens(&self) -> Result<Vec<Token>> {
        Ok(self.ports.store.tokens(LISTED_MAX).await?)
    }

    /// Stores a token's certificate, signed by the session's wallet. The ledger does not hold its units: there is
    /// no way to issue or move them yet.
    ///
    /// # Errors
    /// `Invalid` names a field; `Forbidden` for another wallet's; `Conflict`.
    pub async fn set_token(
        &self,
        ctx: &Ctx,
        session: &Session,
        genesis: &JsValue,
        (public_key, signature): (&str, &str),
        domain: &[&str],
    ) -> Result<Token> {
        let read = transaction::Token::verify(genesis, public_key, signature, domain)
            .map_err(|e| Error::invalid(e.field, format!("{} {}", e.field, e.problem)))?;
        if read.issuer != session.address {
            return Err(Error::new(ErrorCode::Forbidden, "The session is of another wallet"));
        }
        let network = genesis.get("network").and_then(|n| n.get("id")).and_then(JsValue::as_str);
        if network != Some(self.network()) {
            return Err(Error::invalid("genesis.network", "genesis.network is another network"));
        }
        let text = genesis.to_json().unwrap_or_default();
        if text.len() > GENESIS_BYTES_MAX {
            return Err(Error::new(ErrorCode::TooLarge, "The certificate is larger than 256 KiB"));
        }
        let token = Token {
            id: read.id,
            issuer: read.issuer,
            genesis: text,
            public_key: public_key.to_owned(),
            signature: signature.to_owned(),
            at: ctx.now,
        };
        match self.ports.store.put_token(&token, TOKENS_MAX).await? {
            Stored::Full => Err(Error::new(ErrorCode::Conflict, format!("A wallet may found {TOKENS_MAX} tokens"))),
            Stored::Known => Err(Error::new(ErrorCode::Conflict, "There is a token of that id already")),
            Stored::New => {
                self.audit(ctx, &session.address, "token_set", token.id.clone(), "ok").await;
                Ok(token)
            }
        }
    }
}
