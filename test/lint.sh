#!/usr/bin/env bash
#
# Static checks of the C sources and the shell scripts, as TAP.
# "clang-format -i src/*.[ch]" mends the layout.

set -u
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
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
  rag_check "cppcheck" run_cppcheck $sources || status=1
  rag_check "bash -n" parse $scripts || status=1
  # Left out: "a= b=", "A && B || C", functions called by name or with optional
  # arguments.
  rag_check "shellcheck" shellcheck -x -P SCRIPTDIR \
    -e SC1007,SC2015,SC2119,SC2120,SC2317,SC2329 $scripts || status=1
}
exit "$status"
