//! Calls, timers, log lines and the end of the script.

use std::time::Duration;

use rquickjs::{Array, Ctx, Exception, Result, Value};

use super::Given;
use crate::isolate::{Refused, parts, thrown};

/// `call(method, json, keep)`: the call's number.
pub(super) fn call<'js>(given: &Given<'_, 'js>) -> Result<Value<'js>> {
    let (method, arguments) = (given.text(0)?, given.text(1)?);
    match given.around.state.call(method, arguments, given.flag(2)) {
        Ok(id) => given.give(id),
        Err(Refused::TooMany) => Err(given.error("RateLimitExceeded", "too many calls wait for their answer")),
        Err(Refused::TooLarge) => {
            Err(given.error("QuotaExceeded", "the arguments of the calls that wait are too large"))
        }
    }
}

/// `cancel(id)`
pub(super) fn cancel<'js>(given: &Given<'_, 'js>) -> Result<Value<'js>> {
    given.around.state.cancel(given.id(0));
    given.undefined()
}

/// `timer(id, milliseconds, keep)`
pub(super) fn timer<'js>(given: &Given<'_, 'js>) -> Result<Value<'js>> {
    let wait = given.number(1);
    let wait =
        if wait > 0.0 { Duration::try_from_secs_f64(wait / 1_000.0).unwrap_or(Duration::MAX) } else { Duration::ZERO };
    if given.around.state.set_timer(given.id(0), wait, given.flag(2)) {
        return given.undefined();
    }
    Err(Exception::throw_range(given.ctx, "too many timers"))
}

/// `clear(id)`
pub(super) fn clear<'js>(given: &Given<'_, 'js>) -> Result<Value<'js>> {
    given.around.state.clear_timer(given.id(0));
    given.undefined()
}

/// `log(level, text)`
pub(super) fn log<'js>(given: &Given<'_, 'js>) -> Result<Value<'js>> {
    // the engine may take thousands of steps more before it notices that it is interrupted
    if !given.around.control.interrupted() {
        given.around.state.log(given.level(0)?, &given.text(1)?);
    }
    given.undefined()
}

/// `done(ok, json or error)`: the script came to its end.
pub(super) fn done<'js>(given: &Given<'_, 'js>) -> Result<Value<'js>> {
    let state = &given.around.state;
    if given.flag(0) {
        let text = given.value(1).as_string().map(rquickjs::String::to_string).transpose()?;
        state.finish(Ok(text.filter(|text| text.len() <= state.limits.output_bytes)));
    } else {
        state.finish(Err(thrown(given.ctx, &given.value(1))));
    }
    given.undefined()
}

/// `uncaught(error)`
pub(super) fn uncaught<'js>(given: &Given<'_, 'js>) -> Result<Value<'js>> {
    given.around.state.uncaught(&format!("Uncaught {}", thrown(given.ctx, &given.value(0))));
    given.undefined()
}

/// `poll()`: is the run interrupted?
pub(super) fn poll<'js>(given: &Given<'_, 'js>) -> Result<Value<'js>> {
    given.give(given.around.control.interrupted())
}

/// `globals()`: parts and names by turns, of what the script can reach.
pub(super) fn globals<'js>(given: &Given<'_, 'js>) -> Result<Value<'js>> {
    let array = Array::new(given.ctx.clone())?;
    for (place, text) in given.around.state.globals.iter().flat_map(|(part, name)| [part, name]).enumerate() {
        array.set(place, text)?;
    }
    Ok(array.into_value())
}

/// `part(name)`: the value of one of the runtime's scripts.
pub(super) fn part<'js>(given: &Given<'_, 'js>) -> Result<Value<'js>> {
    load(given.ctx, &given.text(0)?)
}

/// The value of one of the runtime's scripts.
pub(super) fn load<'js>(ctx: &Ctx<'js>, name: &str) -> Result<Value<'js>> {
    match parts::code(name) {
        Some(code) => code.load(ctx),
        None => Err(Exception::throw_internal(ctx, "no such part")),
    }
}
