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

/* Appends the first column of a query over the differences, a statement a line. */
static uint64
append_statements(StringInfo statements, Oid nspoid, const char *select)
{
	uint64 n = rag_compare_schema(RAG_BASE_VERSION, nspoid, select);

	for (uint64 i = 0; i < n; i++)
		appendStringInfo(statements, "%s;\n",
						 SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1));
	return n;
}

/*
 * The statements by which the tables can be adopted, in one transaction: what is in the
 * way goes, and is made again afterwards. NULL if there are none, because the types of
 * ids are others.
 */
static char *
adoption_script(Oid nspoid)
{
	const char *schema = quote_identifier(rag_namespace_name(nspoid));
	StringInfoData script;

	if (rag_compare_schema(RAG_BASE_VERSION, nspoid, "TABLE hopeless") > 0)
		return NULL;
	initStringInfo(&script);
	appendStringInfoString(&script, "BEGIN;\nSET LOCAL search_path = pg_catalog, pg_temp;\n");
	if (append_statements(&script, nspoid,
						  "SELECT ddl FROM unadoptable WHERE ddl IS NOT NULL"
						  " ORDER BY ord, object, expected") == 0)
		return NULL;
	appendStringInfo(&script, "CREATE EXTENSION rag_events SCHEMA %s VERSION '%s';\n",
					 schema, RAG_ADOPTION_VERSION);
	appendStringInfoString(&script, "ALTER EXTENSION rag_events UPDATE;\n");
	append_statements(&script, nspoid,
					  "SELECT again FROM unadoptable WHERE again IS NOT NULL"
					  " ORDER BY again_ord, object");
	appendStringInfoString(&script, "COMMIT;");
	return script.data;
}

static char *
list_differences(Oid nspoid)
{
	uint64 n = rag_compare_schema(RAG_BASE_VERSION, nspoid,
								  "SELECT object, difference, expected, actual FROM unadoptable"
								  " ORDER BY ord, object, expected");
	StringInfoData list;

	initStringInfo(&list);
	for (uint64 i = 0; i < n; i++)
	{
		HeapTuple row = SPI_tuptable->vals[i];
		TupleDesc desc = SPI_tuptable->tupdesc;
		char *expected = SPI_getvalue(row, desc, 3);
		char *actual = SPI_getvalue(row, desc, 4);

		appendStringInfo(&list, "%s%s is %s", i > 0 ? "\n" : "",
						 SPI_getvalue(row, desc, 1), SPI_getvalue(row, desc, 2));
		if (expected && actual)
			appendStringInfo(&list, " (expected %s, found %s)", expected, actual);
	}
	return n > 0 ? list.data : NULL;
}

/*
 * Raises an error that lists all differences from version 1.0's tables, with the
 * statements that the owner can run.
 */
static void
refuse_differences(Oid nspoid)
{
	char *differences = list_differences(nspoid);
	char *script;

	if (differences == NULL)
		return;
	script = adoption_script(nspoid);
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("the tables in schema \"%s\" cannot be adopted: they are not those of revision %s",
					rag_namespace_name(nspoid), RAG_ADOPTION_VERSION),
			 errdetail_internal("%s", differences),
			 script ?
				 errhint("Nothing was changed. Run this as their owner. Own columns, policies and whatever else goes meanwhile come back.%s%s\n%s",
						 strstr(script, " AT TIME ZONE 'UTC'") ? " Put the time zone of the application in the place of 'UTC'." : "",
						 strstr(script, "\n-- ") ? " But what stands behind -- does not, because a column has another type then: write it anew." : "",
						 script) :
				 errhint("Nothing was changed. Move these tables to another schema, create the extension, and copy the rows: see docs/adoption.md.")));
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
