//! Layers of values, each with its origin, merged into one. The only user of figment.

use figment::providers::{Format, Toml};
use figment::value::{Dict, Map, Tag, Value};
use figment::{Figment, Metadata, Profile, Provider};

use super::Problem;

/// The reference, which is also the lowest layer.
pub const DEFAULTS: &str = include_str!("defaults.toml");

/// What kind of value a key takes, as its default shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Text.
    Text,
    /// A whole number.
    Whole,
    /// `true` or `false`.
    Flag,
    /// A list of texts.
    List,
}

/// One `section.key = value` with where it is from; a section may be of another (`venues.binance`).
struct Layer {
    origin: String,
    dict: Dict,
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.origin.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Profile::Default.collect(self.dict.clone()))
    }
}

/// The merged values. Starts with the defaults; each later layer wins.
pub struct Tree {
    figment: Figment,
    known: Vec<(String, Shape)>,
}

impl Tree {
    /// The defaults.
    ///
    /// # Errors
    /// When the embedded file is broken, which a test rules out.
    pub fn defaults() -> Result<Self, Problem> {
        let dict: Dict = Toml::from_str(DEFAULTS).map_err(|e| Problem::general(format!("built-in defaults: {e}")))?;
        let place = places();
        let mut known: Vec<(String, Shape)> = flatten(&dict)
            .into_iter()
            .map(|(key, value)| {
                let shape = match value {
                    Value::Num(..) => Shape::Whole,
                    Value::Bool(..) => Shape::Flag,
                    Value::Array(..) => Shape::List,
                    _ => Shape::Text,
                };
                (key, shape)
            })
            .collect();
        known.sort_by_key(|(key, _)| place.iter().position(|p| p == key));
        Ok(Self { figment: Figment::from(Layer { origin: "default".into(), dict }), known })
    }

    /// All keys in the reference's order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.known.iter().map(|(key, _)| key.as_str())
    }

    /// Adds a TOML document as a layer. Unknown keys and values of the wrong kind are reported and
    /// left out.
    pub fn add_toml(&mut self, text: &str, origin: &str, problems: &mut Vec<Problem>) {
        let dict: Dict = match Toml::from_str(text) {
            Ok(dict) => dict,
            Err(e) => return problems.push(Problem::general(format!("{origin} is not valid TOML: {e}"))),
        };
        for (key, value) in flatten(&dict) {
            self.add(&key, value, origin, problems);
        }
    }

    /// Adds one value, given as text, as a layer.
    pub fn add_text(&mut self, key: &str, text: &str, origin: &str, problems: &mut Vec<Problem>) {
        self.add(key, Value::String(Tag::Default, text.to_owned()), origin, problems);
    }

    fn add(&mut self, key: &str, value: Value, origin: &str, problems: &mut Vec<Problem>) {
        let Some((_, shape)) = self.known.iter().find(|(known, _)| known == key) else {
            return problems.push(Problem::general(format!("unknown key {key} ({origin}){}", self.hint(key))));
        };
        let shown = show(&value);
        let value = match coerce(*shape, value) {
            Ok(value) => value,
            Err(message) => return problems.push(Problem::at(key, &shown, origin, message)),
        };
        let Some((section, name)) = key.rsplit_once('.') else { return };
        let inner = Dict::from([(name.to_owned(), value)]);
        let dict = section
            .rsplit('.')
            .fold(inner, |inner, table| Dict::from([(table.to_owned(), Value::Dict(Tag::Default, inner))]));
        let figment = std::mem::take(&mut self.figment);
        self.figment = figment.merge(Layer { origin: origin.to_owned(), dict });
    }

    /// The value of a known key and its origin.
    pub fn get(&self, key: &str) -> Option<(Value, String)> {
        let value = self.figment.find_value(key).ok()?;
        let origin = self.figment.get_metadata(value.tag()).map_or_else(String::new, |m| m.name.to_string());
        Some((value, origin))
    }

    /// `; did you mean …?` for a key that is none.
    pub fn hint(&self, key: &str) -> String {
        self.nearest(key).map_or_else(String::new, |near| format!("; did you mean {near}?"))
    }

    /// The known key that looks most like `key`: as a whole, or by its last part alone, for keys in
    /// the wrong section.
    pub fn nearest(&self, key: &str) -> Option<&str> {
        let key = key.to_ascii_lowercase();
        let last = |k: &str| k.rsplit('.').next().unwrap_or_default().to_owned();
        let score = |known: &str| {
            let whole = strsim::normalized_damerau_levenshtein(&key, known);
            let name = strsim::normalized_damerau_levenshtein(&last(&key), &last(known));
            whole.max(0.95 * name)
        };
        self.keys().map(|known| (score(known), known)).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, known)| known)
    }
}

/// The reference's keys in the order it explains them.
fn places() -> Vec<String> {
    let mut section = "";
    let mut places = Vec::new();
    for line in DEFAULTS.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            section = name;
        } else if let Some((name, _)) = line.split_once(" = ").filter(|_| !line.starts_with('#')) {
            places.push(format!("{section}.{name}"));
        }
    }
    places
}

/// Every value by the names of its sections and its own, with dots between. The depth is bounded by TOML's parser.
fn flatten(dict: &Dict) -> Vec<(String, Value)> {
    let mut out = Vec::new();
    for (name, value) in dict {
        match value {
            Value::Dict(_, inner) => {
                out.extend(flatten(inner).into_iter().map(|(key, value)| (format!("{name}.{key}"), value)));
            }
            other => out.push((name.clone(), other.clone())),
        }
    }
    out
}

/// Texts (from the environment, or quoted in a file) become what the key takes; a number where a
/// text is wanted keeps its digits.
fn coerce(shape: Shape, value: Value) -> Result<Value, String> {
    let tag = Tag::Default;
    match (shape, value) {
        (Shape::Text, Value::String(_, s)) => Ok(Value::String(tag, s)),
        (Shape::Text, Value::Num(_, n)) => Ok(Value::String(tag, number(n))),
        (Shape::Text, _) => Err("must be a text".into()),
        (Shape::Whole, value) => {
            let whole = match &value {
                Value::String(_, s) => s.trim().parse::<i64>().ok(),
                Value::Num(_, n) => n.to_i128().and_then(|n| i64::try_from(n).ok()),
                _ => None,
            };
            whole.map(Value::from).ok_or_else(|| "must be a whole number".into())
        }
        (Shape::Flag, Value::Bool(_, b)) => Ok(Value::Bool(tag, b)),
        (Shape::Flag, Value::String(_, s)) => match s.trim().to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Ok(Value::Bool(tag, true)),
            "false" | "0" | "no" | "off" => Ok(Value::Bool(tag, false)),
            _ => Err("must be true or false".into()),
        },
        (Shape::Flag, _) => Err("must be true or false".into()),
        (Shape::List, Value::String(_, s)) => {
            Ok(Value::from(s.split(',').map(str::trim).filter(|p| !p.is_empty()).map(Value::from).collect::<Vec<_>>()))
        }
        (Shape::List, Value::Array(_, items)) => {
            let texts: Option<Vec<Value>> = items.iter().map(|v| v.as_str().map(Value::from)).collect();
            texts.map(Value::from).ok_or_else(|| "must be a list of texts".into())
        }
        (Shape::List, _) => Err("must be a list of texts".into()),
    }
}

fn number(n: figment::value::Num) -> String {
    match (n.to_i128(), n.to_f64()) {
        (Some(whole), _) => whole.to_string(),
        (None, Some(fraction)) => fraction.to_string(),
        (None, None) => String::new(),
    }
}

/// A value as a person would write it.
pub fn show(value: &Value) -> String {
    match value {
        Value::String(_, s) => format!("{s:?}"),
        Value::Char(_, c) => format!("{:?}", c.to_string()),
        Value::Bool(_, b) => b.to_string(),
        Value::Num(_, n) => number(*n),
        Value::Empty(..) => "nothing".into(),
        Value::Dict(..) => "a table".into(),
        Value::Array(_, items) => format!("[{}]", items.iter().map(show).collect::<Vec<_>>().join(", ")),
    }
}
