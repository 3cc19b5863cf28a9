# PGXS build of rag_events. Everything is found by wildcard: a new source file,
# script, regression test, isolation spec or TAP test needs no line here.

MODULE_big = rag_events
EXTENSION = rag_events
EXTVERSION := $(shell sed -n "s/^default_version = '\(.*\)'/\1/p" rag_events.control)

# The control file's default_version is the single source of the version.
PG_CPPFLAGS = -I$(CURDIR)/src -DRAG_EVENTS_VERSION='"$(EXTVERSION)"'

# src/ has a folder for each concern; src/README.md draws them.
OBJS = $(patsubst %.c,%.o,$(wildcard src/*.c src/*/*.c))
DATA = $(wildcard sql/rag_events--*.sql schema/rag_events--*.json)

# Queries over the catalogs are written as SQL and compiled in as C strings.
QUERIES = $(patsubst %.sql,%.sql.h,$(wildcard src/*/*.sql))

# pg_regress: inputs in test/sql, expected output in expected/, but for REGRESS_SKIP.
REGRESS = $(filter-out $(REGRESS_SKIP),$(patsubst test/sql/%.sql,%,$(sort $(wildcard test/sql/*.sql))))
REGRESS_OPTS = --inputdir=test --load-extension=plpgsql

# The tests' database, whatever the server's own encoding and locale.
ENCODING = UTF8
NO_LOCALE = 1

# The isolation tester finds expected/ only below its output directory.
ISOLATION = $(patsubst test/specs/%.spec,%,$(sort $(wildcard test/specs/iso_*.spec)))
ISOLATION_OPTS = --inputdir=test --outputdir=.

# TAP tests start servers of their own and need Perl's IPC::Run, so they are a
# target of their own (prove_installcheck) and not a part of installcheck.
PROVE_TESTS = test/t/*.pl

EXTRA_CLEAN = $(QUERIES) results output_iso tmp_check log regression.diffs regression.out

# Goals that concern a database, or the sources, alone. They need nothing of PGXS
# and are left to scripts, which take TO=, FROM=, STEPS= … from the environment.
# "check" is an older name of check-schema. (PGXS has a "check" of its own, that only
# says to use installcheck.)
MIGRATE_GOALS = current history upgrade downgrade check-schema check migration-sql keep-local
SCRIPT_GOALS = $(MIGRATE_GOALS) revision snapshot dist

ifeq ($(filter-out $(SCRIPT_GOALS),$(or $(MAKECMDGOALS),all)),)

.PHONY: $(SCRIPT_GOALS)
$(MIGRATE_GOALS):
	@tools/migrate.sh $@
revision:
	@tools/revision.sh
snapshot:
	@tools/snapshot.sh
dist:
	@tools/dist.sh

else

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

src/migration/check_schema.o src/migration/check_schema.bc src/usage/usage.o src/usage/usage.bc: $(QUERIES)

# They carry the version.
src/rag_events.o src/rag_events.bc: rag_events.control

src/%.sql.h: src/%.sql
	sed -e '/^ *--/d' -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/.*/"&\\n"/' $< > $@

.PHONY: prove_installcheck
prove_installcheck:
	$(prove_installcheck)

endif
