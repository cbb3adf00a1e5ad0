//! Values of the engine from those of Rust, by way of JSON.

use rquickjs::{Result, Value};

use super::Given;

/// A JSON text as a value.
pub(super) fn parsed<'js>(given: &Given<'_, 'js>, text: &str) -> Result<Value<'js>> {
    given.ctx.json_parse(text)
}
