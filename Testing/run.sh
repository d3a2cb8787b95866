#!/usr/bin/env bash
# All tests on a fresh machine: set-up, then pytest, a file of tests on each of three processes, because some wait, with any further arguments.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
venv=$(bash "$root/Testing/setup.sh")
cd "$root"
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
exec "$venv/bin/python" -m pytest --numprocesses "${CTADEFACE_TEST_PROCESSES:-3}" --dist loadfile "$@"
