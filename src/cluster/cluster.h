/*
 * cluster/cluster.h
 *		What distributing tables and bringing them back have in common.
 */
#ifndef RAG_CLUSTER_H
#define RAG_CLUSTER_H

#include "base/compat.h"

#include "base/as_owner.h"

/*
 * Statements. The functions have a search_path of pg_catalog, so only what is not
 * PostgreSQL's or Citus's own is qualified.
 */
extern const char *rag_qualified(const char *name, Oid nspoid);

/* The same as a string in SQL. */
extern const char *rag_quoted_name(const char *name, Oid nspoid);

/* Executes one statement; its result is in SPI_tuptable. */
extern void rag_cluster_run(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

/* The first value of the result as text, or NULL; and as a number, or 0. */
extern char *rag_cluster_first_value(void);
extern int64 rag_cluster_first_int64(void);

/* What must be so. (Of the last: what is hidden from the owner would be lost.) */
extern void rag_cluster_require_citus(void);
extern void rag_cluster_require_coordinator(void);
extern void rag_cluster_require_owner(Oid nspoid);
extern void rag_cluster_require_all_rows(Oid nspoid);

/*
 * What is done to tables may run code of their owner (the check constraints and computed
 * columns, when the type of ids changes): it must not get the rights of a superuser who
 * calls the function for him. rag_become_again() ends it.
 */
extern RagUser rag_act_as_owner(Oid nspoid);

/* The last id that this node has drawn, or that a message has. */
extern int64 rag_last_drawn_id(Oid nspoid);

/* Makes the view of sources anew, as it has to be for such tables. */
extern void rag_define_view(Oid nspoid, bool distributed);

#endif /* RAG_CLUSTER_H */
