/*
 * write/insert.c
 *		Storing the rows of new messages.
 *
 *		Where an ordinary INSERT would do no more than to store them, insert_direct.c
 *		stores the rows, as COPY does. Everywhere else it is an INSERT, of one message
 *		or of a batch of them. The result is the same.
 */
#include "base/compat.h"

#include "access/table.h"
#include "access/xact.h"
#include "executor/spi.h"
#include "utils/array.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "base/distributed.h"
#include "base/error.h"
#include "base/statement.h"
#include "cluster/ids.h"
#include "message/message.h"
#include "message/newest_messages.h"
#include "write/insert.h"
#include "write/insert_direct.h"
#include "write/insert_facts.h"

/* The most that one INSERT stores: rows, and bytes of text and JSON. */
#define BATCH_ROWS 1000
#define BATCH_BYTES (16 * 1024 * 1024)

static bool
take_id(const Datum *values, const bool *isnull pg_attribute_unused(), void *arg)
{
	*(int64 *) arg = DatumGetInt64(values[0]);
	return false;
}

/* The id of the newest message that the session has, whoever has just stored it; or 0. */
static int64
last_id(Oid nspoid, const pg_uuid_t *session_id)
{
	static RagNewest newest = {.n = 1, .columns = {COL_ID}};
	RagScan all = {.session_id = session_id,
				   .after = true,
				   .id = PG_INT64_MIN,
				   .inclusive = true,
				   .direction = BackwardScanDirection};
	int64 id = 0;

	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	rag_read_newest(nspoid, &all, 1, &newest, take_id, &id);
	PopActiveSnapshot();
	return id;
}

void
rag_draw_ids(RagMessage **messages, int n, Oid nspoid, const pg_uuid_t *session_id)
{
	RagIds ids = rag_begin_ids(nspoid);

	if (ids.distributed && session_id)
		ids.last = last_id(nspoid, session_id);
	for (int i = 0; i < n; i++)
	{
		messages[i]->values[COL_ID] = Int64GetDatum(rag_next_id(&ids));
		messages[i]->isnull[COL_ID] = false;
	}
}

/*
 * For one message:   INSERT INTO messages (...) VALUES ($1, ...)
 * for many messages: INSERT INTO messages (...)
 *					  SELECT $2, u.* FROM ROWS FROM (unnest($1), ...) AS u
 */
static char *
insert_sql(bool many, int given)
{
	StringInfoData names;
	StringInfoData params;

	initStringInfo(&names);
	initStringInfo(&params);
	for (int col = 0; col < RAG_NCOLUMNS; col++)
	{
		if (col == COL_SESSION_ID ||
			(col >= COL_FIRST_OPTIONAL && (given & RAG_COLUMN_BIT(col)) == 0))
			continue;
		appendStringInfo(&names, ", %s", rag_columns[col].name);
		appendStringInfo(&params, many ? "%spg_catalog.unnest($%d)" : "%s$%d",
						 params.len > 0 ? ", " : "", col + 1);
	}
	return psprintf(many ? RAG_OF_SESSION "INSERT INTO @extschema@.messages (session_id%s)"
										  " SELECT $%d, u.* FROM ROWS FROM (%s) AS u" :
						   RAG_OF_SESSION "INSERT INTO @extschema@.messages (session_id%s)"
										  " VALUES ($%d, %s)",
					names.data, COL_SESSION_ID + 1, params.data);
}

/*
 * The INSERT of one message, or of many, that names the optional columns of the mask.
 * Its parameters are the values of all columns, in their order; for many messages
 * they are arrays, except session_id.
 */
static const RagStatement *
insert_statement(bool many, int given)
{
	static RagStatement statements[2][1 << RAG_NOPTIONAL];
	RagStatement *statement = &statements[many][given];

	if (statement->sql == NULL)
	{
		statement->nargs = RAG_NCOLUMNS;
		for (int col = 0; col < RAG_NCOLUMNS; col++)
			statement->argtypes[col] = many ? rag_columns[col].array_type :
											  rag_columns[col].type;
		statement->sql = MemoryContextStrdup(TopMemoryContext,
											 insert_sql(many, given));
	}
	return statement;
}

static void
insert_message(const RagMessage *message, int given, Oid nspoid)
{
	if (rag_execute_message(insert_statement(false, given), message, nspoid) == 0)
		rag_error_discarded(nspoid, "messages");
}

/* A column's values of the messages as an array. */
static Datum
column_array(RagMessage **messages, int n, RagColumn col)
{
	const RagColumnInfo *info = &rag_columns[col];
	Datum *values = palloc(sizeof(Datum) * n);
	bool *isnull = palloc(sizeof(bool) * n);
	int lbound = 1;

	for (int i = 0; i < n; i++)
	{
		values[i] = messages[i]->values[col];
		isnull[i] = messages[i]->isnull[col];
	}
	return PointerGetDatum(construct_md_array(values, isnull, 1, &n, &lbound,
											  info->type, info->typlen, info->typbyval,
											  info->typalign));
}

static void
insert_batch(RagMessage **messages, int n, int given, Oid nspoid)
{
	MemoryContext batch = AllocSetContextCreate(CurrentMemoryContext,
												"rag_events batch", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(batch);
	Datum values[RAG_NCOLUMNS];

	for (int col = 0; col < RAG_NCOLUMNS; col++)
	{
		if (col == COL_SESSION_ID)
			values[col] = messages[0]->values[col];
		else
			values[col] = column_array(messages, n, col);
	}
	MemoryContextSwitchTo(old);
	if (rag_execute(insert_statement(true, given), nspoid, values, NULL) <
		(uint64) n)
		rag_error_discarded(nspoid, "messages");
	MemoryContextDelete(batch);
}

static Size
message_bytes(const RagMessage *message)
{
	Size bytes = 0;

	for (int col = 0; col < RAG_NCOLUMNS; col++)
	{
		if (rag_columns[col].typlen == -1 && !message->isnull[col])
			bytes += VARSIZE_ANY(DatumGetPointer(message->values[col]));
	}
	return bytes;
}

static void
insert_in_batches(RagMessage **messages, int n, int given, Oid nspoid)
{
	int first = 0;
	Size bytes = 0;

	if (n == 1)
	{
		insert_message(messages[0], given, nspoid);
		return;
	}
	for (int i = 0; i < n; i++)
	{
		bytes += message_bytes(messages[i]);
		if (i + 1 < n && i + 1 - first < BATCH_ROWS && bytes < BATCH_BYTES)
			continue;
		insert_batch(messages + first, i + 1 - first, given, nspoid);
		first = i + 1;
		bytes = 0;
	}
}

/*
 * A message that lacks a column gets the default of the column, whatever the others
 * have. Where that is not null, those that have the column and those that lack it are
 * inserted apart from each other. How many of the first messages go together, and which
 * columns have they?
 */
static int
count_alike(RagMessage **messages, int n, int null_by_default, int *given)
{
	int count = 1;

	*given = rag_optional_columns(messages[0]);
	for (; count < n; count++)
	{
		int columns = rag_optional_columns(messages[count]);

		if (((columns ^ *given) & ~null_by_default) != 0)
			break;
		*given |= columns;
	}
	return count;
}

static void
insert_by_statements(RagMessage **messages, int n, int null_by_default, Oid nspoid)
{
	int count;

	for (int i = 0; i < n; i += count)
	{
		int given;

		count = count_alike(messages + i, n - i, null_by_default, &given);
		insert_in_batches(messages + i, count, given, nspoid);
	}
}

void
rag_insert_messages(RagMessage **messages, int n, Oid nspoid)
{
	const pg_uuid_t *session_id = DatumGetUUIDP(messages[0]->values[COL_SESSION_ID]);
	Relation rel = rag_open_table_of(session_id, RAG_MESSAGES, nspoid, RowExclusiveLock);
	const RagInsertFacts *facts = rag_insert_facts(rel, session_id, nspoid);
	int null_by_default = facts->null_by_default;
	int given = 0;
	int omitted = 0;
	const char *obstacle;

	for (int i = 0; i < n; i++)
	{
		int columns = rag_optional_columns(messages[i]);

		given |= columns;
		omitted |= RAG_ALL_OPTIONAL & ~columns;
	}
	obstacle = rag_insert_obstacle(rel, facts, given, omitted);
	if (obstacle)
		ereport(DEBUG1, (errmsg_internal("messages are inserted by INSERT because of %s", obstacle)));
	else
	{
		ereport(DEBUG1, (errmsg_internal("messages are inserted directly")));
		rag_insert_directly(rel, facts, messages, n, given);
	}
	table_close(rel, NoLock);
	if (obstacle)
		insert_by_statements(messages, n, null_by_default, nspoid);
}
