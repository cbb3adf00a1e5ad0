//! Keys as scripts write them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use orrery_workers::kv::{Key, KeyError, Part};
use orrery_workers::script::HostError;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Result, type_error};

/// A part of a key: a text, a number, a truth value or `{bytes: "base64"}`.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Written {
    Text(String),
    Flag(bool),
    Number(f64),
    Bytes { bytes: String },
}

/// A key that cannot be.
pub(super) fn bad(error: KeyError) -> HostError {
    type_error(error.to_string())
}

fn part(written: &Written) -> Result<Part> {
    Ok(match written {
        Written::Text(text) => Part::Text(text.clone()),
        Written::Flag(flag) => Part::Flag(*flag),
        Written::Number(number) => Part::Number(*number),
        Written::Bytes { bytes } => {
            let bytes = STANDARD.decode(bytes).map_err(|_| type_error("bytes of a key are not in base64"))?;
            Part::Bytes(bytes)
        }
    })
}

pub(super) fn parts(written: &[Written]) -> Result<Vec<Part>> {
    written.iter().map(part).collect()
}

pub(super) fn key(written: &[Written]) -> Result<Key> {
    Key::new(&parts(written)?).map_err(bad)
}

/// The same the other way.
pub(super) fn shown(key: &Key) -> Result<Value> {
    let one = |part: Part| match part {
        Part::Text(text) => json!(text),
        Part::Flag(flag) => json!(flag),
        Part::Number(number) => json!(number),
        Part::Bytes(bytes) => json!({ "bytes": STANDARD.encode(bytes) }),
    };
    Ok(key.parts().map_err(bad)?.into_iter().map(one).collect())
}

/// A part as it stands in a channel's name: numbers as JavaScript writes whole ones.
pub(super) fn named(written: &Written) -> String {
    match written {
        Written::Text(text) => text.clone(),
        Written::Flag(flag) => flag.to_string(),
        Written::Number(number) => number.to_string(),
        Written::Bytes { bytes } => bytes.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_and_shown() {
        let text = r#"["a",1700000000000,true,{"bytes":"AQI="},-1.5]"#;
        let written: Vec<Written> = serde_json::from_str(text).unwrap();
        let key = key(&written).unwrap();
        assert_eq!(shown(&key).unwrap(), json!(["a", 1_700_000_000_000.0, true, { "bytes": "AQI=" }, -1.5]));
        let names: Vec<String> = written.iter().map(named).collect();
        assert_eq!(names, ["a", "1700000000000", "true", "AQI=", "-1.5"]);
    }
}
