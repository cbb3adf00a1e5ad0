//! What users, operators and attackers do to the real program.

mod auth;
mod badinput;
mod channels;
mod commands;
mod crash;
mod defects;
mod desk;
mod desks;
mod faults;
mod files;
mod fleet;
mod fuzz;
mod js;
mod keeping;
mod lifecycle;
mod market;
mod nodes;
mod operator;
mod routes;
mod scale;
mod scripts;
mod secrets;
mod streams;
mod terminals;
mod trade;
mod tunnels;
mod ui;
mod venues;
mod webfix;
mod workers;

use e2e::{Gateway, Options, Upstream};

/// A server with a steady price of 45,000 dollars: buying at 4,095,000 and selling at 3,960,000 rupees.
async fn desk() -> (Gateway, Upstream) {
    let upstream = Upstream::start(45_000.0);
    let gateway = Gateway::start(Options::default().upstream(&upstream)).await;
    assert_eq!(gateway.priced().await, (4_095_000, 3_960_000));
    (gateway, upstream)
}
