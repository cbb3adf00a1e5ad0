//! Paper trading: play money that is given, held for orders, released, and exchanged in one entry a fill.
//!
//! Accounts trade with each other or with the house, whose stock of play money may go short without a bound: it stands
//! for everybody else in the market.

use orrery_kernel::{AMOUNT_MAX, Asset};

use crate::draft::{Draft, Halt, Movement, check, check_amount, check_wallet};
use crate::{Account, Bucket, Kind, Operation, Owner};

/// An exchange of what two sides hold for their orders; amounts are minor units. `None` is the house.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PaperFill {
    /// Who pays `cost` and receives `amount`.
    pub buyer: Option<Box<str>>,
    /// Who pays `amount` and receives `cost`.
    pub seller: Option<Box<str>>,
    /// What is bought.
    pub base: Asset,
    /// What it is paid with.
    pub quote: Asset,
    /// Of `base`, from 1.
    pub amount: i64,
    /// Of `quote`, from 1.
    pub cost: i64,
    /// Of `base`, from what the buyer receives; the house pays none.
    pub buyer_fee: i64,
    /// Of `quote`, from what the seller receives; the house pays none.
    pub seller_fee: i64,
    /// Of `quote`: what the buyer held and needs no more.
    pub freed: i64,
}

/// Where a side's payment comes from.
fn pays(side: Option<&str>, asset: Asset) -> Account {
    side.map_or_else(|| Account::house(asset, Bucket::Inventory), |name| Account::paper(name, asset, Bucket::Reserved))
}

/// Where a side receives.
fn receives(side: Option<&str>, asset: Asset) -> Account {
    side.map_or_else(|| Account::house(asset, Bucket::Inventory), |name| Account::paper(name, asset, Bucket::Available))
}

impl PaperFill {
    /// The accounts that it moves.
    pub(crate) fn accounts(&self) -> impl Iterator<Item = Account> {
        let sides = [self.buyer.as_deref(), self.seller.as_deref()];
        let of = move |asset| sides.into_iter().flat_map(move |side| [pays(side, asset), receives(side, asset)]);
        let fees = [self.base, self.quote].map(|asset| Account::house(asset, Bucket::Income));
        of(self.base).chain(of(self.quote)).chain(fees).collect::<Vec<_>>().into_iter()
    }

    fn checked(&self) -> Result<(), Halt> {
        check(self.buyer.is_some() || self.seller.is_some(), "account")?;
        for name in self.buyer.iter().chain(&self.seller) {
            check_wallet(name)?;
        }
        check(self.base.is_paper() && self.quote.is_paper() && self.base != self.quote, "asset")?;
        check_amount(self.amount)?;
        check_amount(self.cost)?;
        let part = |fee: i64, of: i64, side: &Option<Box<str>>| (0..=of).contains(&fee) && (side.is_some() || fee == 0);
        check(part(self.buyer_fee, self.amount, &self.buyer), "fee")?;
        check(part(self.seller_fee, self.cost, &self.seller), "fee")?;
        check(part(self.freed, AMOUNT_MAX, &self.buyer), "freed")
    }

    pub(crate) fn draft(&self) -> Result<Draft, Halt> {
        self.checked()?;
        let (buyer, seller) = (self.buyer.as_deref(), self.seller.as_deref());
        let mut legs = vec![
            (pays(buyer, self.quote), receives(seller, self.quote), self.cost),
            (pays(seller, self.base), receives(buyer, self.base), self.amount),
        ];
        let income = |asset| Account::house(asset, Bucket::Income);
        let rest = [
            (receives(buyer, self.base), income(self.base), self.buyer_fee),
            (receives(seller, self.quote), income(self.quote), self.seller_fee),
            (pays(buyer, self.quote), receives(buyer, self.quote), self.freed),
        ];
        legs.extend(rest.into_iter().filter(|(_, _, amount)| *amount > 0));
        Ok(Draft::new(Kind::PaperFill, None, legs))
    }

    /// The fill of which `legs` are the movements; none, if they cannot be those of any.
    pub(crate) fn read(legs: &[Movement]) -> Option<Self> {
        let [(payer, payee, cost), (from, _, amount), rest @ ..] = legs else { return None };
        let mut fill = Self {
            buyer: side(payer)?,
            seller: side(payee)?,
            base: from.asset,
            quote: payer.asset,
            amount: *amount,
            cost: *cost,
            buyer_fee: 0,
            seller_fee: 0,
            freed: 0,
        };
        for (_, to, amount) in rest {
            match to.bucket {
                Bucket::Income if to.asset == fill.base => fill.buyer_fee = *amount,
                Bucket::Income => fill.seller_fee = *amount,
                _ => fill.freed = *amount,
            }
        }
        Some(fill)
    }
}

fn side(account: &Account) -> Option<Option<Box<str>>> {
    match &account.owner {
        Owner::House => Some(None),
        Owner::Paper(name) => Some(Some(name.clone())),
        _ => None,
    }
}

/// Money given, held or released; the three differ in where it goes.
pub(crate) fn draft(kind: Kind, account: &str, asset: Asset, amount: i64) -> Result<Draft, Halt> {
    check_wallet(account)?;
    check(asset.is_paper(), "asset")?;
    check_amount(amount)?;
    let own = |bucket| Account::paper(account, asset, bucket);
    let (from, to) = match kind {
        Kind::PaperGrant => (Account::world(asset), own(Bucket::Available)),
        Kind::PaperHold => (own(Bucket::Available), own(Bucket::Reserved)),
        _ => (own(Bucket::Reserved), own(Bucket::Available)),
    };
    Ok(Draft::new(kind, None, vec![(from, to, amount)]))
}

/// The operation whose entry moved `amount` so; none, if no paper account is in it.
pub(crate) fn read(kind: Kind, (from, to, amount): &Movement) -> Option<Operation> {
    let (asset, amount) = (to.asset, *amount);
    let account = side(if kind == Kind::PaperGrant { to } else { from })??;
    Some(match kind {
        Kind::PaperGrant => Operation::PaperGrant { account, asset, amount },
        Kind::PaperHold => Operation::PaperHold { account, asset, amount },
        _ => Operation::PaperRelease { account, asset, amount },
    })
}
