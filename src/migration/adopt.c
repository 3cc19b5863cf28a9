/*
 * migration/adopt.c
 *		Taking over the tables that another migration tool made.
 *
 *		The script of the adoption version calls rag_adopt(). The tables become
 *		members of the extension as they stand: same rows, same owner, same
 *		grants. They must be the tables of version 1.0 in all but the names of
 *		constraints, indexes and the sequence.
 */
#include "base/compat.h"

#include "access/relation.h"
#include "catalog/dependency.h"
#include "catalog/pg_class_d.h"
#include "catalog/pg_type_d.h"
#include "commands/extension.h"
#include "executor/spi.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/schema.h"
#include "migration/check_schema.h"
#include "migration/script_helpers.h"
#include "migration/versions.h"

/*
 * The statements of rag_compare_schema()'s renames. There are never more than 20 such
 * objects.
 */
static void
rename_to_ours(Oid nspoid)
{
	uint64 n = rag_compare_schema(RAG_BASE_VERSION, nspoid,
								  "SELECT ddl FROM renames ORDER BY ord, ddl");
	SPITupleTable *statements = SPI_tuptable;

	for (uint64 i = 0; i < n; i++)
	{
		char *ddl = SPI_getvalue(statements->vals[i], statements->tupdesc, 1);
		int rc = SPI_execute(ddl, false, 0);

		if (rc != SPI_OK_UTILITY)
			elog(ERROR, "could not execute \"%s\": %s", ddl,
				 SPI_result_code_string(rc));
	}
}

/*
 * Raises an error that lists all differences from version 1.0's tables, each with
 * the DDL that the owner can run to mend it.
 */
static void
refuse_differences(Oid nspoid)
{
	StringInfoData detail;
	StringInfoData hint;
	StringInfoData statements;
	bool drops_column = false;
	uint64 n = rag_compare_schema(RAG_BASE_VERSION, nspoid,
								  "SELECT object, difference, expected, actual, ddl FROM unadoptable"
								  " ORDER BY ord, object, expected");

	if (n == 0)
		return;

	initStringInfo(&detail);
	initStringInfo(&hint);
	initStringInfo(&statements);
	for (uint64 i = 0; i < n; i++)
	{
		HeapTuple row = SPI_tuptable->vals[i];
		TupleDesc desc = SPI_tuptable->tupdesc;
		char *expected = SPI_getvalue(row, desc, 3);
		char *actual = SPI_getvalue(row, desc, 4);
		char *ddl = SPI_getvalue(row, desc, 5);

		appendStringInfo(&detail, "%s%s is %s",
						 i > 0 ? "\n" : "", SPI_getvalue(row, desc, 1),
						 SPI_getvalue(row, desc, 2));
		if (expected && actual)
			appendStringInfo(&detail, " (expected %s, found %s)", expected, actual);
		if (ddl)
		{
			appendStringInfo(&statements, "\n%s;", ddl);
			drops_column = drops_column || strstr(ddl, " DROP COLUMN ") != NULL;
		}
	}
	if (statements.len > 0)
		appendStringInfo(&hint, " Run this as their owner%s, and try again:%s",
						 drops_column ? " (a dropped column loses its values)" : "",
						 statements.data);
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("the tables in schema \"%s\" cannot be adopted: they are not those of revision %s",
					rag_namespace_name(nspoid), RAG_ADOPTION_VERSION),
			 errdetail_internal("%s", detail.data),
			 errhint("Nothing was changed.%s", hint.data)));
}

static void
require_owner(Oid relid, Oid roleid)
{
	if (!rag_class_ownercheck(relid, roleid))
		aclcheck_error(ACLCHECK_NOT_OWNER,
					   get_relkind_objtype(get_rel_relkind(relid)), get_rel_name(relid));
}

static void
add_object(Oid classid, Oid objid)
{
	ObjectAddress object;

	ObjectAddressSet(object, classid, objid);
	recordDependencyOnCurrentExtension(&object, false);
}

/*
 * Makes the relation a member of the extension, as CREATE TABLE in a script would.
 * ALTER EXTENSION ADD cannot be used: it takes the grants that the relation has for
 * grants of the extension, and pg_dump would leave them out.
 */
static void
add_member(Oid relid)
{
	Oid extension = getExtensionOfObject(RelationRelationId, relid);
	Oid rowtype = get_rel_type_id(relid);

	if (OidIsValid(extension))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("relation \"%s\" already belongs to extension \"%s\"",
						get_rel_name(relid), get_extension_name(extension))));
	add_object(RelationRelationId, relid);
	if (RAG_ROW_TYPES_ARE_MEMBERS && OidIsValid(rowtype))
	{
		add_object(TypeRelationId, rowtype);
		add_object(TypeRelationId, get_array_type(rowtype));
	}
}

/*
 * rag_adopt(owner regrole) returns void
 *
 * Takes over the tables sessions and messages of the schema for the role that
 * installs the extension. The settings are those that schema_objects.sql names.
 *
 * Errors: 42P01 no such tables; 42501 they are not the role's, or it may not
 * create in the schema; 55000 they differ from version 1.0's, or belong to another
 * extension.
 */
PG_FUNCTION_INFO_V1(rag_adopt);
Datum
rag_adopt(PG_FUNCTION_ARGS)
{
	Oid owner = PG_GETARG_OID(0);
	Oid nspoid = rag_namespace(fcinfo);
	Oid sessions = rag_relation("sessions", nspoid);
	Oid messages = rag_relation("messages", nspoid);
	Oid sequence;

	rag_require_script();
	rag_require_create(owner, nspoid);

	/*
	 * The owner is checked before the locks, so that nobody can lock another user's
	 * tables, and again after them.
	 */
	require_owner(sessions, owner);
	require_owner(messages, owner);
	rag_lock_both(nspoid, sessions, messages);
	require_owner(sessions, owner);
	require_owner(messages, owner);

	SPI_connect();
	rename_to_ours(nspoid);
	refuse_differences(nspoid);
	SPI_finish();

	sequence = rag_relation("messages_id_seq", nspoid);
	require_owner(sequence, owner);
	add_member(sessions);
	add_member(messages);
	add_member(sequence);
	PG_RETURN_VOID();
}
