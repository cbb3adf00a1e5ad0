//! What a script may know of the machine.

use rquickjs::{Array, Result, Value};

use super::{Given, object};

/// `memory()`: bytes that the engine uses.
pub(super) fn memory<'js>(given: &Given<'_, 'js>) -> Result<Value<'js>> {
    let used = given.around.meter.used() as f64;
    let limit = given.around.state.limits.memory as f64;
    let number = |number: f64| given.give(number);
    let members = vec![
        ("rss", number(used)?),
        ("heapTotal", number(limit)?),
        ("heapUsed", number(used)?),
        ("external", number(0.0)?),
    ];
    object(given.ctx, members)
}

/// `loadavg()`: of 1, 5 and 15 minutes; zeros where the system does not tell.
pub(super) fn loadavg<'js>(given: &Given<'_, 'js>) -> Result<Value<'js>> {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let mut loads = text.split_ascii_whitespace().map_while(|load| load.parse::<f64>().ok());
    let array = Array::new(given.ctx.clone())?;
    for place in 0..3 {
        array.set(place, loads.next().unwrap_or(0.0))?;
    }
    Ok(array.into_value())
}
