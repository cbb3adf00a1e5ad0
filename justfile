# Shortcuts. The real commands are `cargo xtask …`, so that a fresh machine needs nothing but cargo.

# list the shortcuts
default:
    @just --list

# install what the tests need, or say what is missing
setup:
    cargo xtask setup

# format the sources
fmt:
    cargo xtask fmt

# format, clippy and documentation, warnings denied
lint:
    cargo xtask lint

# does it compile?
check:
    cargo xtask check

# the suites of the crates, without end-to-end tests
test-fast:
    cargo xtask fast

# the repository's own rules
tidy:
    cargo xtask tidy

# everything
test:
    cargo xtask test

# end-to-end tests, those whose name contains FILTER
e2e *FILTER:
    cargo xtask e2e {{FILTER}}

# criterion benches
bench *ARGS:
    cargo xtask bench {{ARGS}}

# known vulnerabilities of dependencies (needs internet)
audit:
    cargo xtask audit

# a server with simulated prices and funded users
demo:
    cargo run --release -- demo
