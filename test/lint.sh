#!/usr/bin/env bash
#
# Static checks of the C sources and the shell scripts, as TAP.
# "clang-format -i src/*.c src/*/*.[ch]" mends the layout.

set -u
. "$(dirname "${BASH_SOURCE[0]}")/../tools/lib/common.sh"
cd "$RAG_ROOT" || exit 1
status=0

# Lines are about 80 columns wide, never over 90, with tabs of 4; but one with a
# message may be longer, so that the message can be searched for in one piece.
narrow() {
  local file

  for file in "$@"; do
    expand -t 4 "$file" | awk -v file="$file" \
      'length > 90 && !/"/ { print file ":" NR ": " length " columns: " $0 }'
  done | grep . && return 1
  return 0
}

# The folders of src/, from the left to the right: each includes only those to its left.
folders="base cluster message session feedback usage write read exchange migration"

# modules: "FROM TO" for each file that includes one of ours, without their endings.
modules() {
  local from to

  grep -oE '^#include "[a-z_/0-9]+\.h"' "$@" |
    sed -E 's,^src/([^:]*)\.[ch]:#include "(.*)\.h",\1 \2,' | sort -u |
    while read -r from to; do [ ! -f "src/$to.h" ] || echo "$from $to"; done
}

includes_to_the_left() {
  modules "$@" | awk -v folders="$folders" '
    BEGIN { n = split(folders, names, " "); for (i = 1; i <= n; i++) place[names[i]] = i }
    {
      split($1, from, "/"); split($2, to, "/")
      at = from[2] == "" ? n + 1 : place[from[1]]
      if (!at || !place[to[1]] || place[to[1]] > at) {
        print "src/" $1 " includes " $2 ".h, which is not in a folder to its left"
        wrong = 1
      }
    }
    END { exit wrong }'
}

# tsort names the modules of a circle, and fails.
includes_without_circles() { modules "$@" | awk '$1 != $2' | tsort >/dev/null; }

# named_in PAGE NAME…: the page names each of them.
named_in() {
  local page=$1 name status=0
  shift

  for name in "$@"; do
    grep -qF "\`$name\`" "$page" || {
      echo "$page does not name $name"
      status=1
    }
  done
  return "$status"
}

# names_of PAGE: what its lists are about.
# shellcheck disable=SC2016 # backquotes of Markdown
names_of() { sed -n 's/^- \(`[^:]*\):.*/\1/p' "$1" | grep -oE '`[a-z_0-9.]+`' | tr -d '`'; }

# Every file has its line in the map of its folder, and every line its file.
maps_are_right() {
  local modules tests name status=0

  mapfile -t modules < <(find src -name '*.[ch]' ! -name '*.sql.h' ! -name compat.h ! -name rag_events.c |
    sed -E 's,.*/,,; s/\.[ch]$//' | sort -u)
  modules+=(compat.h rag_events.c)
  mapfile -t tests < <(find test/sql test/specs test/t test/clients test/citus test -maxdepth 1 -type f \
    \( -name '*.sql' -o -name '*.spec' -o -name '*.p[lm]' -o -name '*.sh' \) -printf '%f\n' | sort -u)
  named_in src/README.md "${modules[@]}" || status=1
  named_in test/README.md "${tests[@]}" || status=1
  for name in $(names_of src/README.md) $(names_of test/README.md); do
    [[ " ${modules[*]} ${tests[*]} " == *" $name "* ]] || {
      echo "there is no $name"
      status=1
    }
  done
  return "$status"
}

# What is told by the tables of the forms that can be imported, is on the page about them.
forms_are_documented() {
  local names titles title status=0

  mapfile -t names < <(grep -hoE '\{"[A-Za-z_-]+[a-z]", (CHAT_[A-Z_ |]+, CHAT|DOC|PART)_' \
    src/exchange/import_forms.c src/exchange/document_forms.c | grep -oE '"[^"]+"' | tr -d '"' | sort -u)
  named_in docs/transfer.md "${names[@]}" || status=1
  mapfile -t titles < <(grep -hoE '^	\{"[^"]+", (\{?"|"[a-z_]+", (true|false))' src/exchange/import_forms.c src/exchange/document_forms.c |
    grep -oE '^	\{"[^"]+"' | tr -d '\t{"')
  for title in "${titles[@]}"; do
    grep -qF "| $title | " docs/transfer.md || {
      echo "docs/transfer.md has no row for $title"
      status=1
    }
  done
  [ "${#names[@]}" -gt 50 ] && [ "${#titles[@]}" -gt 15 ] && return "$status"
}

parse() {
  local file

  for file in "$@"; do bash -n "$file" || return; done
}

# The headers of PostgreSQL are left out: cppcheck knows the few macros that look
# like no C from here.
run_cppcheck() {
  cppcheck --quiet --enable=warning,performance,portability --error-exitcode=1 \
    --inline-suppr --suppress=missingInclude --suppress=missingIncludeSystem \
    --suppress=unknownMacro -I src '-DPG_FUNCTION_ARGS=FunctionCallInfo fcinfo' \
    '-DPG_FUNCTION_INFO_V1(name)=' '-DPG_VERSION_NUM=150000' "$@"
}

sources=$(find src -name '*.[ch]' ! -name '*.sql.h' | sort) # without generated ones
scripts=".ci/run $(find . -name node_modules -prune -o -name '*.sh' -print | sort)"

# shellcheck disable=SC2086 # lists of words
{
  rag_check "clang-format" clang-format --dry-run -Werror $sources || status=1
  rag_check "width of lines" narrow $sources || status=1
  rag_check "folders include those to their left" includes_to_the_left $sources || status=1
  rag_check "no file includes itself by way of others" includes_without_circles $sources || status=1
  rag_check "src/README.md and test/README.md name every file" maps_are_right || status=1
  rag_check "docs/transfer.md has every form and field that can be imported" forms_are_documented || status=1
  rag_check "cppcheck" run_cppcheck $sources || status=1
  rag_check "bash -n" parse $scripts || status=1
  # Left out: "a= b=", "A && B || C", functions called by name or with optional
  # arguments.
  rag_check "shellcheck" shellcheck -x -P SCRIPTDIR \
    -e SC1007,SC2015,SC2119,SC2120,SC2317,SC2329 $scripts || status=1
}
exit "$status"
