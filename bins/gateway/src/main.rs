//! The Orrery server: everything in one process.

fn main() -> std::process::ExitCode {
    orrery_server::cli::main()
}
