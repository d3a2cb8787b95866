#!/usr/bin/env bash
# All tests on a fresh machine: set-up, then pytest with any further arguments, a file of tests on each of three processes, of
# which on two cores one often waits.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
venv=$(bash "$root/Testing/setup.sh")
cd "$root"
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
exec "$venv/bin/python" -m pytest --numprocesses "${CTADEFACE_TEST_PROCESSES:-3}" --dist loadfile "$@"
