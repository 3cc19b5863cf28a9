/*
 * base/schema.h
 *		The schema that the extension is in, and its tables and sequences.
 */
#ifndef RAG_SCHEMA_H
#define RAG_SCHEMA_H

#include "base/compat.h"

#include "storage/lockdefs.h"
#include "utils/relcache.h"

/*
 * The schema of the extension, which is the schema of the SQL function that was
 * called. Raises 42883 if the function was dropped since then, which an open cursor
 * does not prevent.
 */
extern Oid rag_namespace(FunctionCallInfo fcinfo);

/* Its name. Raises 3F000 when it was dropped since. */
extern const char *rag_namespace_name(Oid nspoid);

/*
 * A table or sequence of the extension, by name. Raises 42P01 when it is not
 * there.
 */
extern Oid rag_relation(const char *name, Oid nspoid);

/*
 * The same, locked. While we waited, whoever held a lock may have renamed the table,
 * dropped it or put another one in its place. The one that is returned has the name
 * now, and keeps it as long as the lock is held.
 */
extern Oid rag_lock_relation(const char *name, Oid nspoid, LOCKMODE lockmode);

/* A table, opened with that lock. */
extern Relation rag_open_table(const char *name, Oid nspoid, LOCKMODE lockmode);

/*
 * Takes ACCESS EXCLUSIVE locks on both tables, which have these names in the schema.
 * Writers may lock them in either order, and there is no deadlock with any of them.
 * Raises 55P03 if after many attempts there was always a writer between the two
 * locks; 40001 if other tables have the names by then.
 */
extern void rag_lock_both(Oid nspoid, Oid sessions, Oid messages);

/*
 * A table that the extension has from some version on: InvalidOid where it has none. (A
 * table of that name that somebody else made is none of ours.)
 */
extern Oid rag_optional_table(const char *name, Oid nspoid);

/*
 * Returns the version that is installed in this database, palloc'd, or NULL
 * when the extension is not installed.
 */
extern char *rag_installed_version(void);

#endif /* RAG_SCHEMA_H */
