#!/usr/bin/env bash
#
# The tests of test/run.sh on several majors of PostgreSQL, each in a chroot of
# the Debian suite that carries it:
#
#   test/matrix.sh [-v] [--no-cache] [--stages=…] [MAJOR…]       (15 17 18 by default)
#
# or the tests that go from a server to another, from one major to newer ones:
#
#   test/matrix.sh [-v] [--no-cache] --upgrade OLD NEW…
#
# or the Debian package, by test/package.sh:
#
#   test/matrix.sh [-v] [--no-cache] --package [MAJOR…]
#
#   -v          print all output, not only that of failing majors
#   --stages=…  only these stages of test/run.sh, such as --stages="build regress"
#   --no-cache  build the chroots anew and do not keep them
#   --upgrade   pg_upgrade, and dumps of OLD restored in NEW. Runs in a copy of the
#               chroot of NEW, with the server of OLD beside it; the extension for
#               OLD is built in the chroot of OLD.
#   --package   builds the package in a chroot that has only what it is built with, and
#               tries it in one that has nothing at all
#
# Needs Debian, root (or sudo) and a kernel that allows mount namespaces. Chroots
# are kept for a week in $RAG_CACHE (/var/cache/rag_events by default). A chroot
# that cannot be set up is a skip, and said; a failing test is a failure. Ends
# with the line "N passed, N failed[, N skipped]".

set -u
[ "$(id -u)" -eq 0 ] || exec sudo --preserve-env=RAG_CACHE "$0" "$@"
. "$(dirname "${BASH_SOURCE[0]}")/../tools/lib/common.sh"

cache=${RAG_CACHE:-/var/cache/rag_events}
max_age_days=7
jobs=2
# Static checks tell the same on every major; the newest tools find new words.
stages="build regress tap clients demo"
suites="bookworm trixie forky sid experimental"
verbose=
majors=
upgrade=
test=test_major
prefix= # of the names of the chroots
for arg in "$@"; do
  case $arg in
  -v) verbose=1 ;;
  --upgrade) upgrade=1 test=test_upgrade ;;
  --package) test=test_package prefix=package- jobs=1 ;; # their servers choose ports
  --stages=*) stages=${arg#*=} ;;
  --no-cache) cache= ;;
  [1-9][0-9]) majors="$majors $arg" ;;
  *) rag_die "unknown argument \"$arg\"" ;;
  esac
done
majors=${majors:- 15 17 18}
old=
if [ -n "$upgrade" ]; then
  read -r old majors <<<"$majors"
  [ -n "$majors" ] || rag_die "usage: test/matrix.sh --upgrade OLD NEW…"
fi

# ---------------------------------------------------------------------------
# Which suite carries a major
# ---------------------------------------------------------------------------

# The mirror that this machine itself uses.
find_mirror() {
  # shellcheck disable=SC2016 # for apt to expand
  apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(REPO_URI)' 'Created-By: Packages' |
    sed -n 's,^Debian|Debian|\(.*[^/]\)/*$,\1,p' | head -n 1
}

# apt's view of all suites, apart from the machine's own.
apt_view() {
  "$@" -o Dir::State::lists="$RAG_TMP/lists" -o Dir::Etc::sourceparts=- \
    -o Dir::Etc::sourcelist="$RAG_TMP/sources.list" -o APT::Sandbox::User=root \
    -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache=
}

# load_suites: false where no suite could be read at all.
load_suites() {
  local suite

  for suite in $suites; do echo "deb $mirror $suite main"; done >"$RAG_TMP/sources.list"
  mkdir -p "$RAG_TMP/lists/partial"
  apt_view apt-get -q update >"$RAG_TMP/log/suites" 2>&1
  apt_view apt-cache policy | grep -q "$mirror"
}

# suite_of MAJOR: the most stable suite that has it.
suite_of() {
  local found suite

  found=$(apt_view apt-cache madison "postgresql-server-dev-$1")
  for suite in $suites; do
    if grep -q " $suite/main " <<<"$found"; then
      echo "$suite"
      return
    fi
  done
  return 1
}

# ---------------------------------------------------------------------------
# Chroots
# ---------------------------------------------------------------------------

# in_chroot DIR COMMAND…: runs it there, in a copy of the sources, with this
# machine's name servers and trusted certificates. The mounts and all processes are in namespaces of their own: they end with the command however
# it ends, and the chroot stays as it was but for installed packages.
in_chroot() {
  local dir=$1
  shift
  cp -L /etc/resolv.conf "$dir/etc/"
  cp -L /etc/ssl/certs/ca-certificates.crt "$dir/etc/ssl/host.pem" 2>/dev/null
  # shellcheck disable=SC2016 # for the inner shells to expand
  rag_sources | unshare --mount --pid --fork --kill-child sh -c '
    mount -t proc proc "$0/proc" && mount -t tmpfs tmpfs "$0/tmp" &&
      mount -t tmpfs tmpfs "$0/dev/shm" || exit
    exec chroot "$0" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
      NODE_EXTRA_CA_CERTS=/etc/ssl/host.pem sh -c '\''
      mkdir /tmp/source && cd /tmp/source && tar -xf - --no-same-owner || exit
      exec "$@" </dev/null'\'' sh "$@"' "$dir" "$@"
}

# build_chroot MAJOR SUITE DIR: a bare one, where MAJOR can be installed.
build_chroot() {
  local major=$1 suite=$2 dir=$3 base=$2 script=

  [ "$suite" = experimental ] && base=sid
  # debootstrap of an older Debian does not know the name of a newer one.
  [ -e "/usr/share/debootstrap/scripts/$base" ] || script=sid
  rm -rf "$dir"
  mkdir -p "$dir" &&
    unshare --mount --pid --fork --kill-child debootstrap --variant=minbase "$base" \
      "$dir" "$mirror" $script || return
  mkdir -p "$dir/dev/shm"
  printf '#!/bin/sh\nexit 101\n' >"$dir/usr/sbin/policy-rc.d" # start no service
  chmod +x "$dir/usr/sbin/policy-rc.d"
  apt-config dump | grep -E '^Acquire::(https?|Check|Retries)' >"$dir/etc/apt/apt.conf.d/99host"
  if [ "$suite" = experimental ]; then
    echo "deb $mirror experimental main" >"$dir/etc/apt/sources.list.d/experimental.list"
    printf '%s\n' "Package: src:postgresql-$major" 'Pin: release a=experimental' \
      'Pin-Priority: 990' >"$dir/etc/apt/preferences.d/experimental"
  fi
}

# shellcheck disable=SC2086 # a list of words
install_in_chroot() {
  in_chroot "$2" env PG_MAJOR="$1" test/run.sh --install $stages
}

# install_for_package MAJOR DIR
install_for_package() { in_chroot "$2" env PG_MAJOR="$1" test/package.sh install; }

# ready_chroot MAJOR DIR INSTALL: whether a cached chroot is there and can be used, its
# packages brought up to what the tests need today.
ready_chroot() {
  [ -f "$2/.suite" ] && "$3" "$1" "$2"
}

is_fresh() { [ -n "$(find "$1/.suite" -mtime "-$max_age_days" 2>/dev/null)" ]; }

# chroot_of MAJOR DIR [INSTALL]: sets up DIR, with the packages that the function INSTALL
# installs. A new chroot gets its name when it is complete, so that one cut short is never
# taken for one that is.
chroot_of() {
  local major=$1 dir=$2 install=${3:-install_in_chroot} suite

  is_fresh "$dir" && ready_chroot "$major" "$dir" "$install" && return
  if suite=$(suite_of "$major") && build_chroot "$major" "$suite" "$dir.new" && "$install" "$major" "$dir.new"; then
    rm -f "$dir.new"/var/cache/apt/archives/*.deb
    echo "$suite" >"$dir.new/.suite"
    rm -rf "$dir" && mv "$dir.new" "$dir"
    return
  fi
  rm -rf "$dir.new"
  ready_chroot "$major" "$dir" "$install"
}

# ---------------------------------------------------------------------------

# test_major MAJOR: leaves the log of the tests in log/MAJOR, or that of the
# failing set-up in log/MAJOR.setup alone.
test_major() {
  local major=$1 dir=$chroots/$1 log=$RAG_TMP/log/$1

  exec 9>"$dir.lock" && flock 9
  chroot_of "$major" "$dir" >"$log.setup" 2>&1 || return
  # shellcheck disable=SC2086 # a list of words
  in_chroot "$dir" env PG_MAJOR="$major" test/run.sh -v $stages >"$log" 2>&1
}

# upgrade_chroot MAJOR DIR: sets up DIR as that of MAJOR with the server of $old.
upgrade_chroot() (
  major=$1 dir=$2

  exec 8>"$chroots/$major.lock" && flock 8
  chroot_of "$major" "$chroots/$major" || return
  if is_fresh "$dir" && [ ! "$chroots/$major/.suite" -nt "$dir/.suite" ]; then
    return
  fi
  suite=$(suite_of "$old") || return
  rm -rf "$dir" "$dir.new"
  cp -a --reflink=auto "$chroots/$major" "$dir.new" &&
    in_chroot "$dir.new" env PG_MAJOR="$major" test/upgrade.sh install "$old" "$suite" \
      "$mirror" && touch "$dir.new/.suite" && mv "$dir.new" "$dir"
)

# build_old: the extension as it is for $old, in $RAG_TMP/old.tar. Returns 2 where the
# chroot cannot be set up.
build_old() (
  exec 8>"$chroots/$old.lock" && flock 8
  chroot_of "$old" "$chroots/$old" || return 2
  in_chroot "$chroots/$old" env PG_MAJOR="$old" test/upgrade.sh archive >"$RAG_TMP/old.tar" || return 1
)

# test_upgrade MAJOR: as test_major, for the way from $old.
test_upgrade() {
  local major=$1 dir=$chroots/$old-$1 log=$RAG_TMP/log/$1

  exec 9>"$dir.lock" && flock 9
  upgrade_chroot "$major" "$dir" >"$log.setup" 2>&1 &&
    cp "$RAG_TMP/old.tar" "$dir/srv/old.tar" || return
  in_chroot "$dir" env PG_MAJOR="$major" test/upgrade.sh test "$old" /srv/old.tar >"$log" 2>&1
}

# test_package MAJOR: as test_major, for its package.
test_package() {
  local major=$1 dir=$chroots/package-$1 bare=$RAG_TMP/bare-$1 log=$RAG_TMP/log/$1 p f s

  exec 9>"$dir.lock" && flock 9
  {
    chroot_of "$major" "$chroots/bare-$major" true &&
      chroot_of "$major" "$dir" install_for_package &&
      cp -a --reflink=auto "$chroots/bare-$major" "$bare"
  } >"$log.setup" 2>&1 || return
  {
    in_chroot "$dir" env PG_MAJOR="$major" test/package.sh build &&
      mv "$dir/srv/packages" "$bare/srv" &&
      in_chroot "$bare" env PG_MAJOR="$major" test/package.sh try
  } >"$log" 2>&1 || echo "not ok - the package of PostgreSQL $major" >>"$log"
  p=$(grep -c '^ok ' "$log") f=$(grep -c '^not ok ' "$log") s=$(grep -c '^ok .*# SKIP' "$log")
  rag_total "$((p - s))" "$f" "$s" >>"$log"
}

test_majors() {
  local major

  for major in $majors; do
    while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do wait -n; done
    "$test" "$major" &
  done
  wait
}

# report MAJOR: prints what came of it, and adds it to the totals.
report() {
  local log=$RAG_TMP/log/$1 suite p=0 f=0 s=0

  suite=$(cat "$chroots/$prefix$1/.suite" 2>/dev/null)
  if [ ! -e "$log" ]; then
    tail -n 20 "$log.setup" "$RAG_TMP/log/old" 2>/dev/null
    echo "SKIPPED: PostgreSQL $1: $(why_skipped "$1")"
    s=1
  else
    rag_read_total "$log" >"$log.total" || echo 0 1 0 >"$log.total" # it died
    read -r p f s <"$log.total"
    if [ "$f" -gt 0 ] || [ "$p" -eq 0 ] || [ -n "$verbose" ]; then
      rag_note "log of PostgreSQL $1 ($suite)"
      cat "$log"
    fi
    rag_note "PostgreSQL $1 ($suite): $p passed, $f failed, $s skipped"
  fi
  passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
}

why_skipped() {
  if [ -n "$(suite_of "$1")" ]; then
    echo "no chroot could be set up (its last lines are above)"
  else
    echo "no Debian suite carries it, of $suites"
  fi
}

rag_debian || rag_die "the matrix runs on Debian only; test/run.sh takes a PG_CONFIG"
rag_require debootstrap
rag_workdir
mkdir "$RAG_TMP/log"
chroots=${cache:-$RAG_TMP}
mkdir -p "$chroots"
mirror=$(find_mirror)
passed=0 failed=0 skipped=0

rag_note "PostgreSQL${old:+ $old to} ${majors# }, in chroots below $chroots"
rag_run load_suites || rag_note "the suites cannot be read from the mirror ${mirror:-(none found)}"
built=0
if [ -n "$old" ]; then
  rag_run build_old >"$RAG_TMP/log/old" 2>&1
  built=$?
fi
case $built in
0) rag_run test_majors ;;
2) ;; # each major is skipped, and report tells why
*)
  cat "$RAG_TMP/log/old"
  rag_die "the extension cannot be built for PostgreSQL $old"
  ;;
esac
for major in $majors; do report "$major"; done
rag_total "$passed" "$failed" "$skipped"
