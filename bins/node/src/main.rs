//! Runs workers, the scripts that wallets leave to run.

fn main() -> std::process::ExitCode {
    orrery_server::cli::node_main()
}
