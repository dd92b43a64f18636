#!/bin/sh
# Other implementations against the example servers. Prints `N passed, N failed`.
#
# usage: tests/interop/run.sh [TARGET_DIR]
#
# TARGET_DIR is cargo's target directory (default: CARGO_TARGET_DIR, or what cargo says). The Python
# SDK of MCP is installed into SEC0_INTEROP_CACHE, which is kept, or into a temporary directory.
# Needs cargo, python3 with pip, and the package index, unless the cache has the SDK already.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
export PYTHONDONTWRITEBYTECODE=1 PIP_DISABLE_PIP_VERSION_CHECK=1

say() {
    printf '%s\n' "$*" >&2
}

command -v python3 >/dev/null || {
    say 'interop: there is no python3; install it (Debian: apt-get install python3 python3-pip)'
    exit 2
}

if [ -n "${SEC0_INTEROP_CACHE:-}" ]; then
    cache=$SEC0_INTEROP_CACHE
    mkdir -p "$cache"
    cache=$(cd "$cache" && pwd)
else
    cache=$(mktemp -d)
    trap 'rm -rf "$cache"' EXIT
    trap 'exit 130' INT TERM
fi

# The interpreter that has the SDK: that of a virtual environment or, where there is no `venv`,
# the machine's own with the packages in a directory. A finished installation leaves a copy of the
# list that it was made from.
install() {
    rm -rf "$cache/venv" "$cache/site" "$cache/requirements.txt"
    if python3 -m venv "$cache/venv" >/dev/null 2>&1; then
        "$cache/venv/bin/python" -m pip install --quiet -r "$here/requirements.txt" >&2
    else
        rm -rf "$cache/venv"
        say 'interop: python3 has no working venv (Debian: apt-get install python3-venv);' \
            'the packages go into a directory instead'
        python3 -m pip install --quiet --target "$cache/site" -r "$here/requirements.txt" >&2 || {
            say 'interop: pip cannot install them; install python3-venv or python3-pip, and see' \
                'that the package index can be reached'
            exit 2
        }
    fi
    cp "$here/requirements.txt" "$cache/requirements.txt"
}

cmp -s "$here/requirements.txt" "$cache/requirements.txt" || install
python=$cache/venv/bin/python
if [ ! -x "$python" ]; then
    python=python3
    export PYTHONPATH="$cache/site"
fi

if [ $# -gt 0 ]; then
    mkdir -p "$1"
    CARGO_TARGET_DIR=$(cd "$1" && pwd)
    export CARGO_TARGET_DIR
fi
cd "$root"
cargo build --quiet --features cli --bin sec0 --example server_stdio --example server_http >&2
target=$(cargo metadata --format-version 1 --no-deps |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')

"$python" "$here/python_client.py" "$target/debug/examples" "$target/debug/sec0"
