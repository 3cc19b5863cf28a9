/*
 * migration/script_helpers.c
 *		Helpers of the extension's own scripts.
 *
 *		A script creates the SQL function for a helper, calls it and drops it
 *		again, so that none stays behind; and a helper refuses to run outside of
 *		a script. Under "trusted = true" PostgreSQL runs a script as a superuser
 *		for whoever owns the database, over tables whose owner may be hostile:
 *		what is done to those tables here does not pass through the planner, and
 *		runs no code of theirs.
 */
#include "base/compat.h"

#include "access/table.h"
#include "access/tableam.h"
#include "catalog/dependency.h"
#include "catalog/index.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_class_d.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type_d.h"
#include "commands/extension.h"
#include "commands/tablecmds.h"
#include "executor/spi.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"

#include "base/as_owner.h"
#include "base/distributed.h"
#include "base/schema.h"
#include "base/statement.h"
#include "migration/script_helpers.h"

bool rag_allow_data_loss = false;

/* How often to try to get both tables' locks, and the longest pause before that. */
#define LOCK_ATTEMPTS 200
#define MAX_PAUSE_MS 20

void
rag_require_script(void)
{
	if (!creating_extension ||
		CurrentExtensionObject != get_extension_oid("rag_events", true))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("this function is for the scripts of rag_events only")));
}

void
rag_require_create(Oid roleid, Oid nspoid)
{
	AclResult result = rag_namespace_aclcheck(nspoid, roleid, ACL_CREATE);

	if (result != ACLCHECK_OK)
		aclcheck_error(result, OBJECT_SCHEMA, rag_namespace_name(nspoid));
}

/*
 * rag_check_install(owner regrole) returns void
 *
 * Raises 42501 unless the role that installs the extension may create objects in
 * its schema: a superuser runs the script, so no other check would.
 */
PG_FUNCTION_INFO_V1(rag_check_install);
Datum
rag_check_install(PG_FUNCTION_ARGS)
{
	rag_require_script();
	rag_require_create(PG_GETARG_OID(0), rag_namespace(fcinfo));
	PG_RETURN_VOID();
}

/*
 * Waits for the lock of the first table, but never for that of the second while the
 * first is held.
 */
static bool
lock_in_order(Oid first, Oid second)
{
	LockRelationOid(first, AccessExclusiveLock);
	if (ConditionalLockRelationOid(second, AccessExclusiveLock))
		return true;
	UnlockRelationOid(first, AccessExclusiveLock);
	return false;
}

/*
 * Our functions lock sessions first and then messages; the plain statements of an ORM
 * often lock them the other way round. So while one table is locked, this never waits
 * for the other: if the other is not free, it releases the first, and waits for the
 * other one first.
 */
void
rag_lock_both(Oid nspoid, Oid sessions, Oid messages)
{
	bool locked = false;

	for (int i = 0; i < LOCK_ATTEMPTS && !locked; i++)
	{
		/* Gives way to those who are waiting behind us. */
		CHECK_FOR_INTERRUPTS();
		pg_usleep(1000L * Min(i, MAX_PAUSE_MS));
		locked = i % 2 == 0 ? lock_in_order(sessions, messages) :
							  lock_in_order(messages, sessions);
	}
	if (!locked)
		ereport(ERROR,
				(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
				 errmsg("could not lock tables \"sessions\" and \"messages\" together"),
				 errhint("Try again when fewer transactions write to them.")));
	if (get_relname_relid("sessions", nspoid) != sessions ||
		get_relname_relid("messages", nspoid) != messages)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("the tables were renamed while they were locked")));
}

/*
 * The owner of the tables can take them out of the extension, and put anything in
 * their place.
 */
static void
require_member_table(Oid relid)
{
	if (get_rel_relkind(relid) != RELKIND_RELATION ||
		getExtensionOfObject(RelationRelationId, relid) != CurrentExtensionObject)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("relation \"%s\" is not a table of extension rag_events",
						get_rel_name(relid))));
}

/*
 * Runs DDL of a script, under the search_path that PostgreSQL gives to scripts: event
 * triggers may rely on it.
 */
static void
execute_ddl(const char *ddl, Oid nspoid)
{
	int nestlevel = NewGUCNestLevel();
	char *search_path = psprintf("%s, pg_temp",
								 quote_identifier(rag_namespace_name(nspoid)));
	int rc;

	(void) set_config_option("search_path", search_path, PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	rc = SPI_execute(ddl, false, 0);
	if (rc != SPI_OK_UTILITY)
		elog(ERROR, "could not execute \"%s\": %s", ddl, SPI_result_code_string(rc));
	AtEOXact_GUC(true, nestlevel);
}

/* Does Citus pass DDL on? Holds until the script or the caller's part of it ends. */
static void
pass_on(bool on)
{
	(void) set_config_option("citus.enable_ddl_propagation", on ? "on" : "off",
							 PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

/*
 * Has DDL of distributed tables executed on all nodes and shards. Citus connects to them
 * as the current user, and has his rights when it looks at the tables: so that is their
 * owner, who has begun the step, and not the superuser of the script.
 */
static void
execute_everywhere(const char *ddl, Oid nspoid)
{
	RagUser user = rag_confine_to_owner(rag_relation("sessions", nspoid));
	int nestlevel = NewGUCNestLevel();

	pass_on(true);
	execute_ddl(ddl, nspoid);
	/* As after an error: Citus may have set it for good. */
	AtEOXact_GUC(false, nestlevel);
	rag_become_again(user);
}

/*
 * The same for a table that may be distributed, or its index. Citus has the statement
 * executed on all nodes and shards, in the transaction of the coordinator, and after that
 * the whole script on the other nodes, where it has been done by then.
 */
static void
execute_table_ddl(const char *ddl, Oid nspoid)
{
	if (!rag_is_distributed(nspoid))
		execute_ddl(ddl, nspoid);
	else if (!rag_is_other_node(nspoid))
		execute_everywhere(ddl, nspoid);
}

/*
 * Everybody reads the log, which is the superuser's. An event trigger that switches row
 * security on for every new table would hide its rows from them.
 */
static void
show_log(Oid nspoid)
{
	Oid relid = get_relname_relid("rag_migration_log", nspoid);
	Relation rel;
	bool hidden;

	if (!OidIsValid(relid) ||
		getExtensionOfObject(RelationRelationId, relid) != CurrentExtensionObject)
		return;
	rel = table_open(relid, AccessShareLock);
	hidden = rel->rd_rel->relrowsecurity && superuser_arg(rel->rd_rel->relowner);
	table_close(rel, NoLock);
	if (!hidden)
		return;
	SPI_connect();
	execute_ddl(psprintf("ALTER TABLE %s.rag_migration_log DISABLE ROW LEVEL SECURITY",
						 quote_identifier(rag_namespace_name(nspoid))),
				nspoid);
	SPI_finish();
}

/*
 * A step of distributed tables is done by all nodes in one transaction, which Citus
 * begins on the coordinator, and by one user: what his connection to a node has locked,
 * nobody else's could use.
 */
static void
require_all_nodes(Oid nspoid)
{
	const char *propagation = GetConfigOption("citus.enable_ddl_propagation", true, false);

	if (rag_is_other_node(nspoid) ?
			strncmp(application_name, "citus_internal ", strlen("citus_internal ")) != 0 :
			propagation != NULL && strcmp(propagation, "on") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the nodes of the cluster would come to different versions"),
				 errhint("Run ALTER EXTENSION rag_events UPDATE on the coordinator, while citus.enable_ddl_propagation is on: it takes all nodes with it.")));
	if (!rag_is_other_node(nspoid) &&
		GetOuterUserId() != rag_owner_of(rag_relation("sessions", nspoid)))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("distributed tables go to another version by their owner"),
				 errhint("Run the statement as the owner of the tables; a superuser can SET ROLE.")));
}

/*
 * On the coordinator of distributed tables: locks them on all nodes, so that nobody there
 * sees one part of the step without the other. The rest of the script is done by each
 * node for itself.
 */
static void
lock_on_all_nodes(Oid nspoid)
{
	const char *schema = quote_identifier(rag_namespace_name(nspoid));

	SPI_connect();
	execute_everywhere(psprintf("LOCK TABLE %s.sessions, %s.messages IN ACCESS EXCLUSIVE MODE",
								schema, schema),
					   nspoid);
	SPI_finish();
	pass_on(false);
}

/*
 * rag_lock_tables() returns void
 *
 * Every step begins with it: locks sessions and messages until the end of the
 * transaction, as rag_lock_both() does, and lets everybody see the log. Raises 55000
 * where they are not the extension's tables, or where they are distributed and another
 * node would not do the step; 42501 where they are, and another than their owner begins
 * it. (On another node than the coordinator, the transaction of
 * the coordinator has them locked.)
 */
PG_FUNCTION_INFO_V1(rag_lock_tables);
Datum
rag_lock_tables(PG_FUNCTION_ARGS)
{
	Oid nspoid = rag_namespace(fcinfo);
	Oid sessions = rag_relation("sessions", nspoid);
	Oid messages = rag_relation("messages", nspoid);

	rag_require_script();
	require_member_table(sessions);
	require_member_table(messages);
	if (rag_is_distributed(nspoid))
		require_all_nodes(nspoid);
	if (!rag_is_other_node(nspoid))
		rag_lock_both(nspoid, sessions, messages);
	require_member_table(sessions);
	require_member_table(messages);
	if (rag_is_distributed(nspoid) && !rag_is_other_node(nspoid))
		lock_on_all_nodes(nspoid);
	show_log(nspoid);
	PG_RETURN_VOID();
}

/* Counts the rows of the table that have a value in the column. */
static int64
count_values_of(Relation rel, AttrNumber attnum)
{
	Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());
	TableScanDesc scan = rag_table_beginscan(rel, snapshot);
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	int64 count = 0;

	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		CHECK_FOR_INTERRUPTS();
		if (!slot_attisnull(slot, attnum))
			count++;
	}
	ExecDropSingleTupleTableSlot(slot);
	table_endscan(scan);
	UnregisterSnapshot(snapshot);
	return count;
}

/*
 * The same for all tables that lose the column when the table does: those that inherit
 * from it do, unless the column is their own, too. (A foreign table has no rows here.)
 */
static int64
count_values(Oid relid, const char *column)
{
	List *relids = find_all_inheritors(relid, AccessExclusiveLock, NULL);
	int64 count = 0;
	ListCell *lc;

	foreach (lc, relids)
	{
		Relation rel = table_open(lfirst_oid(lc), NoLock);
		AttrNumber attnum = get_attnum(RelationGetRelid(rel), column);

		if (attnum != InvalidAttrNumber && rel->rd_rel->relkind == RELKIND_RELATION &&
			(RelationGetRelid(rel) == relid ||
			 !TupleDescAttr(RelationGetDescr(rel), attnum - 1)->attislocal))
			count += count_values_of(rel, attnum);
		table_close(rel, NoLock);
	}
	return count;
}

/*
 * The rows of a distributed table are in its shards, which only queries can read: so they
 * are the owner's, as planning them may run his code. They use the connections of this
 * transaction, whose locks nobody else passes.
 */
static int64
count_distributed_values(Oid relid, const char *column, Oid nspoid)
{
	RagUser user = rag_confine_to_owner(relid);
	bool isnull;
	int64 count;

	if (check_enable_rls(relid, InvalidOid, true) == RLS_ENABLED)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("row security on table \"%s\" would hide rows from their owner",
						get_rel_name(relid)),
				 errhint("Run ALTER TABLE ... NO FORCE ROW LEVEL SECURITY, and FORCE it again afterwards.")));
	SPI_connect();
	rag_query_once(psprintf("SELECT pg_catalog.count(%s) FROM %s", quote_identifier(column),
							quote_qualified_identifier(rag_namespace_name(nspoid),
													   get_rel_name(relid))),
				   0, NULL, NULL);
	count = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1,
										&isnull));
	SPI_finish();
	rag_become_again(user);
	return count;
}

/*
 * rag_refuse_data_loss(tab regclass, VARIADIC columns text[]) returns void
 *
 * For a step down that drops columns: raises 55000 with the number of values that
 * would be lost, unless rag_events.allow_data_loss is on. The caller holds the
 * table's lock.
 */
PG_FUNCTION_INFO_V1(rag_refuse_data_loss);
Datum
rag_refuse_data_loss(PG_FUNCTION_ARGS)
{
	Oid nspoid = rag_namespace(fcinfo);
	Relation rel;
	Datum *columns;
	int ncolumns;
	StringInfoData lost;

	rag_require_script();
	if (rag_allow_data_loss || rag_is_other_node(nspoid))
		PG_RETURN_VOID();

	deconstruct_array(PG_GETARG_ARRAYTYPE_P(1), TEXTOID, -1, false, TYPALIGN_INT,
					  &columns, NULL, &ncolumns);
	initStringInfo(&lost);
	require_member_table(PG_GETARG_OID(0));
	rel = table_open(PG_GETARG_OID(0), AccessShareLock);
	for (int i = 0; i < ncolumns; i++)
	{
		char *column = TextDatumGetCString(columns[i]);
		int64 count = rag_is_distributed(nspoid) ?
			count_distributed_values(RelationGetRelid(rel), column, nspoid) :
			count_values(RelationGetRelid(rel), column);

		if (count > 0)
			appendStringInfo(&lost, "%s%s (" INT64_FORMAT " %s)",
							 lost.len > 0 ? ", " : "", column, count,
							 count == 1 ? "row" : "rows");
	}
	if (lost.len > 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("this step down would lose data"),
				 errdetail("Values would be lost in these columns of table \"%s\": %s.",
						   RelationGetRelationName(rel), lost.data),
				 errhint("To lose them and go on, SET rag_events.allow_data_loss = on.")));
	table_close(rel, NoLock);
	PG_RETURN_VOID();
}

/*
 * There may be an index with that name that belongs to another table, and to somebody
 * else.
 */
static void
require_index_of(const char *index, const char *table, Oid nspoid)
{
	Oid indexid = rag_relation(index, nspoid);

	if (get_rel_relkind(indexid) != RELKIND_INDEX ||
		IndexGetRelation(indexid, true) != rag_relation(table, nspoid))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("relation \"%s\" is not an index of table \"%s\"", index, table)));
}

/* Is it an index of exactly this definition, and ready for use? */
static bool
is_such_index(Oid indexid, const char *definition)
{
	char *actual;

	if (get_rel_relkind(indexid) != RELKIND_INDEX || !get_index_isvalid(indexid))
		return false;
	actual = TextDatumGetCString(DirectFunctionCall1(pg_get_indexdef,
													 ObjectIdGetDatum(indexid)));
	return strcmp(actual, definition) == 0;
}

pg_noreturn static void
error_other_index(const char *index, const char *definition)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("\"%s\" is not the index that this step needs", index),
			 errdetail("It must be valid, and defined by: %s.", definition),
			 errhint("Drop it, and let the step build the index.")));
}

/* Creates the index, or takes one of this name and very definition. */
static void
create_or_take_index(const char *index, const char *definition, Oid nspoid)
{
	Oid prebuilt = get_relname_relid(index, nspoid);

	if (!OidIsValid(prebuilt))
		execute_table_ddl(definition, nspoid);
	else if (!is_such_index(prebuilt, definition))
		error_other_index(index, definition);
}

/*
 * rag_replace_index(tab text, index text, columns text) returns void
 *
 * Replaces the table's index by one of the same name on other columns. One that was
 * built beforehand (CREATE INDEX CONCURRENTLY), of the name with _new behind it, is
 * taken if it is ready and has the very same definition; otherwise raises 55000.
 * search_path is pg_catalog.
 */
PG_FUNCTION_INFO_V1(rag_replace_index);
Datum
rag_replace_index(PG_FUNCTION_ARGS)
{
	Oid nspoid = rag_namespace(fcinfo);
	const char *schema = quote_identifier(rag_namespace_name(nspoid));
	char *table = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char *index = text_to_cstring(PG_GETARG_TEXT_PP(1));
	char *new_index = psprintf("%s_new", index);
	char *columns = text_to_cstring(PG_GETARG_TEXT_PP(2));
	char *definition = psprintf("CREATE INDEX %s ON %s.%s USING btree (%s)",
								new_index, schema, table, columns);

	rag_require_script();
	require_index_of(index, table, nspoid);
	SPI_connect();
	create_or_take_index(new_index, definition, nspoid);
	execute_table_ddl(psprintf("DROP INDEX %s.%s", schema, index), nspoid);
	execute_table_ddl(psprintf("ALTER INDEX %s.%s RENAME TO %s", schema, new_index, index),
					  nspoid);
	SPI_finish();
	PG_RETURN_VOID();
}

/*
 * rag_ensure_index(index text, tab text, definition text) returns void
 *
 * Creates the index on the table, which is given from "USING" on. One that was built
 * beforehand (CREATE INDEX CONCURRENTLY) is taken if it is ready and has the very same
 * definition; otherwise raises 55000. search_path is pg_catalog.
 */
PG_FUNCTION_INFO_V1(rag_ensure_index);
Datum
rag_ensure_index(PG_FUNCTION_ARGS)
{
	Oid nspoid = rag_namespace(fcinfo);
	const char *schema = quote_identifier(rag_namespace_name(nspoid));
	char *index = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char *table = text_to_cstring(PG_GETARG_TEXT_PP(1));
	char *definition = psprintf("CREATE INDEX %s ON %s.%s %s", index, schema, table,
								text_to_cstring(PG_GETARG_TEXT_PP(2)));

	rag_require_script();
	SPI_connect();
	create_or_take_index(index, definition, nspoid);
	SPI_finish();
	PG_RETURN_VOID();
}

/*
 * rag_drop_index(index text) returns void
 *
 * Drops an index of a table that may be distributed. search_path is pg_catalog.
 */
PG_FUNCTION_INFO_V1(rag_drop_index);
Datum
rag_drop_index(PG_FUNCTION_ARGS)
{
	Oid nspoid = rag_namespace(fcinfo);
	char *index = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char *name = quote_qualified_identifier(rag_namespace_name(nspoid), index);

	rag_require_script();
	SPI_connect();
	execute_table_ddl(psprintf("DROP INDEX %s", name), nspoid);
	SPI_finish();
	PG_RETURN_VOID();
}

/*
 * rag_alter_table(tab text, action text) returns void
 *
 * ALTER TABLE of a table that may be distributed: from 1.6 on, steps say this in the
 * place of the statement. Does nothing where Citus has done it already.
 */
PG_FUNCTION_INFO_V1(rag_alter_table);
Datum
rag_alter_table(PG_FUNCTION_ARGS)
{
	Oid nspoid = rag_namespace(fcinfo);
	char *table = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char *action = text_to_cstring(PG_GETARG_TEXT_PP(1));

	rag_require_script();
	require_member_table(rag_relation(table, nspoid));
	SPI_connect();
	execute_table_ddl(psprintf("ALTER TABLE %s %s",
							   quote_qualified_identifier(rag_namespace_name(nspoid),
														  table),
							   action),
					  nspoid);
	SPI_finish();
	PG_RETURN_VOID();
}

/*
 * rag_give_to_owner(VARIADIC relations text[]) returns void
 *
 * Makes tables and views of the extension, which the script has just made, those of the
 * owner of sessions. It is the last that a script does to them.
 */
PG_FUNCTION_INFO_V1(rag_give_to_owner);
Datum
rag_give_to_owner(PG_FUNCTION_ARGS)
{
	Oid nspoid = rag_namespace(fcinfo);
	Relation sessions = table_open(rag_relation("sessions", nspoid), AccessShareLock);
	Oid owner = sessions->rd_rel->relowner;
	Datum *names;
	int n;

	rag_require_script();
	table_close(sessions, NoLock);
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(0), TEXTOID, -1, false, TYPALIGN_INT, &names,
					  NULL, &n);
	for (int i = 0; i < n; i++)
		ATExecChangeOwner(rag_relation(TextDatumGetCString(names[i]), nspoid), owner,
						  false, AccessExclusiveLock);
	PG_RETURN_VOID();
}

/*
 * rag_compress_with_lz4(tab text, VARIADIC columns text[]) returns void
 *
 * Has new values of the columns compressed by lz4, where the server was built with
 * it; otherwise does nothing. Existing rows stay as they are.
 */
PG_FUNCTION_INFO_V1(rag_compress_with_lz4);
Datum
rag_compress_with_lz4(PG_FUNCTION_ARGS)
{
	rag_require_script();
#ifdef USE_LZ4
	{
		Oid nspoid = rag_namespace(fcinfo);
		const char *schema = quote_identifier(rag_namespace_name(nspoid));
		char *table = text_to_cstring(PG_GETARG_TEXT_PP(0));
		Datum *columns;
		int n;

		deconstruct_array(PG_GETARG_ARRAYTYPE_P(1), TEXTOID, -1, false, TYPALIGN_INT,
						  &columns, NULL, &n);
		SPI_connect();
		for (int i = 0; i < n; i++)
			execute_table_ddl(psprintf("ALTER TABLE %s.%s ALTER COLUMN %s SET COMPRESSION lz4",
									   schema, table, TextDatumGetCString(columns[i])),
							  nspoid);
		SPI_finish();
	}
#endif
	PG_RETURN_VOID();
}

/*
 * rag_refuse_distributed() returns void
 *
 * For the step down: raises 55000 while the tables are distributed, and 42501 outside of
 * a script of this extension.
 */
PG_FUNCTION_INFO_V1(rag_refuse_distributed);
Datum
rag_refuse_distributed(PG_FUNCTION_ARGS)
{
	rag_require_script();
	if (rag_is_distributed(rag_namespace(fcinfo)))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("this step down is for tables that are not distributed"),
				 errhint("Run SELECT rag_undistribute() first.")));
	PG_RETURN_VOID();
}
