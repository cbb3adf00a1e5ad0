#!/bin/sh
# The figures of docs/performance.md on PostgreSQL. Run it beside a server of its own, on an idle machine:
#   with-servers benches/postgres.sh target/release
set -eu
bin=$1
seconds=${2:-8}
users=${3:-1000}
work=$(mktemp -d)
gateway=
finish() {
    if [ -n "$gateway" ]; then kill "$gateway" && wait "$gateway" || true; fi
    rm -rf "$work"
}
trap finish EXIT

for way in single double; do
    "$bin/load" pgbench --way $way --in-flight 48 --users "$users" --seconds "$seconds"
done
for n in 16 48 512; do
    "$bin/load" crate --db postgres --in-flight $n --users "$users" --seconds "$seconds"
done

export DATABASE_URL="$ORRERY_TEST_POSTGRES" ORRERY_DATA_DIR="$work/data" ORRERY_LISTEN=127.0.0.1:0
export ORRERY_MARKET__SOURCE=simulated ORRERY_MARKET__POLL=on
export ORRERY_LIMITS__BITTRADE_USER_MAX=1000000000 ORRERY_LIMITS__BITTRADE_ADDRESS_MAX=1000000000
export ORRERY_AUTH__REGISTRATIONS_PER_HOUR=1000000
"$bin/orrery-gateway" migrate
"$bin/orrery-gateway" serve >"$work/out" 2>"$work/err" &
gateway=$!
n=0
until url=$(grep -o 'http://[0-9.:]*' "$work/out" | head -n 1) && [ -n "$url" ]; do
    n=$((n + 1))
    if [ $n -gt 100 ]; then cat "$work/out" "$work/err" >&2; exit 1; fi
    sleep 0.2
done
sleep 3
for n in 16 48 512; do
    "$bin/load" trade --url "$url" --clients $n --http-users 50 --fund-with "$bin/orrery-gateway" --seconds "$seconds"
done
"$bin/orrery-gateway" ledger verify
