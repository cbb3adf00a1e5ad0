//! What steps mean for the ledger.

use futures_util::future::join_all;
use orrery_ledger::{Actor, Answer, Command, IdemKey, Operation, Outcome, PaperFill, Refusal};
use orrery_venues::paper::{Changes, PaperMarket, PaperOrder, PaperStatus};
use orrery_venues::unified::Side;
use orrery_venues::{ErrorClass, VenueError};

use super::room::{Due, Fail, Room};
use super::{PaperExchange, error, unavailable};

/// Entries that are asked for at once.
const BATCH: usize = 64;
/// A pending order that is older was left by a process that died, and nobody waits for it.
const PENDING_MAX: std::time::Duration = std::time::Duration::from_secs(10);

fn command(what: &str, market: &PaperMarket, n: i64, operation: Operation) -> Result<Command, VenueError> {
    let key = IdemKey::new(&format!("paper-{what}-{}-{n}", market.id)).map_err(|why| unavailable(&why))?;
    Ok(Command { actor: Actor::System, key, operation })
}

fn asset(market: &PaperMarket, side: Side) -> orrery_kernel::Asset {
    if side == Side::Buy { market.quote } else { market.base }
}

impl Due {
    fn command(&self, market: &PaperMarket) -> Result<Command, VenueError> {
        match self {
            Self::Fill(trade) => {
                let fee = |party: &Option<orrery_venues::paper::Party>| party.as_ref().map_or(0, |party| party.fee);
                let name = |party: &Option<orrery_venues::paper::Party>| {
                    party.as_ref().map(|party| party.account.as_str().into())
                };
                let fill = PaperFill {
                    buyer: name(&trade.buyer),
                    seller: name(&trade.seller),
                    base: market.base,
                    quote: market.quote,
                    amount: market.amount(trade.lots),
                    cost: market.cost(trade.price, trade.lots),
                    buyer_fee: fee(&trade.buyer),
                    seller_fee: fee(&trade.seller),
                    freed: trade.freed,
                };
                command("fill", market, trade.n, Operation::PaperFill(fill))
            }
            Self::Release(order) => {
                let (account, asset) = (order.account.as_str().into(), asset(market, order.side));
                let operation = Operation::PaperRelease { account, asset, amount: order.released() };
                command("free", market, order.n, operation)
            }
        }
    }
}

impl PaperExchange {
    /// Lets the ledger have what it does not have. Doing it again does nothing: every entry has a key of its own.
    pub(super) async fn settle<'r>(&self, room: &'r mut Option<Room>) -> Result<&'r mut Room, Fail> {
        let room = room.as_mut().ok_or(Fail::Again)?;
        while !room.due.is_empty() {
            let market = room.engine.market().clone();
            let now: Vec<_> = room.due.iter().take(BATCH).cloned().collect();
            let commands = now.iter().map(|due| due.command(&market)).collect::<Result<Vec<_>, _>>()?;
            let answers = join_all(commands.into_iter().map(|command| self.ports.writer.submit(command))).await;
            for (due, answer) in now.iter().zip(answers) {
                match answer {
                    Ok(Answer::New(Outcome::Posted(_)) | Answer::Replay(Outcome::Posted(_))) => {}
                    // what is held covers every step; whoever changed that has to look at the market by hand
                    Ok(other) => {
                        tracing::error!(market = market.symbol, ?due, answer = ?other, "the ledger refuses a step");
                        let text = format!("has stopped {}: the ledger refuses a step", market.symbol);
                        return Err(Fail::Unknown(error(ErrorClass::ExchangeNotAvailable, &text)));
                    }
                    Err(why) => return Err(Fail::Unknown(unavailable(&why))),
                }
            }
            room.due.drain(..now.len());
        }
        // written down with the next step: until then it would be done again, which does nothing
        room.settled = room.version;
        Ok(room)
    }

    /// Holds the money of an order that is written down, and lets it into the book; or says that it was refused. Who
    /// does that for another process's order does the same as that one would.
    pub(super) async fn finish(&self, room: &mut Option<Room>, order: PaperOrder) -> Result<PaperOrder, Fail> {
        let n = order.n;
        let there = room.as_mut().ok_or(Fail::Again)?;
        let market = there.engine.market().clone();
        let (account, asset) = (order.account.as_str().into(), asset(&market, order.side));
        let hold = Operation::PaperHold { account, asset, amount: order.held };
        let answer = self.ports.writer.submit(command("hold", &market, n, hold)?).await;
        let now = self.ports.clock.now();
        let late = now.since(order.created_at) > PENDING_MAX;
        let (changes, refused) = match answer {
            Ok(Answer::New(Outcome::Posted(_)) | Answer::Replay(Outcome::Posted(_))) if late => {
                (one(PaperOrder { status: PaperStatus::Canceled, updated_at: now, ..order }), None)
            }
            Ok(Answer::New(Outcome::Posted(_)) | Answer::Replay(Outcome::Posted(_))) => {
                (there.engine.place(order, now), None)
            }
            Ok(answer) => {
                let refused = refusal(&answer);
                (one(PaperOrder { status: PaperStatus::Rejected, left: 0, updated_at: now, ..order }), Some(refused))
            }
            Err(why) => {
                *room = None;
                return Err(Fail::Unknown(unavailable(&why)));
            }
        };
        let placed = changes.orders.get(&n).cloned();
        self.commit(room, changes).await?;
        match refused {
            Some(refused) => Err(Fail::Refused(refused)),
            None => placed.ok_or(Fail::Again),
        }
    }
}

fn one(order: PaperOrder) -> Changes {
    Changes { orders: [(order.n, order)].into(), trades: Vec::new() }
}

fn refusal(answer: &Answer) -> VenueError {
    match answer {
        Answer::New(Outcome::Refused(Refusal::Insufficient { asset, required, available }))
        | Answer::Replay(Outcome::Refused(Refusal::Insufficient { asset, required, available })) => {
            let [required, available] = [*required, *available].map(|minor| PaperMarket::money(*asset, minor));
            let text = format!("needs {required} {} for this order, and {available} are free", asset.ticker());
            error(ErrorClass::InsufficientFunds, &text)
        }
        other => {
            tracing::error!(answer = ?other, "the ledger does not hold the money of an order");
            error(ErrorClass::InvalidOrder, "cannot hold the money of this order")
        }
    }
}
