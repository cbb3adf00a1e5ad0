//! A node as a machine that only decides: which workers it runs, which leases it asks for, when it gives up.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::time::Duration;

use orrery_kernel::Timestamp;

use super::placement::{Place, weight};
use super::store::{Grant, NodeSeen};
use super::supervisor::{Action, Counters, Event, Job, Reason, RunEnd, State, Supervisor};
use crate::Urgency;

/// Most leases that one look asks for; the others wait for the next.
const TAKEN_AT_ONCE: usize = 2_000;
/// Workers that are new are gathered for so long before their leases are asked for; they don't wait for the next look.
const GATHERED: Duration = Duration::from_millis(20);
/// Every so many looks a node asks also for workers that are rather another's.
const LOOKS_FOR_ALL: u64 = 3;

/// Spans of time that a fleet agrees on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// How long a lease lasts without being prolonged.
    pub lease: Duration,
    /// Between two prolongations.
    pub renew: Duration,
    /// After a prolongation that failed.
    pub retry: Duration,
    /// A holder stops this long before its lease can be over.
    pub margin: Duration,
    /// Between two heartbeats.
    pub beat: Duration,
    /// A process that was not heard for this long may be replaced.
    pub late: Duration,
    /// Between two looks for leases that are free.
    pub look: Duration,
    /// After a lease was taken from somebody who did not give it back, no order is placed for this long: what they
    /// sent may still be on its way.
    pub settle: Duration,
}

impl Timing {
    /// For leases of `lease`, prolonged every `renew`; the other spans shrink with short leases.
    pub fn new(lease: Duration, renew: Duration) -> Self {
        let renew = renew.min(lease / 2);
        Self {
            lease,
            renew,
            retry: (renew / 4).min(Duration::from_secs(2)),
            margin: (lease / 6).min(Duration::from_secs(5)),
            beat: Duration::from_secs(1).min(lease / 6),
            late: Duration::from_secs(3).min(lease / 2),
            look: Duration::from_secs(1).min(lease / 6),
            settle: Duration::from_secs(5).min(lease / 2),
        }
    }
}

impl Default for Timing {
    /// The document's: 60 seconds, prolonged every 30.
    fn default() -> Self {
        Self::new(Duration::from_secs(60), Duration::from_secs(30))
    }
}

/// What a node hears.
#[derive(Clone, Debug)]
pub enum Input {
    /// Time has passed.
    Tick,
    /// A worker is active, as this.
    Want(String, Job),
    /// A worker is not active any more, or settled.
    Unwant(String),
    /// Who is there, itself included.
    Peers(Vec<NodeSeen>),
    /// A heartbeat was answered, or was not.
    Beaten,
    /// The answer to [`Output::Take`] that was asked then; none: it failed, or nobody knows.
    Taken {
        /// When it was asked, before.
        asked: Timestamp,
        /// What was had.
        grants: Option<Vec<Grant>>,
    },
    /// The answer to [`Output::Renew`].
    Renewed {
        /// When it was asked, before.
        asked: Timestamp,
        /// What is held.
        held: Option<Vec<(String, i64)>>,
    },
    /// The answer to [`Output::Give`]: these are given back, or nobody knows.
    Given {
        /// Which.
        leases: Vec<(String, i64)>,
        /// Are they?
        done: bool,
    },
    /// Somebody gave leases back: look at once.
    Free,
    /// This process hands everything over: it is not counted on any more, and others look at once.
    Leaving(String),
    /// A run has begun.
    Began(String, u64),
    /// A run has ended.
    Ended(String, u64, RunEnd),
    /// [`Output::Settle`] is written down.
    Settled(String, i64),
    /// The process is to end: hand everything over.
    Drain,
}

/// What a node asks its driver to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Say that it lives, with so many workers; then look who else does.
    Beat {
        /// Workers it has.
        running: u32,
        /// It takes no more.
        draining: bool,
    },
    /// Ask for the leases of these workers.
    Take(Vec<String>),
    /// Prolong all leases.
    Renew,
    /// Give these leases back.
    Give(Vec<(String, i64)>),
    /// Begin a run.
    Start {
        /// The worker.
        sid: String,
        /// The run, once for the node.
        run: u64,
        /// As what.
        job: Job,
        /// Under this epoch; 0 without a lease.
        epoch: i64,
        /// The right to run ends then unless it is prolonged; none without a lease.
        until: Option<Timestamp>,
        /// No order before then.
        orders_from: Timestamp,
    },
    /// The rights of these runs end then.
    Prolonged(Timestamp, Vec<(String, u64)>),
    /// End a run.
    Stop(String, u64, Urgency),
    /// Write down that a version is not to run again; under this epoch, if there is one.
    Settle {
        /// The worker.
        sid: String,
        /// The version.
        version: i64,
        /// Why.
        reason: Reason,
        /// The lease's epoch; 0 without one.
        epoch: i64,
    },
    /// Everything is handed over.
    Drained,
}

#[derive(Clone, Copy, Debug)]
struct Right {
    epoch: i64,
    since: Timestamp,
    until: Timestamp,
    orders_from: Timestamp,
}

#[derive(Debug)]
struct Local {
    supervisor: Supervisor,
    right: Option<Right>,
    run: u64,
    timer: Option<Timestamp>,
    since: Timestamp,
    /// There was no room for it yet.
    waiting: Option<Job>,
    unsettled: Option<(i64, Reason)>,
}

impl Local {
    fn counted(&self, sid: String) -> Counted {
        let state = self.supervisor.state();
        let running = self.supervisor.is_running() || matches!(state, State::Backoff { .. });
        Counted { sid, counters: *self.supervisor.counters(), since: self.since, running }
    }
}

/// What was counted of a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// The worker.
    pub sid: String,
    /// What was counted since the node has it.
    pub counters: Counters,
    /// Since when the node has it, by its own clock.
    pub since: Timestamp,
    /// It runs, or waits to run again.
    pub running: bool,
}

/// A node's workers and leases. Every question has one answer under way at most; every time that is compared with
/// an answer was taken before the question, by the node's own clock.
#[derive(Debug)]
pub struct Node {
    name: String,
    holder: String,
    capacity: usize,
    timing: Timing,
    workers: HashMap<String, Local>,
    timers: BTreeSet<(Timestamp, String)>,
    ends: BTreeSet<(Timestamp, String)>,
    electing: BTreeSet<String>,
    giving: BTreeMap<String, i64>,
    unsettled: BTreeSet<String>,
    waiting: BTreeSet<String>,
    changed: BTreeSet<String>,
    gone: BTreeMap<String, Counted>,
    peers: Vec<NodeSeen>,
    next_beat: Timestamp,
    next_renew: Timestamp,
    next_look: Timestamp,
    /// When the leases of new workers are asked for.
    new_look: Option<Timestamp>,
    beating: bool,
    renewing: bool,
    taking: bool,
    /// How many were asked for last.
    taken: usize,
    giving_now: bool,
    give_soon: bool,
    draining: bool,
    drained: bool,
    looks: u64,
    /// The next look only goes on where the last one stopped.
    hurries: bool,
    /// The last worker whose lease was asked for.
    asked: String,
    runs: u64,
}

impl Node {
    /// The process `holder` of the node `name`, with room for `capacity` workers, from `now` on.
    pub fn new(name: &str, holder: &str, capacity: usize, timing: Timing, now: Timestamp) -> Self {
        Self {
            name: name.to_owned(),
            holder: holder.to_owned(),
            capacity,
            timing,
            workers: HashMap::new(),
            timers: BTreeSet::new(),
            ends: BTreeSet::new(),
            electing: BTreeSet::new(),
            giving: BTreeMap::new(),
            unsettled: BTreeSet::new(),
            waiting: BTreeSet::new(),
            changed: BTreeSet::new(),
            gone: BTreeMap::new(),
            peers: Vec::new(),
            next_beat: now,
            next_renew: now.plus(timing.renew),
            next_look: now,
            new_look: None,
            beating: false,
            renewing: false,
            taking: false,
            taken: 0,
            giving_now: false,
            give_soon: false,
            draining: false,
            drained: false,
            looks: 0,
            hurries: false,
            asked: String::new(),
            runs: 0,
        }
    }

    /// A worker's supervisor, and since when the node has it.
    pub fn worker(&self, sid: &str) -> Option<(&Supervisor, Timestamp)> {
        self.workers.get(sid).map(|local| (&local.supervisor, local.since))
    }

    /// The epoch under which a worker may run now, by the node's own clock.
    pub fn right(&self, sid: &str, now: Timestamp) -> Option<i64> {
        let right = self.workers.get(sid)?.right?;
        (right.until > now).then_some(right.epoch)
    }

    /// What was counted of the workers for which that may have changed since this was asked last; of one that is not
    /// the node's any more, what was counted to its end.
    pub fn take_changed(&mut self) -> Vec<Counted> {
        let gone = std::mem::take(&mut self.gone);
        let still = |sid: String| self.workers.get(&sid).map(|local| local.counted(sid));
        let changed: Vec<Counted> = std::mem::take(&mut self.changed).into_iter().filter_map(still).collect();
        gone.into_values().chain(changed).collect()
    }

    /// When [`Input::Tick`] is due.
    pub fn wake_at(&self) -> Timestamp {
        let mut at = if self.beating { Timestamp::from_micros(i64::MAX) } else { self.next_beat };
        if !self.renewing && !self.ends.is_empty() {
            at = at.min(self.next_renew);
        }
        let looks = !self.electing.is_empty() || !self.waiting.is_empty() || !self.unsettled.is_empty();
        if looks || !self.giving.is_empty() {
            at = at.min(self.next_look);
        }
        if let Some(new_look) = self.new_look {
            at = at.min(new_look);
        }
        [self.timers.first(), self.ends.first()].into_iter().flatten().fold(at, |at, (then, _)| at.min(*then))
    }

    /// Takes note of something; says what is to be done, in order.
    pub fn step(&mut self, input: Input, now: Timestamp) -> Vec<Output> {
        let mut out = Vec::new();
        // a process that was paused may have no rights any more, whatever it hears first
        self.expire(now, &mut out);
        match input {
            Input::Tick => {}
            Input::Want(sid, job) => self.want(&sid, job, now, &mut out),
            Input::Unwant(sid) => self.unwant(&sid, now, &mut out),
            Input::Peers(peers) => self.meet(peers, now),
            Input::Beaten => self.beating = false,
            Input::Taken { asked, grants } => {
                self.taking = false;
                // where most are had the rest need not wait
                if grants.as_ref().is_some_and(|had| !had.is_empty() && had.len() * 2 >= self.taken) {
                    self.next_look = now;
                    self.hurries = true;
                }
                for grant in grants.into_iter().flatten() {
                    self.granted(grant, asked, now, &mut out);
                }
            }
            Input::Renewed { asked, held } => self.renewed(asked, held, now, &mut out),
            Input::Given { leases, done } => {
                self.giving_now = false;
                if done {
                    self.give_soon = true;
                    for (sid, epoch) in leases {
                        if self.giving.get(&sid) == Some(&epoch) {
                            self.giving.remove(&sid);
                        }
                    }
                }
            }
            Input::Free => self.next_look = now,
            Input::Leaving(holder) => {
                self.peers.retain(|peer| peer.beat.holder != holder);
                self.next_look = now;
            }
            Input::Began(sid, run) => self.tell_run(&sid, run, Event::Began, now, &mut out),
            Input::Ended(sid, run, end) => self.tell_run(&sid, run, Event::Ended(end), now, &mut out),
            Input::Settled(sid, version) => self.settled(&sid, version, now, &mut out),
            Input::Drain => self.drain(now, &mut out),
        }
        self.due(now, &mut out);
        out
    }

    fn want(&mut self, sid: &str, job: Job, now: Timestamp, out: &mut Vec<Output>) {
        if self.draining {
            return;
        }
        if Place::of(&job.spec, &self.name) == Place::Elsewhere {
            return self.unwant(sid, now, out);
        }
        let known = self.workers.contains_key(sid);
        if !known && !job.elected() && self.busy() >= self.capacity {
            self.waiting.insert(sid.to_owned());
        }
        let local = self.workers.entry(sid.to_owned()).or_insert_with(|| Local {
            supervisor: Supervisor::default(),
            right: None,
            run: 0,
            timer: None,
            since: now,
            waiting: None,
            unsettled: None,
        });
        if self.waiting.contains(sid) {
            local.waiting = Some(job);
            return;
        }
        self.tell(sid, Event::Wanted(job), now, out);
        // who it is rather to be led by is known once the others were heard
        if !known && !self.beating && self.electing.contains(sid) {
            self.new_look.get_or_insert(now.plus(GATHERED));
        }
    }

    fn unwant(&mut self, sid: &str, now: Timestamp, out: &mut Vec<Output>) {
        self.waiting.remove(sid);
        self.tell(sid, Event::Unwanted, now, out);
        self.forget_idle(sid);
    }

    fn drain(&mut self, now: Timestamp, out: &mut Vec<Output>) {
        if self.draining {
            return;
        }
        self.draining = true;
        self.next_beat = now;
        // what gave up keeps its lease until that is written down
        let ready = self.workers.keys().filter(|sid| !self.unsettled.contains(*sid));
        for sid in ready.cloned().collect::<Vec<_>>() {
            self.unwant(&sid, now, out);
        }
    }

    /// Takes note of who is there; the leases of one that was and is not are free, or soon will be.
    fn meet(&mut self, peers: Vec<NodeSeen>, now: Timestamp) {
        let stays = |old: &NodeSeen| {
            old.beat.draining || peers.iter().any(|p| p.beat.holder == old.beat.holder && !p.beat.draining)
        };
        if !self.peers.iter().all(stays) {
            self.next_look = now;
        }
        self.peers = peers;
    }

    /// Workers that take room: all that run or may at any time.
    fn busy(&self) -> usize {
        self.workers.len().saturating_sub(self.electing.len() + self.waiting.len())
    }

    fn granted(&mut self, grant: Grant, asked: Timestamp, now: Timestamp, out: &mut Vec<Output>) {
        let Grant { sid, epoch, clean } = grant;
        let until = asked.plus(self.timing.lease.saturating_sub(self.timing.margin));
        let electing = self.electing.contains(&sid) && until > now;
        match self.workers.get_mut(&sid).filter(|_| electing) {
            Some(local) => {
                let orders_from = if clean { now } else { now.plus(self.timing.settle) };
                local.right = Some(Right { epoch, since: now, until, orders_from });
                if self.ends.is_empty() {
                    self.next_renew = asked.plus(self.timing.renew);
                }
                self.ends.insert((until, sid.clone()));
                self.tell(&sid, Event::Gained(epoch), now, out);
            }
            None => {
                self.giving.insert(sid, epoch);
                self.give_soon = true;
            }
        }
    }

    fn renewed(&mut self, asked: Timestamp, held: Option<Vec<(String, i64)>>, now: Timestamp, out: &mut Vec<Output>) {
        self.renewing = false;
        let Some(held) = held else {
            self.next_renew = now.plus(self.timing.retry);
            return;
        };
        self.next_renew = asked.plus(self.timing.renew);
        let until = asked.plus(self.timing.lease.saturating_sub(self.timing.margin));
        let held: HashMap<String, i64> = held.into_iter().collect();
        let mine: Vec<(String, Right)> =
            self.ends.iter().filter_map(|(_, sid)| Some((sid.clone(), self.workers.get(sid)?.right?))).collect();
        let mut prolonged = Vec::new();
        for (sid, right) in mine {
            if held.get(&sid) == Some(&right.epoch) {
                self.ends.remove(&(right.until, sid.clone()));
                self.ends.insert((until.max(right.until), sid.clone()));
                if let Some(local) = self.workers.get_mut(&sid) {
                    local.right = Some(Right { until: until.max(right.until), ..right });
                    prolonged.push((sid, local.run));
                }
            } else if right.since <= asked {
                self.lose(&sid, now, out);
            }
        }
        if !prolonged.is_empty() {
            out.push(Output::Prolonged(until, prolonged));
        }
        for (sid, epoch) in held {
            let local = self.workers.get(&sid);
            // one that is being asked for again answers with the same epoch
            if local.is_none_or(|local| local.right.is_none()) && !self.electing.contains(&sid) {
                self.giving.insert(sid, epoch);
            }
        }
    }

    fn lose(&mut self, sid: &str, now: Timestamp, out: &mut Vec<Output>) {
        if let Some(right) = self.workers.get_mut(sid).and_then(|local| local.right.take()) {
            self.ends.remove(&(right.until, sid.to_owned()));
        }
        self.tell(sid, Event::Lost, now, out);
    }

    fn settled(&mut self, sid: &str, version: i64, now: Timestamp, out: &mut Vec<Output>) {
        let Some(local) = self.workers.get_mut(sid) else { return };
        if local.unsettled.is_some_and(|(waits, _)| waits == version) {
            local.unsettled = None;
            self.unsettled.remove(sid);
            self.tell(sid, Event::Settled, now, out);
            if self.draining {
                self.unwant(sid, now, out);
            }
        }
    }

    fn tell_run(&mut self, sid: &str, run: u64, event: Event, now: Timestamp, out: &mut Vec<Output>) {
        if self.workers.get(sid).is_some_and(|local| local.run == run) {
            self.tell(sid, event, now, out);
            self.forget_idle(sid);
        }
    }

    /// Tells a worker's supervisor and does what it says.
    fn tell(&mut self, sid: &str, event: Event, now: Timestamp, out: &mut Vec<Output>) {
        let Some(local) = self.workers.get_mut(sid) else { return };
        let actions = local.supervisor.on(event, now);
        self.changed.insert(sid.to_owned());
        if let Some(then) = local.timer.take() {
            self.timers.remove(&(then, sid.to_owned()));
        }
        if !matches!(local.supervisor.state(), State::Stopped(_)) {
            local.unsettled = None;
            self.unsettled.remove(sid);
        }
        for action in actions {
            self.act(sid, action, out);
        }
        let Some(local) = self.workers.get_mut(sid) else { return };
        match local.supervisor.state() {
            State::Electing => self.electing.insert(sid.to_owned()),
            _ => self.electing.remove(sid),
        };
        if let State::Backoff { until } = local.supervisor.state() {
            local.timer = Some(until);
            self.timers.insert((until, sid.to_owned()));
        }
    }

    fn act(&mut self, sid: &str, action: Action, out: &mut Vec<Output>) {
        let Some(local) = self.workers.get_mut(sid) else { return };
        match action {
            // the supervisor's state says both
            Action::Elect | Action::Wait(_) => {}
            Action::Resign => {
                if let Some(right) = local.right.take() {
                    self.ends.remove(&(right.until, sid.to_owned()));
                    self.giving.insert(sid.to_owned(), right.epoch);
                    self.give_soon = true;
                }
            }
            Action::Start { epoch, .. } => {
                let Some(job) = local.supervisor.job().cloned() else { return };
                self.runs += 1;
                local.run = self.runs;
                let orders_from = local.right.map_or(Timestamp::default(), |right| right.orders_from);
                let until = local.right.map(|right| right.until);
                let sid = sid.to_owned();
                out.push(Output::Start { sid, run: self.runs, job, epoch, until, orders_from });
            }
            Action::Stop(urgency) => out.push(Output::Stop(sid.to_owned(), local.run, urgency)),
            Action::Settle { version, reason } => {
                local.unsettled = Some((version, reason));
                self.unsettled.insert(sid.to_owned());
                let epoch = local.right.map_or(0, |right| right.epoch);
                out.push(Output::Settle { sid: sid.to_owned(), version, reason, epoch });
            }
        }
    }

    fn forget_idle(&mut self, sid: &str) {
        if self.workers.get(sid).is_some_and(|local| local.supervisor.state() == State::Idle) {
            if let Some(local) = self.workers.remove(sid) {
                self.gone.insert(sid.to_owned(), local.counted(sid.to_owned()));
            }
            self.electing.remove(sid);
            self.waiting.remove(sid);
            self.unsettled.remove(sid);
        }
    }

    fn expire(&mut self, now: Timestamp, out: &mut Vec<Output>) {
        while let Some((_, sid)) = self.ends.first().filter(|(until, _)| *until <= now).cloned() {
            self.lose(&sid, now, out);
        }
    }

    /// What time brings.
    fn due(&mut self, now: Timestamp, out: &mut Vec<Output>) {
        self.expire(now, out);
        while let Some((_, sid)) = self.timers.first().filter(|(then, _)| *then <= now).cloned() {
            self.tell(&sid, Event::Due, now, out);
        }
        if self.next_beat <= now && !self.beating {
            self.beating = true;
            self.next_beat = now.plus(self.timing.beat);
            let running = u32::try_from(self.busy()).unwrap_or(u32::MAX);
            out.push(Output::Beat { running, draining: self.draining });
        }
        if self.next_renew <= now && !self.renewing && !self.ends.is_empty() {
            self.renewing = true;
            out.push(Output::Renew);
        }
        if self.next_look <= now {
            self.look(now, out);
        } else if self.new_look.is_some_and(|at| at <= now) {
            let regular = self.next_look;
            self.hurries = true;
            self.look(now, out);
            self.next_look = regular;
        } else if self.give_soon {
            self.give(out);
        }
        let empty = self.workers.is_empty() && self.giving.is_empty() && !self.taking;
        if self.draining && !self.drained && empty {
            self.drained = true;
            out.push(Output::Drained);
        }
    }

    fn look(&mut self, now: Timestamp, out: &mut Vec<Output>) {
        self.next_look = now.plus(self.timing.look);
        self.new_look = None;
        // a look that only goes on where another stopped is not one that asks for what is rather another's
        let goes_on = std::mem::take(&mut self.hurries);
        if !goes_on {
            self.looks += 1;
        }
        while self.busy() < self.capacity
            && let Some(sid) = self.waiting.pop_first()
        {
            if let Some(job) = self.workers.get_mut(&sid).and_then(|local| local.waiting.take()) {
                self.tell(&sid, Event::Wanted(job), now, out);
            }
        }
        for sid in self.unsettled.clone() {
            if let Some((local, (version, reason))) = self.workers.get(&sid).and_then(|l| Some((l, l.unsettled?))) {
                let epoch = local.right.map_or(0, |right| right.epoch);
                out.push(Output::Settle { sid, version, reason, epoch });
            }
        }
        self.give(out);
        if !self.taking && !self.draining {
            let room = self.capacity.saturating_sub(self.busy()).min(TAKEN_AT_ONCE);
            // each look goes on where the last one ended, for who has little room must not ask for the same ones always
            let (later, first) = (Bound::Excluded(&self.asked), Bound::Included(&self.asked));
            let turn = self.electing.range::<String, _>((later, Bound::Unbounded));
            let turn = turn.chain(self.electing.range::<String, _>((Bound::Unbounded, first)));
            let sids: Vec<String> = turn.filter(|sid| self.asks_for(sid, !goes_on)).take(room).cloned().collect();
            if let Some(last) = sids.last() {
                self.asked.clone_from(last);
                self.taking = true;
                self.taken = sids.len();
                out.push(Output::Take(sids));
            }
        }
    }

    fn give(&mut self, out: &mut Vec<Output>) {
        self.give_soon = false;
        if !self.giving_now && !self.giving.is_empty() {
            self.giving_now = true;
            out.push(Output::Give(self.giving.iter().map(|(sid, epoch)| (sid.clone(), *epoch)).collect()));
        }
    }

    /// Is this node to ask for the worker's lease now? The one whose it is rather asks at once, the others from time
    /// to time, so that a worker is never without a leader because of one node's trouble.
    fn asks_for(&self, sid: &str, for_all: bool) -> bool {
        if self.giving.contains_key(sid) {
            return false;
        }
        let own = weight(sid, &self.holder);
        for_all && self.looks.is_multiple_of(LOOKS_FOR_ALL)
            || !self.peers.iter().any(|peer| {
                let beat = &peer.beat;
                beat.holder != self.holder
                    && !beat.draining
                    && beat.running < beat.capacity
                    && peer.ago < self.timing.late
                    && weight(sid, &beat.holder) > own
            })
    }
}

#[cfg(test)]
mod tests;
