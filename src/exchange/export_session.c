/*
 * exchange/export_session.c
 *		rag_export_session(): a session with its messages as one JSON document.
 */
#include "base/compat.h"

#include "catalog/pg_type_d.h"
#include "executor/spi.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"

#include "base/error.h"
#include "base/json.h"
#include "base/statement.h"
#include "message/message.h"
#include "session/find_session.h"
#include "session/session.h"
#include "exchange/document_feedback.h"

/*
 * An object of the fields that are not null (a JSON null is a value). Times are
 * written in ISO's form whatever DateStyle says. The fields take the place of "%s".
 */
#define OBJECT \
	RAG_OF_SESSION "SELECT (SELECT pg_catalog.jsonb_object_agg(f.name, f.value)" \
				   " FILTER (WHERE f.value IS NOT NULL)" \
				   " FROM (VALUES %s) AS f (name, value))"

#define SESSION OBJECT " FROM @extschema@.sessions AS t WHERE t.id OPERATOR(pg_catalog.=) $1"

/* The order is that of read/get_messages.c, for the same reason. */
#define MESSAGES \
	OBJECT " FROM @extschema@.messages AS t" \
		   " WHERE ROW(t.session_id, t.id) OPERATOR(pg_catalog.>=) ROW($1, $2)" \
		   " AND t.session_id OPERATOR(pg_catalog.<=) $1" RAG_ON_ITS_MACHINE \
		   " ORDER BY t.session_id, t.id"

static void
append_field(StringInfo fields, const char *field, const char *column, Oid type)
{
	appendStringInfo(fields,
					 type == JSONBOID ? "%s('%s'::pg_catalog.text, t.%s)" :
										"%s('%s'::pg_catalog.text, pg_catalog.to_jsonb(t.%s))",
					 fields->len > 0 ? ", " : "", field, column);
}

static char *
session_fields(void)
{
	StringInfoData fields;

	initStringInfo(&fields);
	for (int i = 0; i < RAG_SESSION_NCOLUMNS; i++)
	{
		const RagSessionColumn *column = &rag_session_columns[i];

		append_field(&fields, column->field, column->name, column->type);
	}
	return fields.data;
}

static char *
message_fields(void)
{
	StringInfoData fields;

	initStringInfo(&fields);
	for (int i = 0; i < RAG_NCOLUMNS; i++)
	{
		const RagColumnInfo *column = &rag_columns[i];

		if ((column->may & RAG_EXPORTED) != 0)
			append_field(&fields, column->name, column->name, column->type);
	}
	return fields.data;
}

static const RagStatement *
session_statement(void)
{
	static RagStatement statement = {NULL, 1, {UUIDOID}};

	if (statement.sql == NULL)
		statement.sql = MemoryContextStrdup(TopMemoryContext,
											psprintf(SESSION, session_fields()));
	return &statement;
}

static const RagStatement *
messages_statement(void)
{
	static RagStatement statement = {NULL, 2, {UUIDOID, INT8OID}};

	if (statement.sql == NULL)
		statement.sql = MemoryContextStrdup(TopMemoryContext,
											psprintf(MESSAGES, message_fields()));
	return &statement;
}

/* Takes the messages, and puts them into the document that is being built. */
typedef struct Document
{
	MemoryContext context; /* of the document */
	RagJsonbState state;
	Size size; /* of the messages */
} Document;

/*
 * Stops as soon as it is certain that the document will not fit, and not only when
 * all of it is in memory. The document that is built in the end is a bit larger than
 * this; PostgreSQL checks its size.
 */
static void
check_size(const Document *document)
{
	if (document->size <= JENTRY_OFFLENMASK)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			 errmsg("session is too large for one JSON document"),
			 errdetail("A value of type jsonb holds up to %d bytes.", JENTRY_OFFLENMASK),
			 errhint("Read it in pages with rag_get_messages_after().")));
}

static bool
receive_message(TupleTableSlot *slot, void *arg)
{
	Document *document = arg;
	MemoryContext old = MemoryContextSwitchTo(document->context);
	Jsonb *message;
	JsonbValue value;

	message = DatumGetJsonbPCopy(slot->tts_values[0]);
	document->size += VARSIZE(message);
	check_size(document);
	JsonbToJsonbValue(message, &value);
	rag_push_jsonb(&document->state, WJB_ELEM, &value);
	MemoryContextSwitchTo(old);
	return true;
}

/* The fields of the session, which was there a moment ago in the same snapshot. */
static void
push_session(RagJsonbState *state, Oid nspoid, const pg_uuid_t *session_id)
{
	Datum values[] = {UUIDPGetDatum(session_id)};
	Datum fields;
	bool isnull;

	if (rag_query(session_statement(), nspoid, values, NULL) == 0)
		rag_error_no_session(nspoid, session_id);
	fields = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
	rag_push_pairs(state, &DatumGetJsonbP(fields)->root);
}

static Jsonb *
export_document(Oid nspoid, const pg_uuid_t *session_id)
{
	Datum values[] = {UUIDPGetDatum(session_id), Int64GetDatum(PG_INT64_MIN)};
	Document document = {.context = CurrentMemoryContext};

	rag_push_jsonb(&document.state, WJB_BEGIN_OBJECT, NULL);
	push_session(&document.state, nspoid, session_id);
	rag_push_key(&document.state, "messages");
	rag_push_jsonb(&document.state, WJB_BEGIN_ARRAY, NULL);
	rag_query_each(messages_statement(), nspoid, values, NULL, receive_message,
				   &document);
	rag_push_jsonb(&document.state, WJB_END_ARRAY, NULL);
	rag_push_feedback(&document.state, session_id, nspoid);
	rag_push_jsonb(&document.state, WJB_END_OBJECT, NULL);
	return JsonbValueToJsonb(document.state.result);
}

/*
 * rag_export_session(session_id uuid, user_id text DEFAULT NULL) returns jsonb
 *
 * Returns a session with its messages as one document: an object with session_id,
 * user_id, created_at, updated_at, metadata and messages, an array in the order of ids,
 * of objects with the columns of a message but session_id; and, where there is some,
 * feedback, an array of objects with the columns of rag_feedback but session_id. What is
 * null is left out; a JSON null in a column is null. Times are local times as text, and
 * latency_ms in milliseconds. With user_id the session must be that user's.
 *
 * Errors: 22004 session_id is NULL; 23503 no such session; 42501 there is feedback, and
 * the caller may not read it; 54000 larger than a jsonb can be (256 MB). Since 1.2.
 */
PG_FUNCTION_INFO_V1(rag_export_session);
Datum
rag_export_session(PG_FUNCTION_ARGS)
{
	RagSession session = rag_session_argument(fcinfo, 1, "sessions");
	Datum result;

	SPI_connect();
	rag_require_session(&session);
	result = JsonbPGetDatum(export_document(session.nspoid, session.id));
	result = SPI_datumTransfer(result, false, -1);
	SPI_finish();

	PG_RETURN_DATUM(result);
}
