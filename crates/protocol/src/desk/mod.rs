//! Bodies of the trading desk beyond the BitTrade document: what its real client sends and reads
//! (BitTrade contract, sections 5 to 7 and 10). Fields beyond that are marked "added".

mod house;
mod loans;
mod orders;
mod plans;
mod transfers;

pub use house::*;
pub use loans::*;
pub use orders::*;
pub use plans::*;
pub use transfers::*;
