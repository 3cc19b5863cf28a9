/*
 * transfer.c
 *		Exporting a session with its messages as one JSON document, and importing one.
 */
#include "compat.h"

#include "catalog/pg_type_d.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "bulk.h"
#include "conversation_json.h"
#include "error.h"
#include "message.h"
#include "metadata.h"
#include "plan.h"
#include "session.h"

/* ------------------------------------------------------------------------
 *		rag_export_session()
 * ------------------------------------------------------------------------
 */

/*
 * An object of the fields that are not null. A JSON null is not a null; and times are
 * written in ISO's form whatever DateStyle says.
 */
#define OBJECT(fields) \
	"SELECT (SELECT pg_catalog.jsonb_object_agg(f.name, f.value)" \
	" FILTER (WHERE f.value IS NOT NULL)" \
	" FROM (VALUES " fields ") AS f (name, value))"

#define SESSION_FIELDS \
	"('session_id'::pg_catalog.text, pg_catalog.to_jsonb(s.id))," \
	" ('user_id', pg_catalog.to_jsonb(s.user_id))," \
	" ('created_at', pg_catalog.to_jsonb(s.created_at))," \
	" ('updated_at', pg_catalog.to_jsonb(s.updated_at))," \
	" ('metadata', s.metadata)"

#define MESSAGE_FIELDS \
	"('id'::pg_catalog.text, pg_catalog.to_jsonb(m.id))," \
	" ('role', pg_catalog.to_jsonb(m.role))," \
	" ('content', pg_catalog.to_jsonb(m.content))," \
	" ('created_at', pg_catalog.to_jsonb(m.created_at))," \
	" ('sources', m.sources)," \
	" ('latency_ms', pg_catalog.to_jsonb(m.latency_ms))," \
	" ('top_k', pg_catalog.to_jsonb(m.top_k))," \
	" ('query_type', pg_catalog.to_jsonb(m.query_type))," \
	" ('token_count', pg_catalog.to_jsonb(m.token_count))," \
	" ('metadata', m.metadata)," \
	" ('idempotency_key', pg_catalog.to_jsonb(m.idempotency_key))"

static const RagStatement export_session = {
	OBJECT(SESSION_FIELDS) " FROM %1$s.sessions AS s WHERE s.id OPERATOR(pg_catalog.=) $1",
	1,
	{UUIDOID}};

/* The order is that of read.c, for the same reason. */
static const RagStatement export_messages = {
	OBJECT(MESSAGE_FIELDS) " FROM %1$s.messages AS m"
						   " WHERE ROW(m.session_id, m.id) OPERATOR(pg_catalog.>=) ROW($1, $2)"
						   " AND m.session_id OPERATOR(pg_catalog.<=) $1"
						   " ORDER BY m.session_id, m.id",
	2,
	{UUIDOID, INT8OID}};

/* Takes the messages, and puts them into the document that is being built. */
typedef struct Document
{
	DestReceiver receiver; /* must be first */
	MemoryContext context; /* of the document */
	RagJsonbState state;
	Size size; /* of the messages */
} Document;

/*
 * A session is not kept in memory only to find out that it does not fit. What is built
 * of it in the end is a bit larger yet, which PostgreSQL looks at.
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
receive_message(TupleTableSlot *slot, DestReceiver *self)
{
	Document *document = (Document *) self;
	MemoryContext old = MemoryContextSwitchTo(document->context);
	Jsonb *message;
	JsonbValue value;

	slot_getallattrs(slot);
	message = DatumGetJsonbPCopy(slot->tts_values[0]);
	document->size += VARSIZE(message);
	check_size(document);
	JsonbToJsonbValue(message, &value);
	rag_push_jsonb(&document->state, WJB_ELEM, &value);
	MemoryContextSwitchTo(old);
	return true;
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

static void
push_key(RagJsonbState *state, const char *name)
{
	JsonbValue key = {.type = jbvString,
					  .val.string = {.len = strlen(name),
									 .val = unconstify(char *, name)}};

	rag_push_jsonb(state, WJB_KEY, &key);
}

/* The fields of the session. It was there a moment ago, in the same snapshot. */
static void
push_session(RagJsonbState *state, Oid nspoid, const pg_uuid_t *session_id)
{
	Datum values[] = {UUIDPGetDatum(session_id)};
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue value;
	bool isnull;

	if (rag_query(&export_session, nspoid, values, NULL) == 0)
		rag_error_no_session(nspoid, session_id);
	it = JsonbIteratorInit(&DatumGetJsonbP(SPI_getbinval(SPI_tuptable->vals[0],
														 SPI_tuptable->tupdesc, 1,
														 &isnull))
								->root);
	(void) JsonbIteratorNext(&it, &value, true); /* WJB_BEGIN_OBJECT */
	while ((token = JsonbIteratorNext(&it, &value, true)) != WJB_END_OBJECT)
		rag_push_jsonb(state, token, &value);
}

static Jsonb *
export_document(Oid nspoid, const pg_uuid_t *session_id)
{
	Datum values[] = {UUIDPGetDatum(session_id), Int64GetDatum(PG_INT64_MIN)};
	Document document = {
		.receiver = {.receiveSlot = receive_message,
					 .rStartup = start_receiving,
					 .rShutdown = stop_receiving,
					 .rDestroy = stop_receiving,
					 .mydest = DestNone},
		.context = CurrentMemoryContext};

	rag_push_jsonb(&document.state, WJB_BEGIN_OBJECT, NULL);
	push_session(&document.state, nspoid, session_id);
	push_key(&document.state, "messages");
	rag_push_jsonb(&document.state, WJB_BEGIN_ARRAY, NULL);
	rag_query_into(&export_messages, nspoid, values, NULL, &document.receiver);
	rag_push_jsonb(&document.state, WJB_END_ARRAY, NULL);
	rag_push_jsonb(&document.state, WJB_END_OBJECT, NULL);
	return JsonbValueToJsonb(document.state.result);
}

/*
 * rag_export_session(session_id uuid, user_id text DEFAULT NULL) returns jsonb
 *
 * Returns a session with its messages as one document: an object with session_id,
 * user_id, created_at, updated_at, metadata and messages, an array in the order of
 * ids, of objects with the columns of a message but session_id. What is null is left
 * out; a JSON null in a column is null. Times are local times as text, and latency_ms
 * in milliseconds. With user_id the session must be that user's.
 *
 * Errors: 22004 session_id is NULL; 23503 no such session; 54000 larger than a jsonb
 * can be (256 MB). Since 1.2.
 */
PG_FUNCTION_INFO_V1(rag_export_session);
Datum
rag_export_session(PG_FUNCTION_ARGS)
{
	Oid nspoid = rag_namespace(fcinfo);
	Datum result;

	if (PG_ARGISNULL(0))
		rag_error_null(nspoid, "messages", "session_id", 0);

	SPI_connect();
	rag_require_session(nspoid, PG_GETARG_UUID_P(0),
						PG_ARGISNULL(1) ? NULL : PG_GETARG_TEXT_PP(1));
	result = JsonbPGetDatum(export_document(nspoid, PG_GETARG_UUID_P(0)));
	result = SPI_datumTransfer(result, false, -1);
	SPI_finish();

	PG_RETURN_DATUM(result);
}

/* ------------------------------------------------------------------------
 *		rag_import_session()
 * ------------------------------------------------------------------------
 */

static const RagStatement set_metadata = {
	"UPDATE %1$s.sessions SET metadata = $2 WHERE id OPERATOR(pg_catalog.=) $1",
	2,
	{UUIDOID, JSONBOID}};

static void
insert_messages(const RagChat *chat, Oid nspoid)
{
	RagMessage **messages = palloc_extended(sizeof(RagMessage *) * Max(chat->n, 1),
											MCXT_ALLOC_HUGE);
	int optional = 0;

	for (int i = 0; i < chat->n; i++)
	{
		messages[i] = &chat->messages[i];
		optional |= rag_optional_columns(messages[i]);
	}
	if (chat->n > 0)
		rag_insert_messages(messages, chat->n, optional, nspoid);
}

/*
 * The summary reaches up to a message that has a new id now; or (none of those that it
 * covers is in the document) not up to any.
 */
static void
renew_summary(RagConversation *conversation, Oid nspoid)
{
	const RagChat *chat = &conversation->chat;
	Jsonb *metadata = DatumGetJsonbP(conversation->values[SESSION_METADATA]);
	int64 upto_id = 0;
	Datum values[] = {conversation->values[SESSION_ID], (Datum) 0};

	if (chat->n_upto > 0)
		upto_id = DatumGetInt64(chat->messages[chat->n_upto - 1].values[COL_ID]);
	values[1] = JsonbPGetDatum(rag_set_summary_upto(metadata, upto_id));
	if (rag_execute(&set_metadata, nspoid, values, NULL) == 0)
		rag_error_discarded(nspoid, "sessions");
}

/*
 * rag_import_session(conversation jsonb, user_id text DEFAULT NULL,
 *					  keep_id boolean DEFAULT false) returns uuid
 *
 * Creates a session with its messages from a JSON document, and returns its id: a new
 * one or, with keep_id, the document's. The document is that of rag_export_session(),
 * or another program's (see chat_json.h). The session is user_id's or, if that is
 * NULL, the document's user's. Messages have new ids, in the order of the document; a
 * summary_upto_id in the metadata becomes the new one.
 *
 * Errors: 22004 conversation is NULL; 22023 it is of another form, or keep_id and
 * there is no id; 23505 the session id exists; for each message those of
 * rag_add_message(), with its place; 25006 read-only transaction or standby; 27000 a
 * trigger or rule discarded the session or a message. Since 1.2.
 */
PG_FUNCTION_INFO_V1(rag_import_session);
Datum
rag_import_session(PG_FUNCTION_ARGS)
{
	Oid nspoid = rag_namespace(fcinfo);
	RagConversation conversation = {0};

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("conversation must not be null")));
	rag_conversation_from_json(&conversation, PG_GETARG_JSONB_P(0),
							   !PG_ARGISNULL(2) && PG_GETARG_BOOL(2), nspoid);
	if (!PG_ARGISNULL(1))
	{
		conversation.values[SESSION_USER_ID] = PG_GETARG_DATUM(1);
		conversation.nulls[SESSION_USER_ID] = ' ';
	}
	PreventCommandIfReadOnly("rag_import_session()");

	SPI_connect();
	rag_insert_session(nspoid, conversation.values, conversation.nulls);
	insert_messages(&conversation.chat, nspoid);
	if (conversation.has_summary)
		renew_summary(&conversation, nspoid);
	SPI_finish();

	PG_RETURN_DATUM(conversation.values[SESSION_ID]);
}
