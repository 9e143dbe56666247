#!/usr/bin/env bash
# redis.sh SECONDS: how much of what its script can do the engine on Redis lets through, by publishers at once. Both are
# measured in turns, in one run, over one Redis of its own; the medians go into bench/results/redis.txt.
set -euo pipefail
cd "$(dirname "$0")/.."
test/setup/need.sh redis-server
mkdir -p .cache
commit=$(git rev-parse --short HEAD)
git diff --quiet HEAD -- '*.go' '*.lua' || commit+=+
{
  echo "# make bench-redis SECONDS=$1, $(date -u +%Y-%m-%dT%H:%MZ), commit $commit, $(redis-server --version | grep -o 'v=[^ ]*' | sed 's/v=/Redis /'), load $(cut -d' ' -f1 /proc/loadavg) before"
  echo "# bare: calls of the script with arguments made before; engine: Engine.Publish; engine/bare: the median of the turns' ratios"
  go test -run '^$' -bench 'Publish$' -benchtime "$1s" ./engine/redis
} | tee .cache/redis.txt
mv .cache/redis.txt bench/results/redis.txt
