#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Install packages that are missing, on Debian and its relatives.  packages.sh PACKAGE…
# Says what it does, asks nothing, and touches the network only if something is missing.
set -u
if ! command -v dpkg-query >/dev/null 2>&1; then
    echo "packages: this is no Debian; please provide: $*" >&2
    exit 0
fi
missing=
for package in "$@"; do
    state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)
    [ "$state" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

as_root=
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null 2>&1; then
        echo "packages: neither root nor sudo; please install:$missing" >&2
        exit 1
    fi
    as_root='sudo -n'
fi
echo "packages: installing$missing"
# A list that is fresh enough needs no update; a failed install tries once more with one.
# shellcheck disable=SC2086
install_missing() {
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
        $missing </dev/null >"$log" 2>&1
}
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
$as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q </dev/null >"$log" 2>&1 ||
    { cat "$log" >&2; echo "packages: apt-get update failed, trying with the old lists" >&2; }
if ! install_missing; then
    cat "$log" >&2
    echo "packages: could not install$missing" >&2
    exit 1
fi
