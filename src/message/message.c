/*
 * message/message.c
 *		The columns of a message, and the rules that its values must keep.
 */
#include "base/compat.h"

#include <math.h>

#include "catalog/pg_type_d.h"
#include "utils/lsyscache.h"

#include "base/error.h"
#include "base/metadata.h"
#include "base/schema.h"
#include "message/message.h"
#include "message/role.h"

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
