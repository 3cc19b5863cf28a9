#!/usr/bin/env bash
#
# Databases that Alembic manages: taking them over, Alembic and SQLAlchemy beside
# the extension, and the way back. With real Alembic and SQLAlchemy, in databases
# of their own. On Debian the system's Python is used, whatever else is in PATH.
#
#   test/clients/alembic.sh [TEST…]      all tests, or test_leaving.Leaving, say

set -u
# shellcheck source=tools/lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../tools/lib/common.sh"
cd "$RAG_ROOT/test/clients/alembic" || exit 1

rag_require deb:alembic deb:python3-sqlalchemy deb:python3-psycopg2

for python in /usr/bin/python3 python3; do
  if "$python" -c 'import alembic, psycopg2, sqlalchemy' 2>/dev/null; then
    PYTHONDONTWRITEBYTECODE=1 exec "$python" main.py "$@"
  fi
done
echo "1..0 # SKIP needs Python with alembic, sqlalchemy and psycopg2"
