#!/bin/sh
# The figures of docs/performance.md on sockets. Run it on an idle machine:
#   (cd benches/peers && npm install) && benches/sockets.sh target/release
# nats-server (Debian's package) takes part where it is installed.
set -eu
bin=$1
seconds=${2:-4}
only=${3:-}
here=$(dirname "$0")
work=$(mktemp -d)
pid=
finish() {
    if [ -n "$pid" ]; then kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null || true; fi
    rm -rf "$work"
}
trap finish EXIT

stop() {
    kill "$pid"
    wait "$pid" 2>/dev/null || true
    pid=
}

# start NAME COMMAND…: runs it and finds its address
start() {
    "$@" >"$work/out" 2>"$work/err" &
    pid=$!
    n=0
    until address=$(grep -o '127.0.0.1:[0-9]*' "$work/out" | head -n 1) && [ -n "$address" ]; do
        n=$((n + 1))
        if [ $n -gt 100 ]; then cat "$work/out" "$work/err" >&2; exit 1; fi
        sleep 0.1
    done
}

row() {
    "$bin/sockets" --bare --address "$address" --pid "$pid" --seconds "$seconds" "$@"
}

peer() {
    name=$1
    kind=$2
    shift 2
    for load in 50 0; do
        start "$@"
        # as many bytes as the gateway's frames have with their envelope
        row --name "$name" --kind "$kind" --rate $load --bytes 480
        stop
    done
}

gateway() {
    export ORRERY_DATA_DIR="$work/data" ORRERY_LISTEN=127.0.0.1:0 ORRERY_MARKET__SOURCE=simulated
    export ORRERY_MARKET__PRICE_POLL_S=3600 ORRERY_LOG__LEVEL=warn ORRERY_SERVER__CONNECTIONS_MAX=20000
    export RATE_LIMIT_CONNECTIONS=50000 RATE_LIMIT_MESSAGES=1000000000 ORRERY_REALTIME__MESSAGES_PER_SECOND=10000000
    export ORRERY_LIMITS__BITTRADE_USER_MAX=1000000000 ORRERY_LIMITS__BITTRADE_ADDRESS_MAX=1000000000
    rm -rf "$work/data"
    start "$bin/orrery-gateway" serve
    printf 'load-tool-Passw0rd-5527\n' |
        "$bin/orrery-gateway" user create --email load@example.com --role admin --password-stdin >/dev/null
    token=$(curl -s "http://$address/api/auth/login" -H 'content-type: application/json' \
        -d '{"email":"load@example.com","password":"load-tool-Passw0rd-5527"}' | sed 's/.*"token":"\([^"]*\)".*/\1/')
    channel '{"name":"load","max_connections":0,"message_rate_limit":1000000}'
}

channel() {
    curl -sf -o /dev/null "http://$address/ws/channels" -H "authorization: Bearer $token" \
        -H 'content-type: application/json' -d "$1"
}

wants() {
    [ -z "$only" ] || [ "$only" = "$1" ]
}

printf '%-26s %6s %10s %12s %8s %8s %6s %7s %12s %9s %8s\n' '' conns load deliveries/s 'p50 ms' 'p99 ms' lost cores \
    'per CPU-s' 'per read' 'kB each'
if wants peers; then
    peer 'limit (epoll, writev)' plain "$bin/peer-raw"
    peer 'tokio-tungstenite' plain "$bin/peer-tungstenite"
    if command -v nats-server >/dev/null; then
        printf 'port: -1\nhost: "127.0.0.1"\nwebsocket { host: "127.0.0.1", port: 28222, no_tls: true }\n' >"$work/nats.conf"
        peer 'nats-server' nats sh -c "(sleep 1; echo 127.0.0.1:28222) & exec nats-server -c '$work/nats.conf'"
    fi
    peer 'Node ws' plain node "$here/peers/ws.mjs"
    peer 'Node socket.io' socketio node "$here/peers/socketio.mjs"
fi
if wants channels; then
    for load in 50 0; do
        gateway
        row --name 'channels' --kind channels --token "$token" --rate $load
        stop
    done
fi
if wants topics; then
    for load in 50 0; do
        gateway
        row --name 'Socket.IO topics' --kind topics --token "$token" --rate $load
        stop
    done
fi
if wants market; then
    gateway
    channel '{"name":"load","max_connections":0,"message_rate_limit":1000000,"mode":"latest","conflate_ms":50,"history_size":200}'
    row --name 'market, 200 symbols' --kind channels --token "$token" --connections 500 --rate 2000 --keys 200
    stop
fi
if wants idle; then
    gateway
    "$bin/sockets" --name channels --kind channels --address "$address" --pid "$pid" --token "$token" \
        --connections 10000 --seconds 0
    stop
fi
