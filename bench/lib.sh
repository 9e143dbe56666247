# lib.sh is sourced: a directory and processes of a measurement's own, which are gone when it ends, however it ends.
go build -o .cache/ ./cmd/wireroom
dir=$(mktemp -d)
pids=() # of servers
bench=  # of the load tester, where it is in the background
finish() {
  for pid in $bench "${pids[@]}"; do kill -9 "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf "$dir"
}
trap finish EXIT
trap 'exit 130' INT TERM

# address FILE: the URL of the server that writes what it says there, once it says it; fails with the server, the last of pids.
address() {
  local url
  until url=$(grep -o -m 1 'ws://[^ ]*' "$1"); do
    kill -0 "${pids[-1]}" 2>/dev/null || return 1
    sleep 0.1
  done
  echo "$url"
}
