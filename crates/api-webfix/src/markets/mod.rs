//! Market data on its way to channels: what exchanges say becomes the document's widgets, under the document's names
//! and the newer client's.

mod board;
mod shapes;
mod topic;

use orrery_app::App;
use orrery_app::hub::Offer;
use orrery_venues::Venue;

pub use board::{Board, Targets};
pub use topic::{TIMEFRAME, Topic};

/// The simulated exchange, as it stands in names.
pub const PAPER: &str = "paper";

/// Channels of markets that all clients of a process together may be in.
const WATCHED_MAX: usize = 2_000;
/// Channels of markets that a connection may be in.
const WATCHED_BY_ONE_MAX: usize = 128;

/// Is there an exchange of that name?
pub fn is_exchange(name: &str) -> bool {
    name == PAPER || name.parse::<Venue>().is_ok()
}

/// Lets clients, also those without a session, join the channels of any market of any exchange; the data comes because
/// they are there.
pub fn offer(app: &App) {
    let network = app.wallets.network().to_owned();
    let is_one = move |name: &str| Topic::of(&network, name).is_some_and(|topic| is_exchange(&topic.exchange));
    app.hub.offer(Offer { is_one: Box::new(is_one), most: WATCHED_MAX, per_connection: WATCHED_BY_ONE_MAX });
}
