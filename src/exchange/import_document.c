/*
 * exchange/import_document.c
 *		A conversation as one JSON document.
 */
#include "base/compat.h"

#include <ctype.h>

#include "catalog/pg_type_d.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/uuid.h"

#include "base/json.h"
#include "base/metadata.h"
#include "base/uuidv7.h"
#include "session/session.h"
#include "exchange/import_document.h"
#include "exchange/import_messages.h"


/* Does the text have hyphens where a UUID has them, and digits elsewhere? */
static bool
is_uuid(const JsonbValue *value)
{
	static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

	if (value->type != jbvString || value->val.string.len != (int) strlen(form))
		return false;
	for (int i = 0; i < value->val.string.len; i++)
	{
		char c = value->val.string.val[i];

		if (form[i] == '-' ? c != '-' : !isxdigit((unsigned char) c))
			return false;
	}
	return true;
}

static Datum
session_id_from_json(const JsonbValue *value)
{
	if (!is_uuid(value))
		rag_error_field(0, "session_id", "a UUID");
	return DirectFunctionCall1(uuid_in,
							   CStringGetDatum(pnstrdup(value->val.string.val,
														value->val.string.len)));
}

static Datum
session_value_from_json(const RagSessionColumn *column, JsonbValue *value)
{
	switch (column->type)
	{
		case UUIDOID:
			return session_id_from_json(value);
		case JSONBOID:
			if (rag_json_is_encoded_twice(value))
				rag_error_field(0, column->field, "JSON itself, and not a string that holds it");
			return JsonbPGetDatum(JsonbValueToJsonb(value));
		case TIMESTAMPOID:
			return rag_time_from_json(0, column->field, value);
		default:
			return rag_text_from_json(0, column->field, value);
	}
}

/*
 * Returns false if there is no such field of a session. A JSON null means "not
 * given", except for metadata, where it is stored.
 */
static bool
read_session_field(RagConversation *conversation, const JsonbValue *name,
				   JsonbValue *value)
{
	int col = 0;

	while (col < RAG_SESSION_NCOLUMNS &&
		   !rag_json_equals(name, rag_session_columns[col].field))
		col++;
	if (col == RAG_SESSION_NCOLUMNS)
		return false;
	if (value->type == jbvNull && col != SESSION_METADATA)
		return true;
	conversation->values[col] = session_value_from_json(&rag_session_columns[col], value);
	conversation->nulls[col] = ' ';
	return true;
}

static JsonbContainer *
feedback_array(const JsonbValue *value)
{
	if (value->type == jbvNull)
		return NULL;
	if (!rag_json_is_array(value))
		rag_error_field(0, "feedback", "an array");
	return value->val.binary.data;
}

/* Returns the array of messages. */
static JsonbContainer *
read_object(RagConversation *conversation, JsonbContainer *object)
{
	JsonbIterator *it = JsonbIteratorInit(object);
	JsonbContainer *messages = NULL;
	JsonbValue name;
	JsonbValue value;

	(void) JsonbIteratorNext(&it, &name, true); /* WJB_BEGIN_OBJECT */
	while (JsonbIteratorNext(&it, &name, true) == WJB_KEY)
	{
		(void) JsonbIteratorNext(&it, &value, true);
		if (rag_json_equals(&name, "messages"))
		{
			if (value.type == jbvBinary && JsonContainerIsArray(value.val.binary.data))
				messages = value.val.binary.data;
		}
		else if (rag_json_equals(&name, "feedback"))
			conversation->feedback = feedback_array(&value);
		else if (!read_session_field(conversation, &name, &value))
			rag_error_unknown_field(0, &name,
									"A conversation has these fields: session_id, user_id, created_at, updated_at, metadata, messages, feedback.");
	}
	if (messages == NULL)
		rag_error_field(0, "messages", "an array");
	return messages;
}

static JsonbContainer *
read_document(RagConversation *conversation, Jsonb *json)
{
	JsonbContainer *root = &json->root;

	if (JsonContainerIsObject(root))
		return read_object(conversation, root);
	if (JsonContainerIsArray(root) && !JsonContainerIsScalar(root))
		return root;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("conversation must be a JSON object or an array of messages"),
			 rag_jsonb_is_encoded_twice(json) ?
				 errhint(RAG_HINT_ENCODED_TWICE) :
				 errhint("Give what rag_export_session() returns, {\"messages\": [...]}, or [{\"role\": ..., \"content\": ...}, ...].")));
}

static void
choose_session_id(RagConversation *conversation, bool keep_id)
{
	if (!keep_id)
	{
		pg_uuid_t *id = palloc(sizeof(pg_uuid_t));

		rag_uuidv7(id);
		conversation->values[SESSION_ID] = UUIDPGetDatum(id);
		conversation->nulls[SESSION_ID] = ' ';
	}
	else if (conversation->nulls[SESSION_ID] == 'n')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("conversation has no session_id"),
				 errhint("Without keep_id the session gets a new id.")));
}

static Jsonb *
system_prompt(const RagChat *chat)
{
	RagJsonbState state = {0};

	rag_push_jsonb(&state, WJB_BEGIN_OBJECT, NULL);
	rag_push_string(&state, RAG_SYSTEM_PROMPT, VARDATA_ANY(chat->system_prompt),
					VARSIZE_ANY_EXHDR(chat->system_prompt));
	if (chat->system_messages)
		rag_push_field(&state, RAG_SYSTEM_MESSAGES, chat->system_messages);
	rag_push_jsonb(&state, WJB_END_OBJECT, NULL);
	return JsonbValueToJsonb(state.result);
}

/* The instructions to the model are the session's. */
static void
add_system_prompt(RagConversation *conversation, Oid nspoid)
{
	Datum *metadata = &conversation->values[SESSION_METADATA];
	Jsonb *prompt = system_prompt(&conversation->chat);
	Jsonb *given = NULL;
	JsonbValue buffer;

	if (conversation->nulls[SESSION_METADATA] != 'n')
		given = DatumGetJsonbP(*metadata);
	if (given && !rag_jsonb_is_null(given))
	{
		if (!JB_ROOT_IS_OBJECT(given))
			rag_error_field(0, "metadata", "an object, as there is a system message");
		if (getKeyJsonValueFromContainer(&given->root, RAG_SYSTEM_PROMPT,
										 strlen(RAG_SYSTEM_PROMPT), &buffer))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("field \"metadata\" has \"%s\" already, and there is a system message",
							RAG_SYSTEM_PROMPT)));
	}
	*metadata = JsonbPGetDatum(rag_merge_metadata(given, prompt, nspoid, "sessions"));
	conversation->nulls[SESSION_METADATA] = ' ';
}

void
rag_conversation_from_json(RagConversation *conversation, Jsonb *json, bool keep_id,
						   Oid nspoid)
{
	const Datum *values = conversation->values;
	JsonbContainer *messages;
	int64 upto_id = PG_INT64_MIN;

	memset(conversation->nulls, 'n', sizeof(conversation->nulls));
	messages = read_document(conversation, json);
	choose_session_id(conversation, keep_id);
	conversation->has_summary =
		conversation->nulls[SESSION_METADATA] != 'n' &&
		rag_summary_upto(DatumGetJsonbP(values[SESSION_METADATA]), &upto_id);
	rag_chat_from_json(&conversation->chat, messages, DatumGetUUIDP(values[SESSION_ID]),
					   upto_id, nspoid);
	if (conversation->chat.system_prompt)
		add_system_prompt(conversation, nspoid);
}
