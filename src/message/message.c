/*
 * message/message.c
 *		The columns of a message, and the rules that its values must keep.
 */
#include "base/compat.h"

#include <math.h>

#include "catalog/pg_type_d.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"

#include "base/error.h"
#include "base/json.h"
#include "base/metadata.h"
#include "base/schema.h"
#include "base/statement.h"
#include "message/message.h"
#include "message/role.h"

/* The types, as construct_md_array() wants to know them. */
#define TYPE_INT4 INT4OID, INT4ARRAYOID, 4, true, TYPALIGN_INT
#define TYPE_INT8 INT8OID, INT8ARRAYOID, 8, true, TYPALIGN_DOUBLE
#define TYPE_FLOAT8 FLOAT8OID, FLOAT8ARRAYOID, 8, true, TYPALIGN_DOUBLE
#define TYPE_TIMESTAMP TIMESTAMPOID, TIMESTAMPARRAYOID, 8, true, TYPALIGN_DOUBLE
#define TYPE_TEXT TEXTOID, TEXTARRAYOID, -1, false, TYPALIGN_INT
#define TYPE_JSONB JSONBOID, JSONBARRAYOID, -1, false, TYPALIGN_INT

/*
 * session_id is not an array, because all messages of an INSERT are of one session.
 */
#define TYPE_UUID UUIDOID, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR

#define TRAVELS (RAG_IN_JSON | RAG_COPIED | RAG_EXPORTED)

const RagColumnInfo rag_columns[RAG_NCOLUMNS] = {
	[COL_ID] = {"id", TYPE_INT8, 1, RAG_FILLED_IN | RAG_EXPORTED},
	[COL_SESSION_ID] = {"session_id", TYPE_UUID, 0, RAG_REQUIRED},
	[COL_ROLE] = {"role", TYPE_TEXT, 2, RAG_REQUIRED | TRAVELS},
	[COL_CONTENT] = {"content", TYPE_TEXT, 3, RAG_REQUIRED | TRAVELS},
	[COL_SOURCES] = {"sources", TYPE_JSONB, 5, TRAVELS},
	[COL_LATENCY_MS] = {"latency_ms", TYPE_FLOAT8, 6, TRAVELS},
	[COL_TOP_K] = {"top_k", TYPE_INT4, 7, TRAVELS},
	[COL_QUERY_TYPE] = {"query_type", TYPE_TEXT, 8, TRAVELS},
	[COL_TOKEN_COUNT] = {"token_count", TYPE_INT4, 9, TRAVELS},
	[COL_METADATA] = {"metadata", TYPE_JSONB, 10, TRAVELS | RAG_IS_OBJECT},
	[COL_IDEMPOTENCY_KEY] = {"idempotency_key", TYPE_TEXT, 11, RAG_IN_JSON | RAG_EXPORTED},
	[COL_CREATED_AT] = {"created_at", TYPE_TIMESTAMP, 4, RAG_FILLED_IN | TRAVELS},
};

RagColumn
rag_result_column(int result_no)
{
	int col = 0;

	while (col < RAG_NCOLUMNS && rag_columns[col].result_no != result_no)
		col++;
	Assert(col < RAG_NCOLUMNS);
	return col;
}

bool
rag_column_has_type(RagColumn col, Oid type, int32 typmod)
{
	Oid ours = rag_columns[col].type;

	return typmod == -1 &&
		(type == ours || (type == VARCHAROID && ours == TEXTOID) ||
		 (type == INT4OID && ours == INT8OID));
}

RagColumn
rag_column_of_field(const JsonbValue *name)
{
	int col = 0;

	while (col < RAG_NCOLUMNS &&
		   !((rag_columns[col].may & RAG_IN_JSON) != 0 &&
			 rag_json_equals(name, rag_columns[col].name)))
		col++;
	return col;
}

char *
rag_column_sql(RagColumn col)
{
	const char *name = rag_columns[col].name;

	switch (rag_columns[col].type)
	{
		case TEXTOID:
			return psprintf("%s::pg_catalog.text", name);
		case INT8OID:
			return psprintf("%s::pg_catalog.int8", name);
		default:
			return pstrdup(name);
	}
}

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

	if (len > 0 && len <= RAG_MAX_KEY_BYTES)
		return;
	ereport(ERROR,
			(errcode(len == 0 ? ERRCODE_INVALID_PARAMETER_VALUE :
								ERRCODE_STRING_DATA_RIGHT_TRUNCATION),
			 errmsg(len == 0 ? "%sidempotency_key is empty" : "%sidempotency_key is too long",
					rag_element(message->element)),
			 errdetail("A key has from 1 to %d bytes.", RAG_MAX_KEY_BYTES),
			 rag_errtable(nspoid, "messages", "idempotency_key", NULL)));
}

/*
 * The sources that an argument of a function means. Drivers for JavaScript send an array
 * as PostgreSQL writes its own, and so an empty one as {}: it is taken for [].
 */
static Datum
sources_argument(Datum sources)
{
	Jsonb *json = DatumGetJsonbP(sources);

	if (!JB_ROOT_IS_OBJECT(json) || JB_ROOT_COUNT(json) > 0)
		return sources;
	return DirectFunctionCall1(jsonb_in, CStringGetDatum("[]"));
}

void
rag_message_from_arguments(RagMessage *message, FunctionCallInfo fcinfo,
						   const RagArgument *arguments, int n)
{
	rag_clear_message(message);
	for (int i = 0; i < n; i++)
	{
		message->values[arguments[i].col] = PG_GETARG_DATUM(arguments[i].arg);
		message->isnull[arguments[i].col] = PG_ARGISNULL(arguments[i].arg);
	}
	if (!message->isnull[COL_SOURCES])
		message->values[COL_SOURCES] = sources_argument(message->values[COL_SOURCES]);
}

static void
check_sources(const RagMessage *message, Oid nspoid)
{
	if (rag_jsonb_is_encoded_twice(DatumGetJsonbP(message->values[COL_SOURCES])))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%ssources must not be JSON within a string",
						rag_element(message->element)),
				 errhint(RAG_HINT_ENCODED_TWICE),
				 rag_errtable(nspoid, "messages", "sources", NULL)));
}

void
rag_check_message(const RagMessage *message, Oid nspoid)
{
	for (int col = 0; col < RAG_NCOLUMNS; col++)
	{
		if ((rag_columns[col].may & RAG_REQUIRED) != 0 && message->isnull[col])
			rag_error_null(nspoid, "messages", rag_columns[col].name, message->element);
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
	if (!message->isnull[COL_SOURCES])
		check_sources(message, nspoid);
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

static bool
is_base_version(void)
{
	const char *version = rag_installed_version();

	return version && strcmp(version, "1.0") == 0;
}

void
rag_check_columns(int optional, Oid nspoid)
{
	Oid messages = optional == 0 ? InvalidOid : rag_relation("messages", nspoid);

	for (int col = COL_FIRST_SINCE_1_1; col < RAG_NCOLUMNS; col++)
	{
		const char *name = rag_columns[col].name;

		if ((optional & RAG_COLUMN_BIT(col)) == 0 ||
			get_attnum(messages, name) != InvalidAttrNumber)
			continue;
		if (!is_base_version())
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("column \"%s\" of relation \"messages\" does not exist", name),
					 errdetail("Somebody has dropped or renamed it."),
					 errhint("rag_check_schema() has the statement that mends it."),
					 rag_errtable(nspoid, "messages", name, NULL)));
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("%s needs rag_events 1.1 or later", name),
				 errhint("Run ALTER EXTENSION rag_events UPDATE, or leave %s out.",
						 name)));
	}
}

uint64
rag_execute_message(const RagStatement *statement, const RagMessage *message, Oid nspoid)
{
	char nulls[RAG_NCOLUMNS];

	StaticAssertStmt((int) RAG_NCOLUMNS <= RAG_MAX_ARGS, "too many columns for a statement");
	for (int col = 0; col < RAG_NCOLUMNS; col++)
		nulls[col] = message->isnull[col] ? 'n' : ' ';
	return rag_execute(statement, nspoid, message->values, nulls);
}
