//! Withdrawals in two steps: the money is reserved when one is asked for, and leaves when it is paid.

use orrery_kernel::{Asset, Timestamp, UserId};

use crate::Seq;

/// Where a hold stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum HoldStatus {
    /// The money is reserved.
    Pending = 1,
    /// Paid out, wholly or in part.
    Posted = 2,
    /// Called off.
    Voided = 3,
    /// Its time was over.
    Expired = 4,
}

impl HoldStatus {
    /// The status of that number.
    pub fn from_number(number: u8) -> Option<Self> {
        [Self::Pending, Self::Posted, Self::Voided, Self::Expired].into_iter().find(|s| *s as u8 == number)
    }
}

/// Money reserved for a withdrawal. Its content follows from its entries; stores keep it to find it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// The entry that made it.
    pub id: Seq,
    /// Whose.
    pub user: UserId,
    /// Which money.
    pub asset: Asset,
    /// Reserved while pending; minor units.
    pub amount: i64,
    /// Paid out; 0 before.
    pub paid: i64,
    /// When it runs out.
    pub expires_at: Option<Timestamp>,
    /// Where it stands.
    pub status: HoldStatus,
    /// When it ended.
    pub closed_at: Option<Timestamp>,
}

impl Hold {
    /// Is its time over?
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| now >= end)
    }
}
