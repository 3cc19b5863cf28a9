/*
 * base/distributed.c
 *		Are the tables of the extension distributed over several machines?
 */
#include "base/compat.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_namespace_d.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/distributed.h"
#include "base/table_facts.h"

/*
 * The first row of a catalog of Citus, or of those with this OID in its column. Returns
 * false if there is none.
 */
static bool
look_up(const char *catalog, const char *column, Oid oid, const char *field, int32 *value)
{
	Oid relid = get_relname_relid(catalog, PG_CATALOG_NAMESPACE);
	Relation rel;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple tuple;
	bool found;

	if (!OidIsValid(relid))
		return false;
	rel = table_open(relid, AccessShareLock);
	if (column)
		ScanKeyInit(&key, get_attnum(relid, column), BTEqualStrategyNumber, F_OIDEQ,
					ObjectIdGetDatum(oid));
	scan = systable_beginscan(rel, InvalidOid, false, NULL, column ? 1 : 0, &key);
	tuple = systable_getnext(scan);
	found = HeapTupleIsValid(tuple);
	if (found && field)
	{
		bool isnull;

		*value = DatumGetInt32(heap_getattr(tuple, get_attnum(relid, field),
											RelationGetDescr(rel), &isnull));
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return found;
}

bool
rag_is_distributed(Oid nspoid)
{
	static RagTableFacts facts;
	static bool distributed;
	Oid messages;

	if (!rag_citus_is_loaded())
		return false;
	messages = get_relname_relid("messages", nspoid);
	if (!OidIsValid(messages))
		return false;
	if (!rag_facts_hold(&facts, messages))
	{
		rag_begin_facts(&facts, messages, InvalidOid);
		/* Citus invalidates the table when this changes. */
		distributed = look_up("pg_dist_partition", "logicalrelid", messages, NULL, NULL);
		rag_end_facts(&facts);
	}
	return distributed;
}

bool
rag_is_other_node(Oid nspoid)
{
	int32 group = 0;

	return rag_is_distributed(nspoid) &&
		look_up("pg_dist_local_group", NULL, InvalidOid, "groupid", &group) && group != 0;
}

void
rag_require_coordinator(const char *function, Oid nspoid)
{
	if (!rag_is_other_node(nspoid))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("%s needs the coordinator of the cluster", function),
			 errdetail("Usage by day is kept there."),
			 errhint("Call it on the coordinator.")));
}
