/*
 * rag_events.c
 *		The library itself: magic block and version.
 */
#include "compat.h"

#include "access/genam.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/pg_extension.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"

RAG_MODULE_MAGIC("rag_events", RAG_EVENTS_VERSION);

/*
 * rag_version() returns text
 *
 * Returns the version of the extension that is installed in this database, or
 * NULL if none is (the function then is a left-over).
 */
PG_FUNCTION_INFO_V1(rag_version);
Datum
rag_version(PG_FUNCTION_ARGS)
{
	Relation	rel = table_open(ExtensionRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	Datum		version = (Datum) 0;
	bool		isnull = true;

	ScanKeyInit(&key, Anum_pg_extension_extname, BTEqualStrategyNumber,
				F_NAMEEQ, CStringGetDatum("rag_events"));
	scan = systable_beginscan(rel, ExtensionNameIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		version = heap_getattr(tuple, Anum_pg_extension_extversion,
							   RelationGetDescr(rel), &isnull);
		if (!isnull)
			version = PointerGetDatum(DatumGetTextPCopy(version));
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);

	if (isnull)
		PG_RETURN_NULL();
	PG_RETURN_DATUM(version);
}
