/*
 * cluster/distribute.c
 *		rag_distribute() and rag_undistribute().
 *
 *		Both are called by the owner of the tables, on the coordinator, and do everything
 *		in one transaction, except for one part that is harmless alone: first of all, the
 *		other nodes get the tables in the form that they will need. (There, the tables of
 *		the extension are empty; Citus reads and writes shards of them.)
 */
#include "base/compat.h"

#include "catalog/dependency.h"
#include "catalog/pg_class_d.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type_d.h"
#include "commands/extension.h"
#include "executor/spi.h"
#include "executor/tstoreReceiver.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/plancache.h"
#include "utils/queryenvironment.h"
#include "utils/rls.h"
#include "utils/syscache.h"
#include "utils/tuplestore.h"

#include "base/as_owner.h"
#include "base/citus.h"
#include "base/distributed.h"
#include "base/error.h"
#include "base/schema.h"
#include "base/statement.h"
#include "cluster/ids.h"

static const RagDistributedTable *const tables = rag_distributed_tables;

#define ID_STEP CppAsString2(RAG_ID_STEP)

/* ------------------------------------------------------------------------
 *		Statements
 * ------------------------------------------------------------------------
 *
 * The functions have a search_path of pg_catalog, so only what is not PostgreSQL's or
 * Citus's own is qualified.
 */

static const char *
qualified(const char *name, Oid nspoid)
{
	return quote_qualified_identifier(rag_namespace_name(nspoid), name);
}

/* Executes one statement; its result is in SPI_tuptable. */
static void
run(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void
run(const char *format, ...)
{
	StringInfoData sql;
	int rc;

	initStringInfo(&sql);
	for (;;)
	{
		va_list args;
		int needed;

		va_start(args, format);
		needed = appendStringInfoVA(&sql, format, args);
		va_end(args);
		if (needed == 0)
			break;
		enlargeStringInfo(&sql, needed);
	}
	rc = SPI_execute(sql.data, false, 0);
	if (rc < 0)
		elog(ERROR, "could not execute \"%s\": %s", sql.data, SPI_result_code_string(rc));
}

/* The first value of the result as text, or NULL. */
static char *
first_value(void)
{
	return SPI_processed == 0 ? NULL :
								SPI_getvalue(SPI_tuptable->vals[0],
											 SPI_tuptable->tupdesc, 1);
}

static int64
first_int64(void)
{
	char *value = first_value();

	return value ? strtoll(value, NULL, 10) : 0;
}

/* ------------------------------------------------------------------------
 *		What must be so
 * ------------------------------------------------------------------------
 */

static void
require_citus(void)
{
	if (!rag_citus_is_loaded() || !OidIsValid(get_extension_oid("citus", true)))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("Citus is not installed in this database"),
				 errhint("Install Citus on all servers, add it to shared_preload_libraries, restart them, and run CREATE EXTENSION citus.")));
}

static void
require_coordinator(void)
{
	run("SELECT groupid FROM pg_dist_local_group");
	if (first_int64() != 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("this is not the coordinator of the cluster"),
				 errhint("Call the function on the coordinator.")));
}

static void
require_owner(Oid nspoid)
{
	for (int i = 0; i < RAG_NDISTRIBUTED; i++)
	{
		if (!rag_class_ownercheck(rag_relation(tables[i].name, nspoid), GetUserId()))
			aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_TABLE, tables[i].name);
	}
}

/* What is hidden from the owner would be lost on the way. */
static void
require_all_rows(Oid nspoid)
{
	for (int i = 0; i < RAG_NDISTRIBUTED; i++)
	{
		if (check_enable_rls(rag_relation(tables[i].name, nspoid), InvalidOid, true) ==
			RLS_ENABLED)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("row security on table \"%s\" would hide rows from their owner",
							tables[i].name),
					 errhint("Run ALTER TABLE ... NO FORCE ROW LEVEL SECURITY, and FORCE it again afterwards.")));
	}
}

/* All tables, as an array of regclass. */
static char *
table_array(Oid nspoid)
{
	StringInfoData array;

	initStringInfo(&array);
	for (int i = 0; i < RAG_NDISTRIBUTED; i++)
		appendStringInfo(&array, "%s%s", i > 0 ? ", " : "",
						 quote_literal_cstr(qualified(tables[i].name, nspoid)));
	return psprintf("ARRAY[%s]::regclass[]", array.data);
}

/* Raises 55000 if there is what Citus does not take on distributed tables. */
static void
refuse_obstacles(Oid nspoid)
{
	char *ours = table_array(nspoid);
	char *obstacles;

	run("SELECT string_agg(format('%%s of table %%s', o.what, o.rel), ', ' ORDER BY o.what, o.rel::text) FROM ("
		"SELECT format('trigger %%I', tgname), tgrelid::regclass FROM pg_trigger"
		" WHERE NOT tgisinternal AND tgrelid = ANY (%s)"
		" UNION ALL SELECT format('foreign key %%I', conname), conrelid::regclass FROM pg_constraint"
		" WHERE contype = 'f' AND (conrelid = ANY (%s) OR confrelid = ANY (%s))"
		" AND NOT (conrelid = ANY (%s) AND confrelid = %s::regclass)"
		") AS o (what, rel)",
		ours, ours, ours, ours, quote_literal_cstr(qualified("sessions", nspoid)));
	obstacles = first_value();
	if (obstacles)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the tables cannot be distributed"),
				 errdetail("Distributed tables can have no triggers, and no foreign keys from or to other tables. There is: %s.",
						   obstacles),
				 errhint("Drop them. What a trigger did is then up to the application, and so is what a foreign key to another table kept.")));
}

/* ------------------------------------------------------------------------
 *		One node
 * ------------------------------------------------------------------------
 */

/* The last id that this node has drawn, or that a message has. */
static int64
last_drawn_id(Oid nspoid)
{
	run("SELECT GREATEST((SELECT max(id)::int8 FROM %s), (SELECT last_value FROM %s WHERE is_called))",
		qualified("messages", nspoid), qualified("messages_id_seq", nspoid));
	return first_int64();
}

/*
 * The view shows what a function of that name returns, so that it does not keep columns
 * of messages from getting another type. Citus does not look into functions: where the
 * tables are distributed, the view has the function's query itself.
 */
static void
define_view(Oid nspoid, bool distributed)
{
	const char *view = qualified("rag_message_sources", nspoid);
	char *query = psprintf("SELECT s.session_id, s.message_id, s.created_at, s.source_no,"
						   " s.document_id, s.score, s.source FROM %s() AS s",
						   view);

	if (distributed)
	{
		run("SELECT prosrc FROM pg_proc WHERE oid = %s::regprocedure",
			quote_literal_cstr(psprintf("%s()", view)));
		query = first_value();
	}
	run("CREATE OR REPLACE VIEW %s (session_id, message_id, created_at, source_no, document_id,"
		" score, source) WITH (security_invoker = true) AS %s",
		view, query);
}

/*
 * Gives the tables of this node the form that they need to be distributed: ids are
 * bigint, the session is part of the key, and the sequence goes on after last_id with the
 * node's own remainder. Never back: an id may have been drawn whose message has gone.
 */
static void
prepare_tables(Oid nspoid, int64 last_id)
{
	const char *messages = qualified("messages", nspoid);
	const char *sequence = qualified("messages_id_seq", nspoid);
	Oid relid = rag_relation("messages", nspoid);
	int64 node;

	if (get_atttype(relid, get_attnum(relid, "id")) != INT8OID)
		run("ALTER TABLE %s ALTER COLUMN id TYPE int8", messages);
	run("SELECT FROM pg_constraint WHERE conrelid = %u AND conname = 'messages_pkey' AND cardinality(conkey) = 1",
		relid);
	if (SPI_processed > 0)
		run("ALTER TABLE %s DROP CONSTRAINT messages_pkey,"
			" ADD CONSTRAINT messages_pkey PRIMARY KEY (session_id, id)",
			messages);
	run("SELECT groupid FROM pg_dist_local_group");
	node = first_int64();
	last_id = Max(last_id, last_drawn_id(nspoid));
	run("ALTER SEQUENCE %s AS int8 INCREMENT BY " ID_STEP " MINVALUE 1 NO MAXVALUE",
		sequence);
	run("SELECT setval(%s::regclass, " INT64_FORMAT ", false)", quote_literal_cstr(sequence),
		(last_id / RAG_ID_STEP + 1) * RAG_ID_STEP + node % RAG_ID_STEP);
	define_view(nspoid, true);
}

/*
 * rag_prepare_node(last_id bigint, ddl text[]) returns void
 *
 * A part of rag_distribute(), which calls it on the other nodes: brings the tables of
 * this node, which are empty, into the form that they have on the coordinator. ddl are
 * the statements by which the owner's own columns, policies and so on are made, and
 * rights are granted.
 *
 * Errors: 42501 not the owner; 55000 no Citus. Since 1.5.
 */
PG_FUNCTION_INFO_V1(rag_prepare_node);
Datum
rag_prepare_node(PG_FUNCTION_ARGS)
{
	Oid nspoid = rag_namespace(fcinfo);
	Oid argtypes[] = {TEXTARRAYOID};
	Datum values[] = {PG_GETARG_DATUM(1)};
	uint64 n;
	char **missing;

	require_owner(nspoid);
	require_citus();
	SPI_connect();
	run("SET LOCAL citus.enable_ddl_propagation TO off");
	prepare_tables(nspoid, PG_GETARG_INT64(0));
	n = rag_query_once(psprintf("SELECT d.ddl FROM unnest($1) WITH ORDINALITY AS d (ddl, n)"
								" WHERE NOT EXISTS (SELECT FROM %s.rag_local_ddl() AS l WHERE l.ddl = d.ddl)"
								" ORDER BY d.n",
								quote_identifier(rag_namespace_name(nspoid))),
					   1, argtypes, values);
	missing = palloc(sizeof(char *) * n);
	for (uint64 i = 0; i < n; i++)
		missing[i] = SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1);
	for (uint64 i = 0; i < n; i++)
		run("%s", missing[i]);
	SPI_finish();
	PG_RETURN_VOID();
}

/*
 * The statements that make what the owner added to the tables, and grant rights on them,
 * as an array in SQL.
 */
static char *
ddl_of_owner(Oid nspoid)
{
	char *array;

	run("SELECT quote_literal(coalesce(array_agg(o.ddl ORDER BY o.part, o.n), '{}')::text) FROM ("
		"SELECT 1, l.n, l.ddl FROM %s.rag_local_ddl() WITH ORDINALITY AS l (section, object, ddl, n)"
		" UNION ALL"
		" SELECT 2, c.oid::int8, format('GRANT %%s%%s ON %%s %%s TO %%s%%s', a.privilege_type,"
		" CASE WHEN t.attname IS NOT NULL THEN format(' (%%I)', t.attname) END,"
		" CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, c.oid::regclass,"
		" CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END,"
		" CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' END)"
		" FROM pg_class c"
		" CROSS JOIN LATERAL (SELECT NULL::name, c.relacl"
		" UNION ALL SELECT attname, attacl FROM pg_attribute WHERE attrelid = c.oid AND NOT attisdropped) AS t (attname, acl)"
		" CROSS JOIN LATERAL aclexplode(t.acl) AS a"
		" WHERE c.relnamespace = %u AND a.grantee <> c.relowner"
		" AND (c.oid = ANY (%s) OR c.relname = 'messages_id_seq' OR c.relname = 'rag_message_sources')"
		") AS o (part, n, ddl)",
		quote_identifier(rag_namespace_name(nspoid)), nspoid, table_array(nspoid));
	array = first_value();
	return psprintf("%s::text[]", array);
}

/* ------------------------------------------------------------------------
 *		rag_distribute()
 * ------------------------------------------------------------------------
 */

static Oid
owner_of_function(Oid function)
{
	HeapTuple tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	Oid owner;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for function %u", function);
	owner = ((Form_pg_proc) GETSTRUCT(tuple))->proowner;
	ReleaseSysCache(tuple);
	return owner;
}

/*
 * What needs a superuser. Names are those of catalogs, under a search_path without the
 * schemas of the tables' owner.
 */
static RagUser
become_superuser(Oid superuser)
{
	RagUser before;

	GetUserIdAndSecContext(&before.user, &before.context);
	SetUserIdAndSecContext(superuser, before.context | SECURITY_LOCAL_USERID_CHANGE);
	return before;
}

/* Runs a statement on every other node, as the caller, in a transaction of its own. */
static void
run_on_workers(const char *sql)
{
	HeapTuple row;
	TupleDesc desc;

	run("SELECT nodename, nodeport, result FROM run_command_on_workers(%s) WHERE NOT success",
		quote_literal_cstr(sql));
	if (SPI_processed == 0)
		return;
	row = SPI_tuptable->vals[0];
	desc = SPI_tuptable->tupdesc;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("the tables could not be prepared on node %s:%s",
					SPI_getvalue(row, desc, 1), SPI_getvalue(row, desc, 2)),
			 errdetail_internal("%s", SPI_getvalue(row, desc, 3)),
			 errhint("Every node needs the extension in the same schema and version, created by the same role.")));
}

static void
prepare_workers(Oid nspoid, int64 last_id)
{
	const char *schema = quote_identifier(rag_namespace_name(nspoid));

	run_on_workers(psprintf("SELECT %s.rag_prepare_node(" INT64_FORMAT ", %s)", schema,
							last_id, ddl_of_owner(nspoid)));
}

/*
 * Where Citus has made the extension on an added node, it belongs to the superuser
 * who added it, and so do its tables. There they come to belong to whom they belong
 * here. (The search_path of the superuser there may be one that the owner of the database
 * has set. PostgreSQL has no ALTER EXTENSION ... OWNER TO.)
 */
static void
give_nodes_to_owner(Oid superuser)
{
	static const char made_by_superuser[] =
		"pg_extension AS e JOIN pg_roles AS r ON r.oid = e.extowner AND r.rolsuper"
		" JOIN pg_dist_object AS o ON o.classid = 'pg_extension'::regclass AND o.objid = e.oid"
		" WHERE e.extname = 'rag_events'";
	const char *owner = quote_literal_cstr(GetUserNameFromId(GetUserId(), false));
	RagUser user = become_superuser(superuser);
	StringInfoData block;

	initStringInfo(&block);
	appendStringInfo(&block, "BEGIN SET LOCAL search_path = pg_catalog, pg_temp;"
							 " SET LOCAL citus.enable_ddl_propagation = off;");
	appendStringInfo(&block,
					 " EXECUTE coalesce((SELECT string_agg(format('ALTER %%s %%s OWNER TO %%I',"
					 " CASE c.relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END, c.oid::regclass, %s), '; ')"
					 " FROM pg_class AS c JOIN pg_depend AS d ON d.classid = 'pg_class'::regclass"
					 " AND d.objid = c.oid AND d.deptype = 'e' AND d.refclassid = 'pg_extension'::regclass"
					 " JOIN pg_roles AS p ON p.oid = c.relowner AND p.rolsuper"
					 " WHERE c.relkind IN ('r', 'v') AND c.relname <> 'rag_migration_log'"
					 " AND d.refobjid IN (SELECT e.oid FROM %s)), 'SELECT');",
					 owner, made_by_superuser);
	run("SELECT quote_literal(r.rolname) FROM pg_extension AS e JOIN pg_roles AS r ON r.oid = e.extowner"
		" WHERE e.extname = 'rag_events' AND NOT r.rolsuper");
	if (first_value())
	{
		owner = first_value();
		appendStringInfo(&block,
						 " IF EXISTS (SELECT FROM %s) THEN"
						 " DELETE FROM pg_shdepend AS s USING pg_extension AS e, pg_database AS b"
						 " WHERE e.extname = 'rag_events' AND b.datname = current_database()"
						 " AND s.dbid = b.oid AND s.classid = 'pg_extension'::regclass AND s.objid = e.oid;"
						 " UPDATE pg_extension SET extowner = to_regrole(quote_ident(%s)) WHERE extname = 'rag_events';"
						 " INSERT INTO pg_shdepend (dbid, classid, objid, objsubid, refclassid, refobjid, deptype)"
						 " SELECT b.oid, 'pg_extension'::regclass, e.oid, 0, 'pg_authid'::regclass, e.extowner, 'o'"
						 " FROM pg_extension AS e, pg_database AS b"
						 " WHERE e.extname = 'rag_events' AND b.datname = current_database();"
						 " END IF;",
						 made_by_superuser, owner);
	}
	appendStringInfo(&block, " END");
	run_on_workers(psprintf("DO %s", quote_literal_cstr(block.data)));
	rag_become_again(user);
}

static void
distribute_tables(Oid nspoid, const char *shard_count)
{
	for (int i = 0; i < RAG_NDISTRIBUTED; i++)
	{
		const char *name = quote_literal_cstr(qualified(tables[i].name, nspoid));

		if (i == 0)
			run("SELECT create_distributed_table(%s, '%s', colocate_with => 'none', shard_count => %s)",
				name, tables[i].column, shard_count);
		else
			run("SELECT create_distributed_table(%s, '%s', colocate_with => %s)", name,
				tables[i].column,
				quote_literal_cstr(qualified(tables[0].name, nspoid)));
	}
	/* The rows were copied to the shards. */
	run("SELECT truncate_local_data_after_distributing_table(%s)",
		quote_literal_cstr(qualified(tables[0].name, nspoid)));
}

/*
 * When the extension is dropped, Citus drops the shards of tables that depend on
 * something that goes, and takes tables that merely belong to the extension for
 * partitions, whose shards it leaves. So, while they are distributed, they depend on a
 * function of ours.
 */
static void
let_shards_be_dropped(Oid nspoid, Oid function)
{
	ObjectAddress dropped;

	ObjectAddressSet(dropped, ProcedureRelationId, function);
	for (int i = 0; i < RAG_NDISTRIBUTED; i++)
	{
		ObjectAddress table;

		ObjectAddressSet(table, RelationRelationId,
						 rag_relation(tables[i].name, nspoid));
		recordDependencyOn(&table, &dropped, DEPENDENCY_NORMAL);
	}
}

/*
 * Calls of our functions whose first parameter is the session go to its node, also within
 * a transaction (where Citus lets them touch that session alone, so a copy does not).
 * Only the owner of a function, for ours a superuser, may say so. Which functions these are is
 * read from the catalogs, where only a superuser can make one of our library.
 */
static void
delegate_functions(Oid nspoid, Oid superuser)
{
	RagUser user = become_superuser(superuser);

	run("SELECT create_distributed_function(p.oid, 'session_id', colocate_with => %s,"
		" force_delegation => p.proname <> 'rag_copy_session')"
		" FROM pg_proc p JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid"
		" AND d.deptype = 'e' AND d.refclassid = 'pg_extension'::regclass"
		" JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'rag_events'"
		" JOIN pg_language l ON l.oid = p.prolang AND l.lanname = 'c'"
		" WHERE p.pronamespace = %u AND p.probin IN ('rag_events', '$libdir/rag_events')"
		" AND p.proargnames[1] = 'session_id' AND p.proargtypes[0] = 'uuid'::regtype",
		quote_literal_cstr(qualified(tables[0].name, nspoid)), nspoid);
	rag_become_again(user);
}

static char *
shard_count_argument(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(0))
		return "NULL";
	if (PG_GETARG_INT32(0) < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("shard_count must be greater than zero"),
				 errhint("NULL is the number in citus.shard_count.")));
	return psprintf("%d", PG_GETARG_INT32(0));
}

/*
 * What is done to tables may run code of their owner (the check constraints and computed
 * columns, when the type of ids changes): it must not get the rights of a superuser who
 * calls the function for him.
 */
static RagUser
act_as_owner(Oid nspoid)
{
	RagUser user;

	require_owner(nspoid);
	user = rag_confine_to_owner(rag_relation(tables[0].name, nspoid));
	require_owner(nspoid);
	return user;
}

/*
 * rag_distribute(shard_count integer DEFAULT NULL) returns void
 *
 * Distributes the tables over the nodes of a Citus cluster, by session, into as many
 * shards (NULL: citus.shard_count). From then on a call for a session is done by the node
 * that has it. To be called by the owner of the tables on the coordinator, and again when
 * a node was added, which then can take calls; what is distributed stays as it is. A
 * superuser may call it, too; it acts as the owner.
 *
 * Errors: 22023 shard_count is not greater than zero; 42501 not the owner; 55000 Citus is
 * not installed, this is not the coordinator, the tables have triggers or foreign keys of
 * the user, or row security that is forced on the owner, or another node could not be
 * prepared. Since 1.5.
 */
PG_FUNCTION_INFO_V1(rag_distribute);
Datum
rag_distribute(PG_FUNCTION_ARGS)
{
	Oid nspoid = rag_namespace(fcinfo);
	char *shard_count = shard_count_argument(fcinfo);
	Oid superuser = owner_of_function(fcinfo->flinfo->fn_oid);
	int64 last_id;
	RagUser user;

	rag_check_may_write("rag_distribute()");
	user = act_as_owner(nspoid);
	require_citus();
	SPI_connect();
	require_coordinator();
	require_all_rows(nspoid);
	refuse_obstacles(nspoid);
	last_id = last_drawn_id(nspoid);
	give_nodes_to_owner(superuser);
	prepare_workers(nspoid, last_id);
	if (!rag_is_distributed(nspoid))
	{
		prepare_tables(nspoid, last_id);
		distribute_tables(nspoid, shard_count);
		let_shards_be_dropped(nspoid, fcinfo->flinfo->fn_oid);
	}
	delegate_functions(nspoid, superuser);
	SPI_finish();
	rag_become_again(user);
	PG_RETURN_VOID();
}

/* ------------------------------------------------------------------------
 *		rag_undistribute()
 * ------------------------------------------------------------------------
 *
 * The table that the coordinator has stays the same: it has all that belongs to it, only
 * no rows. So they are read and kept aside, Citus forgets the table as it does when it is
 * dropped, and they are stored again.
 */

static void
lock_tables(Oid nspoid)
{
	StringInfoData names;

	initStringInfo(&names);
	for (int i = 0; i < RAG_NDISTRIBUTED; i++)
		appendStringInfo(&names, "%s%s", i > 0 ? ", " : "",
						 qualified(tables[i].name, nspoid));
	run("LOCK TABLE %s IN ACCESS EXCLUSIVE MODE", names.data);
}

static void
forget_table(const char *name, Oid nspoid)
{
	char *arguments = psprintf("%s::regclass, %s, %s",
							   quote_literal_cstr(qualified(name, nspoid)),
							   quote_literal_cstr(rag_namespace_name(nspoid)),
							   quote_literal_cstr(name));

	run("SELECT master_remove_distributed_table_metadata_from_workers(%s)", arguments);
	run("SELECT citus_drop_all_shards(%s)", arguments);
	run("SELECT master_remove_partition_metadata(%s)", arguments);
}

/* The columns that have values of their own. */
static char *
stored_columns(const char *name, Oid nspoid)
{
	run("SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute"
		" WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''",
		quote_literal_cstr(qualified(name, nspoid)));
	return first_value();
}

/* Rows that a statement can read by a name, as a trigger reads those of its statement. */
static EphemeralNamedRelation
read_rows(const char *name, const char *columns, Oid nspoid)
{
	EphemeralNamedRelation rows = palloc0(sizeof(EphemeralNamedRelationData));
	DestReceiver *dest = CreateTuplestoreDestReceiver();
	Tuplestorestate *store = tuplestore_begin_heap(false, false, maintenance_work_mem);
	SPIPlanPtr plan = SPI_prepare(psprintf("SELECT %s FROM %s", columns,
										   qualified(name, nspoid)),
								  0, NULL);
	SPIExecuteOptions options = {.dest = dest};
	CachedPlanSource *source;

	if (!plan)
		elog(ERROR, "could not read table \"%s\"", name);
	source = linitial(SPI_plan_get_plan_sources(plan));
	SetTuplestoreDestReceiverParams(dest, store, CurrentMemoryContext, true, NULL, NULL);
	rows->md.name = psprintf("rag_rows_of_%s", name);
	rows->md.enrtype = ENR_NAMED_TUPLESTORE;
	rows->md.tupdesc = CreateTupleDescCopy(source->resultDesc);
	rows->reldata = store;
	SPI_execute_plan_extended(plan, &options);
	rows->md.enrtuples = (double) tuplestore_tuple_count(store);
	dest->rDestroy(dest);
	return rows;
}

static void
store_rows(const char *name, const char *columns, EphemeralNamedRelation rows, Oid nspoid)
{
	SPI_register_relation(rows);
	run("INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM %s",
		qualified(name, nspoid), columns, columns, rows->md.name);
	SPI_unregister_relation(rows->md.name);
	tuplestore_end(rows->reldata);
}

static void
bring_rows_back(Oid nspoid)
{
	char *columns[RAG_NDISTRIBUTED];
	EphemeralNamedRelation rows[RAG_NDISTRIBUTED];

	for (int i = 0; i < RAG_NDISTRIBUTED; i++)
	{
		columns[i] = stored_columns(tables[i].name, nspoid);
		rows[i] = read_rows(tables[i].name, columns[i], nspoid);
	}
	for (int i = RAG_NDISTRIBUTED - 1; i >= 0; i--)
	{
		forget_table(tables[i].name, nspoid);
		/* See let_shards_be_dropped(). */
		deleteDependencyRecordsForClass(RelationRelationId,
										rag_relation(tables[i].name, nspoid),
										ProcedureRelationId, DEPENDENCY_NORMAL);
	}
	CommandCounterIncrement();
	for (int i = 0; i < RAG_NDISTRIBUTED; i++)
		store_rows(tables[i].name, columns[i], rows[i], nspoid);
}

static int64
last_id_of_all_nodes(Oid nspoid)
{
	int64 last_id = last_drawn_id(nspoid);
	char *sql = psprintf("SELECT last_value FROM %s WHERE is_called",
						 qualified("messages_id_seq", nspoid));

	run("SELECT max(nullif(result, '')::int8) FROM run_command_on_workers(%s) WHERE success",
		quote_literal_cstr(sql));
	return Max(last_id, first_int64());
}

/*
 * rag_undistribute() returns void
 *
 * Brings all rows back to the coordinator. Ids stay as they are, and bigint. To be called
 * by the owner of the tables; where they are not distributed it does nothing.
 *
 * Errors: 42501 not the owner; 55000 this is not the coordinator, or row security is
 * forced on the owner. Since 1.5.
 */
PG_FUNCTION_INFO_V1(rag_undistribute);
Datum
rag_undistribute(PG_FUNCTION_ARGS)
{
	Oid nspoid = rag_namespace(fcinfo);
	const char *messages = qualified("messages", nspoid);
	const char *sequence = qualified("messages_id_seq", nspoid);
	int64 last_id;
	RagUser user;

	rag_check_may_write("rag_undistribute()");
	user = act_as_owner(nspoid);
	if (!rag_is_distributed(nspoid))
	{
		rag_become_again(user);
		PG_RETURN_VOID();
	}
	SPI_connect();
	require_coordinator();
	lock_tables(nspoid);
	require_all_rows(nspoid);
	last_id = last_id_of_all_nodes(nspoid);
	bring_rows_back(nspoid);
	run("ALTER TABLE %s DROP CONSTRAINT messages_pkey,"
		" ADD CONSTRAINT messages_pkey PRIMARY KEY (id)",
		messages);
	define_view(nspoid, false);
	run("ALTER SEQUENCE %s INCREMENT BY 1", sequence);
	run("SELECT setval(%s::regclass, " INT64_FORMAT ", false)", quote_literal_cstr(sequence),
		last_id + 1);
	SPI_finish();
	rag_become_again(user);
	PG_RETURN_VOID();
}

/* ------------------------------------------------------------------------
 *		Steps
 * ------------------------------------------------------------------------
 */

/*
 * rag_refuse_distributed() returns void
 *
 * For the step down: raises 55000 while the tables are distributed.
 */
PG_FUNCTION_INFO_V1(rag_refuse_distributed);
Datum
rag_refuse_distributed(PG_FUNCTION_ARGS)
{
	if (rag_is_distributed(rag_namespace(fcinfo)))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("this step down is for tables that are not distributed"),
				 errhint("Run SELECT rag_undistribute() first.")));
	PG_RETURN_VOID();
}
