#!/usr/bin/env bash
#
# The parts of test/matrix.sh --package, for the PostgreSQL of PG_MAJOR. As root, in
# chroots of their own:
#
#   test/package.sh install   installs what the package is built with
#   test/package.sh build     builds it in /srv/packages/new, and in /srv/packages/old one
#                             that is as an older release was
#   test/package.sh try       where nothing is installed: installs the old one, upgrades it to
#                             the new one while a database is in use, removes it, and uses the
#                             extension image
#
# Both print TAP.

set -u
. "$(dirname "${BASH_SOURCE[0]}")/../tools/lib/common.sh"
cd "$RAG_ROOT" || exit 1

export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive
packages=/srv/packages
package=postgresql-$PG_MAJOR-rag-events
default=$(sed -n "s/^default_version = '\(.*\)'/\1/p" rag_events.control)
failures=0

ok() { rag_check "$@" || failures=$((failures + 1)); }

same() {
  local name=$1

  ok "$name" diff <(printf '%s\n' "$2") <(printf '%s\n' "$3")
}

apt() { apt-get -q -y --no-install-recommends "$@"; }

# ---------------------------------------------------------------------------
# Building
# ---------------------------------------------------------------------------

install() { apt update && apt install build-essential lintian && apt build-dep ./; }

# unpack DIR VERSION: the sources below DIR, with Debian's changelog of VERSION, and beside
# them their archive.
unpack() {
  local dir=$1/rag-events-$2

  mkdir -p "$dir" && cp -a . "$dir" && sed -i "1s/(.*)/($2-1)/" "$dir/debian/changelog"
}

# build_package DIR VERSION [DPKG-BUILDPACKAGE-ARGUMENT…]: builds what unpack has left there.
build_package() (
  dir=$1 version=$2
  shift 2

  cd "$dir" && tar -cJf "rag-events_$version.orig.tar.xz" --exclude="rag-events-$version/debian" \
    "rag-events-$version" && cd "rag-events-$version" &&
    PG_SUPPORTED_VERSIONS=$PG_MAJOR PG_UPDATECONTROL=yes dpkg-buildpackage -us -uc "$@"
)

# The release before: its version was the default, and the library was called $libdir/rag_events.
build_old() {
  local version dir

  version=$(basename -a sql/rag_events--[0-9]*--"$default".sql | sed 's/^rag_events--//; s/--.*//' | sort -V | head -n 1)
  dir=$packages/old/rag-events-$version.0
  unpack "$packages/old" "$version.0" &&
    sed -i "s/^default_version = .*/default_version = '$version'/; s/^module_pathname = .*/module_pathname = '\$libdir\/rag_events'/" \
      "$dir/rag_events.control" &&
    MAKEVARS=with_llvm=no DEB_BUILD_OPTIONS="nocheck noautodbgsym" build_package "$packages/old" "$version.0" -b
}

build_new() {
  local version

  version=$(sed -n '1s/.*(\(.*\)-.*/\1/p' debian/changelog)
  unpack "$packages/new" "$version" && DEB_BUILD_OPTIONS=parallel=2 build_package "$packages/new" "$version"
}

# Nobody has asked Debian for this package: there is no bug to be closed by it.
run_lintian() {
  lintian --allow-root --fail-on error,warning --suppress-tags initial-upload-closes-no-bugs "$packages"/new/*.changes
}

build() {
  rm -rf "$packages"
  ok "a package of an older release is built" build_old
  ok "the package is built, and its tests pass" build_new
  ok "lintian has nothing to say" run_lintian
}

# ---------------------------------------------------------------------------
# Trying
# ---------------------------------------------------------------------------

as_postgres() { (cd / && setpriv --reuid=postgres --regid=postgres --init-groups "$@"); }

sql() { as_postgres psql -X -q -A -t -v ON_ERROR_STOP=1 "$@"; }

# as_maya DATABASE [PSQL-ARGUMENT…]: as the owner of the database, who is no superuser.
as_maya() {
  local database=$1
  shift
  sql -d "$database" -c 'SET ROLE maya' "$@"
}

install_package() { apt install "$packages/$1/${package}"_*.deb; }

start_server() {
  pg_conftool "$PG_MAJOR" main set listen_addresses '' &&
    pg_ctlcluster "$PG_MAJOR" main start && sql -c 'CREATE ROLE maya' -c 'CREATE DATABASE chat OWNER maya'
}

restart_server() { pg_ctlcluster "$PG_MAJOR" main restart; }

first_turn() {
  as_maya chat -c 'CREATE EXTENSION rag_events' -c "SELECT rag_create_session(user_id => 'maya', session_id => '$session')" \
    -c "SELECT rag_add_message('$session', 'user', 'How to pay with cash?', user_id => 'maya')"
}

libraries() {
  sql -d chat -c "SELECT DISTINCT probin FROM pg_proc WHERE starts_with(proname, 'rag_') AND probin IS NOT NULL"
}

# over_connection N: adds a message over the connection that try has opened, which gets the
# id N + 1.
over_connection() {
  local id

  echo "SELECT rag_add_message('$session', 'assistant', 'Answer $1.', user_id => 'maya');" >&"${connection[1]}"
  read -r -t 60 id <&"${connection[0]}" && [ "$id" -eq $(($1 + 1)) ]
}

# differences DATABASE: what rag_check_schema() says.
differences() { as_maya "$1" -c 'SELECT * FROM rag_check_schema()'; }

no_differences() { [ -z "$(differences "$1" 2>&1)" ]; }

messages() { as_maya chat -c "SELECT count(*) FROM rag_get_messages('$session', user_id => 'maya')"; }

update() { as_maya chat -c 'ALTER EXTENSION rag_events UPDATE'; }

# fails_with TEXT COMMAND…
fails_with() {
  local text=$1 output
  shift
  output=$("$@" 2>&1) && return 1
  grep -F "$text" <<<"$output"
}

# leaves_nothing: no file of the package, but for directories of others.
leaves_nothing() { ! find / -xdev -path /proc -prune -o -path /srv -prune -o -path /tmp -prune -o -name '*rag[_-]events*' -print | grep .; }

# The tests of the package, as Debian's machines run them.
run_autopkgtest() {
  apt install autopkgtest &&
    autopkgtest --no-built-binaries "$packages"/new/*.dsc "$packages"/new/"${package}"_*.deb -- null
}

# make_tree DIR: the files of the image, as docker/extension.Dockerfile takes them from
# the package.
make_tree() {
  local steps

  steps=$(sed -n '/^RUN dpkg-deb -x/,/[^\\]$/p' docker/extension.Dockerfile |
    sed "s/^RUN //; s|\.\./|$packages/new/|; s|/package\b|/tmp/package|g; s|/image\b|$1|g")
  grep -F " $1/share" <<<"$steps" && PG_MAJOR=$PG_MAJOR sh -euc "$steps" || return
  grep -x 'COPY --from=package /image/ /' docker/extension.Dockerfile
}

# Debian's recommendation for buildah alone: without netavark it builds nothing.
has_buildah() { apt install buildah netavark >/dev/null 2>&1; }

buildah() { command buildah --storage-driver vfs "$@"; }

# build_image TREE DIR: builds the image by the end of the Dockerfile, from its FROM scratch
# on, which needs no network, and puts what is in the image to DIR.
build_image() {
  local container

  sed -n '/^FROM scratch/,$ p' docker/extension.Dockerfile | sed 's|--from=package /image/|.|' >/tmp/Dockerfile
  buildah bud --isolation chroot -t rag_events -f /tmp/Dockerfile "$1" && container=$(buildah from rag_events) &&
    mkdir -p "$2" && cp -a "$(buildah mount "$container")/." "$2"
}

image_user() { buildah inspect --type image --format '{{.OCIv1.Config.User}}' rag_events; }

use_image() {
  sql -c "ALTER SYSTEM SET extension_control_path = '\$system:$1/share'" -c "ALTER SYSTEM SET dynamic_library_path = '\$libdir:$1/lib'" &&
    restart_server && sql -c 'CREATE DATABASE image OWNER maya' &&
    as_maya image -c 'CREATE EXTENSION rag_events' -c "SELECT rag_create_session(user_id => 'maya', session_id => '$session')" \
      -c "SELECT rag_add_message('$session', 'user', 'Hello', user_id => 'maya')"
}

try() {
  local old image=/extensions/rag_events

  session=00000000-0000-7000-8000-000000000001
  apt update >/dev/null
  ok "an older package is installed, with the server that it needs" install_package old
  ok "a server is started" start_server
  ok "the owner of a database has a conversation in it" first_turn
  old=$(as_maya chat -c 'SELECT rag_version()')
  same "its functions call the library as older releases did" "\$libdir/rag_events" "$(libraries)"
  coproc connection { sql -d chat 2>&1; }
  ok "a connection adds to it" over_connection 1

  ok "the package is upgraded while that is open" install_package new
  ok "the connection goes on" over_connection 2
  same "the schema stays as it was" "$old" "$(as_maya chat -c 'SELECT rag_version()')"
  ok "... which is as its version says" no_differences chat
  ok "the extension is updated" update
  same "to the version of the package" "$default" "$(as_maya chat -c 'SELECT rag_version()')"
  ok "... and is as that version says" no_differences chat
  ok "the connection goes on with it" over_connection 3
  same "all messages are there" 4 "$(messages)"
  # They start a server of their own on the same port.
  pg_ctlcluster "$PG_MAJOR" main stop --mode=fast
  ok "the tests of the package pass (autopkgtest)" run_autopkgtest
  pg_ctlcluster "$PG_MAJOR" main start

  ok "the package is removed" apt purge "$package"
  ok "which leaves no file" leaves_nothing
  restart_server
  ok "the library is missed then" fails_with "could not access file" messages
  same "and the tables are there" 4 "$(as_maya chat -c 'SELECT count(*) FROM messages')"

  if [ "$PG_MAJOR" -ge 18 ]; then
    ok "the files of the image are taken from the package" make_tree /tmp/image
    if has_buildah; then
      ok "the image is built" build_image /tmp/image "$image"
      ok "it has these files" diff -r /tmp/image "$image"
      same "and its user is nobody in particular" 65532:65532 "$(image_user)"
    else
      echo "ok - the image is built # SKIP buildah cannot be installed"
      mkdir -p "${image%/*}" && cp -a /tmp/image "$image"
    fi
    ok "a server uses the extension from there" use_image "$image"
    ok "the schema is as its version says" no_differences image
    same "the history is known there" "$default" "$(as_maya image -c 'SELECT version FROM rag_migrations() WHERE is_head')"
    same "and the older database is read by it" 4 "$(messages)"
    ok "which is as its version says" no_differences chat
  else
    ok "the package is installed again" install_package new
    same "and the messages are read" 4 "$(messages)"
  fi
}

case ${1-} in
install) install ;;
build | try)
  "$1"
  [ "$failures" -eq 0 ]
  ;;
*) rag_die "usage: test/package.sh install | build | try" ;;
esac
