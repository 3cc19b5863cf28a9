/*
 * base/as_owner.h
 *		Doing something with the rights of a table's owner.
 *
 *		A foreign key's triggers do so: what they delete goes with the row that it
 *		belongs to, whatever rights the caller has on it. Where the extension does the
 *		work of such a key, or looks whether there is anything that the caller would
 *		need a right for, it does so as well; and nothing else.
 */
#ifndef RAG_AS_OWNER_H
#define RAG_AS_OWNER_H

#include "base/compat.h"

#include "base/statement.h"

/* The owner of a table or sequence. */
extern Oid rag_owner_of(Oid relation);

/*
 * From rag_become_owner() on the rights are those of the owner of the table or sequence,
 * until rag_become_again() gives back what was before. Row security does not apply in
 * between. An error restores the user as well.
 */
typedef struct RagUser
{
	Oid user;
	int context;
} RagUser;

extern RagUser rag_become_owner(Oid relation);
extern void rag_become_again(RagUser user);

/*
 * The same for what the caller does to the whole table, which may run code of its owner:
 * that code cannot act as the caller, neither now nor at the end of the transaction, and
 * row security applies as it does to the owner. Changes nothing where he is the caller.
 */
extern RagUser rag_confine_to_owner(Oid relation);

/*
 * Runs a statement on the table as its owner, and returns the number of rows. Row
 * security does not apply, as it does not to a foreign key's triggers. Where the tables
 * are distributed, it is done as the caller if that makes no difference; and otherwise
 * nothing must have been written to these sessions before, in the same transaction.
 */
extern uint64 rag_execute_as_owner(Oid table, const RagStatement *statement, Oid nspoid,
								   const Datum *values, const char *nulls);

/* The same for a SELECT of a STABLE function (see rag_query()). */
extern uint64 rag_query_as_owner(Oid table, const RagStatement *statement, Oid nspoid,
								 const Datum *values, const char *nulls);

#endif /* RAG_AS_OWNER_H */
