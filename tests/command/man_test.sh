#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The manual page formats without a warning and names every long option.  man_test.sh PAGE COMMAND
set -u
if ! command -v man >/dev/null 2>&1; then
    echo "skipped: man is not installed"
    exit 77
fi
warnings=$(LC_ALL=C.UTF-8 MANWIDTH=80 man --warnings -E UTF-8 -l "$1" 2>&1 >/dev/null)
if [ -n "$warnings" ]; then
    printf '%s\n' "$warnings"
    exit 1
fi
status=0
for command in run eval exec tokenize detokenize template inspect devices doctor 'machine list' \
    'machine show' 'machine record' calibrate plan policy simulate quantize pack unpack groups \
    analyze sweep bench; do
    # shellcheck disable=SC2086
    for option in $("$2" $command --help | grep -oE -- ' --[a-z-]+' | sort -u); do
        # Dashes are escaped in the page. The names left out appear there by their letter.
        spelled=$(printf '%s' "$option" | sed 's/-/\\\\-/g')
        case $option in
        --prompt | --file | --generate | --depth) continue ;;
        esac
        if ! grep -q -e "$spelled" "$1"; then
            echo "$command $option is not in the manual page"
            status=1
        fi
    done
done
exit $status
