#!/usr/bin/env bash
# Set-up, then one head defaced and drawn before and after: the file given, or the public InVesalius cranium.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
venv=$(bash "$root/Testing/setup.sh" demo)
exec "$venv/bin/cta-deface" demo "$@"
