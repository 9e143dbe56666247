#!/usr/bin/env bash
# recorder.sh: what the recorder costs: servers with it and without, measured in turns in one run. Prints the median of
# the processor time of a delivery (of a connection that comes and goes, for churn) with it over that without, and the
# medians themselves in microseconds. These ratios scatter by more than it costs, so it also prints which share of the
# samples of a profile of the processor is inside the recorder, which does not depend on what else the machine does.
#
#   REPEAT=5 SECONDS_EACH=6 bench/recorder.sh
set -euo pipefail
repeat=${REPEAT:-5} span=${SECONDS_EACH:-6}
cd "$(dirname "$0")/.."
source bench/lib.sh
go build -o .cache/ ./bench/embed

declare -A url pid

# A process has its own layout of memory, which alone makes it some percent faster or slower: each turn has new ones.
start() {
  for kind in on off; do
    recorded=65536
    [[ $kind == on ]] || recorded=0
    .cache/wireroom serve --listen 127.0.0.1:0 --admin-listen off --no-limits --recorded $recorded >"$dir/$kind.log" 2>&1 &
    pid[$kind]=$!
    pids+=($!)
    url[$kind]=$(address "$dir/$kind.log") || { cat "$dir/$kind.log"; exit 1; }
  done
}

stop() {
  kill "${pids[@]}"
  wait "${pids[@]}" || true
  pids=()
  rm "$dir"/*.log # or the next turn finds the addresses of this one
}

# share NAME FLAGS...: the samples of a profile that have the recorder in their stack, while a scenario runs.
share() {
  local name=$1
  shift
  .cache/embed >"$dir/embed.log" 2>&1 &
  pids=($!)
  local server profiles
  server=$(address "$dir/embed.log")
  profiles=$(grep -o 'http://[^ ]*' "$dir/embed.log")
  .cache/wireroom bench "$@" --server "$server" --duration "$((3 * span + 4))s" --warmup 1s >/dev/null 2>&1 &
  bench=$!
  sleep 3
  curl -sf "${profiles}profile?seconds=$((3 * span))" -o "$dir/$name.profile"
  wait "$bench" || true
  bench=
  go tool pprof -top -nodecount=1 -focus 'internal/recorder\.' .cache/embed "$dir/$name.profile" 2>/dev/null |
    sed -n "s/.*accounting for \(.*\) total$/$name: of the profile \1 in the recorder/p"
  stop
}

measure() { # NAME KIND FLAGS...
  local name=$1 kind=$2
  shift 2
  .cache/wireroom bench "$@" --server "${url[$kind]}" --pid "${pid[$kind]}" --duration "${span}s" --warmup 1s --json "$dir/report.json" >/dev/null 2>&1
  python3 - "$dir/report.json" "$name" >>"$dir/$name.$kind" <<'PY'
import json, sys
r = json.load(open(sys.argv[1]))
done = r["totals"]["delivered"] or 1
if sys.argv[2] == "churn":
    done = r["totals"]["connected"]
print(r["server"]["cpu_seconds"] * 1e6 / done)
PY
}

for ((i = 0; i < repeat; i++)); do
  start
  order=(on off)
  ((i % 2)) && order=(off on) # whatever drifts is shared
  for kind in "${order[@]}"; do measure fan-out $kind fan-out -n 500 --rate 60; done
  for kind in "${order[@]}"; do measure rooms $kind rooms -n 1000 --rate 600; done
  for kind in "${order[@]}"; do measure churn $kind churn -n 200 --stay 1s; done
  stop
done
python3 - "$dir" <<'PY'
import statistics, sys
for name in ("fan-out", "rooms", "churn"):
    on, off = ([float(x) for x in open(f"{sys.argv[1]}/{name}.{kind}")] for kind in ("on", "off"))
    pairs = statistics.median(a / b for a, b in zip(on, off))
    print(f"{name}: {statistics.median(on) / statistics.median(off):.3f} of the medians, {pairs:.3f} the median of pairs; {statistics.median(on):.3f} us with, {statistics.median(off):.3f} us without; {len(on)} runs each")
PY
share fan-out fan-out -n 500 --window 4
share rooms rooms -n 1000 --window 64
share churn churn -n 4000 --stay 500ms
