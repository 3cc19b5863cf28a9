/*
 * read/get_prompt.c
 *		rag_get_prompt(): what a model is asked with.
 */
#include "base/compat.h"

#include "access/htup_details.h"
#include "catalog/pg_type_d.h"
#include "executor/spi.h"
#include "miscadmin.h"

#include "base/error.h"
#include "base/json.h"
#include "base/metadata.h"
#include "message/content_part.h"
#include "message/token_count.h"
#include "session/find_session.h"
#include "session/session.h"
#include "read/prompt_message.h"
#include "read/window.h"

typedef struct Prompt
{
	RagJsonbState state;
	JsonbValue metadata; /* of the session: an object, or null */
	RagWindow window;
	bool has_summary;
} Prompt;

/* ------------------------------------------------------------------------
 *		Instructions and summary
 * ------------------------------------------------------------------------
 */

/* Appends the text of a content: a string, or an array of parts. */
static void
append_text(StringInfo texts, const JsonbValue *content)
{
	JsonbIterator *it;
	JsonbValue part;

	if (content->type == jbvString)
		appendBinaryStringInfo(texts, content->val.string.val, content->val.string.len);
	if (!rag_json_is_array(content))
		return;
	it = rag_json_elements(content);
	while (rag_json_next(&it, &part))
	{
		JsonbValue buffer;
		const JsonbValue *text = rag_part_text(&part, &buffer);

		if (text)
			appendBinaryStringInfo(texts, text->val.string.val, text->val.string.len);
	}
}

/*
 * The messages that the system prompt came in, if it is still the same: their texts with
 * an empty line between them. Otherwise NULL.
 */
static const JsonbValue *
find_system_messages(const JsonbValue *metadata, const JsonbValue *system_prompt,
					 JsonbValue *buffer)
{
	const JsonbValue *messages =
		rag_json_array_field(metadata, RAG_SYSTEM_MESSAGES, buffer);
	JsonbIterator *it = messages ? rag_json_elements(messages) : NULL;
	StringInfoData texts;
	JsonbValue message;
	int n = 0;

	if (messages == NULL)
		return NULL;
	initStringInfo(&texts);
	while (rag_json_next(&it, &message))
	{
		JsonbValue content_buffer;
		JsonbValue role_buffer;
		const JsonbValue *content = rag_json_field(&message, "content", &content_buffer);
		const JsonbValue *role = rag_json_string_field(&message, "role", &role_buffer);

		if (content == NULL || role == NULL ||
			!(rag_json_equals(role, "system") || rag_json_equals(role, "developer")))
			return NULL;
		if (n++ > 0)
			appendStringInfoString(&texts, "\n\n");
		append_text(&texts, content);
	}
	if (texts.len != system_prompt->val.string.len ||
		memcmp(texts.data, system_prompt->val.string.val, texts.len) != 0)
		return NULL;
	return messages;
}

static void
push_system_messages(RagJsonbState *state, const JsonbValue *messages)
{
	JsonbIterator *it = rag_json_elements(messages);
	JsonbValue message;

	while (rag_json_next(&it, &message))
		rag_push_jsonb(state, WJB_ELEM, &message);
}

/* Takes the tokens of a text from what is left, or returns false. */
static bool
take_text(Prompt *prompt, const JsonbValue *string)
{
	int64 tokens = rag_tokens_of_bytes(string->val.string.len);

	if (tokens > prompt->window.left)
		return false;
	prompt->window.left -= tokens;
	return true;
}

/* Returns false if the system prompt does not fit. */
static bool
push_system_prompt(Prompt *prompt)
{
	JsonbValue buffer;
	JsonbValue messages_buffer;
	const JsonbValue *text =
		rag_json_string_field(&prompt->metadata, RAG_SYSTEM_PROMPT, &buffer);
	const JsonbValue *messages;

	if (text == NULL || text->val.string.len == 0)
		return true;
	if (!take_text(prompt, text))
		return false;
	messages = find_system_messages(&prompt->metadata, text, &messages_buffer);
	if (messages)
		push_system_messages(&prompt->state, messages);
	else
		rag_push_system_message(&prompt->state, text);
	return true;
}

/* A summary that does not fit is left out, and what it stands for is as well. */
static void
push_summary(Prompt *prompt, Jsonb *metadata)
{
	JsonbValue buffer;
	const JsonbValue *text =
		rag_json_string_field(&prompt->metadata, RAG_SUMMARY, &buffer);

	if (text == NULL || text->val.string.len == 0)
		return;
	if (rag_summary_upto(metadata, &prompt->window.after_id))
		prompt->window.inclusive = false;
	if (!take_text(prompt, text))
		return;
	prompt->has_summary = true;
	rag_push_system_message(&prompt->state, text);
}

/* ------------------------------------------------------------------------
 *		Messages
 * ------------------------------------------------------------------------
 */

static TupleDesc
message_desc(void)
{
	TupleDesc desc = CreateTemplateTupleDesc(WINDOW_NCOLUMNS);

	TupleDescInitEntry(desc, WINDOW_ID + 1, "id", INT8OID, -1, 0);
	TupleDescInitEntry(desc, WINDOW_ROLE + 1, "role", TEXTOID, -1, 0);
	TupleDescInitEntry(desc, WINDOW_CONTENT + 1, "content", TEXTOID, -1, 0);
	TupleDescInitEntry(desc, WINDOW_TOKEN_COUNT + 1, "token_count", INT4OID, -1, 0);
	TupleDescInitEntry(desc, WINDOW_METADATA + 1, "metadata", JSONBOID, -1, 0);
	rag_finish_desc(desc);
	return desc;
}

static void
push_message(Prompt *prompt, HeapTuple message)
{
	Datum values[WINDOW_NCOLUMNS];
	bool isnull[WINDOW_NCOLUMNS];
	Jsonb *metadata = NULL;

	heap_deform_tuple(message, prompt->window.desc, values, isnull);
	if (isnull[WINDOW_ROLE] || isnull[WINDOW_CONTENT])
		return;
	if (!isnull[WINDOW_METADATA])
		metadata = DatumGetJsonbP(values[WINDOW_METADATA]);
	rag_push_message(&prompt->state, DatumGetTextPP(values[WINDOW_ROLE]),
					 DatumGetTextPP(values[WINDOW_CONTENT]),
					 metadata);
}

/*
 * They begin with a message of the user, or with the summary, if that goes on right
 * before them.
 */
static void
push_messages(Prompt *prompt, const RagSession *session)
{
	const RagWindow *window = &prompt->window;
	int n;

	rag_fill_window(&prompt->window, session);
	n = window->n;
	if (prompt->has_summary && window->is_whole)
		n = list_length(window->messages);
	for (int i = n - 1; i >= 0; i--)
	{
		CHECK_FOR_INTERRUPTS();
		push_message(prompt, list_nth(window->messages, i));
	}
}

static Jsonb *
make_prompt(Prompt *prompt, const RagSession *session)
{
	Jsonb *metadata = rag_read_metadata(session);

	prompt->metadata.type = jbvNull;
	if (metadata && JB_ROOT_IS_OBJECT(metadata))
		prompt->metadata = rag_json_root(metadata);
	rag_push_jsonb(&prompt->state, WJB_BEGIN_ARRAY, NULL);
	if (push_system_prompt(prompt))
	{
		push_summary(prompt, metadata);
		push_messages(prompt, session);
	}
	rag_push_jsonb(&prompt->state, WJB_END_ARRAY, NULL);
	return JsonbValueToJsonb(prompt->state.result);
}

/*
 * rag_get_prompt(session_id uuid, max_tokens integer, max_messages integer DEFAULT NULL,
 *				  user_id text DEFAULT NULL) returns jsonb
 *
 * Returns what a chat-completions API takes: an array of messages, {"role", "content"}.
 * First the system prompt of the session's metadata and its summary, if there are any,
 * as system messages; then the newest messages (after the summary) that fit into
 * max_tokens (NULL: no limit) together with them, at most max_messages (NULL: no limit),
 * in the order of their ids, from one of the user on. An answer with calls of tools is
 * followed by their results; calls without results, and results without calls, are left
 * out. A message counts its token_count or, where that is NULL, a quarter of the bytes
 * of content, calls and results, and 1000 for each part that is no text. If the system
 * prompt does not fit, the array is empty.
 *
 * Errors: 22004 session_id is NULL; 22023 max_tokens or max_messages is negative; 23503
 * no such session; 54000 larger than a jsonb can be (256 MB). Since 1.3.
 */
PG_FUNCTION_INFO_V1(rag_get_prompt);
Datum
rag_get_prompt(PG_FUNCTION_ARGS)
{
	RagSession session;
	Prompt prompt = {
		.window = {.left = PG_ARGISNULL(1) ? PG_INT64_MAX : PG_GETARG_INT32(1),
				   .max = PG_ARGISNULL(2) ? PG_INT32_MAX : PG_GETARG_INT32(2),
				   .after_id = PG_INT64_MIN,
				   .inclusive = true,
				   .look_further = true}};
	Datum result;

	rag_check_max(fcinfo, 1, "max_tokens");
	rag_check_max(fcinfo, 2, "max_messages");
	session = rag_session_argument(fcinfo, 3, "messages");
	SPI_connect();
	prompt.window.desc = message_desc();
	result = JsonbPGetDatum(make_prompt(&prompt, &session));
	result = SPI_datumTransfer(result, false, -1);
	SPI_finish();

	PG_RETURN_DATUM(result);
}
