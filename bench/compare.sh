#!/usr/bin/env bash
# compare.sh PATTERN COUNT PACKAGE...: runs the benchmarks of the packages as they are and as they were in the last
# commit (in the one before it, where nothing has changed since), in turns, and compares them.
set -euo pipefail

pattern=$1 count=$2
shift 2
base=HEAD
if git diff --quiet HEAD -- '*.go'; then base=HEAD~1; fi

copy=$(mktemp -d)
trap 'git worktree remove --force "$copy"' EXIT
git worktree add --quiet --detach "$copy" "$base"
mkdir -p .cache
: >.cache/bench-before.txt
: >.cache/bench-now.txt
echo "compared with $(git log -1 --format='%h %s' "$base")"
for ((i = 1; i <= count; i++)); do
  echo "turn $i of $count"
  (cd "$copy" && go test -run '^$' -bench "$pattern" -benchmem -benchtime 200ms "$@") >>.cache/bench-before.txt
  go test -run '^$' -bench "$pattern" -benchmem -benchtime 200ms "$@" >>.cache/bench-now.txt
done
go tool -modfile=tools/go.mod benchstat .cache/bench-before.txt .cache/bench-now.txt
