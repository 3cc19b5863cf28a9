/*
 * exchange/import_session.c
 *		rag_import_session(): a session from a JSON document.
 */
#include "base/compat.h"

#include "catalog/pg_type_d.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"

#include "base/distributed.h"
#include "base/error.h"
#include "base/metadata.h"
#include "base/schema.h"
#include "message/message.h"
#include "session/create_session.h"
#include "session/session.h"
#include "write/insert.h"
#include "exchange/document_feedback.h"
#include "exchange/import_document.h"
#include "exchange/import_messages.h"

/*
 * The summary reaches up to a message, which has a new id now; or not up to any, if
 * none of those that it covers is in the document.
 */
static void
renew_summary(RagConversation *conversation)
{
	const RagChat *chat = &conversation->chat;
	Datum *metadata = &conversation->values[SESSION_METADATA];
	int64 upto_id = 0;

	if (chat->n_upto > 0)
		upto_id = DatumGetInt64(chat->messages[chat->n_upto - 1].values[COL_ID]);
	*metadata = JsonbPGetDatum(rag_set_summary_upto(DatumGetJsonbP(*metadata), upto_id));
}

/*
 * A session whose time of creation the document does not tell was there by its last
 * activity: it expires by that.
 */
static void
choose_created_at(RagConversation *conversation)
{
	Datum updated_at = conversation->values[SESSION_UPDATED_AT];

	if (conversation->nulls[SESSION_CREATED_AT] != 'n' ||
		conversation->nulls[SESSION_UPDATED_AT] == 'n' ||
		DatumGetTimestamp(updated_at) >= rag_transaction_time())
		return;
	conversation->values[SESSION_CREATED_AT] = updated_at;
	conversation->nulls[SESSION_CREATED_AT] = ' ';
}

static int
compare_keys(const void *a, const void *b)
{
	const text *left = DatumGetTextPP(*(const Datum *) a);
	const text *right = DatumGetTextPP(*(const Datum *) b);
	Size left_len = VARSIZE_ANY_EXHDR(left);
	Size right_len = VARSIZE_ANY_EXHDR(right);

	if (left_len != right_len)
		return left_len < right_len ? -1 : 1;
	return memcmp(VARDATA_ANY(left), VARDATA_ANY(right), left_len);
}

/*
 * Raises 23505 as the index does if a key is there twice: through Citus its error would
 * come without the SQLSTATE.
 */
static void
check_keys(const RagConversation *conversation, Oid nspoid)
{
	const RagChat *chat = &conversation->chat;
	Datum session_id = DirectFunctionCall1(uuid_out, conversation->values[SESSION_ID]);
	Datum *keys = palloc_extended(sizeof(Datum) * Max(chat->n, 1), MCXT_ALLOC_HUGE);
	int n = 0;

	for (int i = 0; i < chat->n; i++)
	{
		if (!chat->messages[i].isnull[COL_IDEMPOTENCY_KEY])
			keys[n++] = chat->messages[i].values[COL_IDEMPOTENCY_KEY];
	}
	qsort(keys, n, sizeof(Datum), compare_keys);
	for (int i = 1; i < n; i++)
	{
		if (compare_keys(&keys[i - 1], &keys[i]) == 0)
			ereport(ERROR,
					(errcode(ERRCODE_UNIQUE_VIOLATION),
					 errmsg("duplicate key value violates unique constraint \"%s\"",
							"uq_messages_idempotency_key"),
					 errdetail("Key (session_id, idempotency_key)=(%s, %s) already exists.",
							   DatumGetCString(session_id), TextDatumGetCString(keys[i])),
					 rag_errtable(nspoid, "messages", NULL,
								  "uq_messages_idempotency_key")));
	}
}

/*
 * Nobody else sees the session yet, so the ids can be drawn before it is stored; and
 * then its metadata can name one of them.
 */
static void
store(RagConversation *conversation, Oid nspoid)
{
	const RagChat *chat = &conversation->chat;
	RagFeedbackList *feedback = NULL;
	RagMessage **messages = palloc_extended(sizeof(RagMessage *) * Max(chat->n, 1),
											MCXT_ALLOC_HUGE);

	for (int i = 0; i < chat->n; i++)
		messages[i] = &chat->messages[i];
	if (conversation->feedback)
		feedback = rag_feedback_from_json(conversation->feedback, chat->messages, chat->n,
										  nspoid);
	if (rag_is_distributed(nspoid))
		check_keys(conversation, nspoid);
	rag_draw_ids(messages, chat->n, nspoid, NULL);
	if (conversation->has_summary)
		renew_summary(conversation);
	rag_insert_session(nspoid, conversation->values, conversation->nulls);
	if (chat->n > 0)
		rag_insert_messages(messages, chat->n, nspoid);
	if (feedback)
		rag_store_feedback_list(feedback, conversation->values[SESSION_ID],
								chat->messages, nspoid);
}

/*
 * rag_import_session(conversation jsonb, user_id text DEFAULT NULL,
 *					  keep_id boolean DEFAULT false) returns uuid
 *
 * Creates a session with its messages from a JSON document, and returns its id: a new
 * one or, with keep_id, the document's. The document is that of rag_export_session(),
 * or another program's (see import_messages.h). The session is user_id's or, if that is
 * NULL, the document's user's. Messages have new ids, in the order of the document; a
 * summary_upto_id in the metadata and the message_id of feedback become the new ones.
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
	choose_created_at(&conversation);
	rag_check_may_write("rag_import_session()");

	SPI_connect();
	store(&conversation, nspoid);
	SPI_finish();

	PG_RETURN_DATUM(conversation.values[SESSION_ID]);
}
