//! What the runtime's own scripts ask of Rust: one function of the engine, which takes the number of a native and its
//! arguments. One function object instead of sixty is what keeps an idle script small.

mod bytes;
mod events;
mod json;
mod system;
mod ta;
mod urls;
mod venue;
mod wallet;

use std::sync::{Arc, OnceLock};

use orrery_workers::script::Level;
use rquickjs::function::Rest;
use rquickjs::{Ctx, Exception, Function, Object, Result, Value};

use crate::control::Control;
use crate::isolate::State;
use crate::isolate::memory::Meter;

/// What natives know.
#[derive(Clone)]
pub(crate) struct Around {
    pub state: Arc<State>,
    pub control: Arc<Control>,
    pub meter: Arc<Meter>,
}

/// Arguments of a native, by their place.
pub(crate) struct Given<'a, 'js> {
    pub ctx: &'a Ctx<'js>,
    pub around: &'a Around,
    values: &'a [Value<'js>],
}

type Native = for<'a, 'js> fn(&Given<'a, 'js>) -> Result<Value<'js>>;

/// Natives by the name that the scripts write after `$.`.
const NATIVES: &[(&str, Native)] = &[
    ("call", events::call),
    ("cancel", events::cancel),
    ("timer", events::timer),
    ("clear", events::clear),
    ("log", events::log),
    ("done", events::done),
    ("uncaught", events::uncaught),
    ("poll", events::poll),
    ("part", events::part),
    ("globals", events::globals),
    ("random", bytes::random),
    ("digest", bytes::digest),
    ("hmac", bytes::hmac),
    ("utf8", bytes::utf8),
    ("text", bytes::text),
    ("base64", bytes::base64),
    ("unbase64", bytes::unbase64),
    ("url", urls::url),
    ("urlWith", urls::url_with),
    ("query", urls::query),
    ("queryText", urls::query_text),
    ("memory", system::memory),
    ("loadavg", system::loadavg),
    ("classes", venue::classes),
    ("venues", venue::venues),
    ("venue", venue::venue),
    ("marketNames", venue::market_names),
    ("market", venue::market),
    ("isMethod", venue::is_method),
    ("toStep", venue::to_step),
    ("wallet", wallet::call),
    ("ta", ta::call),
];

impl<'js> Given<'_, 'js> {
    /// The argument at that place; `undefined` where there is none.
    pub fn value(&self, place: usize) -> Value<'js> {
        self.values.get(place).cloned().unwrap_or_else(|| Value::new_undefined(self.ctx.clone()))
    }

    /// A text.
    ///
    /// Errors: a `TypeError` for anything else.
    pub fn text(&self, place: usize) -> Result<String> {
        match self.value(place).as_string() {
            Some(text) => text.to_string(),
            None => Err(self.type_error("a text was expected")),
        }
    }

    /// A number; NaN for anything else.
    pub fn number(&self, place: usize) -> f64 {
        self.value(place).as_number().unwrap_or(f64::NAN)
    }

    /// A number as an id.
    pub fn id(&self, place: usize) -> u32 {
        let number = self.number(place);
        if number.is_finite() && number >= 0.0 { number as u32 } else { 0 }
    }

    pub fn flag(&self, place: usize) -> bool {
        self.value(place).as_bool().unwrap_or(false)
    }

    /// The bytes of a buffer or of a view of one.
    ///
    /// Errors: a `TypeError` for anything else.
    pub fn bytes(&self, place: usize) -> Result<Vec<u8>> {
        let bytes = crate::isolate::code::bytes_of(&self.value(place));
        bytes.ok_or_else(|| self.type_error("an ArrayBuffer or a view of one was expected"))
    }

    pub fn undefined(&self) -> Result<Value<'js>> {
        Ok(Value::new_undefined(self.ctx.clone()))
    }

    pub fn give(&self, value: impl rquickjs::IntoJs<'js>) -> Result<Value<'js>> {
        value.into_js(self.ctx)
    }

    pub fn type_error(&self, message: &str) -> rquickjs::Error {
        Exception::throw_type(self.ctx, message)
    }

    /// Throws an error of that name.
    pub fn error(&self, name: &str, message: &str) -> rquickjs::Error {
        match Exception::from_message(self.ctx.clone(), message) {
            Ok(error) => match error.set("name", name) {
                Ok(()) => error.throw(),
                Err(error) => error,
            },
            Err(error) => error,
        }
    }

    fn level(&self, place: usize) -> Result<Level> {
        Ok(Level::parse(&self.text(place)?).unwrap_or(Level::Info))
    }
}

/// The function that all of them are. Before there is anything around it, it only gives the runtime's own scripts.
pub(crate) fn function<'js>(ctx: &Ctx<'js>, around: Arc<OnceLock<Around>>) -> Result<Function<'js>> {
    let native = move |ctx: Ctx<'js>, values: Rest<Value<'js>>| {
        let number = values.0.first().and_then(Value::as_int).and_then(|number| usize::try_from(number).ok());
        let Some((name, native)) = number.and_then(|number| NATIVES.get(number)) else {
            return Err(Exception::throw_internal(&ctx, "no such native"));
        };
        let values = values.0.get(1..).unwrap_or_default();
        let Some(around) = around.get() else {
            return match values.first().and_then(Value::as_string) {
                Some(part) if *name == "part" => events::load(&ctx, &part.to_string()?),
                _ => Err(Exception::throw_internal(&ctx, "no script is here yet")),
            };
        };
        native(&Given { ctx: &ctx, around, values })
    };
    Function::new(ctx.clone(), native)
}

/// A script of the runtime with its natives written as their numbers.
pub(crate) fn link(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(at) = rest.find("$.") {
        let (before, after) = rest.split_at(at);
        let after = after.get(2..).unwrap_or_default();
        let end = after.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(after.len());
        let (name, tail) = after.split_at(end);
        out.push_str(before);
        match (NATIVES.iter().position(|(known, _)| *known == name), tail.strip_prefix('(')) {
            (Some(number), Some(tail)) => {
                out.push_str(&format!("$({number}, "));
                rest = tail;
            }
            // not one of ours: the engine will say so when the script is compiled or run
            _ => {
                out.push_str("$.");
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

/// An object of these values.
fn object<'js>(ctx: &Ctx<'js>, members: Vec<(&str, Value<'js>)>) -> Result<Value<'js>> {
    let object = Object::new(ctx.clone())?;
    for (name, value) in members {
        object.set(name, value)?;
    }
    Ok(object.into_value())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_are_linked_by_number() {
        let number = NATIVES.iter().position(|(name, _)| *name == "poll").unwrap();
        assert_eq!(link("if ($.poll()) $x.poll();"), format!("if ($({number}, )) $x.poll();"));
        for (at, (name, _)) in NATIVES.iter().enumerate() {
            assert!(NATIVES.iter().skip(at + 1).all(|(other, _)| other != name), "{name} stands twice");
        }
    }
}
