#!/usr/bin/env bash
# Runs every fuzz target of the module in turn, each for $1 (such as 10m), those whose name matches $2 if it is given.
# What it finds is a file under testdata/fuzz of the package, which every `go test` tries from then on: commit it with
# the mend.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

time=${1:?how long to fuzz each target, such as 1m}
matching=${2:-.}
status=0
while read -r folder; do
	for target in $(grep -ho '^func Fuzz[A-Za-z0-9_]*' "$folder"/*_test.go | sed 's/^func //' | grep -E "$matching"); do
		printf '\n== %s in %s\n' "$target" "$folder"
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "./$folder" || status=1
	done
done < <(git ls-files --cached --others --exclude-standard -- '*_test.go' ':!*/testdata/*' | xargs grep -l '^func Fuzz' | xargs -n1 dirname | sort -u)
exit $status
