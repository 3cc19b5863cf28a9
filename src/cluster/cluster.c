/*
 * cluster/cluster.c
 *		What distributing tables and bringing them back have in common.
 */
#include "base/compat.h"

#include "commands/extension.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/rls.h"

#include "base/citus.h"
#include "base/distributed.h"
#include "base/schema.h"
#include "cluster/cluster.h"

static const RagDistributedTable *const tables = rag_distributed_tables;

const char *
rag_qualified(const char *name, Oid nspoid)
{
	return quote_qualified_identifier(rag_namespace_name(nspoid), name);
}

const char *
rag_quoted_name(const char *name, Oid nspoid)
{
	return quote_literal_cstr(rag_qualified(name, nspoid));
}

void
rag_cluster_run(const char *format, ...)
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

char *
rag_cluster_first_value(void)
{
	return SPI_processed == 0 ? NULL :
								SPI_getvalue(SPI_tuptable->vals[0],
											 SPI_tuptable->tupdesc, 1);
}

int64
rag_cluster_first_int64(void)
{
	char *value = rag_cluster_first_value();

	return value ? strtoll(value, NULL, 10) : 0;
}

void
rag_cluster_require_citus(void)
{
	if (!rag_citus_is_loaded() || !OidIsValid(get_extension_oid("citus", true)))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("Citus is not installed in this database"),
				 errhint("Install Citus on all servers, add it to shared_preload_libraries, restart them, and run CREATE EXTENSION citus.")));
}

void
rag_cluster_require_coordinator(void)
{
	rag_cluster_run("SELECT groupid FROM pg_dist_local_group");
	if (rag_cluster_first_int64() != 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("this is not the coordinator of the cluster"),
				 errhint("Call the function on the coordinator.")));
}

void
rag_cluster_require_owner(Oid nspoid)
{
	for (int i = 0; i < RAG_NDISTRIBUTED; i++)
	{
		if (!rag_class_ownercheck(rag_relation(tables[i].name, nspoid), GetUserId()))
			aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_TABLE, tables[i].name);
	}
}

void
rag_cluster_require_all_rows(Oid nspoid)
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

int64
rag_last_drawn_id(Oid nspoid)
{
	rag_cluster_run("SELECT GREATEST((SELECT max(id)::int8 FROM %s), (SELECT last_value FROM %s WHERE is_called))",
					rag_qualified("messages", nspoid), rag_qualified("messages_id_seq", nspoid));
	return rag_cluster_first_int64();
}

/*
 * The view shows what a function of that name returns, so that it does not keep columns
 * of messages from getting another type. Citus does not look into functions: where the
 * tables are distributed, the view has the function's query itself.
 */
void
rag_define_view(Oid nspoid, bool distributed)
{
	const char *view = rag_qualified("rag_message_sources", nspoid);
	char *query = psprintf("SELECT s.session_id, s.message_id, s.created_at, s.source_no,"
						   " s.document_id, s.score, s.source FROM %s() AS s",
						   view);

	if (distributed)
	{
		rag_cluster_run("SELECT prosrc FROM pg_proc WHERE oid = %s::regprocedure",
						quote_literal_cstr(psprintf("%s()", view)));
		query = rag_cluster_first_value();
	}
	rag_cluster_run("CREATE OR REPLACE VIEW %s (session_id, message_id, created_at, source_no, document_id,"
					" score, source) WITH (security_invoker = true) AS %s",
					view, query);
}

RagUser
rag_act_as_owner(Oid nspoid)
{
	RagUser user;

	rag_cluster_require_owner(nspoid);
	user = rag_confine_to_owner(rag_relation(tables[0].name, nspoid));
	rag_cluster_require_owner(nspoid);
	return user;
}
