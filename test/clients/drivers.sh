#!/usr/bin/env bash
#
# What docs/drivers.md says of each driver, by the driver itself, directly and through
# PgBouncer: psycopg, asyncpg, SQLAlchemy, Node's pg, postgres.js, Drizzle, Kysely, JDBC, PHP's
# PDO, Ruby's pg and Prisma. What needs a cast fails without it, and works with it.

# shellcheck source=test/clients/common.sh
. "$(dirname "$0")/common.sh"
psycopg_python
rag_require deb:python3-asyncpg deb:python3-sqlalchemy deb:python3-psycopg2 deb:libpostgresql-jdbc-java deb:default-jdk-headless
rag_require deb:php-cli deb:php-pgsql deb:ruby-pg
ok "npm ci" node_modules test/clients/{drivers_postgres,drivers_builders,tap}.mjs
finished

# JDBC speaks TCP alone: PgBouncer listens for it.
start_pooler 127.0.0.1

sql -c "CREATE EXTENSION rag_events" || exit 1
direct_and_pooled "$python" test/clients/drivers.py
for program in drivers_postgres drivers_builders; do direct_and_pooled node "$RAG_TMP/$program.mjs"; done
direct_and_pooled php test/clients/drivers.php
direct_and_pooled ruby test/clients/drivers.rb
java -cp /usr/share/java/postgresql.jar test/clients/Drivers.java \
  "jdbc:postgresql://127.0.0.1:$pooler_port/$PGDATABASE?user=$PGUSER&prepareThreshold=0" || failures=$((failures + 1))
finished

# Prisma's generator asks for an engine that it does not run here, and fetches it unless it is
# told of one.
needs_node 20
# shellcheck disable=SC2034 # for node_modules
packages=test/clients/prisma
ok "npm ci for Prisma" node_modules test/clients/prisma/{drivers_prisma.mjs,schema.prisma} test/clients/tap.mjs
finished
ok "prisma generate" env PRISMA_SCHEMA_ENGINE_BINARY=/bin/true CHECKPOINT_DISABLE=1 npm exec --prefix "$RAG_TMP" --offline -- \
  prisma generate --schema "$RAG_TMP/schema.prisma"
direct_and_pooled node "$RAG_TMP/drivers_prisma.mjs"
finished
