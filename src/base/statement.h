/*
 * base/statement.h
 *		Kept plans: the one door to SPI.
 *
 *		A statement is prepared once per backend and schema, and then kept. It is
 *		prepared anew when it no longer holds: after DDL, after DISCARD ALL, or
 *		when the extension was dropped and created again elsewhere.
 */
#ifndef RAG_STATEMENT_H
#define RAG_STATEMENT_H

#include "base/compat.h"

#include "executor/tuptable.h"

#define RAG_MAX_ARGS 16

/*
 * A statement as the modules write it. In sql, every @extschema@ stands for the quoted
 * name of the extension's schema. RAG_DISTRIBUTED() is a part that it has only where the
 * tables are distributed over several machines (base/distributed.h), and RAG_LOCAL() one
 * that it has only where they are not.
 */
#define RAG_DISTRIBUTED(sql) "@distributed{" sql "}@"
#define RAG_LOCAL(sql) "@local{" sql "}@"

/*
 * A condition for rows of the session $1. Citus finds their machine by the equality; with
 * it, PostgreSQL might read another index than the one that the statement is made for.
 */
#define RAG_ON_ITS_MACHINE "@routed{ AND session_id OPERATOR(pg_catalog.=) $1}@"

/*
 * Begins a statement that reads and changes no rows but those of one session, which is
 * its only parameter of type uuid. On the node that has the session it goes straight to
 * the tables there, with a plan of PostgreSQL's own; Citus would plan it each time.
 */
#define RAG_OF_SESSION "@session@"

typedef struct RagStatement
{
	const char *sql;
	int nargs;
	Oid argtypes[RAG_MAX_ARGS];
} RagStatement;

/*
 * Runs the statement with the caller's rights and returns the number of rows
 * processed; rows of a SELECT are in SPI_tuptable. nulls is as for
 * SPI_execute_plan(). The caller is connected to SPI.
 */
extern uint64 rag_execute(const RagStatement *statement, Oid nspoid,
						  const Datum *values, const char *nulls);

/*
 * The same for a SELECT of a STABLE function: it sees what the calling query sees,
 * and does not advance the command counter.
 */
extern uint64 rag_query(const RagStatement *statement, Oid nspoid,
						const Datum *values, const char *nulls);

/*
 * The same, except that receive is called for each row as it is found, with arg. If
 * it returns false, the query ends. The slot is valid during that call only, and has
 * all its values.
 */
typedef bool (*RagReceiveRow)(TupleTableSlot *row, void *arg);
extern void rag_query_each(const RagStatement *statement, Oid nspoid,
						   const Datum *values, const char *nulls,
						   RagReceiveRow receive, void *arg);

/*
 * Runs a SELECT that is too rare to be worth a kept plan; sql is taken as it
 * stands. It sees what the transaction did so far.
 */
extern uint64 rag_query_once(const char *sql, int nargs, Oid *argtypes,
							 Datum *values);

/*
 * The same as rag_execute(), planned for these values and then forgotten: for statements
 * that read much, and whose best plan depends on the values.
 */
extern uint64 rag_execute_once(const RagStatement *statement, Oid nspoid,
							   const Datum *values, const char *nulls);

/*
 * Returns the rows of a SELECT as the result of the SQL function, which is set up for
 * it.
 */
extern void rag_return_rows(FunctionCallInfo fcinfo, const RagStatement *statement,
							Oid nspoid, const Datum *values, const char *nulls);

/* The same, planned for these values. */
extern void rag_return_rows_once(FunctionCallInfo fcinfo, const RagStatement *statement,
								 Oid nspoid, const Datum *values, const char *nulls);

#endif /* RAG_STATEMENT_H */
