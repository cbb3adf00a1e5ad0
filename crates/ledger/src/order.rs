//! Limit orders: placed with what they can cost reserved, and ended once.

use orrery_kernel::{Timestamp, UserId};

use crate::{Kind, NoTrade, Seq, Side, Sides, Size, convert};

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum OrderStatus {
    /// Waiting for its price.
    Open = 1,
    /// Executed, whole.
    Filled = 2,
    /// Withdrawn by its owner.
    Cancelled = 3,
    /// Its time was over.
    Expired = 4,
}

impl OrderStatus {
    /// The status of that number.
    pub fn from_number(number: u8) -> Option<Self> {
        [Self::Open, Self::Filled, Self::Cancelled, Self::Expired].into_iter().find(|s| *s as u8 == number)
    }
}

/// A limit order. Its content follows from its entries; stores keep it to find it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The entry that placed it.
    pub id: Seq,
    /// Whose.
    pub user: UserId,
    /// Buy or sell.
    pub side: Side,
    /// How much, and in which money that is exact.
    pub size: Size,
    /// The worst rate it may be filled at, paise per bitcoin.
    pub limit: i64,
    /// Reserved while open: paise of a buy, satoshis of a sell.
    pub reserved: i64,
    /// When it runs out.
    pub expires_at: Option<Timestamp>,
    /// Where it stands.
    pub status: OrderStatus,
    /// When it ended.
    pub closed_at: Option<Timestamp>,
    /// Paise of the trade: made if filled, else at its limit.
    pub inr: i64,
    /// Satoshis of the trade: made if filled, else at its limit.
    pub btc: i64,
    /// The rate it was filled at; its limit before.
    pub rate: i64,
}

impl Order {
    /// A new order; both sides of it at its limit.
    pub(crate) fn place(
        id: Seq,
        user: UserId,
        side: Side,
        size: Size,
        limit: i64,
        expires_at: Option<Timestamp>,
    ) -> Result<Self, NoTrade> {
        let Sides { inr, btc } = convert(side, size, limit)?;
        let reserved = if side == Side::Buy { inr } else { btc };
        let (status, closed_at, rate) = (OrderStatus::Open, None, limit);
        Ok(Self { id, user, side, size, limit, reserved, expires_at, status, closed_at, inr, btc, rate })
    }

    /// Would a fill at `rate` keep the limit?
    pub fn crosses(&self, rate: i64) -> bool {
        match self.side {
            Side::Buy => rate <= self.limit,
            Side::Sell => rate >= self.limit,
        }
    }

    /// Is its time over?
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| now >= end)
    }

    /// What reserves it.
    pub(crate) fn placing(&self) -> Kind {
        if self.side == Side::Buy { Kind::PlaceBuy } else { Kind::PlaceSell }
    }
}
