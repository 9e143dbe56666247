#!/usr/bin/env bash
# modules.sh FOLDER...: makes sure that the npm modules of each folder are those of its package-lock.json.
set -euo pipefail

for folder in "$@"; do
  # npm writes the second file when it is done, so a folder that is half installed is installed again.
  if [[ $folder/package-lock.json -nt $folder/node_modules/.package-lock.json ]]; then
    echo "npm ci in $folder"
    npm ci --prefix "$folder" --no-audit --no-fund --loglevel=error
    touch "$folder/node_modules/.package-lock.json"
  fi
done
