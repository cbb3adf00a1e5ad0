//! One engine with one script in it.

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
use rquickjs::{Context, Ctx, Error, Function, Runtime, Value};

use crate::natives::{Around, function};
use code::Code;
pub(crate) use globals::Globals;
use memory::Memory;
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
    around: Around,
}

impl Isolate {
    /// An empty one.
    ///
    /// Errors: those of the engine, as there is no memory for it.
    pub fn new(around: Around, library: Arc<Library>) -> Result<Self, Error> {
        let limits = &around.state.limits;
        let memory = Memory::new(limits.memory, around.meter.clone(), around.control.clone());
        let runtime = Runtime::new_with_alloc(memory)?;
        runtime.set_max_stack_size(limits.stack);
        let control = around.control.clone();
        runtime.set_interrupt_handler(Some(Box::new(move || control.interrupted())));
        let state = around.state.clone();
        runtime.set_host_promise_rejection_tracker(Some(Box::new(move |ctx, promise, reason, handled| {
            let promise = code::identity(&promise) as usize;
            if handled {
                state.handled(promise);
            } else {
                state.unhandled(promise, thrown(&ctx, &reason).to_string());
            }
        })));
        runtime.set_loader(Loader(library.clone()), Loader(library));
        let context = Context::full(&runtime)?;
        Ok(Self { context, around })
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

    fn begin<'js>(&self, ctx: &Ctx<'js>, program: &Code) -> rquickjs::Result<()> {
        let core = parts::code("core").ok_or(Error::Unknown)?.load(ctx)?;
        let core = core.into_function().ok_or(Error::Unknown)?;
        let setting = ctx.json_parse(self.setting())?;
        let hook: Function<'js> = core.call((function(ctx, self.around.clone())?, setting))?;
        let main = program.load(ctx)?;
        // the engine frees what it keeps of its user before it goes
        ctx.store_userdata(hook.clone()).map_err(|_| Error::Unknown)?;
        hook.call::<_, ()>(("main", main))
    }

    fn setting(&self) -> String {
        let setting = &self.around.state.setting;
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
                if self.around.control.interrupted() {
                    break;
                }
                if let Err(error) = self.give(&ctx, event) {
                    let text = describe(&ctx, &error);
                    if !self.around.control.interrupted() {
                        self.around.state.uncaught(&text);
                    }
                }
                self.settle_down(&ctx);
            }
        });
    }

    fn give<'js>(&self, ctx: &Ctx<'js>, event: Event) -> rquickjs::Result<()> {
        let hook = ctx.userdata::<Function<'js>>().ok_or(Error::Unknown)?.clone();
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
        while !self.around.control.interrupted() && ctx.execute_pending_job() {}
        if !self.around.control.interrupted() {
            self.around.state.report_unhandled();
        }
    }
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
