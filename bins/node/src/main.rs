//! Runs users' workers beside gateways on one Postgres.

fn main() -> std::process::ExitCode {
    orrery_server::cli::node_main()
}
