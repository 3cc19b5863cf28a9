/*
 * usage/usage.c
 *		rag_close_days() and rag_open_usage().
 *
 *		All days up to the last one in rag_usage_daily are closed: their rows stay as
 *		they are. Later days are open, and counted when somebody asks.
 */
#include "base/compat.h"

#include "access/xact.h"
#include "catalog/pg_type_d.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/date.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/acl.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "base/as_owner.h"
#include "base/distributed.h"
#include "base/error.h"
#include "base/schema.h"
#include "base/statement.h"
#include "session/session.h"
#include "usage/open_writers.h"
#include "usage/usage.h"

#define USAGE_COLUMNS \
	"day, user_id, model, query_type, sessions, questions, answers," \
	" answers_without_sources, input_tokens, output_tokens, latency"

static const char count_messages[] =
	""
#include "usage/count_messages.sql.h"
	;

static const char close_days_text[] =
	"WITH closed AS (INSERT INTO @extschema@.rag_usage_daily (" USAGE_COLUMNS ") "
#include "usage/count_messages.sql.h"
	" RETURNING day) SELECT pg_catalog.count(DISTINCT day)::pg_catalog.int4 FROM closed";

/* ------------------------------------------------------------------------
 *		Days
 * ------------------------------------------------------------------------
 */

static DateADT
today(void)
{
	Datum now = TimestampGetDatum(rag_transaction_time());

	return DatumGetDateADT(DirectFunctionCall1(timestamp_date, now));
}

/* Midnight at the beginning of the day, or some days later. */
static Datum
begin_of(DateADT day, int32 later)
{
	if (!DATE_NOT_FINITE(day))
		day = DatumGetDateADT(DirectFunctionCall2(date_pli, DateADTGetDatum(day),
												  Int32GetDatum(later)));
	return DirectFunctionCall1(date_timestamp, DateADTGetDatum(day));
}

/*
 * The last closed day; -infinity if there is none. It is the same for everybody, whatever
 * rows of the table he may see.
 */
static DateADT
last_closed_day(Oid nspoid, bool read_only)
{
	static const RagStatement last_sql = {
		"SELECT day FROM @extschema@.rag_usage_daily ORDER BY day DESC LIMIT 1",
		0,
		{InvalidOid}};
	Oid table = rag_relation("rag_usage_daily", nspoid);
	uint64 found = read_only ? rag_query_as_owner(table, &last_sql, nspoid, NULL, NULL) :
							   rag_execute_as_owner(table, &last_sql, nspoid, NULL, NULL);
	bool isnull;

	if (found == 0)
		return DATEVAL_NOBEGIN;
	return DatumGetDateADT(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1,
										 &isnull));
}

/* ------------------------------------------------------------------------
 *		rag_close_days()
 * ------------------------------------------------------------------------
 */

/*
 * Nobody waits for a caller who has no rights; and what was hidden from him would never
 * be counted.
 */
static void
require_all_rows(const char *table, AclMode rights, Oid nspoid)
{
	Oid relid = rag_relation(table, nspoid);
	AclResult result = pg_class_aclcheck(relid, GetUserId(), rights);

	if (result != ACLCHECK_OK)
		aclcheck_error(result, OBJECT_TABLE, table);
	if (check_enable_rls(relid, InvalidOid, true) == RLS_ENABLED)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("row security on table \"%s\" would hide rows from the count", table),
				 errhint("Let days be closed by the owner of the tables or a role that has BYPASSRLS."),
				 rag_errtable(nspoid, table, NULL, NULL)));
}

/*
 * After the wait for another call, and for writers, one must see what they did.
 */
static void
require_read_committed(void)
{
	if (IsolationUsesXactSnapshot())
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("days cannot be closed in a transaction that sees one snapshot throughout"),
				 errhint("Call rag_close_days() with the isolation level READ COMMITTED.")));
}

static DateADT
day_argument(FunctionCallInfo fcinfo)
{
	DateADT now = today();
	DateADT day = PG_ARGISNULL(0) ? now - 1 : PG_GETARG_DATEADT(0);

	if (day >= now)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a day can be closed when it is over"),
				 errdetail("The last day that can be closed is yesterday, in the TimeZone of the caller."),
				 errhint("NULL is yesterday. rag_usage() counts today without it.")));
	return day;
}

/*
 * Messages are sorted and grouped, days or years of them, but only once and by one
 * backend at a time: with the memory that building an index has.
 */
static void
allow_maintenance_memory(void)
{
	char memory[32];

	snprintf(memory, sizeof(memory), "%dkB", Max(work_mem, maintenance_work_mem));
	(void) set_config_option("work_mem", memory, PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
}

static int32
close_days(DateADT from, DateADT upto, Oid nspoid)
{
	static const RagStatement close_sql = {close_days_text,
										   2,
										   {TIMESTAMPOID, TIMESTAMPOID}};
	Datum values[] = {begin_of(from, 1), begin_of(upto, 1)};
	int nestlevel = NewGUCNestLevel();
	bool isnull;

	allow_maintenance_memory();
	rag_execute_once(&close_sql, nspoid, values, NULL);
	AtEOXact_GUC(true, nestlevel);
	return DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1,
									   &isnull));
}

/*
 * A day without messages is closed by a row of zeros: what is added to it later does not
 * count. Those before it need none.
 */
static void
mark_closed(DateADT upto, Oid nspoid)
{
	static const RagStatement mark_sql = {
		"INSERT INTO @extschema@.rag_usage_daily (day, sessions, questions, answers,"
		" answers_without_sources, input_tokens, output_tokens)"
		" SELECT $1, 0, 0, 0, 0, 0, 0 WHERE NOT EXISTS (SELECT"
		" FROM @extschema@.rag_usage_daily WHERE day OPERATOR(pg_catalog.=) $1)",
		1,
		{DATEOID}};
	Datum day = DateADTGetDatum(upto);

	rag_execute(&mark_sql, nspoid, &day, NULL);
}

/*
 * rag_close_days(upto date DEFAULT NULL) returns integer
 *
 * Counts the messages of all days that are not closed yet, up to this one (NULL:
 * yesterday), and keeps the numbers in rag_usage_daily. Returns how many of these days
 * had messages. A day is counted once: what is deleted, expired or erased later stays in
 * the numbers, and what is added later to a closed day does not get into them.
 *
 * Waits for another call, and for transactions that have written messages and are open;
 * nobody waits for it but those who erase users.
 *
 * Errors: 08006 another node does not answer; 22023 the day is not over; 25001 not READ
 * COMMITTED; 25006 read-only transaction or standby; 42501 row security applies to the
 * caller; 55000 the tables are distributed, and this is not the coordinator. Since 1.4.
 */
PG_FUNCTION_INFO_V1(rag_close_days);
Datum
rag_close_days(PG_FUNCTION_ARGS)
{
	Oid nspoid = rag_namespace(fcinfo);
	DateADT upto = day_argument(fcinfo);
	DateADT closed;
	int32 n = 0;

	rag_check_may_write("rag_close_days()");
	rag_require_coordinator("rag_close_days()", nspoid);
	require_read_committed();
	require_all_rows("sessions", ACL_SELECT, nspoid);
	require_all_rows("messages", ACL_SELECT, nspoid);
	require_all_rows("rag_usage_daily", ACL_SELECT, nspoid);
	require_all_rows("rag_usage_daily", ACL_INSERT, nspoid);
	rag_lock_relation("rag_usage_daily", nspoid, ShareRowExclusiveLock);
	rag_wait_for_open_writers(nspoid);

	SPI_connect();
	closed = last_closed_day(nspoid, false);
	if (closed < upto)
	{
		n = close_days(closed, upto, nspoid);
		mark_closed(upto, nspoid);
	}
	SPI_finish();
	PG_RETURN_INT32(n);
}

/* ------------------------------------------------------------------------
 *		rag_open_usage()
 * ------------------------------------------------------------------------
 */

static void
return_open_days(FunctionCallInfo fcinfo, DateADT from, DateADT to, Oid nspoid)
{
	static const RagStatement open_sql = {count_messages,
										  2,
										  {TIMESTAMPOID, TIMESTAMPOID}};
	Datum values[] = {begin_of(from, 0), begin_of(to, 1)};

	rag_return_rows_once(fcinfo, &open_sql, nspoid, values, NULL);
}

/*
 * rag_open_usage(from_day date, to_day date)
 *		returns table (day date, user_id text, model text, query_type text,
 *					   sessions bigint, questions bigint, answers bigint,
 *					   answers_without_sources bigint, input_tokens bigint,
 *					   output_tokens bigint, latency integer[])
 *
 * Counts the usage of the days that are not closed, from one day to another (NULL: no
 * limit), both included. It is the part of rag_usage() that is not a query of
 * rag_usage_daily.
 *
 * Errors: 22008 a day beyond the times that PostgreSQL knows; 55000 the tables are
 * distributed, and this is not the coordinator. Since 1.4.
 */
PG_FUNCTION_INFO_V1(rag_open_usage);
Datum
rag_open_usage(PG_FUNCTION_ARGS)
{
	Oid nspoid = rag_namespace(fcinfo);
	DateADT from = PG_ARGISNULL(0) ? DATEVAL_NOBEGIN : PG_GETARG_DATEADT(0);
	DateADT to = PG_ARGISNULL(1) ? DATEVAL_NOEND : PG_GETARG_DATEADT(1);
	DateADT closed;

	rag_require_coordinator("rag_usage()", nspoid);
	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	SPI_connect();
	closed = last_closed_day(nspoid, true);
	if (!DATE_NOT_FINITE(closed))
		from = Max(from, closed + 1);
	if (from <= to && closed < to)
		return_open_days(fcinfo, from, to, nspoid);
	SPI_finish();
	return (Datum) 0;
}

/* ------------------------------------------------------------------------
 *		Erasing
 * ------------------------------------------------------------------------
 */

static Oid
usage_table(Oid nspoid)
{
	return rag_optional_table("rag_usage_daily", nspoid);
}

void
rag_lock_usage(Oid nspoid)
{
	if (OidIsValid(usage_table(nspoid)))
		rag_lock_relation("rag_usage_daily", nspoid, RowExclusiveLock);
}

/*
 * Is anything kept of the user? Looks with the newest snapshot: a transaction may have
 * another that is older than the lock which rag_lock_usage() waited for.
 */
static bool
has_usage(Oid table, Datum user_id, Oid nspoid)
{
	static const RagStatement look_sql = {
		"SELECT FROM @extschema@.rag_usage_daily WHERE user_id OPERATOR(pg_catalog.=) $1 LIMIT 1",
		1,
		{TEXTOID}};
	bool found;

	CommandCounterIncrement();
	PushActiveSnapshot(GetLatestSnapshot());
	found = rag_query_as_owner(table, &look_sql, nspoid, &user_id, NULL) > 0;
	PopActiveSnapshot();
	return found;
}

void
rag_erase_usage(Datum user_id, Oid nspoid)
{
	static const RagStatement erase_sql = {
		"UPDATE @extschema@.rag_usage_daily SET user_id = NULL WHERE user_id OPERATOR(pg_catalog.=) $1",
		1,
		{TEXTOID}};
	Oid table = usage_table(nspoid);

	if (!OidIsValid(table) || !has_usage(table, user_id, nspoid))
		return;
	rag_execute(&erase_sql, nspoid, &user_id, NULL);
	if (IsolationUsesXactSnapshot() && has_usage(table, user_id, nspoid))
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("could not serialize access, as days were closed meanwhile"),
				 errhint("The transaction might succeed if retried.")));
}
