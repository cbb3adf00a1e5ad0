//! Fetches prices and runs orders, plans and loans beside gateways on one Postgres.

fn main() -> std::process::ExitCode {
    orrery_server::cli::poller_main()
}
