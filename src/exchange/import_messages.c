/*
 * exchange/import_messages.c
 *		The messages of a conversation in the forms that chat programs keep them in.
 */
#include "base/compat.h"

#include "miscadmin.h"
#include "utils/builtins.h"

#include "base/error.h"
#include "base/json.h"
#include "base/json_keys.h"
#include "base/metadata.h"
#include "message/message.h"
#include "message/message_json.h"
#include "exchange/import_fields.h"
#include "exchange/import_messages.h"
#include "exchange/import_metadata.h"

/* The element that is being read. */
typedef struct Element
{
	int place; /* in the array, from 1 */
	int form;
	int kind;
	RagMessage *message; /* where the columns go */
	bool has_id;
	int64 id;	   /* that it had */
	bool has_call; /* the content may be missing */
	text *content; /* NULL: none */
	RagExtra extra;
} Element;

typedef struct Reader
{
	RagChat *chat;
	Oid nspoid;
	Datum session_id;
	int64 upto_id;
	RagExtra **extras; /* by message; NULL: none */
	int assistant;	   /* the last message of the assistant so far, or -1 */
	HTAB *calls;	   /* the message with a call, by the call's id; NULL: none so far */
	StringInfoData system_prompt;
	RagJsonbState system_messages; /* an array */
	int n_system;				   /* their number */
	bool is_plain_system;		   /* it is one, with nothing but a text */
} Reader;

/* ------------------------------------------------------------------------
 *		Fields
 * ------------------------------------------------------------------------
 */

/* A JSON null means "not given", except for sources, where it is stored. */
static void
read_column(Element *element, RagColumn col, JsonbValue *value)
{
	if (value->type == jbvNull && col != COL_SOURCES)
		return;
	element->message->values[col] = rag_value_from_json(element->place, col, value);
	element->message->isnull[col] = false;
}

static void
read_metadata(Element *element, const JsonbValue *value)
{
	if (value->type != jbvNull && !rag_json_is_object(value))
		rag_error_field(element->place, "metadata", "an object");
	element->extra.metadata = palloc(sizeof(JsonbValue));
	*element->extra.metadata = *value;
}

static void
read_usage(Element *element, const JsonbValue *usage)
{
	JsonbValue buffer;
	const JsonbValue *tokens = rag_json_field(usage, "output_tokens", &buffer);

	if (tokens == NULL || tokens->type == jbvNull)
		return;
	element->message->values[COL_TOKEN_COUNT] =
		Int32GetDatum(rag_int32_from_json(element->place, "output_tokens", tokens));
	element->message->isnull[COL_TOKEN_COUNT] = false;
	element->extra.has_usage = true;
}

/* Returns false if the field is to be kept in the metadata. */
static bool
read_id(Element *element, const JsonbValue *value)
{
	if (value->type == jbvNull)
		return true;
	if (rag_json_is_id(value, &element->id))
	{
		element->has_id = true;
		return true;
	}
	if (value->type != jbvString)
		rag_error_field(element->place, "id", "a whole number or a string");
	return false;
}

static void
read_field(Element *element, const JsonbValue *name, JsonbValue *value)
{
	RagField field = rag_find_field(element->place, element->form,
									element->kind, name);

	switch (field.action)
	{
		case CHAT_DONE:
			return;
		case CHAT_CONTENT:
			element->content = rag_text_of_content(&element->extra, element->place,
												   value);
			return;
		case CHAT_COLUMN:
			read_column(element, field.col, value);
			return;
		case CHAT_METADATA:
			read_metadata(element, value);
			return;
		case CHAT_ID:
			if (read_id(element, value))
				return;
			break;
		case CHAT_USAGE:
			read_usage(element, value);
			break;
		case CHAT_CALL:
		case CHAT_KEEP:
			break;
	}
	if (rag_json_is_empty(value))
		return;
	element->has_call |= field.action == CHAT_CALL;
	rag_keep_field(&element->extra, name->val.string.val, name->val.string.len, value);
}

static void
read_fields(Element *element, JsonbContainer *object)
{
	JsonbIterator *it = JsonbIteratorInit(object);
	JsonbValue name;
	JsonbValue value;

	(void) JsonbIteratorNext(&it, &name, true); /* WJB_BEGIN_OBJECT */
	while (JsonbIteratorNext(&it, &name, true) == WJB_KEY)
	{
		(void) JsonbIteratorNext(&it, &value, true);
		read_field(element, &name, &value);
	}
}

/* How much of the fields of an unknown form is shown, in bytes. */
#define FIELDS_SHOWN 100

/* ------------------------------------------------------------------------
 *		Forms
 * ------------------------------------------------------------------------
 */

pg_noreturn static void
error_unknown_form(int place, JsonbContainer *object)
{
	JsonbIterator *it = JsonbIteratorInit(object);
	JsonbValue name;
	StringInfoData fields;

	initStringInfo(&fields);
	(void) JsonbIteratorNext(&it, &name, true); /* WJB_BEGIN_OBJECT */
	while (JsonbIteratorNext(&it, &name, true) == WJB_KEY)
	{
		if (fields.len < FIELDS_SHOWN)
			appendStringInfo(&fields, "%s\"%.*s\"", fields.len > 0 ? ", " : "",
							 pg_mbcliplen(name.val.string.val, name.val.string.len,
										  FIELDS_SHOWN),
							 name.val.string.val);
		(void) JsonbIteratorNext(&it, &name, true);
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%sneither \"role\" nor \"type\" tells what the message is", rag_element(place)),
			 fields.len > 0 ? errdetail("It has these fields: %s.", fields.data) : 0,
			 errhint("Messages are known in these forms: " RAG_KNOWN_FORMS ".")));
}

static void
find_form(Element *element, JsonbContainer *object, Oid nspoid)
{
	JsonbValue role_buffer;
	JsonbValue type_buffer;
	JsonbValue *role = getKeyJsonValueFromContainer(object, "role", strlen("role"),
													&role_buffer);
	JsonbValue *type = getKeyJsonValueFromContainer(object, "type", strlen("type"),
													&type_buffer);

	if (role && role->type != jbvNull)
	{
		element->form = CHAT_BY_ROLE;
		element->kind = rag_kind_of_role(element->place, role, nspoid);
	}
	else if (type && type->type != jbvNull)
	{
		element->form = CHAT_BY_TYPE;
		element->kind = rag_kind_of_type(element->place, type);
	}
	else
		error_unknown_form(element->place, object);
}

/*
 * Beside "data", only such fields are read as may stand at both levels; everything
 * else is inside it.
 */
static JsonbContainer *
read_outer_fields(Element *element, JsonbContainer *object)
{
	JsonbIterator *it = JsonbIteratorInit(object);
	JsonbContainer *data = object;
	JsonbValue name;
	JsonbValue value;

	(void) JsonbIteratorNext(&it, &name, true); /* WJB_BEGIN_OBJECT */
	while (JsonbIteratorNext(&it, &name, true) == WJB_KEY)
	{
		(void) JsonbIteratorNext(&it, &value, true);
		if (rag_json_equals(&name, "data"))
		{
			if (!rag_json_is_object(&value))
				rag_error_field(element->place, "data", "an object");
			data = value.val.binary.data;
		}
		else if (rag_json_equals(&name, "type") || rag_json_equals(&name, "created_at"))
			read_field(element, &name, &value);
		else
			rag_error_unknown_field(element->place, &name,
									"Such a message has these fields: type, data, created_at.");
	}
	return data;
}

static void
read_message(Element *element, const JsonbValue *value, Oid nspoid)
{
	JsonbContainer *object;
	JsonbValue buffer;

	if (!rag_json_is_object(value))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%snot a JSON object", rag_element(element->place))));
	object = value->val.binary.data;
	find_form(element, object, nspoid);
	if (element->form == CHAT_BY_TYPE &&
		getKeyJsonValueFromContainer(object, "data", strlen("data"), &buffer))
		object = read_outer_fields(element, object);
	read_fields(element, object);
}

/* ------------------------------------------------------------------------
 *		Calls of tools
 * ------------------------------------------------------------------------
 */

/* Notes the calls of the message, which results refer to. */
static void
enter_calls(Reader *reader, const RagExtra *extra, int message)
{
	const JsonbValue *calls = rag_kept_field(extra, RAG_TOOL_CALLS);
	JsonbIterator *it;
	JsonbValue call;

	if (calls == NULL || !rag_json_is_array(calls))
		return;
	if (reader->calls == NULL)
		reader->calls = rag_create_json_keys();
	it = rag_json_elements(calls);
	while (rag_json_next(&it, &call))
	{
		JsonbValue buffer;
		const JsonbValue *id = rag_json_string_field(&call, "id", &buffer);

		if (id)
			rag_enter_json_key(reader->calls, id, message);
	}
}

/*
 * The message with the call, or the last message of the assistant if the result does
 * not say which call it answers.
 */
static int
calling_message(Reader *reader, const Element *element)
{
	const JsonbValue *id = rag_kept_field(&element->extra, "tool_call_id");
	const int *message = NULL;

	if (id && id->type == jbvString && reader->calls)
		message = rag_find_json_key(reader->calls, id);
	if (message)
		return *message;
	if (reader->assistant < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%sresult of a tool without a message of the assistant before it",
						rag_element(element->place))));
	return reader->assistant;
}

/* ------------------------------------------------------------------------
 *		What becomes of an element
 * ------------------------------------------------------------------------
 */

static RagExtra *
extra_of_message(Reader *reader, int message)
{
	if (reader->extras[message] == NULL)
		reader->extras[message] = palloc0(sizeof(RagExtra));
	return reader->extras[message];
}

static void
add_message(Reader *reader, Element *element)
{
	static const char *const names[] = {[CHAT_USER] = "user", [CHAT_ASSISTANT] = "assistant"};
	RagMessage *message = element->message;
	int n = reader->chat->n++;

	if (element->content == NULL && element->has_call)
		element->content = cstring_to_text("");
	message->element = element->place;
	message->values[COL_SESSION_ID] = reader->session_id;
	message->isnull[COL_SESSION_ID] = false;
	message->values[COL_ROLE] = CStringGetTextDatum(names[element->kind]);
	message->isnull[COL_ROLE] = false;
	message->values[COL_CONTENT] = PointerGetDatum(element->content);
	message->isnull[COL_CONTENT] = element->content == NULL;
	rag_check_message(message, reader->nspoid);

	if (element->extra.metadata || element->extra.fields != NIL)
		*extra_of_message(reader, n) = element->extra;
	if (element->has_id)
	{
		message->values[COL_ID] = Int64GetDatum(element->id);
		message->isnull[COL_ID] = false;
	}
	if (element->has_id && element->id <= reader->upto_id)
		reader->chat->n_upto = reader->chat->n;
	if (element->kind == CHAT_ASSISTANT)
	{
		reader->assistant = n;
		enter_calls(reader, &element->extra, n);
	}
}

/* Keeps a system message as it came. */
static void
keep_system_message(Reader *reader, const Element *element, const JsonbValue *value)
{
	RagJsonbState *state = &reader->system_messages;
	bool by_role = element->form == CHAT_BY_ROLE;
	JsonbValue role_buffer;
	JsonbValue content_buffer;
	JsonbValue name_buffer;
	JsonbValue content = rag_json_string(VARDATA_ANY(element->content),
										 VARSIZE_ANY_EXHDR(element->content));
	JsonbValue system = rag_json_string("system", strlen("system"));
	const JsonbValue *role = by_role ? rag_json_field(value, "role", &role_buffer) : &system;
	const JsonbValue *given = by_role ? rag_json_field(value, "content", &content_buffer) : NULL;
	const JsonbValue *name = by_role ? rag_json_string_field(value, "name", &name_buffer) : NULL;

	if (reader->n_system == 0)
		rag_push_jsonb(state, WJB_BEGIN_ARRAY, NULL);
	rag_push_jsonb(state, WJB_BEGIN_OBJECT, NULL);
	rag_push_field(state, "role", role);
	rag_push_field(state, "content", given ? given : &content);
	if (name)
		rag_push_field(state, "name", name);
	rag_push_jsonb(state, WJB_END_OBJECT, NULL);
	reader->is_plain_system = reader->n_system == 0 && name == NULL &&
		rag_json_equals(role, "system") && element->extra.fields == NIL;
	reader->n_system++;
}

/* A system message has a text, or parts that are texts. */
static void
check_system_message(const Element *element)
{
	const JsonbValue *parts = rag_kept_field(&element->extra, RAG_CONTENT_PARTS);
	JsonbIterator *it = parts ? rag_json_elements(parts) : NULL;
	JsonbValue part;

	while (it && rag_json_next(&it, &part))
	{
		JsonbValue buffer;
		const JsonbValue *type = rag_json_string_field(&part, "type", &buffer);

		if (type && !rag_json_equals(type, "text"))
			rag_error_field(element->place, "content", "text only, in a system message");
	}
}

static void
add_system_message(Reader *reader, const Element *element, const JsonbValue *value)
{
	if (element->content == NULL)
		rag_error_null(reader->nspoid, "messages", "content", element->place);
	check_system_message(element);
	keep_system_message(reader, element, value);
	if (reader->n_system > 1)
		appendStringInfoString(&reader->system_prompt, "\n\n");
	else
		initStringInfo(&reader->system_prompt);
	appendBinaryStringInfo(&reader->system_prompt, VARDATA_ANY(element->content),
						   VARSIZE_ANY_EXHDR(element->content));
}

static void
add_tool_result(Reader *reader, const Element *element)
{
	RagExtra *extra = extra_of_message(reader, calling_message(reader, element));

	extra->results = lappend(extra->results,
							 rag_tool_result(&element->extra, element->content));
}

static void
add_element(Reader *reader, int place, const JsonbValue *value)
{
	Element element = {.place = place,
					   .message = &reader->chat->messages[reader->chat->n]};

	/*
	 * Initialized one by one, so that an early error does not touch the whole array.
	 */
	rag_clear_message(element.message);
	reader->extras[reader->chat->n] = NULL;
	read_message(&element, value, reader->nspoid);
	switch (element.kind)
	{
		case CHAT_SYSTEM:
			add_system_message(reader, &element, value);
			break;
		case CHAT_TOOL:
			add_tool_result(reader, &element);
			break;
		default:
			add_message(reader, &element);
	}
}

/*
 * The metadata of a message is complete only in the end, because results of tools may
 * come late.
 */
static void
finish_messages(Reader *reader)
{
	RagChat *chat = reader->chat;

	for (int i = 0; i < chat->n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (reader->extras[i])
			rag_set_metadata(&chat->messages[i], reader->extras[i]);
	}
	if (reader->n_system == 0)
		return;
	chat->system_prompt = cstring_to_text_with_len(reader->system_prompt.data,
												   reader->system_prompt.len);
	rag_push_jsonb(&reader->system_messages, WJB_END_ARRAY, NULL);
	if (!reader->is_plain_system)
		chat->system_messages = rag_built_value(&reader->system_messages);
}

void
rag_chat_from_json(RagChat *chat, JsonbContainer *array, const pg_uuid_t *session_id,
				   int64 upto_id, Oid nspoid)
{
	JsonbIterator *it = JsonbIteratorInit(array);
	Size n = Max(JsonContainerSize(array), 1);
	Reader reader = {.chat = chat,
					 .nspoid = nspoid,
					 .session_id = UUIDPGetDatum(session_id),
					 .upto_id = upto_id,
					 .assistant = -1};
	JsonbValue value;
	int place = 0;

	memset(chat, 0, sizeof(RagChat));
	chat->messages = palloc_extended(sizeof(RagMessage) * n, MCXT_ALLOC_HUGE);
	reader.extras = palloc_extended(sizeof(RagExtra *) * n, MCXT_ALLOC_HUGE);
	(void) JsonbIteratorNext(&it, &value, true); /* WJB_BEGIN_ARRAY */
	while (JsonbIteratorNext(&it, &value, true) == WJB_ELEM)
	{
		CHECK_FOR_INTERRUPTS();
		add_element(&reader, ++place, &value);
	}
	finish_messages(&reader);
}
