#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# From a fresh checkout to a first text: installs what the build needs (Debian, Ubuntu), builds a
# release into build-quickstart/, and runs the model that lies in examples/models/.
# May be run from anywhere and any number of times.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
build=$root/build-quickstart
model=$root/examples/models/hearth.gguf
[ -f "$model" ] || model=$root/examples/models/hearth-draft.gguf
command=$build/examples/hetinfer/hetinfer
step() { printf '\n== %s\n' "$*"; }

step "Packages"
sh "$root/tests/packages.sh" gcc libc6-dev meson ninja-build pkg-config libdnnl-dev libpcre2-dev \
    libutf8proc-dev libxxhash-dev libyaml-dev libjansson-dev libzstd-dev
echo "all there"

step "Build in $build"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if [ ! -f "$build/build.ninja" ]; then
    rm -rf "$build"
    meson setup "$build" "$root" --buildtype=release -Dtests=false >"$log" 2>&1 || {
        cat "$log"
        exit 1
    }
fi
ninja -C "$build" >"$log" 2>&1 || {
    cat "$log"
    exit 1
}
"$command" --version

if [ ! -f "$model" ]; then
    step "Built, but $model is not there"
    echo "Run any GGUF file of a family in docs/MODELS.md:"
    echo "  $command run MODEL.gguf -p \"Once upon a time\""
    exit 1
fi

step "Run: hetinfer run ${model#"$root"/} -p \"The fire\" -n 80"
"$command" run "$model" -p "The fire" -n 80 --seed 1 --echo
echo

step "What to try next"
cat <<END
  $command run $model -p "The fire" --temp 0
  $command devices
  $command inspect $model
  $command plan $model
  $command bench $model
  $command run --help
The same from C, in 40 lines: $root/examples/hello.c
END
