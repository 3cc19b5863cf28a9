/*
 * base/as_owner.c
 *		Doing something with the rights of a table's owner.
 */
#include "base/compat.h"

#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/rls.h"
#include "utils/syscache.h"

#include "base/as_owner.h"
#include "base/distributed.h"

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

/* May the caller read all rows of all tables, and delete those of this one if need be? */
static bool
caller_may_as_well(Oid table, Oid nspoid, bool read_only)
{
	static const char *const names[] = {"sessions", "messages", "rag_feedback"};

	if (!read_only &&
		pg_class_aclmask(table, GetUserId(), ACL_DELETE, ACLMASK_ALL) == 0)
		return false;
	for (int i = 0; i < (int) lengthof(names); i++)
	{
		Oid relid = get_relname_relid(names[i], nspoid);

		if (!OidIsValid(relid) ||
			pg_class_aclmask(relid, GetUserId(), ACL_SELECT, ACLMASK_ALL) == 0 ||
			check_enable_rls(relid, InvalidOid, true) == RLS_ENABLED)
			return false;
	}
	return true;
}

/*
 * Citus has a connection for each user, and refuses to read by one of them what was
 * written by the other in the same transaction.
 */
static uint64
as_owner(Oid table, const RagStatement *statement, Oid nspoid, const Datum *values,
		 const char *nulls, bool read_only)
{
	RagUser user = {InvalidOid, 0};
	uint64 rows;
	bool as_caller = false;

	if (rag_is_distributed(nspoid))
		as_caller = caller_may_as_well(table, nspoid, read_only);
	if (!as_caller)
		user = rag_become_owner(table);
	rows = read_only ? rag_query(statement, nspoid, values, nulls) :
					   rag_execute(statement, nspoid, values, nulls);
	if (!as_caller)
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
