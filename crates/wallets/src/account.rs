//! Exchange accounts of a wallet (document, "Create/Update Account").

use orrery_crypto::is_address;
use orrery_crypto::json::{Duplicates, JsObject, JsString, JsValue, parse};
use orrery_kernel::Timestamp;

/// Addresses that may look at an account.
pub const VIEWERS_MAX: usize = 100;
/// Characters of a text field.
pub const TEXT_MAX: usize = 1_024;
/// Characters of a name that becomes part of a channel's.
const NAME_MAX: usize = 64;
/// Bytes of the whole account as JSON.
const BYTES_MAX: usize = 65_536;
/// Fields that are sealed and never shown.
pub const SECRETS: [&str; 3] = ["apiKey", "secret", "password"];

/// A field of an account that cannot be kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} {problem}")]
pub struct AccountError {
    /// The field at fault.
    pub field: &'static str,
    /// What is wrong with it.
    pub problem: String,
}

/// What the account's owner lets the server do with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Trade.
    Active,
    /// Trade on paper.
    Learn,
    /// Nothing.
    Stopped,
}

impl Status {
    /// As in the document.
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Learn => "learn",
            Self::Stopped => "stopped",
        }
    }

    /// The status of that name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Active, Self::Learn, Self::Stopped].into_iter().find(|status| status.name() == name)
    }
}

/// An account as its owner sends it: checked, its secrets apart from the rest.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// Its name, the owner's choice.
    pub nid: String,
    /// Exchange, in small letters.
    pub exchange: String,
    /// Who else may look at it.
    pub viewers: Vec<String>,
    /// All fields but the secrets, JSON.
    pub public: String,
    /// Those of [`SECRETS`] that were sent, JSON.
    pub secrets: String,
}

impl NewAccount {
    /// Checks and splits the document's `account`.
    pub fn read(account: &JsValue) -> Result<Self, AccountError> {
        let wrong = |field, problem: &str| AccountError { field, problem: problem.into() };
        let members = account.as_object().ok_or_else(|| wrong("account", "has to be an object"))?;
        let text = |key: &str| members.get(key).and_then(JsValue::as_str);
        let name = |key: &'static str, field: &'static str| {
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            // dots and slashes would make another channel of it
            let good = |s: &&str| (1..=NAME_MAX).contains(&s.len()) && s.chars().all(plain);
            text(key).filter(good).ok_or_else(|| wrong(field, "has to be 1 to 64 letters, digits, - and _"))
        };
        let nid = name("nid", "account.nid")?.to_owned();
        let exchange = name("exchange", "account.exchange")?.to_ascii_lowercase();
        if members.get("connection").and_then(JsValue::as_bool).is_none() {
            return Err(wrong("account.connection", "has to be true or false"));
        }
        if text("status").and_then(Status::parse).is_none() {
            return Err(wrong("account.status", "has to be active, learn or stopped"));
        }
        let short = |key: &'static str, field: &'static str, needed: bool| match members.get(key) {
            None | Some(JsValue::Null) if !needed => Ok(()),
            Some(JsValue::String(s)) if s.as_str().is_some() && s.utf16_len() <= TEXT_MAX => Ok(()),
            _ => Err(wrong(field, "has to be a text of at most 1024 characters")),
        };
        short("note", "account.note", false)?;
        short("apiKey", "account.apiKey", true)?;
        short("secret", "account.secret", true)?;
        short("password", "account.password", false)?;
        match members.get("protocol") {
            None | Some(JsValue::Null | JsValue::Object(_)) => {}
            Some(_) => return Err(wrong("account.protocol", "has to be an object")),
        }
        let list = |key: &'static str, field: &'static str| match members.get(key) {
            None | Some(JsValue::Null) => Ok(Vec::new()),
            Some(JsValue::Array(items)) if items.len() <= VIEWERS_MAX => {
                let texts: Option<Vec<String>> = items.iter().map(|item| item.as_str().map(str::to_owned)).collect();
                texts.ok_or_else(|| wrong(field, "has to be a list of texts"))
            }
            Some(_) => Err(wrong(field, "has to be a list of at most 100 texts")),
        };
        list("workers", "account.workers")?;
        let mut viewers = list("viewers", "account.viewers")?;
        viewers.sort();
        viewers.dedup();
        if !viewers.iter().all(|viewer| is_address(viewer)) {
            return Err(wrong("account.viewers", "has to be a list of addresses"));
        }
        let json = |members: JsObject| JsValue::Object(members).to_json().unwrap_or_default();
        let public = json(members.without(&SECRETS));
        let held = SECRETS.iter().filter_map(|key| Some((JsString::from(*key), members.get(key)?.clone())));
        let secrets = json(JsObject::new(held));
        if public.len() > BYTES_MAX {
            return Err(wrong("account", "is larger than 64 KiB"));
        }
        Ok(Self { nid, exchange, viewers, public, secrets })
    }
}

/// An account as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its owner's address.
    pub owner: String,
    /// Its name; one owner's names differ.
    pub nid: String,
    /// Exchange, in small letters.
    pub exchange: String,
    /// Who else may look at it.
    pub viewers: Vec<String>,
    /// All fields but the secrets, JSON.
    pub public: String,
    /// The secrets, sealed.
    pub sealed: Vec<u8>,
    /// The owner's public key as it was sent.
    pub public_key: String,
    /// The owner's signature of the whole.
    pub signature: String,
    /// When it was last set.
    pub at: Timestamp,
}

impl Account {
    /// Does its owner let it be connected at all?
    pub fn is_connected(&self) -> bool {
        self.field("connection").as_ref().and_then(JsValue::as_bool) == Some(true)
    }

    /// What its owner lets the server do with it; one that cannot be read is [`Status::Stopped`].
    pub fn status(&self) -> Status {
        let named = self.field("status").as_ref().and_then(JsValue::as_str).and_then(Status::parse);
        named.unwrap_or(Status::Stopped)
    }

    /// Its owner's strategy, the JSON of an object.
    pub fn protocol(&self) -> Option<String> {
        self.field("protocol").filter(|field| matches!(field, JsValue::Object(_)))?.to_json()
    }

    fn field(&self, name: &str) -> Option<JsValue> {
        parse(&self.public, Duplicates::LastWins).ok()?.get(name).cloned()
    }

    /// What the secrets are sealed for: they open for this account alone.
    pub fn place(owner: &str, nid: &str) -> String {
        format!("account/{owner}/{nid}")
    }
}
