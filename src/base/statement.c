/*
 * base/statement.c
 *		Kept plans: the one door to SPI.
 *
 *		As in ri_triggers.c, each use checks that the kept plan still holds. The
 *		plan cache itself takes care of changes of role (row security) and of
 *		search_path, but would then plan anew with the settings of the moment. (The
 *		statements are qualified throughout and do not depend on search_path.)
 */
#include "base/compat.h"

#include "catalog/pg_type_d.h"
#include "catalog/namespace.h"
#include "executor/spi.h"
#include "executor/tstoreReceiver.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/plancache.h"
#include "utils/resowner.h"
#include "utils/syscache.h"
#include "utils/uuid.h"

#include "base/distributed.h"
#include "base/schema.h"
#include "base/statement.h"

typedef struct PlanKey
{
	const RagStatement *statement;
	Oid nspoid;
	int64 shard; /* the first of the shards that the plan is for, or 0 */
} PlanKey;

typedef struct PlanEntry
{
	PlanKey key;	 /* must be first */
	SPIPlanPtr plan; /* NULL, or a plan that SPI keeps */
	bool by_citus;	 /* Citus plans it */
	NameData schema; /* the name of the schema in the plan's text */
	int generation;	 /* generation of the generic plan that we made of it */
	int executing;	 /* number of executions that are under way, one within another */
} PlanEntry;

/* A plan takes some 20 kB. */
#define MAX_PLANS 1000

static HTAB *plans = NULL;

/* Counts the invalidations of pg_namespace: changes of any schema. */
static uint64 schema_changes = 0;

static void
count_schema_change(Datum arg pg_attribute_unused(), int cacheid pg_attribute_unused(),
					uint32 hashvalue pg_attribute_unused())
{
	schema_changes++;
}

static void
forget_plan(PlanEntry *entry)
{
	if (entry->plan)
		SPI_freeplan(entry->plan);
	hash_search(plans, &entry->key, HASH_REMOVE, NULL);
}

/* Frees the plans of schemas that were dropped. */
static void
forget_dropped_schemas(void)
{
	HASH_SEQ_STATUS status;
	PlanEntry *entry;

	hash_seq_init(&status, plans);
	while ((entry = hash_seq_search(&status)) != NULL)
	{
		if (entry->executing > 0 ||
			SearchSysCacheExists1(NAMESPACEOID, ObjectIdGetDatum(entry->key.nspoid)))
			continue;
		forget_plan(entry);
	}
}

static void
create_plans(void)
{
	HASHCTL ctl = {.keysize = sizeof(PlanKey), .entrysize = sizeof(PlanEntry)};

	plans = hash_create("rag_events plans", 16, &ctl, HASH_ELEM | HASH_BLOBS);
	CacheRegisterSyscacheCallback(NAMESPACEOID, count_schema_change, (Datum) 0);
}

/* Frees the plans for shards: a backend may come to see many of them. */
static void
forget_shards(void)
{
	HASH_SEQ_STATUS status;
	PlanEntry *entry;

	hash_seq_init(&status, plans);
	while ((entry = hash_seq_search(&status)) != NULL)
	{
		if (entry->key.shard != 0 && entry->executing == 0)
			forget_plan(entry);
	}
}

static PlanEntry *
plan_entry(const RagStatement *statement, Oid nspoid, int64 shard)
{
	PlanKey key;
	PlanEntry *entry;
	bool found;
	static uint64 changes_seen = 0;

	if (plans == NULL)
		create_plans();
	if (changes_seen != schema_changes)
	{
		changes_seen = schema_changes;
		forget_dropped_schemas();
	}
	if (hash_get_num_entries(plans) >= MAX_PLANS)
		forget_shards();

	memset(&key, 0, sizeof(key)); /* the padding is hashed too */
	key.statement = statement;
	key.nspoid = nspoid;
	key.shard = shard;
	entry = hash_search(plans, &key, HASH_ENTER, &found);
	if (!found)
	{
		entry->plan = NULL;
		entry->executing = 0;
	}
	return entry;
}

static void
set_locally(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE,
							 true, 0, false);
}

/*
 * Each statement finds its rows by an index, in the order of that index, and one
 * generic plan serves for all parameters. That plan is made here at once, with
 * all that reads more than is asked for discouraged: in a small table the planner
 * would choose a sequential scan, and a backend that fills the table would keep it
 * until the next ANALYZE; a bitmap or a sort reads a whole session for its last
 * message. Whatever the caller's settings, index scans and nested loops are in use.
 * Returns the plan's generation.
 */
static int
make_generic_plan(SPIPlanPtr plan)
{
	static const char *const on[] = {"enable_indexscan", "enable_nestloop"};
	static const char *const off[] = {
		"enable_seqscan", "enable_bitmapscan", "enable_sort", "enable_incremental_sort",
		"enable_hashjoin", "enable_mergejoin",
		"jit"}; /* JIT compilation, because a plan that is needed although it is discouraged looks expensive */
	CachedPlanSource *source = linitial(SPI_plan_get_plan_sources(plan));
	int nestlevel = NewGUCNestLevel();
	CachedPlan *cplan;

	for (int i = 0; i < (int) lengthof(on); i++)
		set_locally(on[i], "on");
	for (int i = 0; i < (int) lengthof(off); i++)
		set_locally(off[i], "off");
	cplan = SPI_plan_get_cached_plan(plan);
	if (cplan)
		ReleaseCachedPlan(cplan, CurrentResourceOwner);
	AtEOXact_GUC(false, nestlevel);
	return source->generation;
}

/* Where a statement is executed. */
typedef struct Place
{
	const char *schema; /* the name of the extension's schema */
	bool distributed;
	RagShards shards; /* or none: then Citus looks for them */
} Place;

/*
 * A mark in the text of a statement: what takes its place is value, or, if it has an end,
 * what is between them, where it is wanted. A table has an alias, unless the statement
 * gives it one.
 */
typedef struct Mark
{
	const char *begin;
	const char *end;
	const char *value;
	const char *alias;
	bool wanted;
} Mark;

/* The next mark in the text, or NULL. */
static const Mark *
next_mark(const char *sql, const Mark *marks, int n, const char **where)
{
	const Mark *next = NULL;

	for (int i = 0; i < n; i++)
	{
		const char *found = strstr(sql, marks[i].begin);

		if (found && (next == NULL || found < *where))
		{
			next = &marks[i];
			*where = found;
		}
	}
	return next;
}

static void
append_sql(StringInfo result, const char *sql, const Mark *marks, int n)
{
	const char *where = NULL;
	const Mark *mark;

	while ((mark = next_mark(sql, marks, n, &where)) != NULL)
	{
		appendBinaryStringInfo(result, sql, where - sql);
		sql = where + strlen(mark->begin);
		if (mark->end == NULL)
		{
			appendStringInfoString(result, mark->value);
			if (mark->alias && strncmp(sql, " AS ", 4) != 0)
				appendStringInfo(result, " AS %s", mark->alias);
		}
		else
		{
			const char *end = strstr(sql, mark->end);

			if (mark->wanted)
				append_sql(result, pnstrdup(sql, end - sql), marks, n);
			sql = end + strlen(mark->end);
		}
	}
	appendStringInfoString(result, sql);
}

/* The statement as it is executed there. */
static char *
sql_at(const RagStatement *statement, const Place *place)
{
	const char *schema = quote_identifier(place->schema);
	bool in_shards = place->shards.ids[0] != 0;
	Mark marks[RAG_NDISTRIBUTED + 5];
	int n = 0;
	StringInfoData sql;

	for (int i = 0; in_shards && i < RAG_NDISTRIBUTED; i++)
	{
		const char *table = rag_distributed_tables[i].name;

		marks[n++] = (Mark){psprintf("@extschema@.%s", table), NULL,
							psprintf("%s.%s_" INT64_FORMAT, schema, table,
									 place->shards.ids[i]),
							table, true};
	}
	marks[n++] = (Mark){"@extschema@", NULL, schema, NULL, true};
	marks[n++] = (Mark){RAG_OF_SESSION, NULL, "", NULL, true};
	marks[n++] = (Mark){"@distributed{", "}@", NULL, NULL, place->distributed};
	marks[n++] =
		(Mark){"@routed{", "}@", NULL, NULL, place->distributed && !in_shards};
	marks[n++] = (Mark){"@local{", "}@", NULL, NULL, !place->distributed};
	initStringInfo(&sql);
	append_sql(&sql, statement->sql, marks, n);
	return sql.data;
}

/*
 * Citus finds the machine of a row by a value, so there the plan is made for each
 * execution. (It would make the part of a kept plan that is for one machine anew each
 * time, too, and keep all of them.)
 */
static SPIPlanPtr
prepare(const RagStatement *statement, const Place *place, bool by_citus)
{
	char *sql = sql_at(statement, place);
	SPIPlanPtr plan = SPI_prepare_cursor(sql, statement->nargs,
										 unconstify(Oid *, &statement->argtypes[0]),
										 by_citus ? CURSOR_OPT_CUSTOM_PLAN :
													CURSOR_OPT_GENERIC_PLAN);

	if (plan == NULL)
		elog(ERROR, "could not prepare \"%s\": %s", sql,
			 SPI_result_code_string(SPI_result));
	SPI_keepplan(plan);
	return plan;
}

/*
 * Is the kept plan still what would be prepared now? Where a rule of the user
 * (DO INSTEAD NOTHING) left nothing of a statement, its plan depends on no table,
 * and PostgreSQL would not notice that the rule has gone. Where PostgreSQL would
 * make the generic plan anew on its own, or has done so, it is ours to make.
 */
static bool
still_holds(const PlanEntry *entry)
{
	CachedPlanSource *source = linitial(SPI_plan_get_plan_sources(entry->plan));

	if (!SPI_plan_is_valid(entry->plan) || source->query_list == NIL)
		return false;
	if (source->dependsOnRLS && source->rewriteRoleId != GetUserId())
		return false;
	if (!rag_search_path_matches(source->search_path))
		return false;
	return entry->by_citus ||
		(source->gplan && source->gplan->generation == entry->generation);
}

/*
 * The text of a plan has the name of the schema. If the schema was renamed while the
 * statement waited for a lock, and another schema got the name, PostgreSQL has
 * planned the text anew, and the statement went to the tables of the other schema.
 */
static void
check_schema_name(const PlanEntry *entry)
{
	const char *name = get_namespace_name(entry->key.nspoid);

	if (name == NULL || strcmp(name, NameStr(entry->schema)) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("schema \"%s\" was renamed or dropped meanwhile",
						NameStr(entry->schema)),
				 errhint("Repeat the transaction.")));
}

/*
 * Makes sure that the plan of the entry holds. The entry counts as being executed. If
 * it is executed already (a trigger of the user calls our functions again), its plan
 * cannot be freed: PostgreSQL then makes it anew on its own.
 */
static void
make_valid(PlanEntry *entry, const RagShards *shards)
{
	if (entry->plan && entry->executing > 1)
		check_schema_name(entry);
	else if (entry->plan && !still_holds(entry))
	{
		SPIPlanPtr stale = entry->plan;

		entry->plan = NULL;
		SPI_freeplan(stale);
	}
	if (entry->plan == NULL)
	{
		Place place = {.schema = rag_namespace_name(entry->key.nspoid),
					   .distributed = rag_is_distributed(entry->key.nspoid),
					   .shards = *shards};

		namestrcpy(&entry->schema, place.schema);
		entry->by_citus = place.distributed && shards->ids[0] == 0;
		entry->plan = prepare(entry->key.statement, &place, entry->by_citus);
		if (!entry->by_citus)
			entry->generation = make_generic_plan(entry->plan);
	}
}

static ParamListInfo
make_params(const RagStatement *statement, const Datum *values, const char *nulls)
{
	ParamListInfo params = makeParamList(statement->nargs);

	for (int i = 0; i < statement->nargs; i++)
	{
		params->params[i].value = values[i];
		params->params[i].isnull = nulls && nulls[i] == 'n';
		params->params[i].pflags = PARAM_FLAG_CONST;
		params->params[i].ptype = statement->argtypes[i];
	}
	return params;
}

/*
 * Our generic plan is used even if the caller has custom plans forced, because a
 * custom plan would be made with the settings of the moment; and the other way round.
 */
static int
execute_plan(SPIPlanPtr plan, const SPIExecuteOptions *options)
{
	int nestlevel;
	int rc;

	if (plan_cache_mode == PLAN_CACHE_MODE_AUTO)
		return SPI_execute_plan_extended(plan, options);

	nestlevel = NewGUCNestLevel();
	set_locally("plan_cache_mode", "auto");
	rc = SPI_execute_plan_extended(plan, options);
	AtEOXact_GUC(true, nestlevel);
	return rc;
}

/*
 * Citus writes statements for its shards, and PostgreSQL reads them on another node: with
 * names of types that are not qualified, which a search_path of the caller's must not
 * capture, and with values as text, which must not depend on the caller's settings.
 */
static void
set_for_citus(void)
{
	set_locally("search_path", "pg_catalog, pg_temp");
	set_locally("DateStyle", "ISO, YMD");
	set_locally("IntervalStyle", "postgres");
	set_locally("extra_float_digits", "1");
}

/* Returns the nesting level that AtEOXact_GUC() ends, or 0. */
static int
begin_settings(Oid nspoid, const RagShards *shards)
{
	int nestlevel;

	if (!rag_is_distributed(nspoid) || shards->ids[0] != 0)
		return 0;
	nestlevel = NewGUCNestLevel();
	set_for_citus();
	return nestlevel;
}

/* The shards that the statement can be executed in. */
static RagShards
shards_of(const RagStatement *statement, Oid nspoid, const Datum *values,
		  const char *nulls, bool read_only)
{
	if (!rag_is_distributed(nspoid) ||
		strncmp(statement->sql, RAG_OF_SESSION, strlen(RAG_OF_SESSION)) != 0)
		return RAG_NO_SHARDS;
	for (int i = 0; i < statement->nargs; i++)
	{
		if (statement->argtypes[i] == UUIDOID && !(nulls && nulls[i] == 'n'))
			return rag_enter_shards(nspoid, DatumGetUUIDP(values[i]), !read_only);
	}
	return RAG_NO_SHARDS;
}

static void
execute_entry(PlanEntry *entry, const RagShards *shards, const SPIExecuteOptions *options)
{
	entry->executing++;
	PG_TRY();
	{
		int rc;

		make_valid(entry, shards);
		rc = execute_plan(entry->plan, options);
		if (rc < 0)
			elog(ERROR, "could not execute \"%s\": %s", entry->key.statement->sql,
				 SPI_result_code_string(rc));
	}
	PG_FINALLY();
	{
		entry->executing--;
	}
	PG_END_TRY();
}

/* With dest, the rows go there, and not to SPI_tuptable. */
static uint64
execute(const RagStatement *statement, Oid nspoid, const Datum *values,
		const char *nulls, bool read_only, DestReceiver *dest)
{
	RagShards shards = shards_of(statement, nspoid, values, nulls, read_only);
	PlanEntry *entry = plan_entry(statement, nspoid, shards.ids[0]);
	SPIExecuteOptions options = {.params = make_params(statement, values, nulls),
								 .read_only = read_only,
								 .dest = dest};
	uint64 changes = schema_changes;
	int nestlevel = begin_settings(nspoid, &shards);

	execute_entry(entry, &shards, &options);
	if (nestlevel > 0)
		AtEOXact_GUC(true, nestlevel);
	if (changes != schema_changes)
		check_schema_name(entry);
	return SPI_processed;
}

uint64
rag_execute(const RagStatement *statement, Oid nspoid,
			const Datum *values, const char *nulls)
{
	return execute(statement, nspoid, values, nulls, false, NULL);
}

uint64
rag_query(const RagStatement *statement, Oid nspoid,
		  const Datum *values, const char *nulls)
{
	return execute(statement, nspoid, values, nulls, true, NULL);
}

/* Passes rows on to a function of ours. */
typedef struct EachReceiver
{
	DestReceiver receiver; /* must be first */
	RagReceiveRow receive;
	void *arg;
} EachReceiver;

static bool
receive_row(TupleTableSlot *slot, DestReceiver *self)
{
	EachReceiver *each = (EachReceiver *) self;

	slot_getallattrs(slot);
	return each->receive(slot, each->arg);
}

static void
start_receiving(DestReceiver *self pg_attribute_unused(),
				int operation pg_attribute_unused(),
				TupleDesc typeinfo pg_attribute_unused())
{
}

static void
stop_receiving(DestReceiver *self pg_attribute_unused())
{
}

void
rag_query_each(const RagStatement *statement, Oid nspoid, const Datum *values,
			   const char *nulls, RagReceiveRow receive, void *arg)
{
	EachReceiver each = {
		.receiver = {.receiveSlot = receive_row,
					 .rStartup = start_receiving,
					 .rShutdown = stop_receiving,
					 .rDestroy = stop_receiving,
					 .mydest = DestNone},
		.receive = receive,
		.arg = arg};

	execute(statement, nspoid, values, nulls, true, &each.receiver);
}

uint64
rag_query_once(const char *sql, int nargs, Oid *argtypes, Datum *values)
{
	int rc = SPI_execute_with_args(sql, nargs, argtypes, values, NULL, false, 0);

	if (rc != SPI_OK_SELECT)
		elog(ERROR, "could not execute \"%s\": %s", sql, SPI_result_code_string(rc));
	return SPI_processed;
}

/*
 * With JIT compilation the planning of such a statement takes longer than the rest.
 */
static uint64
execute_once(const RagStatement *statement, Oid nspoid, const Datum *values,
			 const char *nulls, bool read_only, DestReceiver *dest)
{
	SPIExecuteOptions options = {.params = make_params(statement, values, nulls),
								 .read_only = read_only,
								 .dest = dest};
	int nestlevel = NewGUCNestLevel();
	Place place = {.schema = rag_namespace_name(nspoid),
				   .distributed = rag_is_distributed(nspoid)};
	int rc;

	set_locally("jit", "off");
	if (place.distributed)
		set_for_citus();
	rc = SPI_execute_extended(sql_at(statement, &place), &options);
	if (rc < 0)
		elog(ERROR, "could not execute \"%s\": %s", statement->sql,
			 SPI_result_code_string(rc));
	AtEOXact_GUC(true, nestlevel);
	return SPI_processed;
}

uint64
rag_execute_once(const RagStatement *statement, Oid nspoid, const Datum *values,
				 const char *nulls)
{
	return execute_once(statement, nspoid, values, nulls, false, NULL);
}

static DestReceiver *
result_receiver(FunctionCallInfo fcinfo)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	DestReceiver *dest = CreateTuplestoreDestReceiver();

	SetTuplestoreDestReceiverParams(dest, rsinfo->setResult, CurrentMemoryContext,
									false, rsinfo->setDesc,
									gettext_noop("a column of the table has another type"));
	return dest;
}

void
rag_return_rows(FunctionCallInfo fcinfo, const RagStatement *statement, Oid nspoid,
				const Datum *values, const char *nulls)
{
	DestReceiver *dest = result_receiver(fcinfo);

	execute(statement, nspoid, values, nulls, true, dest);
	dest->rDestroy(dest);
}

void
rag_return_rows_once(FunctionCallInfo fcinfo, const RagStatement *statement, Oid nspoid,
					 const Datum *values, const char *nulls)
{
	DestReceiver *dest = result_receiver(fcinfo);

	execute_once(statement, nspoid, values, nulls, true, dest);
	dest->rDestroy(dest);
}
