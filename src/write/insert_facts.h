/*
 * write/insert_facts.h
 *		May messages be stored without an INSERT?
 */
#ifndef RAG_INSERT_FACTS_H
#define RAG_INSERT_FACTS_H

#include "base/compat.h"

#include "access/htup_details.h"
#include "utils/relcache.h"
#include "utils/uuid.h"

#include "base/table_facts.h"
#include "message/message.h"

/* Stands for an attribute that is not one of our columns. */
#define RAG_NO_COLUMN (-1)

/* A table with more indexes than these is left to the executor. */
#define RAG_MAX_INDEXES 16

typedef struct RagIndex
{
	Oid oid;
	int only_with;		  /* optional column without which a row has no entry, or 0 */
	AttrNumber attribute; /* the attribute of that column */
} RagIndex;

/*
 * What follows from the definitions of both tables alone. In arrays, attributes are
 * counted from 0.
 */
typedef struct RagInsertFacts
{
	RagTableFacts tables; /* messages, and sessions */

	/* Why rows cannot be stored directly, or NULL. */
	const char *obstacle;

	/* A message that was checked cannot violate a constraint. */
	bool constraints_hold;

	/* The optional columns that are null in a row that is inserted without them. */
	int null_by_default;

	/*
	 * The types and defaults of all columns are such that a message can be stored.
	 * The first mask has the optional columns that it may have, the second those that
	 * it may lack.
	 */
	bool columns_plain;
	int can_be_given;
	int can_be_omitted;

	/*
	 * The column of each attribute, and the attribute of each column; RAG_NO_COLUMN
	 * if there is none.
	 */
	int16 columns[MaxHeapAttributeNumber]; /* by attribute */
	int16 attributes[RAG_NCOLUMNS];		   /* by column */
	bool id_is_int4;

	/*
	 * No index has an expression, or a predicate that RagIndex cannot tell of; and
	 * these are the indexes.
	 */
	bool indexes_plain;
	int nindexes;
	RagIndex indexes[RAG_MAX_INDEXES];
} RagInsertFacts;

/*
 * The facts about the table that has the session's messages, which is open and locked.
 * They hold as long as the lock.
 */
extern const RagInsertFacts *rag_insert_facts(Relation messages,
											  const pg_uuid_t *session_id, Oid nspoid);

/*
 * Why the caller cannot store messages directly, or NULL. given are the optional columns
 * that any of them has, and omitted those that any of them lacks.
 */
extern const char *rag_insert_obstacle(Relation messages, const RagInsertFacts *facts,
									   int given, int omitted);

/* Is role's the only CHECK constraint? Messages are checked for that. */
extern bool rag_checks_hold(Relation messages);

#endif /* RAG_INSERT_FACTS_H */
