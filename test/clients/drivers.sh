#!/usr/bin/env bash
#
# What docs/drivers.md says of each driver, by the driver itself: psycopg, asyncpg,
# SQLAlchemy, JDBC, postgres.js, Drizzle, Kysely, PHP's PDO and Ruby's pg. What needs a cast fails without it, and works with it.

# shellcheck source=test/clients/common.sh
. "$(dirname "$0")/common.sh"
psycopg_python
rag_require deb:python3-asyncpg deb:python3-sqlalchemy deb:python3-psycopg2 deb:libpostgresql-jdbc-java deb:default-jdk-headless
rag_require deb:php-cli deb:php-pgsql deb:ruby-pg
ok "npm ci" node_modules test/clients/{drivers_postgres,drivers_builders,tap}.mjs
finished

sql -c "CREATE EXTENSION rag_events" || exit 1
"$python" test/clients/drivers.py || failures=$((failures + 1))
for program in drivers_postgres drivers_builders; do
  node "$RAG_TMP/$program.mjs" || failures=$((failures + 1))
done
php test/clients/drivers.php || failures=$((failures + 1))
ruby test/clients/drivers.rb || failures=$((failures + 1))

# JDBC speaks TCP alone: PgBouncer listens for it.
start_pooler 127.0.0.1
java -cp /usr/share/java/postgresql.jar test/clients/Drivers.java \
  "jdbc:postgresql://127.0.0.1:$pooler_port/$PGDATABASE?user=$PGUSER&prepareThreshold=0" || failures=$((failures + 1))
finished
