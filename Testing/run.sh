#!/usr/bin/env bash
# All tests on a fresh machine: set-up, then pytest with any further arguments.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
venv=$(bash "$root/Testing/setup.sh")
cd "$root"
exec "$venv/bin/python" -m pytest "$@"
