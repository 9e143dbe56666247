#!/usr/bin/env bash
# scale.sh: many nodes over one Redis, on this machine. Starts as many nodes as the limit on descriptors asks for, puts
# connections on them in rooms that span the nodes, has some of them publish, and prints what a connection and a delivery cost,
# in the nodes and in Redis.
#
#   CONNECTIONS=200000 ROOM=100 RATE=200 DURATION=20 bench/scale.sh
#   CONNECTIONS=9000 NODES=3 bench/scale.sh    # a smaller one
set -euo pipefail
connections=${CONNECTIONS:-200000} # all together
room=${ROOM:-100}                  # members of a room
rate=${RATE:-200}                  # publishes a second, all together
span=${DURATION:-20}               # seconds that are measured
ramp=${RAMP:-1000}                 # connections a second
presence=${PRESENCE:-no}           # whether rooms have presence

cd "$(dirname "$0")/.."
test/setup/need.sh redis-server
source bench/lib.sh
ulimit -n "$(ulimit -Hn)"
limit=$(ulimit -n)
each=$((limit - 1000)) # connections of a node: Redis, logs and the rest have the others
nodes=$(((connections + each - 1) / each))
least=${NODES:-1}
nodes=$((nodes > least ? nodes : least))
redis-server --bind 127.0.0.1 --port 0 --unixsocket "$dir/redis.sock" --save '' --appendonly no --dir "$dir" --loglevel warning >"$dir/redis.log" 2>&1 &
redis=$!
pids+=("$redis")
renice -n -15 -p "$redis" >/dev/null 2>&1 || echo "Redis shares the processors with all others: only root may give it more" >&2
until redis-cli -s "$dir/redis.sock" ping 2>/dev/null | grep -q PONG; do sleep 0.1; done

cat >"$dir/wireroom.yaml" <<YAML
rules:
  - pattern: "**"
    presence: $([[ $presence == yes ]] && echo true || echo false)
    history: {messages: 100, bytes: 1MiB, age: 1h}
YAML
servers=()
for ((i = 0; i < nodes; i++)); do
  .cache/wireroom serve --config "$dir/wireroom.yaml" --listen 127.0.0.1:0 --no-limits --no-chat --engine "unix://$dir/redis.sock" >"$dir/node$i.out" 2>"$dir/node$i.err" &
  pids+=("$!")
  url=$(address "$dir/node$i.out") || { cat "$dir/node$i.err"; exit 1; }
  servers+=(--server "$url")
done

# used PID: processor time in ms; memory PID: resident KiB.
hertz=$(getconf CLK_TCK)
used() { awk -v hz="$hertz" '{sub(/.*\) /, ""); print int(($12 + $13) * 1000 / hz)}' "/proc/$1/stat"; }
memory() { awk '/^VmRSS/ {print $2}' "/proc/$1/status"; }
sum() {
  local total=0 pid
  for pid in "${pids[@]:1}"; do total=$((total + $("$1" "$pid"))); done
  echo "$total"
}
sleep 3
empty=$(sum memory)
redis_empty=$(memory "$redis")
.cache/wireroom bench rooms -n "$connections" --rooms $((connections / room)) --rate "$rate" --ramp "$ramp" "${servers[@]}" \
  --warmup 5s -d "${span}s" --settle 10s --json "$dir/report.json" >"$dir/bench.out" 2>"$dir/bench.err" &
bench=$!
# What is used is noted while it is measured, which bench says every second.
peak=0 redis_peak=0 began=0 redis_began=0 ended=0 redis_ended=0
while kill -0 "$bench" 2>/dev/null; do
  phase=$(tail -n 1 "$dir/bench.err" | awk '{print $2}')
  now=$(sum memory)
  if ((now > peak)); then peak=$now redis_peak=$(memory "$redis"); fi
  if [[ $phase == measure ]]; then
    if ((began == 0)); then began=$(sum used) redis_began=$(used "$redis") from=$(date +%s%N); fi
    ended=$(sum used) redis_ended=$(used "$redis") to=$(date +%s%N)
  fi
  sleep 0.5
done
wait "$bench" || { cat "$dir/bench.err"; exit 1; }
cat "$dir/bench.out"
number() { grep -o "\"$1\": *[0-9.]*" "$dir/report.json" | "$2" -n 1 | grep -o '[0-9.]*$'; }
awk -v nodes="$nodes" -v wanted="$connections" -v connected="$(number connected head)" -v room="$room" -v empty="$empty" -v peak="$peak" \
  -v redis_empty="$redis_empty" -v redis_peak="$redis_peak" -v cpu="$((ended - began))" -v redis_cpu="$((redis_ended - redis_began))" \
  -v ns="$((to - from))" -v rates="$(grep -A3 '"rates"' "$dir/report.json" | tr -d ' ,\n')" '
  BEGIN {
    s = ns / 1e9
    match(rates, /"published":[0-9.e+]*/); pub = substr(rates, RSTART + 12, RLENGTH - 12)
    match(rates, /"delivered":[0-9.e+]*/); del = substr(rates, RSTART + 12, RLENGTH - 12)
    printf "\n"
    printf "nodes                         %d\n", nodes
    printf "connections                   %d of %d, rooms of %d\n", connected, wanted, room
    printf "a second                      %.0f published, %.0f delivered\n", pub, del
    printf "memory a connection           %.0f bytes, in the nodes\n", (peak - empty) * 1024 / connected
    printf "memory of Redis               %.0f bytes a connection\n", (redis_peak - redis_empty) * 1024 / connected
    printf "CPU of the nodes              %.2f cores, %.2f us a delivery\n", cpu / 1000 / s, cpu * 1000 / s / del
    printf "CPU of Redis                  %.2f cores, %.1f us a publish\n", redis_cpu / 1000 / s, redis_cpu * 1000 / s / pub
  }'
