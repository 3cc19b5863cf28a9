/*
 * exchange/import_element.c
 *		An element of an array of messages, read by the table of its form.
 */
#include "base/compat.h"

#include "utils/builtins.h"

#include "base/error.h"
#include "base/json.h"
#include "base/metadata.h"
#include "message/content_part.h"
#include "message/message.h"
#include "message/message_json.h"
#include "exchange/import_element.h"

/* What is said where the content says nothing: a refusal, or the words of a sound. */
typedef struct Reading
{
	RagElement *element;
	bool has_content;	 /* there is a field that is called so */
	JsonbValue fallback; /* null: there is none */
} Reading;

/* A JSON null means "not given", except for sources, where it is stored. */
static void
read_column(RagElement *element, RagColumn col, JsonbValue *value)
{
	if (value->type == jbvNull && col != COL_SOURCES)
		return;
	element->message->values[col] = rag_value_from_json(element->place, col, value);
	element->message->isnull[col] = false;
}

static void
read_time(RagElement *element, const JsonbValue *name, JsonbValue *value)
{
	char *field = pnstrdup(name->val.string.val, name->val.string.len);

	if (value->type == jbvNull)
		return;
	element->message->values[COL_CREATED_AT] =
		rag_any_time_from_json(element->place, field, value);
	element->message->isnull[COL_CREATED_AT] = false;
}

/* What another program calls metadata may be anything. */
static void
read_metadata(RagElement *element, const JsonbValue *value)
{
	if (value->type != jbvNull && !rag_json_is_object(value))
	{
		if ((element->form->flags & FORM_CHAT) != 0)
			rag_error_field(element->place, "metadata", "an object");
		rag_keep_field(&element->extra, "metadata", strlen("metadata"), value);
		return;
	}
	element->extra.metadata = palloc(sizeof(JsonbValue));
	*element->extra.metadata = *value;
}

static void
read_usage(RagElement *element, const JsonbValue *usage)
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

/*
 * LlamaIndex, and LangChain until it had fields for them, leave the calls as they came
 * from OpenAI beside what they know themselves.
 */
static void
read_kwargs(RagElement *element, const JsonbValue *kwargs)
{
	const char *name = element->kind == CHAT_TOOL ? "tool_call_id" : RAG_TOOL_CALLS;
	JsonbValue buffer;
	const JsonbValue *value = rag_json_field(kwargs, name, &buffer);

	if (value && !rag_json_is_empty(value) && !rag_kept_field(&element->extra, name))
		rag_keep_field(&element->extra, name, strlen(name), value);
}

/* Returns false if the field is to be kept in the metadata. */
static bool
read_id(RagElement *element, const JsonbValue *value)
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
read_content(RagElement *element, const JsonbValue *name, const JsonbValue *value)
{
	char *field = pnstrdup(name->val.string.val, name->val.string.len);

	rag_read_content(&element->content, element->form, element->strict, element->place,
					 field, value);
}

/* Returns whether the field is read, and nothing of it is to be kept. */
static bool
read_value(Reading *reading, const RagField *field, const JsonbValue *name,
		   JsonbValue *value)
{
	RagElement *element = reading->element;
	JsonbValue buffer;
	const JsonbValue *text;

	switch (field->action)
	{
		case CHAT_DONE:
			return true;
		case CHAT_CONTENT:
			read_content(element, name, value);
			return true;
		case CHAT_COLUMN:
			read_column(element, field->col, value);
			return true;
		case CHAT_TIME:
			read_time(element, name, value);
			return true;
		case CHAT_METADATA:
			read_metadata(element, value);
			return true;
		case CHAT_ID:
			return read_id(element, value);
		case CHAT_TEXT:
			if (value->type == jbvString)
				reading->fallback = *value;
			return value->type == jbvString;
		case CHAT_SPOKEN:
			text = rag_part_text(value, &buffer);
			if (text)
				reading->fallback = *text;
			return false;
		case CHAT_USAGE:
			read_usage(element, value);
			return false;
		case CHAT_NESTED:
			rag_read_nested(&element->content, element->form, element->place, value);
			return element->content.calls != NIL || element->content.results != NIL;
		case CHAT_KWARGS:
			read_kwargs(element, value);
			return false;
		case CHAT_RECIPIENT:
			if (value->type == jbvString && !rag_json_equals(value, "all"))
				element->kind = CHAT_ITEM;
			return false;
		case CHAT_CALL:
		case CHAT_KEEP:
		case CHAT_UNKNOWN:
			return false;
	}
	pg_unreachable();
}

/* Could the value of an unknown field be the content, which is missing so far? */
static bool
may_be_content(const Reading *reading, const JsonbValue *value)
{
	return !reading->has_content && reading->element->unknown.type == jbvNull &&
		(reading->element->form->flags & FORM_MISSPELT) != 0 &&
		(value->type == jbvString || rag_json_is_array(value));
}

static void
read_field(Reading *reading, const JsonbValue *name, JsonbValue *value)
{
	RagElement *element = reading->element;
	RagField field = rag_find_field(element->form, element->strict, element->place,
									element->kind, reading->has_content, name, value);

	if (read_value(reading, &field, name, value))
		return;
	if (field.action == CHAT_UNKNOWN && may_be_content(reading, value))
		element->unknown = *name;
	if (field.action == CHAT_UNKNOWN ? value->type == jbvNull : rag_json_is_empty(value))
		return;
	element->has_call |= field.action == CHAT_CALL || field.action == CHAT_SPOKEN;
	if ((element->form->flags & FORM_ITEMS) == 0)
		rag_keep_field(&element->extra, name->val.string.val, name->val.string.len,
					   value);
}

static void
read_fields(Reading *reading, JsonbContainer *object)
{
	JsonbIterator *it = JsonbIteratorInit(object);
	JsonbValue name;
	JsonbValue value;

	reading->has_content = getKeyJsonValueFromContainer(object, "content", strlen("content"), &value);
	(void) JsonbIteratorNext(&it, &name, true); /* WJB_BEGIN_OBJECT */
	while (JsonbIteratorNext(&it, &name, true) == WJB_KEY)
	{
		(void) JsonbIteratorNext(&it, &value, true);
		read_field(reading, &name, &value);
	}
}

/*
 * LangChain's: beside "data", only such fields are read as may stand at both levels;
 * everything else is inside it.
 */
static JsonbContainer *
read_outer_fields(Reading *reading, JsonbContainer *object)
{
	JsonbIterator *it = JsonbIteratorInit(object);
	int place = reading->element->place;
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
				rag_error_field(place, "data", "an object");
			data = value.val.binary.data;
		}
		else if (rag_json_equals(&name, "type") || rag_json_equals(&name, "created_at"))
			read_field(reading, &name, &value);
		else
			rag_error_unknown_field(place, &name, "Such a message",
									list_make3("type", "data", "created_at"), NULL);
	}
	return data;
}

/* What the content does not say, another field may. */
static void
use_fallback(Reading *reading)
{
	RagContent *content = &reading->element->content;

	if (reading->fallback.type != jbvString)
		return;
	if (content->has_text && content->text.len > 0)
		return;
	if (!content->has_text)
		initStringInfo(&content->text);
	content->has_text = true;
	appendBinaryStringInfo(&content->text, reading->fallback.val.string.val,
						   reading->fallback.val.string.len);
}

/* Do the metadata that a message came with use a name that something else has here? */
static bool
has_name_twice(const RagExtra *extra)
{
	static const char *const names[] = {RAG_TOOL_RESULTS, RAG_TOOL_CALLS, RAG_ITEMS};
	JsonbValue buffer;
	ListCell *lc;

	for (int i = 0; i < (int) lengthof(names); i++)
	{
		if (rag_json_field(extra->metadata, names[i], &buffer))
			return true;
	}
	foreach (lc, extra->fields)
	{
		const JsonbValue *key = &((JsonbPair *) lfirst(lc))->key;

		if (getKeyJsonValueFromContainer(extra->metadata->val.binary.data,
										 key->val.string.val, key->val.string.len,
										 &buffer))
			return true;
	}
	return false;
}

static void
keep_content(RagElement *element)
{
	RagExtra *extra = &element->extra;
	const RagContent *content = &element->content;
	const char *parts = (element->form->flags & FORM_CHAT) != 0 ? RAG_CONTENT_PARTS : "parts";

	if (content->parts)
		rag_keep_field(extra, parts, strlen(parts), content->parts);
	if (content->calls != NIL && rag_kept_field(extra, RAG_TOOL_CALLS) == NULL)
		extra->calls = content->calls;
	if ((element->form->flags & FORM_CHAT) == 0 && extra->metadata &&
		extra->metadata->type != jbvNull && has_name_twice(extra))
	{
		rag_keep_field(extra, "metadata", strlen("metadata"), extra->metadata);
		extra->metadata = NULL;
	}
}

/* What an assistant does before it says something. */
static void
find_items(RagElement *element)
{
	const RagContent *content = &element->content;

	if ((element->form->flags & FORM_JOIN) != 0 && element->kind == CHAT_ASSISTANT &&
		(!content->has_text || content->text.len == 0))
		element->kind = CHAT_ITEM;
}

void
rag_read_element(RagElement *element, const JsonbValue *value, Oid nspoid)
{
	Reading reading = {.element = element, .fallback = {.type = jbvNull}};
	JsonbContainer *object;
	JsonbValue buffer;

	if (!rag_json_is_object(value))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%snot a JSON object", rag_element(element->place))));
	element->value = *value;
	element->unknown.type = jbvNull;
	element->form = rag_find_form(element->place, value);
	element->kind = rag_find_kind(element->form, element->place, value, nspoid);
	element->strict = (element->form->flags & FORM_STRICT) != 0 ||
		(element->strict && (element->form->flags & FORM_MISSPELT) != 0);
	if (element->kind == CHAT_ITEM)
	{
		rag_read_item(&element->content, element->form, element->place, value);
		keep_content(element);
		return;
	}
	object = value->val.binary.data;
	if (strcmp(element->form->kind, "type") == 0 &&
		getKeyJsonValueFromContainer(object, "data", strlen("data"), &buffer))
		object = read_outer_fields(&reading, object);
	read_fields(&reading, object);
	use_fallback(&reading);
	find_items(element);
	keep_content(element);
}

void
rag_error_no_content(const RagElement *element, Oid nspoid)
{
	if (element->unknown.type != jbvNull)
		rag_error_no_such_field(element->form, element->place, element->kind,
								&element->unknown, "content");
	rag_error_null(nspoid, "messages", "content", element->place);
}
