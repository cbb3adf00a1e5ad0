//! Wallets and transactions: what the client's library does, by the same names.

use orrery_crypto::json::{Duplicates, JsValue, parse};
use orrery_crypto::transaction::{
    NewBasic, NewSmart, PublicKeyForm, Validity, create_basic, create_smart, validate_basic,
};
use orrery_crypto::{Wallet, address_of, card_number, is_address, verify};
use rquickjs::{Result, Value};
use serde_json::{Value as Json, json as object};

use super::{Given, json};

/// What an act gives back, or what its error says.
type Done = std::result::Result<Json, String>;

/// `wallet(act, json of the arguments)`: a value.
pub(super) fn call<'js>(given: &Given<'_, 'js>) -> Result<Value<'js>> {
    let (act, arguments) = (given.text(0)?, given.text(1)?);
    let arguments = parse(&arguments, Duplicates::LastWins).map_err(|error| given.type_error(&error.to_string()))?;
    let arguments = Arguments(arguments.as_array().unwrap_or_default());
    let done = match act.as_str() {
        "createWallet" => Ok(shown(&Wallet::generate(given.around.state.entropy.as_ref()))),
        "importWallet" => arguments.wallet(0).map(|wallet| shown(&wallet)),
        "validateAddress" => Ok(is_address(arguments.text(0)).into()),
        "getAddress" => address_of(arguments.text(0)).map(Json::from).ok_or_else(|| "Invalid public key".to_owned()),
        "getCardNumber" => Ok(card_number(arguments.text(0), "0", None).into()),
        "sign" => arguments.wallet(1).map(|wallet| wallet.sign(arguments.text(0)).into()),
        "verify" => Ok(verify(arguments.text(0), arguments.text(1), arguments.text(2)).into()),
        "deterministicStringify" => Ok(arguments.value(0).and_then(JsValue::canonical).into()),
        "createSignedTransaction" => basic(&arguments),
        "createSmartTransaction" => smart(&arguments),
        "validateTransaction" => valid(&arguments),
        _ => Err("no such act".to_owned()),
    };
    let done = done.map_err(|message| given.error("Error", &message))?;
    json::parsed(given, &done.to_string())
}

/// A wallet as the client's library has it, with its private key: the script made it or knew it.
fn shown(wallet: &Wallet) -> Json {
    object!({
        "privateKey": wallet.private_key(),
        "publicKey": wallet.public_key(),
        "address": wallet.address(),
        "number": wallet.number(),
    })
}

/// Arguments by their place.
struct Arguments<'a>(&'a [JsValue]);

impl Arguments<'_> {
    fn value(&self, place: usize) -> Option<&JsValue> {
        self.0.get(place).filter(|value| !matches!(value, JsValue::Null))
    }

    /// Empty where there is none.
    fn text(&self, place: usize) -> &str {
        self.optional(place).unwrap_or_default()
    }

    fn optional(&self, place: usize) -> Option<&str> {
        self.value(place).and_then(JsValue::as_str)
    }

    fn number(&self, place: usize) -> f64 {
        self.value(place).and_then(JsValue::as_f64).unwrap_or(f64::NAN)
    }

    /// Of a private key, or of an object that has one.
    fn wallet(&self, place: usize) -> std::result::Result<Wallet, String> {
        let key = self.value(place).and_then(|value| value.get("privateKey")).and_then(JsValue::as_str);
        let key = key.unwrap_or_else(|| self.text(place));
        Wallet::import(key).map_err(|error| error.to_string())
    }
}

/// `createSignedTransaction(wallet, to, amount, fee, data?)`; the time comes last.
fn basic(arguments: &Arguments<'_>) -> Done {
    let wallet = arguments.wallet(0)?;
    let new = NewBasic {
        from: wallet.address(),
        to: arguments.text(1),
        amount: arguments.number(2),
        fee: arguments.number(3),
        data: arguments.optional(4),
        timestamp: arguments.number(5),
        key: PublicKeyForm::Compressed,
    };
    create_basic(&wallet, &new).map(|made| made.to_serde()).map_err(|error| error.to_string())
}

/// `createSmartTransaction(wallet, ops, fee, memo?, prevHash?, rawData?)`; the time comes last.
fn smart(arguments: &Arguments<'_>) -> Done {
    let wallet = arguments.wallet(0)?;
    let new = NewSmart {
        operations: arguments.value(1).and_then(JsValue::as_array).unwrap_or_default().to_vec(),
        fee: arguments.text(2),
        memo: arguments.optional(3),
        prev_hash: arguments.optional(4),
        raw: arguments.optional(5),
        timestamp: arguments.number(6),
    };
    create_smart(&wallet, &new).map(|made| made.to_serde()).map_err(|error| error.to_string())
}

/// `validateTransaction(transaction)`, which throws what the client's throws.
fn valid(arguments: &Arguments<'_>) -> Done {
    match arguments.value(0).map(validate_basic) {
        Some(Validity::Valid) => Ok(true.into()),
        Some(Validity::Invalid) => Ok(false.into()),
        Some(Validity::HashMismatch) => Err("Transaction hash mismatch".to_owned()),
        Some(Validity::MissingSignature) => Err("Missing signature".to_owned()),
        None => Ok(false.into()),
    }
}
