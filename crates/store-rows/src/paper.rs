//! Between rows and the orders and trades of the exchange `paper`.

use orrery_kernel::{StoreError, Timestamp};
use orrery_venues::paper::{PaperKind, PaperOrder, PaperState, PaperStatus, PaperTrade, Party, TimeInForce, Which};
use orrery_venues::unified::Side;

use crate::{Columns, corrupt};

/// States by their numbers in rows.
const STATES: [PaperStatus; 6] = [
    PaperStatus::Pending,
    PaperStatus::Open,
    PaperStatus::Closed,
    PaperStatus::Canceled,
    PaperStatus::Expired,
    PaperStatus::Rejected,
];

/// A state's number.
pub fn state_number(status: PaperStatus) -> i64 {
    STATES.iter().position(|one| *one == status).map_or(-1, |place| place as i64)
}

/// The first and the last state that are asked for.
pub fn states(which: Which) -> (i64, i64) {
    match which {
        Which::All => (0, 5),
        Which::Live => (0, 1),
        Which::Closed => (2, 2),
        Which::Canceled => (3, 4),
    }
}

/// A side as it stands in rows.
pub fn side_name(side: Side) -> &'static str {
    match side {
        Side::Buy => "buy",
        Side::Sell => "sell",
    }
}

fn word<T>(row: &dyn Columns, i: usize, parse: impl Fn(&str) -> Option<T>) -> Result<T, StoreError> {
    let text: &str = row.get(i)?;
    parse(text).ok_or_else(|| corrupt(row.name(), format!("column {i} is {text:?}")))
}

/// A market's symbol and version, of two columns.
pub fn version(row: &dyn Columns) -> Result<(String, i64), StoreError> {
    Ok((row.get(0)?, row.get(1)?))
}

/// A market's counters, of four columns.
pub fn market(row: &dyn Columns) -> Result<PaperState, StoreError> {
    Ok(PaperState {
        version: row.get(0)?,
        settled: row.get(1)?,
        orders: row.get(2)?,
        trades: row.get(3)?,
        ..PaperState::default()
    })
}

/// An order, of eighteen columns.
pub fn order(row: &dyn Columns) -> Result<PaperOrder, StoreError> {
    let state: i64 = row.get(14)?;
    let status = usize::try_from(state).ok().and_then(|place| STATES.get(place).copied());
    Ok(PaperOrder {
        symbol: row.get(0)?,
        n: row.get(1)?,
        account: row.get(2)?,
        client_id: row.get(3)?,
        side: word(row, 4, Side::parse)?,
        kind: word(row, 5, PaperKind::parse)?,
        time_in_force: word(row, 6, TimeInForce::parse)?,
        price: row.get(7)?,
        lots: row.get(8)?,
        filled: row.get(9)?,
        cost: row.get(10)?,
        fee: row.get(11)?,
        held: row.get(12)?,
        left: row.get(13)?,
        status: status.ok_or_else(|| corrupt("paper_orders.status", state))?,
        created_at: row.time(15)?,
        updated_at: row.time(16)?,
        traded_at: row.int(17)?.map(Timestamp::from_micros),
    })
}

/// A trade, of thirteen columns.
pub fn trade(row: &dyn Columns) -> Result<PaperTrade, StoreError> {
    let party = |i: usize| -> Result<Option<Party>, StoreError> {
        let account: Option<String> = row.get(i)?;
        account.map(|account| Ok(Party { account, order: row.get(i + 1)?, fee: row.get(i + 2)? })).transpose()
    };
    Ok(PaperTrade {
        symbol: row.get(0)?,
        n: row.get(1)?,
        price: row.get(2)?,
        lots: row.get(3)?,
        taker: word(row, 4, Side::parse)?,
        buyer: party(5)?,
        seller: party(8)?,
        freed: row.get(11)?,
        at: row.time(12)?,
    })
}
