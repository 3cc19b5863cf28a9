/*
 * cluster/distribute.c
 *		rag_distribute().
 *
 *		It is called by the owner of the tables, on the coordinator, and does everything
 *		in one transaction, except for one part that is harmless alone: first of all, the
 *		other nodes get the tables in the form that they will need. (There, the tables of
 *		the extension are empty; Citus reads and writes shards of them.)
 */
#include "base/compat.h"

#include "catalog/dependency.h"
#include "catalog/pg_class_d.h"
#include "catalog/pg_proc.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/syscache.h"

#include "base/as_owner.h"
#include "base/distributed.h"
#include "base/error.h"
#include "base/schema.h"
#include "base/workers.h"
#include "cluster/cluster.h"
#include "cluster/prepare_node.h"

static const RagDistributedTable *const tables = rag_distributed_tables;

/* All tables, as an array of regclass. */
static char *
table_array(Oid nspoid)
{
	StringInfoData array;

	initStringInfo(&array);
	for (int i = 0; i < RAG_NDISTRIBUTED; i++)
		appendStringInfo(&array, "%s%s", i > 0 ? ", " : "",
						 rag_quoted_name(tables[i].name, nspoid));
	return psprintf("ARRAY[%s]::regclass[]", array.data);
}

/* Raises 55000 if there is what Citus does not take on distributed tables. */
static void
refuse_obstacles(Oid nspoid)
{
	char *ours = table_array(nspoid);
	char *obstacles;

	rag_cluster_run("SELECT string_agg(format('%%s of table %%s', o.what, o.rel), ', ' ORDER BY o.what, o.rel::text) FROM ("
					"SELECT format('trigger %%I', tgname), tgrelid::regclass FROM pg_trigger"
					" WHERE NOT tgisinternal AND tgrelid = ANY (%s)"
					" UNION ALL SELECT format('foreign key %%I', conname), conrelid::regclass FROM pg_constraint"
					" WHERE contype = 'f' AND (conrelid = ANY (%s) OR confrelid = ANY (%s))"
					" AND NOT (conrelid = ANY (%s) AND confrelid = %s::regclass)"
					" UNION ALL SELECT format('restrictive policy %%I', polname), polrelid::regclass FROM pg_policy"
					" WHERE NOT polpermissive AND polrelid = ANY (%s)"
					") AS o (what, rel)",
					ours, ours, ours, ours, rag_quoted_name("sessions", nspoid), ours);
	obstacles = rag_cluster_first_value();
	if (obstacles)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the tables cannot be distributed"),
				 errdetail("Distributed tables can have no triggers, no foreign keys from or to other tables, and no restrictive policies. There is: %s.",
						   obstacles),
				 errhint("Drop them. What a trigger did is then up to the application, and so is what a foreign key to another table kept; what a restrictive policy says belongs into each of the others.")));
}

/*
 * The statements that make what the owner added to the tables, and grant rights on them,
 * as an array in SQL.
 */
static char *
ddl_of_owner(Oid nspoid)
{
	const char *schema = quote_identifier(rag_namespace_name(nspoid));
	char *array;

	rag_cluster_run("SELECT quote_literal(coalesce(array_agg(o.ddl ORDER BY o.part, o.n), '{}')::text) FROM ("
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
					schema, nspoid, table_array(nspoid));
	array = rag_cluster_first_value();
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

static void
prepare_by(const char *statements)
{
	const RagWorkerAnswer *failure = rag_do_on_workers(statements);

	if (failure)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the tables could not be prepared on node %s", failure->node),
				 errdetail_internal("%s", failure->result),
				 errhint("Every node needs the extension in the same schema and version, created by the same role.")));
}

static void
prepare_workers(Oid nspoid, int64 last_id)
{
	const char *schema = quote_identifier(rag_namespace_name(nspoid));

	prepare_by(psprintf("PERFORM %s.rag_prepare_node(" INT64_FORMAT ", %s);", schema,
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
	appendStringInfo(&block, "SET LOCAL search_path = pg_catalog, pg_temp;"
							 " SET LOCAL citus.enable_ddl_propagation = off;");
	appendStringInfo(&block,
					 " EXECUTE coalesce((SELECT string_agg(format('ALTER %%s %%s OWNER TO %%I',"
					 " CASE c.relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END, c.oid::regclass, %s), '; ')"
					 " FROM pg_class AS c JOIN pg_depend AS d ON d.classid = 'pg_class'::regclass"
					 " AND d.objid = c.oid AND d.deptype = 'e' AND d.refclassid = 'pg_extension'::regclass"
					 " JOIN pg_roles AS p ON p.oid = c.relowner AND p.rolsuper"
					 " WHERE c.relkind IN ('r', 'v') AND c.relname <> 'rag_migration_log' AND p.rolname <> %s"
					 " AND d.refobjid IN (SELECT e.oid FROM %s)), 'SELECT');",
					 owner, owner, made_by_superuser);
	rag_cluster_run("SELECT quote_literal(r.rolname) FROM pg_extension AS e JOIN pg_roles AS r ON r.oid = e.extowner"
					" WHERE e.extname = 'rag_events' AND NOT r.rolsuper");
	if (rag_cluster_first_value())
	{
		owner = rag_cluster_first_value();
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
	prepare_by(block.data);
	rag_become_again(user);
}

/* Nobody draws an id, or waits for us with a lock that we need, from here on. */
static void
lock_out_writers(Oid nspoid)
{
	rag_lock_both(nspoid, rag_relation("sessions", nspoid),
				  rag_relation("messages", nspoid));
	rag_lock_relation("rag_feedback", nspoid, AccessExclusiveLock);
	rag_lock_relation("messages_id_seq", nspoid, ShareRowExclusiveLock);
}

static void
distribute_tables(Oid nspoid, const char *shard_count)
{
	for (int i = 0; i < RAG_NDISTRIBUTED; i++)
	{
		const char *name = rag_quoted_name(tables[i].name, nspoid);

		if (i == 0)
			rag_cluster_run("SELECT create_distributed_table(%s, '%s', colocate_with => 'none', shard_count => %s)",
							name, tables[i].column, shard_count);
		else
			rag_cluster_run("SELECT create_distributed_table(%s, '%s', colocate_with => %s)", name,
							tables[i].column,
							rag_quoted_name(tables[0].name, nspoid));
	}
	/* The rows were copied to the shards. */
	rag_cluster_run("SELECT truncate_local_data_after_distributing_table(%s)",
					rag_quoted_name(tables[0].name, nspoid));
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
 * Only the owner of a function, for ours a superuser, may say so. Which ones these are is
 * read from the catalogs, where only a superuser can make one of our library.
 */
static void
delegate_functions(Oid nspoid, Oid superuser)
{
	RagUser user = become_superuser(superuser);

	rag_cluster_run("SELECT create_distributed_function(p.oid, 'session_id', colocate_with => %s,"
					" force_delegation => p.proname <> 'rag_copy_session')"
					" FROM pg_proc p JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid"
					" AND d.deptype = 'e' AND d.refclassid = 'pg_extension'::regclass"
					" JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'rag_events'"
					" JOIN pg_language l ON l.oid = p.prolang AND l.lanname = 'c'"
					" WHERE p.pronamespace = %u AND p.probin IN ('rag_events', '$libdir/rag_events')"
					" AND p.proargnames[1] = 'session_id' AND p.proargtypes[0] = 'uuid'::regtype",
					rag_quoted_name(tables[0].name, nspoid), nspoid);
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
	bool distributed;
	int64 last_id;
	RagUser user;

	rag_check_may_write("rag_distribute()");
	user = rag_act_as_owner(nspoid);
	rag_cluster_require_citus();
	SPI_connect();
	rag_cluster_require_coordinator();
	rag_cluster_require_all_rows(nspoid);
	refuse_obstacles(nspoid);
	distributed = rag_is_distributed(nspoid);
	if (!distributed)
		lock_out_writers(nspoid);
	last_id = rag_last_drawn_id(nspoid);
	give_nodes_to_owner(superuser);
	prepare_workers(nspoid, last_id);
	if (!distributed)
	{
		rag_prepare_tables(nspoid, last_id);
		distribute_tables(nspoid, shard_count);
		let_shards_be_dropped(nspoid, fcinfo->flinfo->fn_oid);
	}
	delegate_functions(nspoid, superuser);
	SPI_finish();
	rag_become_again(user);
	PG_RETURN_VOID();
}
