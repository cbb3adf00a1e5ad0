//! Nodes, leases, runs, what is settled, intents.

use super::Sql;

pub(crate) const BEAT: Sql = Sql::new(
    "fleet_beat",
    6,
    0,
    concat!(
        "INSERT INTO worker_nodes (holder, node, version, capacity, running, draining, beat_at)
         VALUES ($1, $2, $3, $4, $5, $6, ",
        now!(),
        ") ON CONFLICT (holder) DO UPDATE SET node = excluded.node, version = excluded.version,
             capacity = excluded.capacity, running = excluded.running, draining = excluded.draining,
             beat_at = excluded.beat_at"
    ),
);
pub(crate) const FORGET_NODES: Sql =
    Sql::new("fleet_forget_nodes", 1, 0, concat!("DELETE FROM worker_nodes WHERE beat_at < ", now!(), " - $1"));
pub(crate) const NODES: Sql = Sql::new(
    "fleet_nodes",
    2,
    7,
    concat!(
        "SELECT holder, node, version, capacity, running, draining, ",
        now!(),
        " - beat_at FROM worker_nodes WHERE beat_at > ",
        now!(),
        " - $1 ORDER BY node, holder LIMIT $2"
    ),
);

/// For holder `$2` and `$3` microseconds, those of the list `$1` that are free, over, theirs, or a process's that
/// was not heard for `$4` microseconds. The proposed row's `renewed_at` is the time of the whole statement.
pub(crate) const TAKE_LEASES: Sql = Sql::new(
    "fleet_take_leases",
    4,
    3,
    concat!(
        "INSERT INTO worker_leases AS l
             (sid, holder, epoch, acquired_at, renewed_at, expires_at, released, clean)
         SELECT e.value, CAST($2 AS TEXT), 1, ",
        now!(),
        ", ",
        now!(),
        ", ",
        now!(),
        " + CAST($3 AS BIGINT), 0, 1 FROM ",
        list!("$1"),
        " WHERE TRUE
         ON CONFLICT (sid) DO UPDATE SET
             epoch = CASE WHEN l.holder = excluded.holder AND l.expires_at > excluded.renewed_at
                 THEN l.epoch ELSE l.epoch + 1 END,
             acquired_at = CASE WHEN l.holder = excluded.holder AND l.expires_at > excluded.renewed_at
                 THEN l.acquired_at ELSE excluded.acquired_at END,
             clean = CASE WHEN l.holder = excluded.holder AND l.expires_at > excluded.renewed_at
                 THEN l.clean ELSE l.released END,
             renewed_at = excluded.renewed_at, expires_at = excluded.expires_at,
             released = 0, holder = excluded.holder
         WHERE l.holder = excluded.holder OR l.expires_at <= excluded.renewed_at
             OR NOT EXISTS (SELECT 1 FROM worker_nodes n
                 WHERE n.holder = l.holder AND n.beat_at > excluded.renewed_at - CAST($4 AS BIGINT))
         RETURNING sid, epoch, clean"
    ),
);
pub(crate) const RENEW_LEASES: Sql = Sql::new(
    "fleet_renew_leases",
    2,
    0,
    concat!(
        "UPDATE worker_leases SET renewed_at = ",
        now!(),
        ", expires_at = ",
        now!(),
        " + $2 WHERE holder = $1 AND expires_at > ",
        now!()
    ),
);
/// In one row: thousands of rows would wake their reader as often.
pub(crate) const HELD_LEASES: Sql = Sql::new(
    "fleet_held_leases",
    1,
    1,
    concat!("SELECT ", pairs!("sid", "epoch"), " FROM worker_leases WHERE holder = $1 AND expires_at > ", now!()),
);
pub(crate) const GIVE_LEASES: Sql = Sql::new(
    "fleet_give_leases",
    2,
    0,
    concat!(
        "UPDATE worker_leases SET released = 1, expires_at = CASE WHEN expires_at > ",
        now!(),
        " THEN ",
        now!(),
        " ELSE expires_at END WHERE holder = $1 AND EXISTS (SELECT 1 FROM ",
        records!("$2"),
        " WHERE e.value ->> 'sid' = worker_leases.sid AND CAST(e.value ->> 'epoch' AS BIGINT) = worker_leases.epoch)"
    ),
);
pub(crate) const LEASE: Sql = Sql::new(
    "fleet_lease",
    1,
    6,
    concat!(
        "SELECT holder, epoch, acquired_at, renewed_at, expires_at, ",
        now!(),
        " FROM worker_leases WHERE sid = $1"
    ),
);
/// Is the lease still theirs? Locked until the transaction ends, so that nobody takes it meanwhile.
pub(crate) const HELD: Sql = Sql::new(
    "fleet_held",
    3,
    1,
    concat!(
        "SELECT epoch FROM worker_leases WHERE sid = $1 AND holder = $2 AND epoch = $3 AND expires_at > ",
        now!(),
        for_share!()
    ),
);

pub(crate) const SAVE_RUNS: Sql = Sql::new(
    "fleet_save_runs",
    1,
    0,
    concat!(
        "INSERT INTO worker_runs
             (id, sid, version, node, epoch, started_at, ended_at, outcome, error, calls, cpu_ms)
         SELECT e.value ->> 'id', e.value ->> 'sid', CAST(e.value ->> 'version' AS BIGINT), e.value ->> 'node',
             CAST(e.value ->> 'epoch' AS BIGINT), CAST(e.value ->> 'started' AS BIGINT),
             CAST(e.value ->> 'ended' AS BIGINT), e.value ->> 'outcome', e.value ->> 'error',
             CAST(e.value ->> 'calls' AS BIGINT), CAST(e.value ->> 'cpu' AS BIGINT)
         FROM ",
        records!("$1"),
        " WHERE TRUE ON CONFLICT (id) DO UPDATE SET ended_at = excluded.ended_at, outcome = excluded.outcome,
             error = excluded.error, calls = excluded.calls, cpu_ms = excluded.cpu_ms"
    ),
);
/// All but the `$2` newest.
pub(crate) const PRUNE_RUNS: Sql = Sql::new(
    "fleet_prune_runs",
    2,
    0,
    "DELETE FROM worker_runs WHERE sid = $1 AND (started_at, id) <= (SELECT started_at, id FROM worker_runs
         WHERE sid = $1 ORDER BY started_at DESC, id DESC LIMIT 1 OFFSET $2)",
);
pub(crate) const RUNS: Sql = Sql::new(
    "fleet_runs",
    2,
    11,
    "SELECT id, sid, version, node, epoch, started_at, ended_at, outcome, error, calls, cpu_ms FROM worker_runs
     WHERE sid = $1 ORDER BY started_at DESC, id DESC LIMIT $2",
);
pub(crate) const SAVE_TOTALS: Sql = Sql::new(
    "fleet_save_totals",
    1,
    0,
    concat!(
        "INSERT INTO worker_totals (sid, node, executions, errors, network_errors, consecutive, running, started_at,
             last_run, last_error, last_network)
         SELECT e.value ->> 'sid', e.value ->> 'node', CAST(e.value ->> 'executions' AS BIGINT),
             CAST(e.value ->> 'errors' AS BIGINT), CAST(e.value ->> 'network_errors' AS BIGINT),
             CAST(e.value ->> 'consecutive' AS BIGINT), CAST(e.value ->> 'running' AS BIGINT),
             CAST(e.value ->> 'started' AS BIGINT), CAST(e.value ->> 'last_run' AS BIGINT),
             e.value ->> 'last_error', CAST(e.value ->> 'last_network' AS BIGINT)
         FROM ",
        records!("$1"),
        " WHERE TRUE ON CONFLICT (sid, node) DO UPDATE SET executions = excluded.executions,
             errors = excluded.errors, network_errors = excluded.network_errors,
             consecutive = excluded.consecutive, running = excluded.running, started_at = excluded.started_at,
             last_run = excluded.last_run, last_error = excluded.last_error, last_network = excluded.last_network"
    ),
);
pub(crate) const TOTALS_OF: Sql = Sql::new(
    "fleet_totals_of",
    2,
    11,
    "SELECT t.sid, t.node, t.executions, t.errors, t.network_errors, t.consecutive, t.running, t.started_at,
         t.last_run, t.last_error, t.last_network
     FROM worker_totals t JOIN workers w ON w.sid = t.sid WHERE w.owner = $1 ORDER BY t.sid, t.node LIMIT $2",
);

pub(crate) const TOTALS_BY_NODE: Sql = Sql::new(
    "fleet_totals_by_node",
    0,
    5,
    "SELECT node, CAST(sum(executions) AS BIGINT), CAST(sum(errors) AS BIGINT), CAST(sum(network_errors) AS BIGINT),
         CAST(sum(running) AS BIGINT) FROM worker_totals GROUP BY node ORDER BY node LIMIT 1000",
);

/// Columns of what was settled; `rows::settled` reads them.
macro_rules! settled {
    () => {
        "SELECT s.sid, s.node, s.version, s.reason, s.at, w.owner FROM worker_settled s JOIN workers w ON w.sid = s.sid"
    };
}

pub(crate) const SETTLED_OF: Sql = Sql::new(
    "fleet_settled_of",
    2,
    6,
    concat!(settled!(), " WHERE w.owner = $1 AND s.version = w.version ORDER BY s.sid, s.node LIMIT $2"),
);
/// Not by an index: there are as many rows as workers that are settled, and one process asks every other second.
pub(crate) const GIVEN_UP_AFTER: Sql = Sql::new(
    "fleet_given_up_after",
    2,
    6,
    concat!(settled!(), " WHERE s.reason = 'errors' AND s.at > $1 ORDER BY s.at, s.sid, s.node LIMIT $2"),
);
pub(crate) const SETTLE: Sql = Sql::new(
    "fleet_settle",
    5,
    0,
    "INSERT INTO worker_settled AS s (sid, node, version, reason, at) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (sid, node) DO UPDATE SET version = excluded.version, reason = excluded.reason, at = excluded.at
     WHERE excluded.version >= s.version",
);
/// In one row, as above.
pub(crate) const DUE_WORKERS: Sql = Sql::new(
    "fleet_due_workers",
    2,
    1,
    concat!(
        "SELECT ",
        pairs!("d.sid", "d.version"),
        " FROM (SELECT w.sid, w.version FROM workers w WHERE w.active = 1 AND NOT EXISTS (SELECT 1
             FROM worker_settled s WHERE s.sid = w.sid AND s.node IN ('', $1) AND s.version = w.version)
         ORDER BY w.sid LIMIT $2) AS d"
    ),
);
/// Those of the list `$1`.
pub(crate) const LOAD_WORKERS: Sql = Sql::new(
    "fleet_load_workers",
    1,
    7,
    concat!(
        "SELECT w.sid, w.nid, w.owner, w.version, w.spec, w.created_at, w.updated_at FROM workers w
         WHERE w.sid IN (SELECT e.value FROM ",
        list!("$1"),
        ") ORDER BY w.sid"
    ),
);

pub(crate) const INTEND: Sql = Sql::new(
    "fleet_intend",
    9,
    0,
    "INSERT INTO order_intents (client_order_id, sid, epoch, venue, account, body, state, order_id, at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (client_order_id) DO NOTHING",
);
pub(crate) const INTENT_STATE: Sql =
    Sql::new("fleet_intent_state", 1, 1, "SELECT state FROM order_intents WHERE client_order_id = $1");
pub(crate) const RESOLVE: Sql = Sql::new(
    "fleet_resolve",
    3,
    0,
    "UPDATE order_intents SET state = $2, order_id = coalesce($3, order_id) WHERE client_order_id = $1",
);
pub(crate) const OPEN_INTENTS: Sql = Sql::new(
    "fleet_open_intents",
    2,
    9,
    "SELECT client_order_id, sid, epoch, venue, account, body, state, order_id, at FROM order_intents
     WHERE sid = $1 AND state = 'open' ORDER BY at, client_order_id LIMIT $2",
);
pub(crate) const FORGET_INTENTS: Sql = Sql::new(
    "fleet_forget_intents",
    1,
    0,
    concat!("DELETE FROM order_intents WHERE state <> 'open' AND at < ", now!(), " - $1"),
);

#[cfg(test)]
pub(super) const ALL: &[&Sql] = &[
    &BEAT,
    &FORGET_NODES,
    &NODES,
    &TAKE_LEASES,
    &RENEW_LEASES,
    &HELD_LEASES,
    &GIVE_LEASES,
    &LEASE,
    &HELD,
    &SAVE_RUNS,
    &PRUNE_RUNS,
    &RUNS,
    &SAVE_TOTALS,
    &TOTALS_OF,
    &TOTALS_BY_NODE,
    &SETTLED_OF,
    &GIVEN_UP_AFTER,
    &SETTLE,
    &DUE_WORKERS,
    &LOAD_WORKERS,
    &INTEND,
    &INTENT_STATE,
    &RESOLVE,
    &OPEN_INTENTS,
    &FORGET_INTENTS,
];
