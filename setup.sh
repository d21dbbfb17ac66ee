#!/usr/bin/env bash
# Sets up what the program needs: system packages, .venv, pinned dependencies.
#
#   ./setup.sh run    to run a show
#   ./setup.sh dev    and to run the tests
#   ./setup.sh air    and to run the tests against OBS and an RTMP server
#
# Called by make, which skips it when nothing has changed. Safe to run again.
#   PYTHON=python3.12   the Python to use (3.11 or 3.12)
#   TORCH=any           take the index's own build of torch (CUDA) instead of the CPU one
set -euo pipefail
cd "$(dirname "$0")"

stage=${1:-run}
venv=.venv

say() { printf '\033[1m%s\033[0m\n' "setup: $*" >&2; }
fail() { printf '%s\n' "setup: $*" >&2; exit 1; }

# --- system packages -----------------------------------------------------------

# "a|b" is satisfied by either; the first that apt knows is installed.
case $stage in
    # g++: the decoder is compiled for the processor it runs on.
    # libfluidsynth3: SoundFonts are played with it.
    run) wanted=(libgl1 libegl1 "libasound2t64|libasound2" fonts-dejavu-core g++ "libfluidsynth3|libfluidsynth2") ;;
    # nginx with RTMP: what we stream is tested against a real ingest.
    dev) wanted=(ffmpeg "chromium|chromium-browser" nginx-light libnginx-mod-rtmp) ;;
    air) wanted=(obs-studio obs-plugins xvfb libgl1-mesa-dri nginx-light libnginx-mod-rtmp jackd2 ngircd coturn) ;;
    *) fail "unknown stage '$stage' (run, dev or air)" ;;
esac

installed() { [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif sudo -n true 2>/dev/null; then sudo -n "$@"
    else return 1
    fi
}

known_to_apt() { apt-cache show "$1" 2>/dev/null | grep -q '^Package:'; }

# Prints the packages to install, one for each argument that is not satisfied.
missing() {
    local alternatives name choice
    for alternatives in "$@"; do
        choice=
        IFS='|' read -ra names <<<"$alternatives"
        for name in "${names[@]}"; do
            if installed "$name"; then choice=; continue 2; fi
            if [ -z "$choice" ] && known_to_apt "$name"; then choice=$name; fi
        done
        echo "${choice:-${names[-1]}}"
    done
}

apt_install() {
    local packages
    if ! command -v dpkg-query >/dev/null; then
        say "this is no Debian or Ubuntu: please see to the equivalents of: $*"
        return
    fi
    mapfile -t packages < <(missing "$@")
    [ ${#packages[@]} -gt 0 ] || return 0
    if ! root true 2>/dev/null; then
        fail "these system packages are missing and only root may install them. Run
    sudo apt-get update && sudo apt-get install --no-install-recommends ${packages[*]}
and then the same make again."
    fi
    say "installing ${packages[*]}"
    root apt-get update -qq || say "apt-get update failed; trying with the lists there are"
    # A fresh machine knows no package names before the update, so look again.
    mapfile -t packages < <(missing "$@")
    root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${packages[@]}" >/dev/null ||
        fail "apt-get could not install ${packages[*]} (see above)"
}

# What the program does without: a failure is told, and nothing else.
apt_install_optional() {
    local packages
    command -v dpkg-query >/dev/null || return 0
    mapfile -t packages < <(missing "$@")
    [ ${#packages[@]} -gt 0 ] || return 0
    if ! root true 2>/dev/null ||
        ! root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${packages[@]}" >/dev/null 2>&1
    then
        say "without ${packages[*]} titles in other scripts and emoji are left out of the picture; install them if you like"
    fi
}

# --- python ---------------------------------------------------------------------

supported() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null; }
has_venv() { "$1" -c 'import ensurepip, venv' 2>/dev/null; }

# The first supported Python, one that can make a venv before one that cannot.
find_python() {
    local candidate without=
    for candidate in ${PYTHON:-python3.11 python3.12 python3 /usr/bin/python3.11 /usr/bin/python3.12}; do
        supported "$candidate" || continue
        if has_venv "$candidate"; then echo "$candidate"; return; fi
        [ -n "$without" ] || without=$candidate
    done
    echo "$without"
}

make_venv() {
    local python version
    if [ -x $venv/bin/python ] && supported $venv/bin/python && $venv/bin/python -m pip --version >/dev/null 2>&1; then
        return
    fi
    python=$(find_python)
    if [ -z "$python" ] && [ -z "${PYTHON:-}" ] && command -v apt-get >/dev/null; then
        apt_install python3 python3-venv
        python=$(find_python)
    fi
    [ -n "$python" ] || fail "Python 3.11 or 3.12 is needed and neither was found${PYTHON:+ as PYTHON=$PYTHON}.
Debian 12 has it as python3, Ubuntu 24.04 too; elsewhere install one and run: make setup PYTHON=/path/to/python3.12"
    if ! has_venv "$python"; then
        version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        apt_install "python$version-venv"
    fi
    say "making $venv with $("$python" -V)"
    "$python" -m venv --clear $venv || fail "$python could not make a virtual environment (see above)"
}

pip() { $venv/bin/python -m pip --disable-pip-version-check -qq "$@"; }

# torch apart from the rest: its CPU build is a tenth of the size, and not every index has it.
install_torch() {
    local version log have
    version=$(sed -n 's/^torch==//p' requirements.lock)
    have=$($venv/bin/python -c 'from importlib.metadata import version; print(version("torch"))' 2>/dev/null || true)
    [ "${have%%+*}" != "$version" ] || return 0
    if [ "${TORCH:-cpu}" = cpu ]; then
        say "installing torch $version, CPU build (about 200 MB)"
        log=$venv/torch.log
        # The lock as constraint: what torch depends on comes in its pinned version at once.
        if pip install -c requirements.lock "torch==$version+cpu" 2>"$log"; then return; fi
        # Where a constraint speaks of torch, as the lock does, pip tells a build that no index has as a conflict.
        grep -qE "No matching distribution found for torch|Cannot install torch==$version\+cpu" "$log" || { cat "$log" >&2; fail "torch was not installed (see above)"; }
        say "no index that pip knows has torch $version+cpu; installing plain torch $version instead (several GB with CUDA)." \
            "To avoid that: interrupt, add PyTorch's CPU index to pip's extra-index-url, run make again."
    fi
    pip install -c requirements.lock "torch==$version" || fail "torch was not installed (see above)"
}

install_python_packages() {
    local lock=$1
    say "installing $(grep -c '^[a-z]' "$lock") pinned Python packages from $lock"
    pip install -r "$lock" || fail "the packages in $lock were not installed (see above)"
}

apt_install "${wanted[@]}"
[ "$stage" != run ] || apt_install_optional fonts-noto-cjk fonts-noto-color-emoji
case $stage in
    run)
        make_venv
        install_torch
        install_python_packages requirements.lock
        # Editable: the programme runs from this folder.
        pip install --no-deps -e . || fail "the programme itself was not installed (see above)"
        $venv/bin/python -m kernels.native.library
        say "making the instruments' tables, which the first show would wait for"
        $venv/bin/python -m conductor.player --prepare
        ;;
    dev)
        lock=requirements-dev.lock
        # torch's CUDA build pins a triton of its own; only beside the CPU build the lock's is wanted.
        if ! $venv/bin/python -c 'import sys; from importlib.metadata import version; sys.exit("+cpu" not in version("torch"))'; then
            lock=$venv/requirements-dev.lock
            grep -v '^triton==' requirements-dev.lock >"$lock"
        fi
        install_python_packages "$lock"
        ;;
    air) ;;
esac
touch "$venv/.$stage"
