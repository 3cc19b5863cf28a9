/*
 * cluster/prepare_node.c
 *		The tables of one node in the form that they need to be distributed.
 */
#include "base/compat.h"

#include "catalog/pg_type_d.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "base/distributed.h"
#include "base/error.h"
#include "base/schema.h"
#include "base/statement.h"
#include "cluster/cluster.h"
#include "cluster/ids.h"
#include "cluster/prepare_node.h"

#define ID_STEP CppAsString2(RAG_ID_STEP)

/* What a node draws has the remainder of its number. */
static bool
draws_ids_of_its_own(const char *sequence)
{
	rag_cluster_run("SELECT FROM %s AS s, pg_sequence AS q, pg_dist_local_group AS g"
					" WHERE q.seqrelid = %s::regclass AND q.seqincrement = " ID_STEP
					" AND s.last_value %% " ID_STEP " = g.groupid %% " ID_STEP,
					sequence, quote_literal_cstr(sequence));
	return SPI_processed > 0;
}

/* (From ALTER SEQUENCE on nobody else draws.) */
static void
prepare_sequence(Oid nspoid, const char *sequence, int64 last_id)
{
	int64 node;

	rag_cluster_run("SELECT groupid FROM pg_dist_local_group");
	node = rag_cluster_first_int64();
	rag_cluster_run("ALTER SEQUENCE %s AS int8 INCREMENT BY " ID_STEP " MINVALUE 1 NO MAXVALUE",
					sequence);
	last_id = Max(last_id, rag_last_drawn_id(nspoid));
	rag_cluster_run("SELECT setval(%s::regclass, " INT64_FORMAT ", false)", quote_literal_cstr(sequence),
					(last_id / RAG_ID_STEP + 1) * RAG_ID_STEP + node % RAG_ID_STEP);
}

/* Raises 55000 if the tables have rows, which nobody would see any longer. */
static void
require_empty_tables(Oid nspoid)
{
	for (int i = 0; i < RAG_NDISTRIBUTED; i++)
	{
		const char *name = rag_distributed_tables[i].name;

		rag_cluster_run("SELECT FROM %s LIMIT 1", rag_qualified(name, nspoid));
		if (SPI_processed > 0)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("table \"%s\" of this node has rows of its own", name),
					 errdetail("Where the tables are distributed, nobody would see them any longer."),
					 errhint("Bring them to the coordinator with rag_export_session() and rag_import_session(), or delete them.")));
	}
}

void
rag_prepare_tables(Oid nspoid, int64 last_id)
{
	const char *messages = rag_qualified("messages", nspoid);
	const char *sequence = rag_qualified("messages_id_seq", nspoid);
	Oid relid = rag_relation("messages", nspoid);

	if (get_atttype(relid, get_attnum(relid, "id")) != INT8OID)
		rag_cluster_run("ALTER TABLE %s ALTER COLUMN id TYPE int8", messages);
	rag_cluster_run("SELECT FROM pg_constraint WHERE conrelid = %u AND conname = 'messages_pkey' AND cardinality(conkey) = 1",
					relid);
	if (SPI_processed > 0)
		rag_cluster_run("ALTER TABLE %s DROP CONSTRAINT messages_pkey,"
						" ADD CONSTRAINT messages_pkey PRIMARY KEY (session_id, id)",
						messages);
	if (!rag_is_distributed(nspoid) || !draws_ids_of_its_own(sequence))
		prepare_sequence(nspoid, sequence, last_id);
	rag_define_view(nspoid, true);
}

/*
 * rag_prepare_node(last_id bigint, ddl text[]) returns void
 *
 * A part of rag_distribute(), which calls it on the other nodes: brings the tables of
 * this node, which are empty, into the form that they have on the coordinator. ddl are
 * the statements by which the owner's own columns, policies and so on are made, and
 * rights are granted.
 *
 * Errors: 42501 not the owner; 55000 no Citus, or the tables have rows. Since 1.5.
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

	rag_check_may_write("rag_prepare_node()");
	rag_cluster_require_owner(nspoid);
	rag_cluster_require_citus();
	SPI_connect();
	rag_cluster_run("SET LOCAL citus.enable_ddl_propagation TO off");
	if (!rag_is_distributed(nspoid))
	{
		rag_cluster_require_all_rows(nspoid);
		require_empty_tables(nspoid);
	}
	rag_prepare_tables(nspoid, PG_GETARG_INT64(0));
	n = rag_query_once(psprintf("SELECT d.ddl FROM unnest($1) WITH ORDINALITY AS d (ddl, n)"
								" WHERE NOT EXISTS (SELECT FROM %s.rag_local_ddl() AS l WHERE l.ddl = d.ddl)"
								" ORDER BY d.n",
								quote_identifier(rag_namespace_name(nspoid))),
					   1, argtypes, values);
	missing = palloc(sizeof(char *) * n);
	for (uint64 i = 0; i < n; i++)
		missing[i] = SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1);
	for (uint64 i = 0; i < n; i++)
		rag_cluster_run("%s", missing[i]);
	SPI_finish();
	PG_RETURN_VOID();
}
