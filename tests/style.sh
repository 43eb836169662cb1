#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What a reader should never have to notice: tabs, trailing blanks, a missing last line feed,
# invisible characters, lines over 100 columns, notes to self.  Usage: tests/style.sh [ROOT]
set -u
LC_ALL=C.UTF-8
export LC_ALL
cd "${1:-.}" || exit 1

list=$(mktemp) || exit 1
trap 'rm -f "$list"' EXIT
if [ -e .git ] && command -v git >/dev/null 2>&1 &&
    git -c safe.directory='*' ls-files -co --exclude-standard >"$list" 2>/dev/null &&
    [ -s "$list" ]; then
    :
else
    find . -type f -not -path './.git/*' -not -path './build*' | sed 's|^\./||' >"$list"
fi
# Text that we write; data, licences and generated pictures are left alone.
names='\.(c|h|cpp|hpp|in|cl|py|sh|build|txt|map|md|wrap|1|yml|yaml)$'
names="$names|(^|/)(\\.ci/run|\\.editorconfig|\\.gitignore)\$"
grep -E "$names" "$list" | grep -vE '(^|/)corpora/|^tests/data/|^COPYING$' >"$list.text"
mv "$list.text" "$list"

status=0
# find_lines WHAT PATTERN [FILES]: every match is a finding. FILES: extended pattern of names.
find_lines() {
    found=$(grep -E "${3:-.}" "$list" | tr '\n' '\0' | xargs -0 -r grep -nHP -e "$2" -- 2>/dev/null)
    if [ -n "$found" ]; then
        printf '%s:\n%s\n' "$1" "$found" | cut -c1-200
        status=1
    fi
}

find_lines 'tab' '\t' '\.(c|h|cpp|hpp|in|cl|py|sh|build|map|md|1)$|^\.ci/run$'
blanks='\.(c|h|cpp|hpp|in|cl|py|sh|build|map|txt|1|wrap)$|^\.ci/run$'
find_lines 'trailing blank' '[ \t\r]+$' "$blanks"
find_lines 'carriage return' '\r'
invisible='\x{00A0}\x{00AD}\x{061C}\x{180E}\x{200B}-\x{200F}\x{202A}-\x{202E}'
find_lines 'invisible character' "[$invisible\\x{2060}-\\x{2064}\\x{2066}-\\x{206F}\\x{FEFF}]"
find_lines 'control character' '[\x00-\x08\x0B\x0C\x0E-\x1F\x7F]'
find_lines 'over 100 columns' '^.{101,}$' '\.(c|h|cpp|hpp|cl|py|sh|build|map)$|^\.ci/run$'
# Spelled so that this line does not find itself.
find_lines 'note to self' '\b(TO[D]O|FIX[M]E|XX[X]|HA[C]K)\b'

while IFS= read -r file; do
    if [ -s "$file" ] && [ -n "$(tail -c 1 "$file")" ]; then
        echo "no line feed at the end: $file"
        status=1
    fi
done <"$list"

count=$(wc -l <"$list")
echo "$count files looked at"
[ "$count" -gt 0 ] || status=1
exit $status
