#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Everything that is checked, from a bare Debian 12 on:  tests/run.sh [--quick]
#
#   gcc     all suites, warnings are errors         (--quick stops here)
#   clang   the quick suites, warnings are errors
#   san     address and undefined-behaviour sanitizers, the same suites
#   tsan    thread sanitizer, tests of threads
#
# Builds lie in build-run/ of the checkout; once tested, only their logs stay there, or they would
# take 10 GB. HETINFER_TEST_DATA may name a folder of models and
# reference vectors (build option shared_data); tests that need it skip without. The last line is
# `N passed, N failed, N skipped`; the exit status is 0 only if nothing failed.
set -u
here=$(cd "$(dirname "$0")/.." && pwd) || exit 1
cd "$here" || exit 1

quick=no
case ${1:-} in
'') ;;
--quick) quick=yes ;;
*)
    echo "usage: tests/run.sh [--quick]" >&2
    exit 2
    ;;
esac

packages='gcc g++ libc6-dev meson ninja-build pkg-config libdnnl-dev libpcre2-dev libutf8proc-dev
    libxxhash-dev libyaml-dev libjansson-dev libzstd-dev libpng-dev libjpeg-dev python3
    python3-numpy valgrind man-db git ocl-icd-opencl-dev opencl-headers pocl-opencl-icd
    libclblast-dev libze-dev clang-15 llvm-spirv-15 spirv-tools'
[ $quick = yes ] ||
    packages="$packages clang-14 libclang-rt-14-dev abigail-tools intel-opencl-icd"
# What cannot be installed shows up below as a build that fails or a test that is skipped.
# shellcheck disable=SC2086
sh tests/packages.sh $packages || echo "run: going on with what is there" >&2

builds=build-run
data=${HETINFER_TEST_DATA:+-Dshared_data=$HETINFER_TEST_DATA}
results=
started=$(date +%s)
ASAN_OPTIONS=detect_leaks=1:abort_on_error=0:allocator_may_return_null=1
UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1
# All builds have the same device kernels.
HETINFER_SPIRV_KEPT=$here/$builds/spirv
export ASAN_OPTIONS UBSAN_OPTIONS TSAN_OPTIONS HETINFER_SPIRV_KEPT

# Sanitized golden tests are slow: the fastest level stands for the others.
# Gates look at the source, which is the same in every build.
unsanitised='install|bare|networks|exec_networks|logits-(avx2.*|generic|rounded|ref)|style'
unsanitised="$unsanitised|layers|docs"
# Long searches that smaller tests stand for, and what is measured, are left out as well.
unsanitised="$unsanitised|symbols|headers.*|manual|plan_machine|calibrate"
unsanitised="$unsanitised|l0.*|device-intel_l0|ze_.*|fault_failover_l0"
# OpenCL's drivers compile for as long as tests run, and leak by themselves; Level Zero's tests are
# on one of them.
unsanitised="$unsanitised|ocloc|opencl.*|cl_.*|device-opencl.*|claims-opencl.*|expert_slots(_l0)?"
unsanitised="$unsanitised|split.*|steady-.*|stream(_l0)?|four|backends-page"
# What the second compiler need not repeat: drivers, golden vectors, long searches, measuring.
repeated='install|bare|authors.*|logits.*|own_model.*|tokenizers-.*|opencl.*|cl_.*|ocloc|ze_.*|l0.*'
repeated="$repeated|device-.*|claims-.*|expert_slots(_l0)?|split.*|steady-.*|stream(_l0)?|four"
repeated="$repeated|fault_failover_l0|instructions|plan_machine|calibrate|exec_networks"
repeated="$repeated|analyze_networks"
threaded='pool|share|threads|graph_threads|session|network|generate|null|exec|cpu_ops|cache|file'
threaded="$threaded|package_store|exec_devices|sim|bind|experts|npu_queue|fault_triggers|fault_heat"
threaded="$threaded|cpu_program"

# list_tests BUILD PATTERN [-v]: names of tests that match (or do not).
list_tests() {
    meson test -C "$1" --no-rebuild --list 2>/dev/null | grep ' / ' | sed 's|.* / ||' |
        grep -E ${3:-} "^($2)\$" | tr '\n' ' '
}

# run_build NAME COMPILER TESTS MESON-OPTION…: set up, build and test; the log of the build is kept.
# TESTS: options of meson test, or only:PATTERN or except:PATTERN of test names.
run_build() {
    name=$1 compiler=$2 tests=$3
    shift 3
    folder=$builds/$name
    begin=$(date +%s)
    rm -rf "$folder"
    mkdir -p "$builds"
    # shellcheck disable=SC2086
    if ! { CC=$compiler meson setup "$folder" $data "$@" && ninja -C "$folder"; } \
        >"$builds/$name.log" 2>&1; then
        echo "== $name: the build failed; the end of $builds/$name.log:"
        tail -n 40 "$builds/$name.log"
        rm -rf "$folder/meson-logs"
    else
        echo "== $name: built in $(($(date +%s) - begin)) s"
        case $tests in
        only:*) tests="--timeout-multiplier 10 $(list_tests "$folder" "${tests#only:}")" ;;
        except:*) tests="--timeout-multiplier 10 $(list_tests "$folder" "${tests#except:}" -v)" ;;
        esac
        # shellcheck disable=SC2086
        meson test -C "$folder" --no-rebuild --print-errorlogs $tests
        echo "== $name: $(($(date +%s) - begin)) s, $(du -sm "$folder" | cut -f 1) MB"
        find "$folder" -mindepth 1 -maxdepth 1 ! -name meson-logs -exec rm -rf {} +
    fi
    results="$results $name=$folder"
}

run_build gcc gcc '' -Dwerror=true
if [ $quick = no ]; then
    run_build clang clang-14 "except:$repeated" -Dwerror=true
    # The first build fails every allocation.
    HETINFER_TEST_STRIDE=3
    export HETINFER_TEST_STRIDE
    # Reports name lines; variables are not needed (-g1), and are most of a build.
    run_build san gcc "except:$unsanitised" --buildtype=debugoptimized -Dc_args=-g1 \
        -Db_sanitize=address,undefined -Db_lundef=false -Dintel_l0=disabled
    # Threads meet in the same way at every level.
    HETINFER_TEST_LEVELS=1
    export HETINFER_TEST_LEVELS
    run_build tsan gcc "only:$threaded" --buildtype=debugoptimized -Dc_args=-g1 \
        -Db_sanitize=thread -Db_lundef=false -Dintel_l0=disabled
fi

echo
echo "$(($(date +%s) - started)) s"
# shellcheck disable=SC2086
python3 tests/summary.py $results
