/*
 * write/remove_sessions.c
 *		Deleting many sessions with their messages: rag_expire_sessions() and
 *		rag_erase_user().
 *
 *		A call deletes one batch. The sessions are found and locked first, as by whoever
 *		writes to them, and then deleted.
 */
#include "base/compat.h"

#include "access/table.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type_d.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/datum.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/rel.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"
#include "utils/uuid.h"

#include "base/distributed.h"
#include "base/error.h"
#include "base/json.h"
#include "base/schema.h"
#include "base/statement.h"
#include "base/table_facts.h"
#include "feedback/feedback.h"
#include "session/session.h"
#include "usage/usage.h"
#include "write/delete_direct.h"

/* What is kept, and what is not, by the array $2, which may be NULL. */
#define IS_KEPT "(metadata::pg_catalog.jsonb OPERATOR(pg_catalog.@>) ANY ($2)) IS TRUE"
#define IS_NOT_KEPT \
	"(metadata::pg_catalog.jsonb OPERATOR(pg_catalog.@>) ANY ($2)) IS NOT TRUE"

/*
 * Inactive sessions, in the order of the index on created_at, which is not later than
 * updated_at: so no other index is needed, and few sessions are read that are still
 * active. (Where an import or somebody's clock said so, a session stays until both are
 * long ago.) Those that somebody is writing to are skipped; and after the lock, the
 * conditions are looked at again.
 */
#define INACTIVE \
	"SELECT id, updated_at::pg_catalog.timestamp FROM @extschema@.sessions" \
	" WHERE created_at OPERATOR(pg_catalog.<) (LOCALTIMESTAMP OPERATOR(pg_catalog.-) $1)" \
	" AND updated_at OPERATOR(pg_catalog.<) (LOCALTIMESTAMP OPERATOR(pg_catalog.-) $1)" \
	" AND " IS_NOT_KEPT
#define INACTIVE_ORDER " ORDER BY created_at LIMIT $3"
#define INACTIVE_ARGS \
	4, \
	{ \
		INTERVALOID, JSONBARRAYOID, INT8OID, UUIDARRAYOID \
	}

/*
 * To look, to look and lock, and to lock those that were found: rows of distributed
 * tables can only be locked shard by shard.
 */
enum
{
	LOOK,
	LOOK_AND_LOCK,
	LOCK_FOUND
};

#define FOUND " AND id OPERATOR(pg_catalog.=) ANY ($4)"

static const RagStatement inactive_sql[] = {
	[LOOK] = {INACTIVE INACTIVE_ORDER, INACTIVE_ARGS},
	[LOOK_AND_LOCK] = {INACTIVE INACTIVE_ORDER " FOR UPDATE SKIP LOCKED", INACTIVE_ARGS},
	[LOCK_FOUND] = {INACTIVE FOUND INACTIVE_ORDER " FOR UPDATE SKIP LOCKED", INACTIVE_ARGS}};

/*
 * Sessions of a user. The order is one that the index by user gives: another one would be
 * a reason to read another index, with the sessions of all users.
 */
#define OF_USER \
	" FROM @extschema@.sessions WHERE user_id::pg_catalog.text OPERATOR(pg_catalog.=) $1"
#define USERS \
	"SELECT id, updated_at::pg_catalog.timestamp" OF_USER " AND " IS_NOT_KEPT
#define USERS_ORDER " ORDER BY user_id, created_at LIMIT $3"
#define USERS_ARGS \
	4, \
	{ \
		TEXTOID, JSONBARRAYOID, INT8OID, UUIDARRAYOID \
	}

static const RagStatement users_sql[] = {
	[LOOK] = {USERS USERS_ORDER, USERS_ARGS},
	[LOOK_AND_LOCK] = {USERS USERS_ORDER " FOR UPDATE", USERS_ARGS},
	[LOCK_FOUND] = {USERS FOUND USERS_ORDER " FOR UPDATE", USERS_ARGS}};

static const RagStatement count_kept_sql = {
	"SELECT pg_catalog.count(*)" OF_USER " AND " IS_KEPT,
	2,
	{TEXTOID, JSONBARRAYOID}};

#define OF_SESSIONS(column) \
	" WHERE " column " OPERATOR(pg_catalog.=) ANY ($1)", 1, \
	{ \
		UUIDARRAYOID \
	}

static const RagStatement count_messages_sql = {
	"SELECT pg_catalog.count(*) FROM @extschema@.messages" OF_SESSIONS("session_id")};

static const RagStatement find_message_sql = {
	"SELECT FROM @extschema@.messages WHERE session_id OPERATOR(pg_catalog.=) ANY ($1) LIMIT 1",
	1,
	{UUIDARRAYOID}};

static const RagStatement delete_messages_sql = {
	"DELETE FROM @extschema@.messages" OF_SESSIONS("session_id")};

static const RagStatement delete_sessions_sql = {
	"DELETE FROM @extschema@.sessions" OF_SESSIONS("id")};

typedef struct Batch
{
	Oid nspoid;
	bool dry_run;
	Datum *ids;		/* of the sessions */
	int64 sessions; /* their number */
	int64 messages; /* the number of theirs */
	Timestamp oldest;
	bool more; /* there are other sessions */
} Batch;

/* ------------------------------------------------------------------------
 *		Arguments
 * ------------------------------------------------------------------------
 */

pg_noreturn static void
error_keep(Jsonb *keep)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("keep must be a JSON object that is not empty, or an array of such objects"),
			 rag_jsonb_is_encoded_twice(keep) ?
				 errhint(RAG_HINT_ENCODED_TWICE) :
				 errhint("Sessions whose metadata contains it are kept, such as {\"pinned\": true}. NULL keeps none.")));
}

static Datum
keep_element(Jsonb *keep, JsonbValue *value)
{
	if (!rag_json_is_object(value) || JsonContainerSize(value->val.binary.data) == 0)
		error_keep(keep);
	return JsonbPGetDatum(JsonbValueToJsonb(value));
}

/*
 * The argument "keep", an object or an array of objects, as an array for ANY. Returns
 * (Datum) 0 if it is NULL.
 */
static Datum
keep_argument(FunctionCallInfo fcinfo, int arg)
{
	ArrayBuildState *objects = initArrayResult(JSONBOID, CurrentMemoryContext, false);
	Jsonb *keep;
	JsonbValue root;
	JsonbValue element;

	if (PG_ARGISNULL(arg))
		return (Datum) 0;
	keep = PG_GETARG_JSONB_P(arg);
	root = rag_json_root(keep);
	if (rag_json_is_array(&root))
	{
		JsonbIterator *it = rag_json_elements(&root);

		while (rag_json_next(&it, &element))
			objects = accumArrayResult(objects, keep_element(keep, &element), false,
									   JSONBOID, CurrentMemoryContext);
	}
	else
		objects = accumArrayResult(objects, keep_element(keep, &root), false, JSONBOID,
								   CurrentMemoryContext);
	return makeArrayResult(objects, CurrentMemoryContext);
}

static Batch
begin_batch(FunctionCallInfo fcinfo, int dry_run_arg, const char *function)
{
	Batch batch = {.nspoid = rag_namespace(fcinfo),
				   .dry_run = !PG_ARGISNULL(dry_run_arg) && PG_GETARG_BOOL(dry_run_arg)};

	if (!batch.dry_run)
		rag_check_may_write(function);
	batch.ids = palloc(sizeof(Datum));
	return batch;
}

/* ------------------------------------------------------------------------
 *		A batch
 * ------------------------------------------------------------------------
 */

pg_noreturn static void
error_kept(Oid nspoid)
{
	ereport(ERROR,
			(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
			 errmsg("not all sessions were deleted from table \"%s\"", "sessions"),
			 errdetail("A trigger, a rule or a policy on the table kept a row."),
			 errhint("Mark such sessions in their metadata, and pass that as keep."),
			 rag_errtable(nspoid, "sessions", NULL, NULL)));
}

/*
 * Does row security apply to the caller? Then a policy for UPDATE, which applies to locks
 * as well, may leave out sessions that the caller sees: they would count as erased.
 */
static bool
is_secured(Oid nspoid)
{
	return !rag_may_show_keys(nspoid, "sessions");
}

/* Adds the sessions of a result. */
static void
take_sessions(Batch *batch, uint64 found)
{
	batch->ids = repalloc_huge(batch->ids,
							   sizeof(Datum) * (batch->sessions + Max(found, 1)));
	for (uint64 i = 0; i < found; i++)
	{
		HeapTuple row = SPI_tuptable->vals[i];
		bool isnull;
		Datum updated_at = SPI_getbinval(row, SPI_tuptable->tupdesc, 2, &isnull);

		if (!isnull &&
			(batch->sessions == 0 || DatumGetTimestamp(updated_at) < batch->oldest))
			batch->oldest = DatumGetTimestamp(updated_at);
		batch->ids[batch->sessions++] =
			datumCopy(SPI_getbinval(row, SPI_tuptable->tupdesc, 1, &isnull), false,
					  UUID_LEN);
	}
	SPI_freetuptable(SPI_tuptable);
}

static ArrayType *
ids_as_array(Datum *ids, int64 n)
{
	return construct_array(ids, (int) n, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR);
}

static int
compare_by_shard(const void *a, const void *b, void *nspoid)
{
	const pg_uuid_t *left = DatumGetUUIDP(*(const Datum *) a);
	const pg_uuid_t *right = DatumGetUUIDP(*(const Datum *) b);
	int64 left_shard = rag_shard_of(*(Oid *) nspoid, left);
	int64 right_shard = rag_shard_of(*(Oid *) nspoid, right);

	if (left_shard != right_shard)
		return left_shard < right_shard ? -1 : 1;
	return memcmp(left, right, UUID_LEN);
}

/*
 * Finds the sessions and then locks those of each shard, at most max. Those that changed
 * meanwhile, or are skipped, are left out. Returns how many were found.
 */
static uint64
lock_by_shard(Batch *batch, const RagStatement *statements, Datum *values, char *nulls,
			  bool has_max, int32 max)
{
	uint64 found = rag_execute(&statements[LOOK], batch->nspoid, values, nulls);
	Datum *ids;
	int n;
	int last;

	take_sessions(batch, has_max ? Min(found, (uint64) max) : found);
	ids = batch->ids;
	n = (int) batch->sessions;
	qsort_arg(ids, n, sizeof(Datum), compare_by_shard, &batch->nspoid);
	batch->ids = palloc(sizeof(Datum));
	batch->sessions = 0;
	nulls[3] = ' ';
	for (int first = 0; first < n; first = last)
	{
		const pg_uuid_t *id = DatumGetUUIDP(ids[first]);

		last = first + 1;
		while (last < n && rag_in_one_shard(batch->nspoid, id, DatumGetUUIDP(ids[last])))
			last++;
		values[3] = PointerGetDatum(ids_as_array(ids + first, last - first));
		take_sessions(batch,
					  rag_execute(&statements[LOCK_FOUND], batch->nspoid, values, nulls));
	}
	nulls[3] = 'n';
	return found;
}

/*
 * Finds the sessions, at most max (NULL: all), by a statement whose third parameter is
 * the limit. One more than that tells that there are others.
 */
static void
find_sessions(Batch *batch, const RagStatement *statements, Datum *values, char *nulls,
			  bool has_max, int32 max)
{
	bool secured = statements == users_sql && !batch->dry_run &&
		is_secured(batch->nspoid);
	uint64 found;
	bool kept;

	values[2] = Int64GetDatum((int64) max + 1);
	nulls[2] = has_max ? ' ' : 'n';
	if (!batch->dry_run && rag_is_distributed(batch->nspoid))
	{
		found = lock_by_shard(batch, statements, values, nulls, has_max, max);
		kept = (uint64) batch->sessions < (has_max ? Min(found, (uint64) max) : found);
	}
	else
	{
		uint64 seen =
			secured ? rag_execute(&statements[LOOK], batch->nspoid, values, nulls) : 0;

		found = rag_execute(&statements[batch->dry_run ? LOOK : LOOK_AND_LOCK],
							batch->nspoid, values, nulls);
		take_sessions(batch, found);
		kept = found < seen;
	}
	if (secured && kept)
		error_kept(batch->nspoid);
	batch->more = has_max && found > (uint64) max;
	batch->sessions = batch->more ? Min(batch->sessions, max) : batch->sessions;
}

static int64
count(const RagStatement *statement, Oid nspoid, const Datum *values, const char *nulls)
{
	bool isnull;

	rag_execute(statement, nspoid, values, nulls);
	return DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1,
									   &isnull));
}

static bool
has_own_delete_trigger(const TriggerDesc *triggers)
{
	for (int i = 0; triggers && i < triggers->numtriggers; i++)
	{
		const Trigger *trigger = &triggers->triggers[i];

		if (TRIGGER_FOR_DELETE(trigger->tgtype) &&
			RI_FKey_trigger_type(trigger->tgfoid) == RI_TRIGGER_NONE)
			return true;
	}
	return false;
}

/*
 * Deleting all messages in one statement costs half of what the foreign key's trigger
 * takes for each session. But where something of the user's could see that, or keep a
 * session, it must find the messages there.
 */
static bool
may_delete_messages_first(Oid nspoid)
{
	Relation sessions = rag_open_table("sessions", nspoid, RowExclusiveLock);
	Relation messages = rag_open_table("messages", nspoid, RowExclusiveLock);
	bool result = rag_table_obstacle(sessions) == NULL &&
		!has_own_delete_trigger(sessions->trigdesc) &&
		rag_caller_obstacle(sessions, ACL_DELETE) == NULL &&
		rag_caller_obstacle(messages, ACL_DELETE) == NULL;

	table_close(messages, NoLock);
	table_close(sessions, NoLock);
	return result;
}

pg_noreturn static void
error_message_left(Oid nspoid)
{
	ereport(ERROR,
			(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
			 errmsg("not all messages were deleted from table \"%s\"", "messages"),
			 errdetail("A trigger or a rule on the table kept a row, or the foreign key on the session does not delete them."),
			 rag_errtable(nspoid, "messages", NULL, NULL)));
}

/*
 * Deletes by statements what there is, and returns the number of sessions. A message that
 * outlives its session would be there for ever.
 */
static int64
delete_by_statements(Batch *batch, const Datum *ids)
{
	int64 sessions;

	if (may_delete_messages_first(batch->nspoid))
		batch->messages += rag_execute(&delete_messages_sql, batch->nspoid, ids, NULL);
	else
		batch->messages += count(&count_messages_sql, batch->nspoid, ids, NULL);
	sessions = (int64) rag_execute(&delete_sessions_sql, batch->nspoid, ids, NULL);
	if (sessions == batch->sessions &&
		rag_execute(&find_message_sql, batch->nspoid, ids, NULL) > 0)
		error_message_left(batch->nspoid);
	return sessions;
}

static void
delete_sessions(Batch *batch)
{
	Datum ids = PointerGetDatum(ids_as_array(batch->ids, batch->sessions));
	int64 deleted = 0;

	if (batch->sessions == 0)
		return;
	if (batch->dry_run)
		batch->messages = count(&count_messages_sql, batch->nspoid, &ids, NULL);
	else if (!rag_delete_sessions_directly(batch->nspoid, batch->ids,
										   (int) batch->sessions, &deleted,
										   &batch->messages))
		deleted += delete_by_statements(batch, &ids);
	if (!batch->dry_run && deleted < batch->sessions)
		error_kept(batch->nspoid);
}

/* Returns one row, whose third column differs between the functions. */
static void
return_batch(FunctionCallInfo fcinfo, const Batch *batch, Datum third, bool third_null)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Datum values[] = {Int64GetDatum(batch->sessions), Int64GetDatum(batch->messages),
					  third, BoolGetDatum(batch->more)};
	bool nulls[] = {false, false, third_null, false};

	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/* ------------------------------------------------------------------------
 *		rag_expire_sessions()
 * ------------------------------------------------------------------------
 */

static void
check_older_than(FunctionCallInfo fcinfo)
{
	Datum now = TimestampGetDatum(rag_transaction_time());
	Interval zero = {0};

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("older_than must not be null")));
	if (DatumGetInt32(DirectFunctionCall2(interval_cmp, PG_GETARG_DATUM(0),
										  IntervalPGetDatum(&zero))) <= 0 ||
		DatumGetTimestamp(DirectFunctionCall2(timestamp_mi_interval, now,
											  PG_GETARG_DATUM(0))) >=
			DatumGetTimestamp(now))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("older_than must be greater than zero"),
				 errhint("Give the time without activity after which a session expires, such as '90 days'.")));
}

/*
 * rag_expire_sessions(older_than interval, max_sessions integer DEFAULT 1000,
 *					   keep jsonb DEFAULT NULL, dry_run boolean DEFAULT false)
 *		returns table (sessions bigint, messages bigint, oldest timestamp, more boolean)
 *
 * Deletes at most max_sessions (NULL: all) sessions whose updated_at, and created_at, is
 * longer ago than older_than, with their messages, those that were created first before
 * others. Kept are sessions whose metadata contains the object keep, or one of an array,
 * and sessions that somebody is writing to. Returns one row: how many sessions and
 * messages were deleted, the first updated_at of these sessions, and whether there are
 * more of them. With dry_run nothing is deleted.
 *
 * Errors: 22004 older_than is NULL; 22023 it is not greater than zero, max_sessions is
 * negative, or keep is no object or empty; 25006 read-only transaction or standby, unless
 * dry_run; 27000 a trigger, a rule or a policy kept a session or a message. Since 1.3.
 */
PG_FUNCTION_INFO_V1(rag_expire_sessions);
Datum
rag_expire_sessions(PG_FUNCTION_ARGS)
{
	Batch batch;
	Datum values[4] = {PG_GETARG_DATUM(0)};
	char nulls[] = "   n";

	check_older_than(fcinfo);
	rag_check_max(fcinfo, 1, "max_sessions");
	values[1] = keep_argument(fcinfo, 2);
	nulls[1] = values[1] == (Datum) 0 ? 'n' : ' ';
	batch = begin_batch(fcinfo, 3, "rag_expire_sessions()");

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	SPI_connect();
	find_sessions(&batch, inactive_sql, values, nulls, !PG_ARGISNULL(1),
				  PG_ARGISNULL(1) ? 0 : PG_GETARG_INT32(1));
	delete_sessions(&batch);
	return_batch(fcinfo, &batch, TimestampGetDatum(batch.oldest), batch.sessions == 0);
	SPI_finish();
	return (Datum) 0;
}

/* ------------------------------------------------------------------------
 *		rag_erase_user()
 * ------------------------------------------------------------------------
 */

/*
 * rag_erase_user(user_id text, keep jsonb DEFAULT NULL,
 *				  max_sessions integer DEFAULT NULL, dry_run boolean DEFAULT false)
 *		returns table (sessions bigint, messages bigint, kept bigint, more boolean)
 *
 * Deletes the sessions of a user with their messages, at most max_sessions (NULL: all).
 * Kept are those whose metadata contains the object keep, or one of an array. Waits for
 * whoever is writing to a session. From 1.4 on, what the user judged elsewhere as a rater
 * is deleted as well, and the user's numbers in rag_usage_daily become nobody's. Returns
 * one row: how many sessions and messages were deleted, how many sessions are kept, which
 * still have the user_id, and whether there are more to be deleted. With dry_run nothing
 * is deleted.
 *
 * Errors: 22004 user_id is NULL; 22023 max_sessions is negative, or keep is no object or
 * empty; 25006 read-only transaction or standby, unless dry_run; 27000 a trigger, a rule
 * or a policy kept a session or a message. Since 1.3.
 */
PG_FUNCTION_INFO_V1(rag_erase_user);
Datum
rag_erase_user(PG_FUNCTION_ARGS)
{
	Batch batch;
	Datum values[4] = {PG_GETARG_DATUM(0)};
	char nulls[] = "   n";
	bool distributed = rag_is_distributed(rag_namespace(fcinfo));
	bool judged = false;
	int64 kept;

	if (PG_ARGISNULL(0))
		rag_error_null(rag_namespace(fcinfo), "sessions", "user_id", 0);
	rag_check_max(fcinfo, 2, "max_sessions");
	values[1] = keep_argument(fcinfo, 1);
	nulls[1] = values[1] == (Datum) 0 ? 'n' : ' ';
	batch = begin_batch(fcinfo, 3, "rag_erase_user()");
	if (!batch.dry_run)
	{
		rag_require_coordinator("rag_erase_user()", batch.nspoid);
		rag_lock_usage(batch.nspoid);
	}

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	SPI_connect();
	find_sessions(&batch, users_sql, values, nulls, !PG_ARGISNULL(2),
				  PG_ARGISNULL(2) ? 0 : PG_GETARG_INT32(2));
	/* Before anything is deleted, on several machines: see base/as_owner.h. */
	if (!batch.dry_run && distributed)
	{
		ArrayType *sessions = ids_as_array(batch.ids, batch.sessions);

		judged = rag_has_judged(values[0], values[1], sessions, batch.nspoid);
	}
	delete_sessions(&batch);
	if (!batch.dry_run && !distributed)
		judged = rag_has_judged(values[0], values[1], NULL, batch.nspoid);
	if (judged)
		rag_erase_rater(values[0], values[1], batch.nspoid);
	if (!batch.dry_run)
		rag_erase_usage(values[0], batch.nspoid);
	kept = count(&count_kept_sql, batch.nspoid, values, nulls);
	return_batch(fcinfo, &batch, Int64GetDatum(kept), false);
	SPI_finish();
	return (Datum) 0;
}
