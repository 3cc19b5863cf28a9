/*
 * cluster/undistribute.c
 *		rag_undistribute().
 *
 *		The table that the coordinator has stays the same: it has all that belongs to it,
 *		only no rows. So they are read and kept aside, Citus forgets the table as it does
 *		when it is dropped, and they are stored again.
 */
#include "base/compat.h"

#include "catalog/dependency.h"
#include "catalog/pg_class_d.h"
#include "catalog/pg_proc.h"
#include "executor/spi.h"
#include "executor/tstoreReceiver.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/plancache.h"
#include "utils/queryenvironment.h"
#include "utils/tuplestore.h"

#include "base/as_owner.h"
#include "base/distributed.h"
#include "base/error.h"
#include "base/schema.h"
#include "base/workers.h"
#include "cluster/cluster.h"

static const RagDistributedTable *const tables = rag_distributed_tables;

static void
lock_tables(Oid nspoid)
{
	StringInfoData names;

	/* On this node, without a deadlock; and then on all. */
	rag_lock_both(nspoid, rag_relation("sessions", nspoid),
				  rag_relation("messages", nspoid));
	initStringInfo(&names);
	for (int i = 0; i < RAG_NDISTRIBUTED; i++)
		appendStringInfo(&names, "%s%s", i > 0 ? ", " : "",
						 rag_qualified(tables[i].name, nspoid));
	rag_cluster_run("LOCK TABLE %s IN ACCESS EXCLUSIVE MODE", names.data);
}

static void
forget_table(const char *name, Oid nspoid)
{
	char *arguments = psprintf("%s::regclass, %s, %s",
							   rag_quoted_name(name, nspoid),
							   quote_literal_cstr(rag_namespace_name(nspoid)),
							   quote_literal_cstr(name));

	rag_cluster_run("SELECT master_remove_distributed_table_metadata_from_workers(%s)", arguments);
	rag_cluster_run("SELECT citus_drop_all_shards(%s)", arguments);
	rag_cluster_run("SELECT master_remove_partition_metadata(%s)", arguments);
}

/* The columns that have values of their own. */
static char *
stored_columns(const char *name, Oid nspoid)
{
	rag_cluster_run("SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute"
					" WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''",
					rag_quoted_name(name, nspoid));
	return rag_cluster_first_value();
}

/* Rows that a statement can read by a name, as a trigger reads those of its statement. */
static EphemeralNamedRelation
read_rows(const char *name, const char *columns, Oid nspoid)
{
	EphemeralNamedRelation rows = palloc0(sizeof(EphemeralNamedRelationData));
	DestReceiver *dest = CreateTuplestoreDestReceiver();
	Tuplestorestate *store = tuplestore_begin_heap(false, false, maintenance_work_mem);
	SPIPlanPtr plan = SPI_prepare(psprintf("SELECT %s FROM %s", columns,
										   rag_qualified(name, nspoid)),
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
	rag_cluster_run("INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM %s",
					rag_qualified(name, nspoid), columns, columns, rows->md.name);
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
	int64 last_id = rag_last_drawn_id(nspoid);
	char *sql = psprintf("SELECT last_value FROM %s WHERE is_called",
						 rag_qualified("messages_id_seq", nspoid));
	RagWorkerAnswer *answers;
	int n = rag_ask_workers(sql, &answers);

	for (int i = 0; i < n; i++)
	{
		const char *drawn = answers[i].result;

		if (!answers[i].success)
			ereport(ERROR,
					(errcode(ERRCODE_CONNECTION_FAILURE),
					 errmsg("node %s did not say which ids it has drawn", answers[i].node),
					 errdetail_internal("%s", drawn),
					 errhint("Call the function again when the node answers, or remove it from the cluster.")));
		if (drawn && *drawn != '\0')
			last_id = Max(last_id, strtoi64(drawn, NULL, 10));
	}
	return last_id;
}

/*
 * rag_undistribute() returns void
 *
 * Brings all rows back to the coordinator. Ids stay as they are, and bigint. To be called
 * by the owner of the tables; where they are not distributed it does nothing.
 *
 * Errors: 08006 a node does not answer; 23505 two messages have the same id; 25001 in
 * REPEATABLE READ and SERIALIZABLE; 42501 not the owner; 55000 this is not the
 * coordinator, or row security is forced on the owner. Since 1.5.
 */
PG_FUNCTION_INFO_V1(rag_undistribute);
Datum
rag_undistribute(PG_FUNCTION_ARGS)
{
	Oid nspoid = rag_namespace(fcinfo);
	const char *messages = rag_qualified("messages", nspoid);
	const char *sequence = rag_qualified("messages_id_seq", nspoid);
	int64 last_id;
	RagUser user;

	rag_check_may_write("rag_undistribute()");
	user = rag_act_as_owner(nspoid);
	if (!rag_is_distributed(nspoid))
	{
		rag_become_again(user);
		PG_RETURN_VOID();
	}
	rag_require_read_committed("rag_undistribute()");
	SPI_connect();
	rag_cluster_require_coordinator();
	lock_tables(nspoid);
	rag_cluster_require_all_rows(nspoid);
	last_id = last_id_of_all_nodes(nspoid);
	bring_rows_back(nspoid);
	rag_cluster_run("ALTER TABLE %s DROP CONSTRAINT messages_pkey,"
					" ADD CONSTRAINT messages_pkey PRIMARY KEY (id)",
					messages);
	/* Plain SQL may have given a larger one. */
	last_id = Max(last_id, rag_last_drawn_id(nspoid));
	rag_define_view(nspoid, false);
	rag_cluster_run("ALTER SEQUENCE %s INCREMENT BY 1", sequence);
	rag_cluster_run("SELECT setval(%s::regclass, " INT64_FORMAT ", false)", quote_literal_cstr(sequence),
					last_id + 1);
	SPI_finish();
	rag_become_again(user);
	PG_RETURN_VOID();
}
