#!/bin/sh
# Run the default test suite with the lowest direct dependencies on Python 3.11 and with the newest on 3.13:
# bounds.sh UV [PYTEST ARGUMENTS]. uv finds the interpreters, or downloads them.
set -u
uv=$1
shift
failed=''
environments=$(mktemp -d)
trap 'rm -rf "$environments"' EXIT
trap 'exit 1' INT TERM

run() {
    name=$1 python=$2 resolution=$3
    shift 3
    echo "== $name: Python $python"
    "$uv" venv --quiet --python "$python" "$environments/$name" &&
        "$uv" pip install --quiet --python "$environments/$name/bin/python" --resolution "$resolution" --editable '.[dev]' &&
        "$environments/$name/bin/pytest" "$@" || failed="$failed [$name]"
    rm -rf "${environments:?}/$name" # several gigabytes
}

# old releases call functions that newer ones of their dependencies deprecate
run lowest 3.11 lowest-direct -W ignore::DeprecationWarning -W ignore::FutureWarning "$@"
run newest 3.13 highest "$@"

test -z "$failed" || echo "failed with: $failed"
test -z "$failed"
