# Everything is `cargo xtask`; these are short names for it.

default:
    @just --list

# everything that must hold
test:
    cargo xtask test

# the suites of the crates alone
test-fast:
    cargo xtask fast

e2e:
    cargo xtask e2e

lint:
    cargo xtask lint

fmt:
    cargo xtask fmt

bench:
    cargo xtask bench

# a server with a simulated market
demo:
    cargo run --release -- demo
