#!/usr/bin/env bash
#
# Databases that Alembic manages: taking them over, Alembic and SQLAlchemy beside
# the extension, and the way back. With real Alembic and SQLAlchemy.
#
#   test/clients/alembic.sh [TEST…]      all tests, or test_adoption.Refusals, say
#
# Run by "test/run.sh clients"; see there for what it expects.
#
# Debian packages: alembic python3-sqlalchemy python3-psycopg2

set -u
cd "$(dirname "${BASH_SOURCE[0]}")/alembic" || exit 1

# Debian's packages are for its own Python, whichever comes first in PATH.
for python in /usr/bin/python3 python3; do
  if "$python" -c 'import alembic, psycopg2, sqlalchemy' 2>/dev/null; then
    PYTHONDONTWRITEBYTECODE=1 exec "$python" main.py "$@"
  fi
done
echo "1..0 # SKIP needs Python with alembic, sqlalchemy and psycopg2"
