#!/bin/sh
# Run the default test suite as on other CPUs, with other numbers of threads, and on a busy machine: portable.sh PYTEST [ARGUMENTS]
set -u
failed=''
busy=''
trap 'test -z "$busy" || kill $busy' EXIT
trap 'exit 1' INT TERM

run() {
    settings=$1
    shift
    echo "== $settings"
    env $settings "$@" || failed="$failed [$settings]"
}

run 'ATEN_CPU_CAPABILITY=default ONEDNN_MAX_CPU_ISA=SSE41' "$@" # vectors of at most 128 bits
run 'ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2' "$@"
for threads in 1 2 4; do
    run "LESIONLENS_TEST_THREADS=$threads" "$@"
done
for core in $(seq "$(nproc)"); do
    sh -c 'while :; do :; done' &
    busy="$busy $!"
done
run 'LESIONLENS_TEST_THREADS=2' "$@" # while every core is busy

test -z "$failed" || echo "failed under:$failed"
test -z "$failed"
