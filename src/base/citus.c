/*
 * base/citus.c
 *		What Citus knows of tables, and what it has to know of us.
 */
#include "base/compat.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_namespace_d.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/citus.h"

/* Citus can only be preloaded, and then the server always has this setting. */
bool
rag_citus_is_loaded(void)
{
	static bool looked = false;
	static bool loaded;

	if (!looked)
	{
		loaded = GetConfigOption("citus.shard_count", true, false) != NULL;
		looked = true;
	}
	return loaded;
}

/* ------------------------------------------------------------------------
 *		Catalogs
 * ------------------------------------------------------------------------
 */

/* A scan of a catalog of Citus, of all rows or those that have a value in a column. */
typedef struct CatalogScan
{
	Relation rel; /* NULL if there is no such catalog */
	SysScanDesc scan;
} CatalogScan;

static CatalogScan
begin_catalog(const char *name, const char *index, const char *column,
			  RegProcedure equals, Datum value)
{
	Oid relid = get_relname_relid(name, PG_CATALOG_NAMESPACE);
	CatalogScan catalog = {.rel = NULL};
	Oid index_oid = index ? get_relname_relid(index, PG_CATALOG_NAMESPACE) : InvalidOid;
	ScanKeyData key;

	if (!OidIsValid(relid))
		return catalog;
	catalog.rel = table_open(relid, AccessShareLock);
	if (column)
		ScanKeyInit(&key, get_attnum(relid, column), BTEqualStrategyNumber, equals,
					value);
	catalog.scan = systable_beginscan(catalog.rel, index_oid, OidIsValid(index_oid), NULL,
									  column ? 1 : 0, &key);
	return catalog;
}

static HeapTuple
next_row(CatalogScan *catalog)
{
	return catalog->rel ? systable_getnext(catalog->scan) : NULL;
}

static Datum
value_of(CatalogScan *catalog, HeapTuple row, const char *column)
{
	AttrNumber attnum = get_attnum(RelationGetRelid(catalog->rel), column);
	bool isnull;
	Datum value = heap_getattr(row, attnum, RelationGetDescr(catalog->rel), &isnull);

	if (isnull)
		elog(ERROR, "column \"%s\" of catalog \"%s\" is null", column,
			 RelationGetRelationName(catalog->rel));
	return value;
}

static void
end_catalog(CatalogScan *catalog)
{
	if (catalog->rel == NULL)
		return;
	systable_endscan(catalog->scan);
	table_close(catalog->rel, AccessShareLock);
}

bool
rag_citus_has_table(Oid table)
{
	CatalogScan catalog;
	bool found;

	if (!rag_citus_is_loaded())
		return false;
	catalog = begin_catalog("pg_dist_partition", NULL, "logicalrelid", F_OIDEQ,
							ObjectIdGetDatum(table));
	found = HeapTupleIsValid(next_row(&catalog));
	end_catalog(&catalog);
	return found;
}

/* The number that Citus gave this node: 0 is the coordinator's. */
static int32
local_group(void)
{
	CatalogScan catalog = begin_catalog("pg_dist_local_group", NULL, NULL, InvalidOid, 0);
	HeapTuple row = next_row(&catalog);
	int32 group = row ? DatumGetInt32(value_of(&catalog, row, "groupid")) : 0;

	end_catalog(&catalog);
	return group;
}

bool
rag_citus_is_coordinator(void)
{
	return local_group() == 0;
}

/* Has this node the only copy of the shard? */
static bool
is_here(int64 shard, int32 group)
{
	CatalogScan catalog = begin_catalog("pg_dist_placement", "pg_dist_placement_shardid_index",
										"shardid", F_INT8EQ, Int64GetDatum(shard));
	HeapTuple row;
	int copies = 0;
	bool here = true;

	while ((row = next_row(&catalog)) != NULL)
	{
		copies++;
		here &= DatumGetInt32(value_of(&catalog, row, "groupid")) == group;
	}
	end_catalog(&catalog);
	return here && copies == 1;
}

static int
compare_mins(const void *a, const void *b)
{
	int32 x = ((const RagCitusShard *) a)->min;
	int32 y = ((const RagCitusShard *) b)->min;

	return x < y ? -1 : x > y;
}

int
rag_citus_shards(Oid table, RagCitusShard **shards)
{
	int32 group = local_group();
	int n = 0;
	int room = 64;
	CatalogScan catalog;
	HeapTuple row;

	*shards = palloc(sizeof(RagCitusShard) * room);
	catalog = begin_catalog("pg_dist_shard", "pg_dist_shard_logical_relid_index",
							"logicalrelid", F_OIDEQ, ObjectIdGetDatum(table));
	while ((row = next_row(&catalog)) != NULL)
	{
		RagCitusShard *shard;
		Datum min = value_of(&catalog, row, "shardminvalue");

		if (n == room)
			*shards = repalloc(*shards, sizeof(RagCitusShard) * (room *= 2));
		shard = &(*shards)[n++];
		shard->id = DatumGetInt64(value_of(&catalog, row, "shardid"));
		shard->min = pg_strtoint32(TextDatumGetCString(min));
	}
	end_catalog(&catalog);
	qsort(*shards, n, sizeof(RagCitusShard), compare_mins);
	for (int i = 0; i < n; i++)
		(*shards)[i].here = is_here((*shards)[i].id, group);
	return n;
}

/* ------------------------------------------------------------------------
 *		Functions
 * ------------------------------------------------------------------------
 *
 * What Citus does itself when it executes a statement on a shard of its own node.
 */

/* Of its versions 13 and 14. */
typedef enum LocalExecution
{
	LOCAL_EXECUTION_REQUIRED,
	LOCAL_EXECUTION_OPTIONAL,
	LOCAL_EXECUTION_DISABLED
} LocalExecution;

static struct
{
	void (*ensure_allowed)(bool remote);
	LocalExecution (*get_status)(void);
	void (*set_status)(LocalExecution status);
	void (*commit_in_two_phases)(void);
	void (*lock_shard)(int64 shard, LOCKMODE lockmode);
	bool *enabled;
} citus;

static void *
symbol(const char *name)
{
	return load_external_function("citus", unconstify(char *, name), false, NULL);
}

static bool
is_known_version(const char *version)
{
	return version &&
		(strncmp(version, "13.", 3) == 0 || strncmp(version, "14.", 3) == 0);
}

/* False if one is not there. */
static bool
find_symbols(void)
{
	if (!is_known_version(GetConfigOption("citus.version", true, false)))
		return false;
	citus.ensure_allowed = symbol("EnsureTaskExecutionAllowed");
	citus.get_status = symbol("GetCurrentLocalExecutionStatus");
	citus.set_status = symbol("SetLocalExecutionStatus");
	citus.commit_in_two_phases = symbol("Use2PCForCoordinatedTransaction");
	citus.lock_shard = symbol("LockShardDistributionMetadata");
	citus.enabled = symbol("EnableLocalExecution");
	return citus.ensure_allowed && citus.get_status && citus.set_status &&
		citus.commit_in_two_phases && citus.lock_shard && citus.enabled;
}

static bool
has_symbols(void)
{
	static bool looked = false;
	static bool found;

	if (!looked)
	{
		found = find_symbols();
		looked = true;
	}
	return found;
}

bool
rag_citus_lets_us_in(void)
{
	if (!has_symbols() || !*citus.enabled ||
		citus.get_status() == LOCAL_EXECUTION_DISABLED)
		return false;
	citus.ensure_allowed(false);
	return true;
}

void
rag_citus_hold_shard(int64 shard)
{
	if (has_symbols())
		citus.lock_shard(shard, ShareLock);
}

void
rag_citus_note_use(bool changed)
{
	citus.set_status(LOCAL_EXECUTION_REQUIRED);
	if (changed)
		citus.commit_in_two_phases();
}
