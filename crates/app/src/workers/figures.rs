//! What the nodes tell of workers: how they run, who leads them, who the nodes are.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use orrery_kernel::{Result, Timestamp};
use orrery_wallets::Session;
use orrery_workers::Worker;
use orrery_workers::fleet::{LeaseSeen, NodeSeen, NodeTotals, RunRecord, SettledSeen, Totals};

use super::Workers;

/// A node that was not heard for so long runs nothing, whatever it said last.
const ALIVE: Duration = Duration::from_secs(10);
/// Runs among which the last error is looked for.
const RUNS_LOOKED_AT: u32 = 5;
/// Nodes in one answer.
const NODES_MAX: u32 = 1_000;

/// What is counted of a worker, over all nodes.
#[derive(Clone, Debug)]
pub struct Stats {
    /// The worker.
    pub worker: Worker,
    /// Runs that ended by themselves.
    pub executions: i64,
    /// Of these, failed.
    pub errors: i64,
    /// Of these, by the network.
    pub network_errors: i64,
    /// Errors since the last good run, where there are most.
    pub consecutive: i64,
    /// Nodes on which it runs, or waits to run again.
    pub nodes: Vec<String>,
    /// Since when it is on a node, the longest.
    pub started_at: Option<Timestamp>,
    /// When the last run began.
    pub last_run: Option<Timestamp>,
    /// The last error, and whether it was the network's.
    pub last_error: Option<(String, bool)>,
    /// Where and why it runs no more although it is active.
    pub settled: Vec<SettledSeen>,
}

impl Stats {
    fn of(worker: Worker, totals: &[Totals], settled: Vec<SettledSeen>, alive: &BTreeSet<String>) -> Self {
        let sum = |of: fn(&Totals) -> i64| totals.iter().map(of).sum();
        let here = totals.iter().filter(|t| worker.spec.active && t.running && alive.contains(&t.node));
        let nodes: Vec<Totals> = here.cloned().collect();
        let failed = totals.iter().filter(|t| t.last_error.is_some()).max_by_key(|t| t.last_run);
        Self {
            executions: sum(|t| t.executions),
            errors: sum(|t| t.errors),
            network_errors: sum(|t| t.network_errors),
            consecutive: totals.iter().map(|t| t.consecutive).max().unwrap_or(0),
            started_at: nodes.iter().map(|t| t.started_at).min(),
            nodes: nodes.into_iter().map(|t| t.node).collect(),
            last_run: totals.iter().filter_map(|t| t.last_run).max(),
            last_error: failed.and_then(|t| Some((t.last_error.clone()?, t.last_network))),
            settled,
            worker,
        }
    }

    /// Does it run anywhere?
    pub fn is_running(&self) -> bool {
        !self.nodes.is_empty()
    }
}

/// A worker that gave up because of its errors.
#[derive(Clone, Debug)]
pub struct GivenUp {
    /// What was written down.
    pub seen: SettledSeen,
    /// The worker's description.
    pub note: String,
    /// What it failed with last, as far as that is known already.
    pub last_error: Option<String>,
}

/// What is counted of all workers of a network.
#[derive(Clone, Debug, Default)]
pub struct Network {
    /// Processes that live.
    pub nodes: Vec<NodeSeen>,
    /// What each node counted, living or not, by its name.
    pub totals: BTreeMap<String, NodeTotals>,
    /// Workers that are active.
    pub active: u64,
    /// Workers that are not.
    pub stopped: u64,
}

impl Workers {
    /// How the wallet's workers run, newest first.
    pub async fn stats(&self, session: &Session) -> Result<Vec<Stats>> {
        let owner = &session.address;
        let (workers, totals, settled, nodes) = tokio::join!(
            self.list(session),
            self.fleet.totals_of(owner),
            self.fleet.settled_of(owner),
            self.fleet.nodes(ALIVE, NODES_MAX)
        );
        let alive: BTreeSet<String> = nodes?.into_iter().map(|seen| seen.beat.node).collect();
        let (mut counted, mut over) = (HashMap::<String, Vec<Totals>>::new(), HashMap::<String, Vec<_>>::new());
        for of in totals? {
            counted.entry(of.sid.clone()).or_default().push(of);
        }
        for seen in settled? {
            over.entry(seen.settled.sid.clone()).or_default().push(seen);
        }
        let stats = workers?.into_iter().map(|worker| {
            let totals = counted.remove(&worker.sid).unwrap_or_default();
            let settled = over.remove(&worker.sid).unwrap_or_default();
            Stats::of(worker, &totals, settled, &alive)
        });
        Ok(stats.collect())
    }

    /// The lease of one of the wallet's workers, if it ever had one.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn leader(&self, session: &Session, sid: &str) -> Result<Option<LeaseSeen>> {
        self.get(session, sid).await?;
        Ok(self.fleet.lease(sid).await?)
    }

    /// The last runs of one of the wallet's workers, newest first.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn runs(&self, session: &Session, sid: &str, limit: u32) -> Result<Vec<RunRecord>> {
        self.get(session, sid).await?;
        Ok(self.fleet.runs(sid, limit).await?)
    }

    /// The processes that live, by the names of their nodes; at most 1,000.
    pub async fn nodes(&self) -> Result<Vec<NodeSeen>> {
        Ok(self.fleet.nodes(ALIVE, NODES_MAX).await?)
    }

    /// What is counted of everybody's workers.
    pub async fn network(&self) -> Result<Network> {
        let (counts, nodes, totals) =
            tokio::join!(self.store.count_workers(), self.fleet.nodes(ALIVE, NODES_MAX), self.fleet.totals_by_node());
        let (active, stopped) = counts?;
        let totals = totals?.into_iter().map(|of| (of.node.clone(), of)).collect();
        Ok(Network { nodes: nodes?, totals, active, stopped })
    }

    /// Workers of anybody that gave up because of their errors after `at`, oldest first, at most `limit`.
    pub async fn given_up_after(&self, at: Timestamp, limit: u32) -> Result<Vec<GivenUp>> {
        let mut given_up = Vec::new();
        for seen in self.fleet.given_up_after(at, limit).await? {
            let sid = &seen.settled.sid;
            let (worker, runs) = tokio::join!(self.store.worker(sid), self.fleet.runs(sid, RUNS_LOOKED_AT));
            let note = worker?.map(|worker| worker.spec.note).unwrap_or_default();
            let last_error = runs?.into_iter().find_map(|run| run.error);
            given_up.push(GivenUp { seen, note, last_error });
        }
        Ok(given_up)
    }
}
