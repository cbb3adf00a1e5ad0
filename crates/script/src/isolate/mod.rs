//! One engine with one script in it.

mod blank;
pub(crate) mod code;
mod globals;
pub(crate) mod memory;
pub(crate) mod modules;
pub(crate) mod parts;
mod state;
mod table;
mod thrown;

use std::sync::Arc;

use orrery_workers::script::{HostError, TICK};
use rquickjs::{Context, Ctx, Error, Function, Value};

use crate::control::Control;
use crate::natives::Around;
pub(crate) use blank::{Blank, Blanks};
use code::Code;
pub(crate) use globals::Globals;
use modules::{Library, Loader};
pub(crate) use state::{Out, Refused, State, cut};
pub(crate) use table::{LARGER, Table};
pub(crate) use thrown::thrown;

/// What comes into the engine.
#[derive(Debug)]
pub(crate) enum Event {
    /// A call has its answer: JSON, or why there is none.
    Settled(u32, Result<String, HostError>),
    /// A call has an answer that is kept.
    Kept(u32),
    /// A timer is due.
    Timer(u32),
    /// The script is asked to stop.
    Stop,
}

/// An engine, its context and what is in it.
pub(crate) struct Isolate {
    // keeps its runtime alive
    context: Context,
    state: Arc<State>,
    control: Arc<Control>,
}

impl Isolate {
    /// For one script, of an engine that had none.
    pub fn new(blank: Blank, state: Arc<State>, control: Arc<Control>, library: Arc<Library>) -> Self {
        let runtime = &blank.runtime;
        blank.bind(state.limits.memory, &control);
        blank.surround(Around { state: state.clone(), control: control.clone(), meter: blank.meter.clone() });
        runtime.set_max_stack_size(state.limits.stack);
        let interrupts = control.clone();
        runtime.set_interrupt_handler(Some(Box::new(move || interrupts.interrupted())));
        let rejections = state.clone();
        runtime.set_host_promise_rejection_tracker(Some(Box::new(move |ctx, promise, reason, handled| {
            let promise = code::identity(&promise) as usize;
            if handled {
                rejections.handled(promise);
            } else {
                rejections.unhandled(promise, thrown(&ctx, &reason).to_string());
            }
        })));
        runtime.set_loader(Loader(library.clone()), Loader(library));
        Self { context: blank.context, state, control }
    }

    /// Starts the script.
    ///
    /// Errors: what went wrong in the engine; a script's own faults are its end.
    pub fn start(&self, program: &Code) -> Result<(), String> {
        self.context.with(|ctx| {
            let started = self.begin(&ctx, program);
            self.settle_down(&ctx);
            started.map_err(|error| describe(&ctx, &error))
        })
    }

    fn begin(&self, ctx: &Ctx<'_>, program: &Code) -> rquickjs::Result<()> {
        blank::restart_clock(ctx);
        let hook = hook(ctx)?;
        let setting = ctx.json_parse(self.setting())?;
        hook.call::<_, ()>(("begin", setting))?;
        let main = program.load(ctx)?;
        hook.call::<_, ()>(("main", main))
    }

    fn setting(&self) -> String {
        let setting = &self.state.setting;
        serde_json::json!({
            "nid": setting.nid,
            "network": setting.network,
            "sid": setting.sid,
            "account": setting.account,
            "protocol": setting.protocol,
            "tick": u64::try_from(TICK.as_millis()).unwrap_or(u64::MAX),
            "owner": setting.owner,
            "startTime": setting.start_time,
        })
        .to_string()
    }

    /// Gives the script what came, each with what follows from it, until it waits again or is interrupted.
    pub fn turn(&self, events: Vec<Event>) {
        self.context.with(|ctx| {
            for event in events {
                if self.control.interrupted() {
                    break;
                }
                if let Err(error) = self.give(&ctx, event) {
                    let text = describe(&ctx, &error);
                    if !self.control.interrupted() {
                        self.state.uncaught(&text);
                    }
                }
                self.settle_down(&ctx);
            }
        });
    }

    fn give<'js>(&self, ctx: &Ctx<'js>, event: Event) -> rquickjs::Result<()> {
        let hook = hook(ctx)?;
        match event {
            Event::Settled(id, Ok(answer)) => match answer_of(ctx, answer) {
                Ok(value) => hook.call(("settle", id, true, value)),
                Err(error) => {
                    let text = describe(ctx, &error);
                    hook.call(("settle", id, false, "BadResponse", text))
                }
            },
            Event::Settled(id, Err(error)) => hook.call(("settle", id, false, error.class, error.message)),
            Event::Kept(id) => hook.call(("settle", id, true, id)),
            Event::Timer(id) => hook.call(("fire", id)),
            Event::Stop => hook.call(("stop",)),
        }
    }

    /// Runs what promises left to do, and tells of those that failed without anybody waiting.
    fn settle_down(&self, ctx: &Ctx<'_>) {
        while !self.control.interrupted() && ctx.execute_pending_job() {}
        if !self.control.interrupted() {
            self.state.report_unhandled();
        }
    }
}

/// What the runtime's own script left to be called by.
fn hook<'js>(ctx: &Ctx<'js>) -> rquickjs::Result<Function<'js>> {
    Ok(ctx.userdata::<Function<'js>>().ok_or(Error::Unknown)?.clone())
}

fn answer_of<'js>(ctx: &Ctx<'js>, answer: String) -> rquickjs::Result<Value<'js>> {
    if answer.is_empty() {
        return Ok(Value::new_null(ctx.clone()));
    }
    ctx.json_parse(answer)
}

/// What an error of the engine says; the exception is taken out of the context.
fn describe(ctx: &Ctx<'_>, error: &Error) -> String {
    if error.is_exception() { thrown(ctx, &ctx.catch()).to_string() } else { error.to_string() }
}
