/*
 * base/table_facts.h
 *		Do facts about a table still hold?
 *
 *		Where rows are read or written directly, finding out that a table is plain costs
 *		more than the rows. What follows from the definition of the table alone is kept,
 *		by each module for itself; here is until when.
 */
#ifndef RAG_TABLE_FACTS_H
#define RAG_TABLE_FACTS_H

#include "base/compat.h"

#include "nodes/parsenodes.h"
#include "utils/relcache.h"

/* For each set of facts a static variable, all zero at first. */
typedef struct RagFacts
{
	Oid table;
	Oid other; /* the facts are about this table, too, unless it is InvalidOid */
	bool hold;
	bool changed; /* a table was changed while they were found out */
	bool watched;
	struct RagFacts *next;
} RagFacts;

static inline bool
rag_facts_hold(const RagFacts *facts, Oid table)
{
	return facts->hold && facts->table == table;
}

/*
 * To be called before facts about one or two tables, which are locked, are found out,
 * and after. They hold from then on, until a table is changed; after an error, or a
 * change meanwhile, they are to be found out again by the next one who asks.
 */
extern void rag_begin_facts(RagFacts *facts, Oid table, Oid other);
extern void rag_end_facts(RagFacts *facts);

/*
 * Why the caller cannot do to the table directly what needs all these rights on it,
 * or NULL.
 */
extern const char *rag_obstacle_of_caller(Relation rel, AclMode rights);

#endif /* RAG_TABLE_FACTS_H */
