/*
 * base/as_owner.c
 *		Doing something with the rights of a table's owner.
 */
#include "base/compat.h"

#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "miscadmin.h"
#include "utils/syscache.h"

#include "base/as_owner.h"

Oid
rag_owner_of(Oid table)
{
	HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(table));
	Oid owner;

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", table)));
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	return owner;
}

/* An error ends the transaction or subtransaction, which restores the user as well. */
static RagUser
become(Oid user, int context)
{
	RagUser before;

	GetUserIdAndSecContext(&before.user, &before.context);
	SetUserIdAndSecContext(user,
						   before.context | SECURITY_LOCAL_USERID_CHANGE | context);
	return before;
}

RagUser
rag_become_owner(Oid relation)
{
	return become(rag_owner_of(relation), SECURITY_NOFORCE_RLS);
}

RagUser
rag_confine_to_owner(Oid relation)
{
	Oid owner = rag_owner_of(relation);
	RagUser before;

	if (owner != GetUserId())
		return become(owner, SECURITY_RESTRICTED_OPERATION);
	GetUserIdAndSecContext(&before.user, &before.context);
	return before;
}

void
rag_become_again(RagUser user)
{
	SetUserIdAndSecContext(user.user, user.context);
}

static uint64
as_owner(Oid table, const RagStatement *statement, Oid nspoid, const Datum *values,
		 const char *nulls, bool read_only)
{
	RagUser user = rag_become_owner(table);
	uint64 rows = read_only ? rag_query(statement, nspoid, values, nulls) :
							  rag_execute(statement, nspoid, values, nulls);

	rag_become_again(user);
	return rows;
}

uint64
rag_execute_as_owner(Oid table, const RagStatement *statement, Oid nspoid,
					 const Datum *values, const char *nulls)
{
	return as_owner(table, statement, nspoid, values, nulls, false);
}

uint64
rag_query_as_owner(Oid table, const RagStatement *statement, Oid nspoid,
				   const Datum *values, const char *nulls)
{
	return as_owner(table, statement, nspoid, values, nulls, true);
}
