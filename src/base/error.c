/*
 * base/error.c
 *		What the errors of several functions share.
 */
#include "base/compat.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rls.h"

#include "base/error.h"

int
rag_errtable(Oid nspoid, const char *table, const char *column,
			 const char *constraint)
{
	const char *schema = get_namespace_name(nspoid);

	if (schema)
		err_generic_string(PG_DIAG_SCHEMA_NAME, schema);
	err_generic_string(PG_DIAG_TABLE_NAME, table);
	if (column)
		err_generic_string(PG_DIAG_COLUMN_NAME, column);
	if (constraint)
		err_generic_string(PG_DIAG_CONSTRAINT_NAME, constraint);
	return 0; /* return value does not matter */
}

const char *
rag_element(int element)
{
	return element == 0 ? "" : psprintf("message %d: ", element);
}

void
rag_error_null(Oid nspoid, const char *table, const char *column, int element)
{
	ereport(ERROR,
			(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
			 errmsg("%s%s must not be null", rag_element(element), column),
			 rag_errtable(nspoid, table, column, NULL)));
}

bool
rag_may_show_keys(Oid nspoid, const char *table)
{
	Oid relid = get_relname_relid(table, nspoid);

	return OidIsValid(relid) &&
		check_enable_rls(relid, InvalidOid, true) != RLS_ENABLED;
}

void
rag_error_no_session(Oid nspoid, const pg_uuid_t *session_id)
{
	char *id = DatumGetCString(DirectFunctionCall1(uuid_out,
												   UUIDPGetDatum(session_id)));

	ereport(ERROR,
			(errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
			 errmsg("session does not exist"),
			 rag_may_show_keys(nspoid, "sessions") ?
				 errdetail("Key (session_id)=(%s) is not present in table \"sessions\".", id) :
				 errdetail("Key is not present in table \"sessions\"."),
			 errhint("Create the session first with rag_create_session(). "
					 "Where user_id is given, the session must be that user's."),
			 rag_errtable(nspoid, "messages", "session_id",
						  "messages_session_id_fkey")));
}

void
rag_error_no_message(Oid nspoid, int64 message_id)
{
	ereport(ERROR,
			(errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
			 errmsg("message does not exist"),
			 rag_may_show_keys(nspoid, "messages") ?
				 errdetail("The session has no message with id " INT64_FORMAT ".",
						   message_id) :
				 errdetail("The session has no message with this id."),
			 rag_errtable(nspoid, "messages", "id", NULL)));
}

void
rag_error_discarded(Oid nspoid, const char *table)
{
	ereport(ERROR,
			(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
			 errmsg("nothing was stored in table \"%s\"", table),
			 errdetail("A trigger or a rule on the table discarded the row."),
			 rag_errtable(nspoid, table, NULL, NULL)));
}

void
rag_check_max(FunctionCallInfo fcinfo, int arg, const char *name)
{
	if (PG_ARGISNULL(arg) || PG_GETARG_INT32(arg) >= 0)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%s must not be negative", name),
			 errhint("NULL means all, and 0 means none.")));
}

void
rag_require_read_committed(const char *what)
{
	if (IsolationUsesXactSnapshot())
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("%s cannot work in a transaction that sees one snapshot throughout",
						what),
				 errhint("Use the isolation level READ COMMITTED.")));
}

void
rag_check_may_write(const char *function)
{
	PreventCommandIfReadOnly(function);
	PreventCommandIfParallelMode(function);
}
