#!/usr/bin/env bash
# need.sh NAME...: makes sure that what the tests need besides Go is on this machine: gcc (the race detector), node, npm,
# chromium, openssl, python-websockets, python-socketio, redis-server. What is missing is installed where that can be done without
# asking (Debian and its kin, as root); elsewhere the script says exactly what to install, and fails. What is there is left alone.
set -euo pipefail

# What node_modules and the test runner of this project ask for.
readonly node_major=20

# there NAME: whether it is on this machine.
there() {
  case $1 in
    chromium) [[ -x ${CHROMIUM:-/usr/bin/chromium} ]] ;;
    # Debian's packages are seen by Debian's Python only, whichever stands first on the path.
    python-websockets) "${PYTHON:-/usr/bin/python3}" -c 'import websockets' 2>/dev/null ;;
    python-socketio) "${PYTHON:-/usr/bin/python3}" -c 'import socketio, requests, websocket' 2>/dev/null ;;
    node) [[ $(node_version) -ge $node_major ]] ;;
    *) command -v "$1" >/dev/null ;;
  esac
}

node_version() {
  local version
  version=$(node --version 2>/dev/null) || version=v0
  version=${version#v}
  echo "${version%%.*}"
}

# package NAME: the Debian packages that have it.
package() {
  case $1 in
    gcc) echo gcc libc6-dev ;;
    node) echo nodejs ;;
    python-socketio) echo python3-socketio python3-requests python3-websocket ;;
    ip) echo iproute2 ;;
    python-websockets) echo python3-websockets ;;
    *) echo "$1" ;;
  esac
}

missing=()
for name in "$@"; do
  there "$name" || missing+=("$name")
done
if [[ ${#missing[@]} -eq 0 ]]; then exit 0; fi

packages=()
for name in "${missing[@]}"; do
  read -ra more <<<"$(package "$name")"
  packages+=("${more[@]}")
done
if [[ $(id -u) -eq 0 ]] && command -v apt-get >/dev/null; then
  echo "installing ${packages[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -q >/dev/null
  apt-get install -q -y --no-install-recommends "${packages[@]}" >/dev/null
fi

still=()
for name in "${missing[@]}"; do
  there "$name" || still+=("$name")
done
if [[ ${#still[@]} -eq 0 ]]; then exit 0; fi
{
  echo "missing: ${still[*]}"
  echo "On Debian or Ubuntu: sudo apt-get install ${packages[*]}"
  for name in "${still[@]}"; do
    case $name in
      node) echo "node has to be version $node_major or newer; where the system's is older, take it from https://nodejs.org/" ;;
      chromium) echo "Elsewhere install Chromium or Chrome, and set CHROMIUM to its path." ;;
      python-websockets) echo "Elsewhere: pip install websockets, with the Python that PYTHON names (default /usr/bin/python3)." ;;
    esac
  done
} >&2
exit 1
