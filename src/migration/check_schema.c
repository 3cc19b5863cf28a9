/*
 * migration/check_schema.c
 *		What differs between the database and what its version of the extension
 *		should have made of it.
 *
 *		The expected objects of each version are a file that is installed beside
 *		the scripts, made from a fresh installation (tools/snapshot.sh). Both
 *		sides come from the same query over the catalogs, schema_objects.sql, and
 *		schema_differences.sql compares them. schema_local.sql says how what users
 *		added is made anew, and whether the extension that tools/keep_local.sql
 *		writes for that does so. The SQL functions fix search_path and the other
 *		settings that those queries depend on.
 */
#include "base/compat.h"

#include "catalog/pg_collation_d.h"
#include "catalog/pg_type_d.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/tuplestore.h"

#include "base/distributed.h"
#include "base/schema.h"
#include "base/statement.h"
#include "migration/check_schema.h"
#include "migration/extension_files.h"

static const char comparison[] =
	"WITH actual AS ("
#include "migration/schema_objects.sql.h"
	")"
#include "migration/schema_differences.sql.h"
#include "migration/schema_local.sql.h"
#include "migration/schema_adoption.sql.h"
	;

/* The tables and sequences of all versions. */
static const char *const relations[] = {
	"sessions", "messages", "messages_id_seq", "rag_migration_log", "rag_feedback",
	"rag_usage_daily", "rag_message_sources"};

static Datum
relation_names(void)
{
	Datum names[lengthof(relations)];

	for (int i = 0; i < (int) lengthof(relations); i++)
		names[i] = CStringGetTextDatum(relations[i]);
	return PointerGetDatum(construct_array(names, lengthof(relations), TEXTOID,
										   -1, false, TYPALIGN_INT));
}

/* The quoted name of the schema as it stands within a JSON string. */
static char *
schema_in_json(Oid nspoid)
{
	StringInfoData json;

	initStringInfo(&json);
	escape_json(&json, quote_identifier(rag_namespace_name(nspoid)));
	json.data[json.len - 1] = '\0';
	return json.data + 1;
}

static Datum
expected_objects(const char *version, Oid nspoid)
{
	char *file = psprintf("rag_events--%s.json", version);

	return DirectFunctionCall3Coll(replace_text, C_COLLATION_OID,
								   CStringGetTextDatum(rag_read_extension_file(file)),
								   CStringGetTextDatum("@extschema@"),
								   CStringGetTextDatum(schema_in_json(nspoid)));
}

/*
 * An extension of the user's own that keeps what was added to the tables: its name,
 * version and scripts, all empty where there is none.
 */
typedef struct Keeper
{
	const char *name;
	const char *version;
	const char *scripts;
} Keeper;

static const char find_keeper_sql[] =
	"SELECT e.extname::pg_catalog.text, e.extversion"
	" FROM pg_catalog.pg_extension AS r"
	" JOIN pg_catalog.pg_depend AS d ON d.refobjid OPERATOR(pg_catalog.=) r.oid"
	" AND d.refclassid OPERATOR(pg_catalog.=) r.tableoid AND d.classid OPERATOR(pg_catalog.=) r.tableoid"
	" JOIN pg_catalog.pg_extension AS e ON e.oid OPERATOR(pg_catalog.=) d.objid"
	" WHERE r.extname OPERATOR(pg_catalog.=) 'rag_events'"
	" AND e.extversion OPERATOR(pg_catalog.=) ANY ('{loading,complete}')"
	" ORDER BY e.extname LIMIT 1";

static Keeper
find_keeper(void)
{
	Keeper keeper = {"", "", ""};
	const char *loading;
	const char *complete;

	if (rag_query_once(find_keeper_sql, 0, NULL, NULL) == 0)
		return keeper;

	keeper.name = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
	keeper.version = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2);
	loading = rag_read_keeper_file(keeper.name,
								   psprintf("%s--loading.sql", keeper.name));
	complete = rag_read_keeper_file(keeper.name,
									psprintf("%s--loading--complete.sql", keeper.name));
	if (loading != NULL && complete != NULL)
		keeper.scripts = psprintf("%s%s", loading, complete);
	return keeper;
}

uint64
rag_compare_schema(const char *version, Oid nspoid, const char *select)
{
	Keeper keeper = find_keeper();
	Oid argtypes[] = {OIDOID, TEXTARRAYOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, BOOLOID};
	Datum values[] = {
		ObjectIdGetDatum(nspoid), relation_names(),
		expected_objects(version, nspoid), CStringGetTextDatum(keeper.name),
		CStringGetTextDatum(keeper.version), CStringGetTextDatum(keeper.scripts),
		BoolGetDatum(rag_is_distributed(nspoid))};

	return rag_query_once(psprintf("%s %s", comparison, select),
						  lengthof(values), argtypes, values);
}

/* Returns the rows of a query over the differences as the function's result. */
static Datum
return_differences(FunctionCallInfo fcinfo, const char *select)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	const char *version = rag_installed_version();

	InitMaterializedSRF(fcinfo, 0);
	if (version == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("extension \"rag_events\" is not installed in this database")));

	SPI_connect();
	rag_compare_schema(version, rag_namespace(fcinfo), select);
	for (uint64 i = 0; i < SPI_processed; i++)
		tuplestore_puttuple(rsinfo->setResult, SPI_tuptable->vals[i]);
	SPI_finish();
	return (Datum) 0;
}

/*
 * rag_check_schema() returns table (object text, kind text, expected text,
 *									 actual text, ddl text)
 *
 * One row for each difference between this database and the installed version,
 * in the order in which to run the DDL that mends them; no row when all is well.
 * kind is missing, extra or changed; warning; not_dumped for what users attached to
 * the tables and a dump would not keep (ddl then creates it anew); or kept for what
 * they attached and their own extension keeps.
 *
 * Errors: 42704 the extension is not installed; 58P01 the files of the
 * installed version are not there.
 */
PG_FUNCTION_INFO_V1(rag_check_schema);
Datum
rag_check_schema(PG_FUNCTION_ARGS)
{
	return return_differences(fcinfo,
							  "SELECT object, kind, expected, actual, ddl"
							  " FROM (TABLE missing UNION ALL TABLE unowned UNION ALL TABLE changed"
							  " UNION ALL TABLE extra UNION ALL TABLE warning UNION ALL TABLE keeper) AS d"
							  " CROSS JOIN LATERAL (SELECT CASE WHEN difference = 'not_dumped' AND object IN (TABLE kept)"
							  " THEN 'kept' ELSE difference END) AS x (kind)"
							  " ORDER BY kind = 'kept', kind = 'not_dumped', ord, object, expected");
}

/*
 * rag_local_ddl() returns table (section text, object text, ddl text)
 *
 * How to make anew what users attached to the extension's tables and pg_dump does not
 * keep, in the order in which to run the statements. section is when, in pg_restore's
 * terms: pre-data (before the rows are loaded) or post-data. An object may have
 * statements in both.
 *
 * The first row of a section sets the search_path under which the statements mean what
 * they meant here: another one could have them call operators of somebody else. Rows
 * for other extensions follow, whose types or functions the statements use.
 *
 * Errors: as rag_check_schema().
 */
PG_FUNCTION_INFO_V1(rag_local_ddl);
Datum
rag_local_ddl(PG_FUNCTION_ARGS)
{
	return return_differences(fcinfo,
							  "SELECT CASE WHEN after_rows THEN 'post-data' ELSE 'pre-data' END, object, ddl FROM"
							  " (SELECT DISTINCT after_rows, -2, 'search_path', 'SET search_path = pg_catalog, pg_temp' FROM local"
							  " UNION ALL SELECT false, -1, 'extension ' || extension,"
							  " format('CREATE EXTENSION IF NOT EXISTS %I', extension) FROM required"
							  " UNION ALL TABLE local) AS s (after_rows, ord, object, ddl)"
							  " ORDER BY after_rows, ord, object COLLATE \"C\", ddl COLLATE \"C\"");
}
