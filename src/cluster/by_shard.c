/*
 * cluster/by_shard.c
 *		Splitting ids of sessions by the shards that they are in.
 */
#include "base/compat.h"

#include "catalog/pg_type_d.h"
#include "executor/spi.h"

#include "base/schema.h"
#include "base/statement.h"
#include "cluster/by_shard.h"

List *
rag_split_by_shard(ArrayType *ids, Oid nspoid)
{
	Oid argtypes[] = {UUIDARRAYOID, REGCLASSOID};
	Datum values[] = {PointerGetDatum(ids),
					  ObjectIdGetDatum(rag_relation("sessions", nspoid))};
	List *result = NIL;
	uint64 n;

	n = rag_query_once("SELECT pg_catalog.array_agg(i.id) FROM pg_catalog.unnest($1) AS i (id)"
					   " GROUP BY pg_catalog.get_shard_id_for_distribution_column($2, i.id)",
					   lengthof(argtypes), argtypes, values);
	for (uint64 i = 0; i < n; i++)
	{
		bool isnull;
		Datum array = SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1,
									&isnull);

		result = lappend(result, DatumGetArrayTypePCopy(array));
	}
	return result;
}
