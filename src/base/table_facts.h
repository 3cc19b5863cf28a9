/*
 * base/table_facts.h
 *		What every shortcut needs to know of a table.
 *
 *		A shortcut reads or writes rows without the executor: a file X_direct.c does
 *		what X.c does by a statement. Its contract:
 *
 *		- It gives the same result as the statement, errors included, or it steps
 *		  aside: it then returns false, with nothing done, and the statement is run.
 *		- It steps aside unless the table is plain: the executor would do no more than
 *		  to read or to store a row with its index entries. So a plain table has no
 *		  rules, no partitions or children, no triggers except those that are known to
 *		  have nothing to do here, no generated columns, and only types, defaults,
 *		  constraints and indexes that the shortcut itself serves.
 *		- It steps aside unless the caller may do it with rights on whole tables and
 *		  nobody watches: rag_caller_obstacle() has the reasons.
 *		- What it found out about a table holds until the table is changed.
 *
 *		A new reason to step aside goes into rag_table_obstacle() where it concerns every
 *		shortcut's table, into rag_caller_obstacle() where it concerns the caller, or else
 *		to the facts of the one shortcut that it concerns. The tests of insert_direct,
 *		update_message_direct, get_messages_direct and find_session_direct compare both
 *		ways: each reason has a case there.
 */
#ifndef RAG_TABLE_FACTS_H
#define RAG_TABLE_FACTS_H

#include "base/compat.h"

#include "common/hashfn.h"
#include "nodes/parsenodes.h"
#include "utils/relcache.h"

/*
 * Finding out that a table is plain costs more than the rows that are read or stored.
 * Each shortcut keeps what follows from the definition of the table alone, and this
 * tells until when that holds. It is part of a static variable, all zero at first.
 */
typedef struct RagTableFacts
{
	Oid table;
	Oid other; /* the facts are about this table, too, unless it is InvalidOid */
	bool hold;
	bool changed; /* a table was changed while they were found out */
	bool watched;
	struct RagTableFacts *next;
} RagTableFacts;

/*
 * On a cluster each shard is a table, and one call uses another shard than the last. So
 * a shortcut keeps the facts of several tables, in an array with this many places. Two
 * tables that have the same place only take turns.
 */
#define RAG_FACTS_PLACES 256

static inline int
rag_place_of_facts(Oid table)
{
	return murmurhash32(table) % RAG_FACTS_PLACES;
}

static inline bool
rag_facts_hold(const RagTableFacts *facts, Oid table)
{
	return facts->hold && facts->table == table;
}

/*
 * rag_begin_facts() is called before facts about one or two tables, which are locked,
 * are found out, and rag_end_facts() afterwards. From then on they hold until one of
 * the tables is changed. If there was an error or a change in between, they do not
 * hold, and the next call finds them out again.
 */
extern void rag_begin_facts(RagTableFacts *facts, Oid table, Oid other);
extern void rag_end_facts(RagTableFacts *facts);

/*
 * Why the caller cannot be served directly although the table is plain, or NULL.
 * rights are those that are needed on the whole table.
 */
extern const char *rag_caller_obstacle(Relation rel, AclMode rights);

/* May the caller read this column, by a right on it or on the whole table? */
extern bool rag_may_read(Oid table, AttrNumber attnum);

/*
 * Why no shortcut can serve this table, which is open; or NULL. Triggers, columns,
 * constraints and indexes are left to each shortcut.
 */
extern const char *rag_table_obstacle(Relation rel);

/*
 * May code of users run when a row is written to the table: a function in a constraint,
 * a generated column or an index that is not one of PostgreSQL's own immutable ones?
 * Such code can do anything, such as to delete the row that was locked before.
 */
extern bool rag_writing_runs_user_code(Relation rel);

#endif /* RAG_TABLE_FACTS_H */
