/*
 * base/schema.h
 *		The schema that the extension is in, and its tables and sequences.
 */
#ifndef RAG_SCHEMA_H
#define RAG_SCHEMA_H

#include "base/compat.h"

/*
 * The schema of the extension: the one of the SQL function that was called. Raises
 * 42883 when the function was dropped since, which an open cursor does not prevent.
 */
extern Oid rag_namespace(FunctionCallInfo fcinfo);

/* Its name. Raises 3F000 when it was dropped since. */
extern const char *rag_namespace_name(Oid nspoid);

/*
 * A table or sequence of the extension, by name. Raises 42P01 when it is not
 * there.
 */
extern Oid rag_relation(const char *name, Oid nspoid);

#endif /* RAG_SCHEMA_H */
