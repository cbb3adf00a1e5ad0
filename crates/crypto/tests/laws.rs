//! Laws of deterministic JSON, signatures and transactions, under whatever is thrown at them.

#![expect(clippy::unwrap_used, reason = "tests")]

use orrery_crypto::json::{Duplicates, JsObject, JsString, JsValue, parse};
use orrery_crypto::transaction::{
    AssetTransfer, BasicTransaction, NewBasic, NewSmart, PublicKeyForm, SmartTransaction, Token, cosign, create_basic,
    create_smart, signed_text,
};
use orrery_crypto::{Wallet, verify, verify_account, verify_strict};
use proptest::prelude::*;

const NOW: i64 = 1_760_000_000_000;

fn wallet(n: u8) -> Wallet {
    Wallet::import(&hex::encode([n; 32])).unwrap()
}

fn strings() -> impl Strategy<Value = JsString> {
    prop_oneof![
        any::<String>().prop_map(|s| s.as_str().into()),
        proptest::collection::vec(prop_oneof![0xD7FF_u16..0xE001, any::<u16>(), 0x20_u16..0x7f], 0..8)
            .prop_map(JsString::from_units),
    ]
}

fn values() -> impl Strategy<Value = JsValue> {
    let leaf = prop_oneof![
        Just(JsValue::Null),
        any::<bool>().prop_map(JsValue::Bool),
        any::<f64>().prop_filter("finite", |n| n.is_finite()).prop_map(JsValue::Number),
        any::<i32>().prop_map(|n| JsValue::Number(f64::from(n))),
        strings().prop_map(JsValue::String),
    ];
    leaf.prop_recursive(4, 48, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(JsValue::Array),
            proptest::collection::vec((strings(), inner), 0..6).prop_map(|m| JsValue::Object(JsObject::new(m))),
        ]
    })
}

fn basic(data: Option<&str>) -> JsValue {
    let (from, to) = (wallet(1), wallet(2));
    let new = NewBasic {
        from: from.address(),
        to: to.address(),
        amount: 5.0,
        fee: 1.0,
        data,
        timestamp: NOW as f64,
        key: PublicKeyForm::Compressed,
    };
    create_basic(&from, &new).unwrap()
}

fn smart(methods: &str) -> JsValue {
    let ops = format!(
        r#"[{{"op":"transfer","to":"{}","amount":"1.500000"}},{{"op":"assert.time","before_ms":{}}},
            {{"op":"assert.balance","address":"{}","gte":"0.000001"}},
            {{"op":"assert.compare","left":"1","cmp":"<","right":"2"}},{{"op":"emit.event","kind":"a.b"}}]"#,
        wallet(2).address(),
        NOW + 1,
        wallet(2).address()
    );
    let JsValue::Array(operations) = parse(&ops, Duplicates::Refused).unwrap() else { panic!("a list") };
    let new =
        NewSmart { operations, fee: "0.000100", memo: None, prev_hash: None, raw: Some("raw"), timestamp: NOW as f64 };
    let JsValue::Object(made) = create_smart(&wallet(1), &new).unwrap() else { panic!("an object") };
    let methods = parse(methods, Duplicates::Refused).unwrap();
    JsValue::Object(if methods == JsValue::Null { made } else { made.with("methods", methods) })
}

proptest! {
    #[test]
    fn what_is_printed_is_read_back(value in values()) {
        let text = value.to_json().unwrap();
        // -0 prints as 0, which is equal to it
        prop_assert_eq!(&parse(&text, Duplicates::Refused).unwrap(), &value);
        let again = parse(&text, Duplicates::LastWins).unwrap();
        prop_assert_eq!(again.canonical(), value.canonical());
        // where no key needs an escape, the deterministic text is JSON and its own deterministic text
        if let Ok(read) = parse(&value.canonical().unwrap(), Duplicates::Refused)
            && read == value {
            prop_assert_eq!(read.canonical(), value.canonical());
        }
        let serde: serde_json::Value = serde_json::from_str(&value.to_serde().to_string()).unwrap();
        prop_assert_eq!(serde.is_null(), value == JsValue::Null);
    }

    #[test]
    fn no_text_breaks_the_parsers(text in any::<String>(), json in r#"[\[\]{}:,"\\ue0-9.+\-dD8-f tn]{0,60}"#) {
        for text in [text, json] {
            for duplicates in [Duplicates::Refused, Duplicates::LastWins] {
                let ours = parse(&text, duplicates);
                // serde_json refuses lone surrogates and numbers beyond a double; what it takes, we take
                if serde_json::from_str::<serde_json::Value>(&text).is_ok() && duplicates == Duplicates::LastWins {
                    prop_assert!(ours.is_ok(), "{text}");
                }
                if let Ok(value) = ours {
                    let _ = (BasicTransaction::verify(&value), SmartTransaction::verify(&value, NOW));
                    let _ = (AssetTransfer::verify(&value, &["d"]), Token::verify(&value, "", "", &["d"]));
                }
            }
        }
    }

    #[test]
    fn no_value_passes_for_a_transaction(value in values(), key in "type|from|to|args|fee|signatures|hash|amount") {
        for sent in [basic(Some("x")), smart("null")] {
            let JsValue::Object(members) = sent else { panic!("an object") };
            if members.get(&key).is_none_or(|there| there == &value) {
                continue;
            }
            let bent = JsValue::Object(members.with(&key, value.clone()));
            prop_assert!(BasicTransaction::verify(&bent).is_err());
            prop_assert!(SmartTransaction::verify(&bent, NOW).is_err());
        }
    }

    #[test]
    fn what_is_signed_verifies_and_no_flipped_bit_does(text in any::<String>(), key in 1_u8..255, at in any::<usize>()) {
        let wallet = wallet(key);
        let signature = wallet.sign(&text);
        prop_assert!(verify(&text, &signature, wallet.public_key()));
        prop_assert!(verify(&text, &signature, wallet.uncompressed()));
        prop_assert_eq!(verify_strict(&text, &signature, wallet.public_key()), Ok(()));
        prop_assert_eq!(wallet.sign(&text), signature.clone(), "the nonce is of the text alone");
        let flip = |digits: &str| {
            let mut bytes = hex::decode(digits).unwrap();
            let bit = at % (bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            hex::encode(bytes)
        };
        prop_assert!(!verify(&text, &flip(&signature), wallet.public_key()));
        prop_assert!(!verify(&text, &signature, &flip(wallet.public_key())));
        let other = text + " ";
        prop_assert!(!verify(&other, &signature, wallet.public_key()));
    }
}

#[test]
fn duplicate_keys_and_depth_are_refused() {
    assert!(parse(r#"{"a":1,"\u0061":2}"#, Duplicates::Refused).is_err());
    assert_eq!(parse(r#"{"a":1,"a":2}"#, Duplicates::LastWins).unwrap().get("a"), Some(&JsValue::Number(2.0)));
    assert!(parse(&"[".repeat(100_000), Duplicates::Refused).is_err());
    assert!(parse(&format!("{}{}", "[".repeat(128), "]".repeat(128)), Duplicates::Refused).is_ok());
    assert!(parse(&format!("{}{}", "[".repeat(129), "]".repeat(129)), Duplicates::Refused).is_err());
    for bad in [
        "",
        "01",
        "1.",
        ".5",
        "+1",
        "1e",
        "\"\n\"",
        "'a'",
        "[1,]",
        "{\"a\"}",
        "{a:1}",
        "nul",
        "\"\\x\"",
        "1 2",
        "\u{feff}1",
    ] {
        assert!(parse(bad, Duplicates::LastWins).is_err(), "{bad:?}");
    }
}

#[test]
fn a_signature_has_one_form() {
    let wallet = wallet(1);
    let signature = wallet.sign("x");
    // r and s in 128 digits are good for servers alone
    let der = hex::decode(&signature).unwrap();
    let (r_len, s_at) = (usize::from(der[3]), usize::from(der[3]) + 6);
    let fixed = |part: &[u8]| format!("{:0>64}", hex::encode(&part[part.len().saturating_sub(32)..]));
    let raw = format!("{}{}", fixed(&der[4..4 + r_len]), fixed(&der[s_at..]));
    assert_eq!(verify_strict("x", &raw, wallet.public_key()), Ok(()));
    assert!(!verify("x", &raw, wallet.public_key()));
}

#[test]
fn what_was_undefined_when_it_was_signed_is_absent_on_the_wire() {
    let sent = basic(None);
    assert!(sent.get("data").is_none());
    assert_eq!(BasicTransaction::verify(&sent).unwrap().data, None);
    let account = parse(r#"{"nid":"n","apiKey":"k"}"#, Duplicates::Refused).unwrap();
    let wallet = wallet(1);
    for signed in [
        r#"{"apiKey":"k","nid":"n"}"#,
        r#"{"apiKey":"k","nid":"n","password":null,"viewers":null}"#,
        r#"{"apiKey":"k","nid":"n","password":null,"protocol":null,"viewers":null,"workers":null}"#,
    ] {
        let signature = wallet.sign(signed);
        assert_eq!(verify_account(&account, wallet.public_key(), wallet.address(), &signature), Ok(()), "{signed}");
    }
    let signature = wallet.sign(r#"{"apiKey":"k","nid":"n","secret":null}"#);
    assert!(verify_account(&account, wallet.public_key(), wallet.address(), &signature).is_err());
}

#[test]
fn a_smart_transaction_needs_those_it_names() {
    let now = NOW;
    let sent = smart("null");
    let good = SmartTransaction::verify(&sent, now).unwrap();
    assert_eq!((good.operations.len(), good.fee, good.prev_hash), (5, 100, None));
    let approvers: Vec<Wallet> = (10..13).map(wallet).collect();
    let keys: Vec<String> = approvers.iter().map(|w| format!("\"{}\"", w.public_key())).collect();
    let methods = |deadline: i64| {
        format!(
            r#"[{{"id":"m","type":"cosign","threshold":{{"k":2,"n":3}},"approvers":[{}],"deadline_ms":{deadline}}}]"#,
            keys.join(",")
        )
    };
    let sent = smart(&methods(now + 1));
    let with = |cosigs: Vec<JsValue>| match &sent {
        JsValue::Object(members) => JsValue::Object(members.clone().with("cosigs", JsValue::Array(cosigs))),
        _ => panic!("an object"),
    };
    let agree = |n: usize| cosign(&approvers[n], "m", &sent);
    assert!(SmartTransaction::verify(&sent, now).is_err());
    assert!(SmartTransaction::verify(&with(vec![agree(0)]), now).is_err());
    assert!(SmartTransaction::verify(&with(vec![agree(0), agree(0)]), now).is_err(), "the same twice is one");
    assert!(SmartTransaction::verify(&with(vec![agree(0), cosign(&wallet(99), "m", &sent)]), now).is_err());
    assert!(SmartTransaction::verify(&with(vec![agree(0), agree(2)]), now).is_ok());
    assert!(SmartTransaction::verify(&with(vec![agree(0), agree(2)]), now + 1).is_err(), "the deadline has passed");
    assert!(
        SmartTransaction::verify(&with(vec![agree(0), agree(2), cosign(&approvers[1], "other", &sent)]), now).is_err()
    );
    assert_eq!(signed_text(&sent), signed_text(&with(vec![agree(0)])), "cosignatures are not signed");
}
