/*
 * message.c
 *		A message on its way into the table, and adding one to a session.
 */
#include "compat.h"

#include <math.h>

#include "catalog/pg_collation_d.h"
#include "catalog/pg_type_d.h"
#include "commands/sequence.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "bulk_direct.h"
#include "error.h"
#include "message.h"
#include "metadata.h"
#include "plan.h"
#include "role.h"
#include "session.h"

#define MAX_KEY_BYTES 255

#define BY_REFERENCE(align) -1, false, (align)
#define BY_VALUE(len, align) (len), true, (align)

const RagColumnInfo rag_columns[RAG_NCOLUMNS] = {
	[COL_ID] = {"id", INT8OID, INT8ARRAYOID, BY_VALUE(8, TYPALIGN_DOUBLE)},
	[COL_SESSION_ID] = {"session_id", UUIDOID, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR},
	[COL_ROLE] = {"role", TEXTOID, TEXTARRAYOID, BY_REFERENCE(TYPALIGN_INT)},
	[COL_CONTENT] = {"content", TEXTOID, TEXTARRAYOID, BY_REFERENCE(TYPALIGN_INT)},
	[COL_SOURCES] = {"sources", JSONBOID, JSONBARRAYOID, BY_REFERENCE(TYPALIGN_INT)},
	[COL_LATENCY_MS] = {"latency_ms", FLOAT8OID, FLOAT8ARRAYOID, BY_VALUE(8, TYPALIGN_DOUBLE)},
	[COL_TOP_K] = {"top_k", INT4OID, INT4ARRAYOID, BY_VALUE(4, TYPALIGN_INT)},
	[COL_QUERY_TYPE] = {"query_type", TEXTOID, TEXTARRAYOID, BY_REFERENCE(TYPALIGN_INT)},
	[COL_TOKEN_COUNT] = {"token_count", INT4OID, INT4ARRAYOID, BY_VALUE(4, TYPALIGN_INT)},
	[COL_METADATA] = {"metadata", JSONBOID, JSONBARRAYOID, BY_REFERENCE(TYPALIGN_INT)},
	[COL_IDEMPOTENCY_KEY] = {"idempotency_key", TEXTOID, TEXTARRAYOID, BY_REFERENCE(TYPALIGN_INT)},
	[COL_CREATED_AT] = {"created_at", TIMESTAMPOID, TIMESTAMPARRAYOID, BY_VALUE(8, TYPALIGN_DOUBLE)},
};

/* ------------------------------------------------------------------------
 *		What a value must be like
 * ------------------------------------------------------------------------
 */

static void
check_latency(const RagMessage *message, Oid nspoid)
{
	double latency_ms = DatumGetFloat8(message->values[COL_LATENCY_MS]);

	if (isfinite(latency_ms) && latency_ms >= 0)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			 errmsg("%slatency_ms is out of range: %g",
					rag_element(message->element), latency_ms),
			 errdetail("A latency is a finite number of milliseconds, zero or more."),
			 rag_errtable(nspoid, "messages", "latency_ms", NULL)));
}

static void
check_not_negative(const RagMessage *message, RagColumn col, Oid nspoid,
				   const char *detail)
{
	int32 value = DatumGetInt32(message->values[col]);

	if (message->isnull[col] || value >= 0)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			 errmsg("%s%s is out of range: %d", rag_element(message->element),
					rag_columns[col].name, value),
			 errdetail_internal("%s", detail),
			 rag_errtable(nspoid, "messages", rag_columns[col].name, NULL)));
}

static void
check_idempotency_key(const RagMessage *message, Oid nspoid)
{
	Size len = VARSIZE_ANY_EXHDR(DatumGetTextPP(message->values[COL_IDEMPOTENCY_KEY]));

	if (len > 0 && len <= MAX_KEY_BYTES)
		return;
	ereport(ERROR,
			(errcode(len == 0 ? ERRCODE_INVALID_PARAMETER_VALUE :
								ERRCODE_STRING_DATA_RIGHT_TRUNCATION),
			 errmsg(len == 0 ? "%sidempotency_key is empty" : "%sidempotency_key is too long",
					rag_element(message->element)),
			 errdetail("A key has from 1 to %d bytes.", MAX_KEY_BYTES),
			 rag_errtable(nspoid, "messages", "idempotency_key", NULL)));
}

void
rag_check_message(const RagMessage *message, Oid nspoid)
{
	static const RagColumn required[] = {COL_SESSION_ID, COL_ROLE, COL_CONTENT};

	for (int i = 0; i < (int) lengthof(required); i++)
	{
		if (message->isnull[required[i]])
			rag_error_null(nspoid, "messages", rag_columns[required[i]].name,
						   message->element);
	}
	rag_check_role(DatumGetTextPP(message->values[COL_ROLE]), nspoid,
				   message->element);
	rag_check_values(message, nspoid);
}

void
rag_check_values(const RagMessage *message, Oid nspoid)
{
	if (!message->isnull[COL_LATENCY_MS])
		check_latency(message, nspoid);
	check_not_negative(message, COL_TOP_K, nspoid,
					   "The number of sources asked for is zero or more.");
	check_not_negative(message, COL_TOKEN_COUNT, nspoid,
					   "The number of tokens is zero or more.");
	if (!message->isnull[COL_METADATA])
		rag_check_metadata(DatumGetJsonbP(message->values[COL_METADATA]), nspoid,
						   "messages", message->element);
	if (!message->isnull[COL_IDEMPOTENCY_KEY])
		check_idempotency_key(message, nspoid);
}

void
rag_clear_message(RagMessage *message)
{
	memset(message, 0, sizeof(RagMessage));
	memset(message->isnull, true, sizeof(message->isnull));
}

int
rag_optional_columns(const RagMessage *message)
{
	int mask = 0;

	for (int col = COL_FIRST_OPTIONAL; col < RAG_NCOLUMNS; col++)
	{
		if (!message->isnull[col])
			mask |= RAG_COLUMN_BIT(col);
	}
	return mask;
}

void
rag_check_columns(int optional, Oid nspoid)
{
	Oid messages = optional == 0 ? InvalidOid : rag_relation("messages", nspoid);

	for (int col = COL_FIRST_OPTIONAL; col < RAG_NCOLUMNS; col++)
	{
		const char *name = rag_columns[col].name;

		if ((optional & RAG_COLUMN_BIT(col)) == 0 ||
			get_attnum(messages, name) != InvalidAttrNumber)
			continue;
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("%s needs rag_events 1.1 or later", name),
				 errhint("Run ALTER EXTENSION rag_events UPDATE, or leave %s out.",
						 name)));
	}
}

/* ------------------------------------------------------------------------
 *		Writing
 * ------------------------------------------------------------------------
 */

/*
 * For one message:   INSERT INTO messages (...) VALUES ($1, ...)
 * for many messages: INSERT INTO messages (...)
 *					  SELECT $2, u.* FROM ROWS FROM (unnest($1), ...) AS u
 */
static char *
insert_sql(bool many, int optional)
{
	StringInfoData names;
	StringInfoData params;

	initStringInfo(&names);
	initStringInfo(&params);
	for (int col = 0; col < RAG_NCOLUMNS; col++)
	{
		if (col == COL_SESSION_ID ||
			(col >= COL_FIRST_OPTIONAL && (optional & RAG_COLUMN_BIT(col)) == 0))
			continue;
		appendStringInfo(&names, ", %s", rag_columns[col].name);
		appendStringInfo(&params, many ? "%spg_catalog.unnest($%d)" : "%s$%d",
						 params.len > 0 ? ", " : "", col + 1);
	}
	return psprintf(many ? "INSERT INTO %%1$s.messages (session_id%s)"
						   " SELECT $%d, u.* FROM ROWS FROM (%s) AS u" :
						   "INSERT INTO %%1$s.messages (session_id%s)"
						   " VALUES ($%d, %s)",
					names.data, COL_SESSION_ID + 1, params.data);
}

const RagStatement *
rag_insert_statement(bool many, int optional)
{
	static RagStatement statements[2][1 << RAG_NOPTIONAL];
	RagStatement *statement = &statements[many][optional];

	if (statement->sql == NULL)
	{
		statement->nargs = RAG_NCOLUMNS;
		for (int col = 0; col < RAG_NCOLUMNS; col++)
			statement->argtypes[col] = many ? rag_columns[col].array_type :
											  rag_columns[col].type;
		statement->sql = MemoryContextStrdup(TopMemoryContext,
											 insert_sql(many, optional));
	}
	return statement;
}

void
rag_draw_ids(RagMessage **messages, int n, Oid nspoid)
{
	Oid sequence = rag_relation("messages_id_seq", nspoid);

	for (int i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		messages[i]->values[COL_ID] = Int64GetDatum(nextval_internal(sequence, true));
		messages[i]->isnull[COL_ID] = false;
	}
}

static void
insert_message(const RagMessage *message, Oid nspoid)
{
	char nulls[RAG_NCOLUMNS];

	for (int col = 0; col < RAG_NCOLUMNS; col++)
		nulls[col] = message->isnull[col] ? 'n' : ' ';
	if (rag_execute(rag_insert_statement(false, rag_optional_columns(message)),
					nspoid, message->values, nulls) == 0)
		rag_error_discarded(nspoid, "messages");
}

/* ------------------------------------------------------------------------
 *		Idempotency keys
 * ------------------------------------------------------------------------
 */

/*
 * One look into the unique index for each key. (With "= ANY (keys)" the planner takes
 * the keys for a filter, and reads the whole session.) The OR is never evaluated: the
 * unique index is partial, and its predicate implies the condition. With any other
 * index it would be a filter, and so expensive a one (to_tsvector() costs 100) that
 * the planner does not choose that index where it expects a single row from either.
 */
static const RagStatement find_keys = {
	"SELECT m.* FROM pg_catalog.unnest($2) AS k (key), LATERAL"
	" (SELECT id::pg_catalog.int8, role::pg_catalog.text, content::pg_catalog.text,"
	" idempotency_key::pg_catalog.text"
	" FROM %1$s.messages WHERE session_id OPERATOR(pg_catalog.=) $1"
	" AND idempotency_key OPERATOR(pg_catalog.=) k.key"
	" AND idempotency_key IS NOT NULL"
	" AND (idempotency_key IS NOT NULL"
	" OR pg_catalog.to_tsvector('pg_catalog.simple', idempotency_key) IS NULL)"
	" OFFSET 0) AS m",
	2,
	{UUIDOID, TEXTARRAYOID}};

/* b may be a null of a row, (Datum) 0, which is equal to nothing. */
static bool
text_equal(Datum a, Datum b)
{
	return DatumGetPointer(b) != NULL &&
		DatumGetBool(DirectFunctionCall2Coll(texteq, C_COLLATION_OID, a, b));
}

/* An idempotency key, and the first of the messages that has it. */
typedef struct KeyEntry
{
	char key[MAX_KEY_BYTES + 1]; /* hash key */
	RagMessage *first;
} KeyEntry;

static HTAB *
create_key_table(int n)
{
	HASHCTL ctl = {.keysize = MAX_KEY_BYTES + 1,
				   .entrysize = sizeof(KeyEntry),
				   .hcxt = CurrentMemoryContext};

	return hash_create("rag_events idempotency keys", n, &ctl,
					   HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
}

/* A repeated message must be the same; otherwise its key is used by mistake. */
static void
check_same(const RagMessage *message, Datum role, Datum content, Oid nspoid)
{
	if (text_equal(message->values[COL_ROLE], role) &&
		text_equal(message->values[COL_CONTENT], content))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_UNIQUE_VIOLATION),
			 errmsg("%sidempotency_key was used for another message of the session",
					rag_element(message->element)),
			 errdetail("The message with this key has another role or content."),
			 errhint("Use a new key for each new message, and the same only to repeat one."),
			 rag_errtable(nspoid, "messages", "idempotency_key",
						  "uq_messages_idempotency_key")));
}

/*
 * Enters the messages' keys in the table, and their first messages' too. Returns
 * the keys as an array.
 */
static ArrayType *
collect_keys(HTAB *keys, RagMessage *messages, int n, Oid nspoid)
{
	Datum *datums = palloc(sizeof(Datum) * n);
	int nkeys = 0;

	for (int i = 0; i < n; i++)
	{
		RagMessage *message = &messages[i];
		Datum key = message->values[COL_IDEMPOTENCY_KEY];
		KeyEntry *entry;
		bool found;

		if (message->isnull[COL_IDEMPOTENCY_KEY])
			continue;
		entry = hash_search(keys, TextDatumGetCString(key), HASH_ENTER, &found);
		if (found)
		{
			check_same(message, entry->first->values[COL_ROLE],
					   entry->first->values[COL_CONTENT], nspoid);
			message->repeats = entry->first;
		}
		else
		{
			entry->first = message;
			datums[nkeys++] = key;
		}
	}
	return construct_array(datums, nkeys, TEXTOID, -1, false, TYPALIGN_INT);
}

void
rag_find_repeated(RagMessage *messages, int n, Oid nspoid)
{
	HTAB *keys = create_key_table(n);
	Datum values[] = {messages[0].values[COL_SESSION_ID],
					  PointerGetDatum(collect_keys(keys, messages, n, nspoid))};
	uint64 nfound = rag_execute(&find_keys, nspoid, values, NULL);

	for (uint64 i = 0; i < nfound; i++)
	{
		HeapTuple row = SPI_tuptable->vals[i];
		TupleDesc desc = SPI_tuptable->tupdesc;
		bool isnull;
		Datum key = SPI_getbinval(row, desc, 4, &isnull);
		KeyEntry *entry = hash_search(keys, TextDatumGetCString(key), HASH_FIND, NULL);

		if (entry == NULL)
			continue; /* equal to a key in the column's collation only */
		check_same(entry->first, SPI_getbinval(row, desc, 2, &isnull),
				   SPI_getbinval(row, desc, 3, &isnull), nspoid);
		entry->first->values[COL_ID] = SPI_getbinval(row, desc, 1, &isnull);
		entry->first->isnull[COL_ID] = false;
	}
	hash_destroy(keys);
}

/* ------------------------------------------------------------------------
 *		rag_add_message()
 * ------------------------------------------------------------------------
 */

/* The parameters, in the order of the signature. */
enum
{
	ARG_SESSION_ID,
	ARG_ROLE,
	ARG_CONTENT,
	ARG_SOURCES,
	ARG_LATENCY_MS,
	ARG_TOP_K,
	ARG_QUERY_TYPE,
	ARG_USER_ID,
	ARG_TOKEN_COUNT,
	ARG_METADATA,
	ARG_IDEMPOTENCY_KEY
};

static void
message_from_arguments(RagMessage *message, FunctionCallInfo fcinfo)
{
	static const struct
	{
		RagColumn col;
		int arg;
	} arguments[] = {
		{COL_SESSION_ID, ARG_SESSION_ID},
		{COL_ROLE, ARG_ROLE},
		{COL_CONTENT, ARG_CONTENT},
		{COL_SOURCES, ARG_SOURCES},
		{COL_LATENCY_MS, ARG_LATENCY_MS},
		{COL_TOP_K, ARG_TOP_K},
		{COL_QUERY_TYPE, ARG_QUERY_TYPE},
		{COL_TOKEN_COUNT, ARG_TOKEN_COUNT},
		{COL_METADATA, ARG_METADATA},
		{COL_IDEMPOTENCY_KEY, ARG_IDEMPOTENCY_KEY},
	};

	memset(message, 0, sizeof(RagMessage));
	message->isnull[COL_ID] = true;
	message->isnull[COL_CREATED_AT] = true;
	for (int i = 0; i < (int) lengthof(arguments); i++)
	{
		message->values[arguments[i].col] = PG_GETARG_DATUM(arguments[i].arg);
		message->isnull[arguments[i].col] = PG_ARGISNULL(arguments[i].arg);
	}
}

/*
 * Writes the message with the session locked: draws its id only then, so that
 * within a session the order of ids is the order of commits.
 */
static void
add_message(RagMessage *message, const text *user_id, Oid nspoid)
{
	const pg_uuid_t *session_id = DatumGetUUIDP(message->values[COL_SESSION_ID]);

	if (!message->isnull[COL_IDEMPOTENCY_KEY])
	{
		if (!rag_lock_session(nspoid, session_id, user_id))
			rag_error_no_session(nspoid, session_id);
		rag_find_repeated(message, 1, nspoid);
		if (!message->isnull[COL_ID])
			return;
	}
	rag_touch_session(nspoid, session_id, user_id);
	rag_draw_ids(&message, 1, nspoid);
	if (!rag_insert_directly(&message, 1, rag_optional_columns(message), nspoid))
		insert_message(message, nspoid);
}

/*
 * rag_add_message(session_id uuid, role text, content text,
 *				   sources jsonb DEFAULT NULL,
 *				   latency_ms double precision DEFAULT NULL,
 *				   top_k integer DEFAULT NULL, query_type text DEFAULT NULL,
 *				   user_id text DEFAULT NULL, token_count integer DEFAULT NULL,
 *				   metadata jsonb DEFAULT NULL,
 *				   idempotency_key text DEFAULT NULL) returns bigint
 *
 * Adds a message to a session, touches the session (updated_at) and returns the
 * message's id. The session stays locked until commit. latency_ms is in
 * milliseconds, top_k a number of sources, metadata a JSON object; with user_id
 * the session must be that user's. A message whose idempotency_key is already in
 * the session is not written again: its first id is returned.
 *
 * Errors: 22004 session_id, role or content is NULL; 23514 role is not 'user' or
 * 'assistant'; 22003 latency_ms, top_k or token_count out of range; 22023 metadata
 * is no object, or idempotency_key empty; 22001 idempotency_key longer than 255
 * bytes; 23505 idempotency_key was used for another role or content; 0A000
 * token_count, metadata or idempotency_key before version 1.1; 23503 no such
 * session; 25006 read-only transaction or standby; 27000 a trigger or rule
 * discarded the message.
 */
PG_FUNCTION_INFO_V1(rag_add_message);
Datum
rag_add_message(PG_FUNCTION_ARGS)
{
	Oid nspoid = rag_namespace(fcinfo);
	RagMessage message;

	message_from_arguments(&message, fcinfo);
	rag_check_message(&message, nspoid);
	rag_check_columns(rag_optional_columns(&message), nspoid);
	PreventCommandIfReadOnly("rag_add_message()");

	SPI_connect();
	add_message(&message,
				PG_ARGISNULL(ARG_USER_ID) ? NULL : PG_GETARG_TEXT_PP(ARG_USER_ID),
				nspoid);
	SPI_finish();

	PG_RETURN_DATUM(message.values[COL_ID]);
}
