/*
 * exchange/import_parts.c
 *		The content of a message: its text, and what its parts are besides.
 */
#include "base/compat.h"

#include "miscadmin.h"
#include "utils/builtins.h"

#include "base/error.h"
#include "base/json.h"
#include "message/content_part.h"
#include "exchange/import_parts.h"

typedef struct Reader
{
	RagContent *content;
	const RagForm *form;
	int place;
	const char *field;
	bool keeps_all; /* the parts are kept as they are, whatever else becomes of them */
	List *kept;		/* otherwise, parts that are to be kept: JsonbValue */
} Reader;

static void read_parts(Reader *reader, const JsonbValue *parts);

static void
append_string(RagContent *content, const JsonbValue *string)
{
	appendBinaryStringInfo(&content->text, string->val.string.val,
						   string->val.string.len);
}

static text *
text_of(const JsonbValue *string)
{
	return cstring_to_text_with_len(string->val.string.val, string->val.string.len);
}

static JsonbValue *
copy_value(const JsonbValue *value)
{
	JsonbValue *copy = palloc(sizeof(JsonbValue));

	*copy = *value;
	return copy;
}

static JsonbValue *
array_of(const List *values)
{
	RagJsonbState state = {0};
	ListCell *lc;

	rag_push_jsonb(&state, WJB_BEGIN_ARRAY, NULL);
	foreach (lc, values)
		rag_push_jsonb(&state, WJB_ELEM, (JsonbValue *) lfirst(lc));
	rag_push_jsonb(&state, WJB_END_ARRAY, NULL);
	return rag_built_value(&state);
}

/* ------------------------------------------------------------------------
 *		Calls of tools, and their results
 * ------------------------------------------------------------------------
 */

/*
 * What a part has besides the fields that were used; nothing where all of it is kept.
 */
static void
push_other_fields(RagJsonbState *state, const Reader *reader, const RagPart *row,
				  const JsonbValue *part)
{
	const char *used[] = {"type", "part_kind", "block_type", "id", "function", "tool_call_id", "content",
						  row->id[0], row->id[1] ? row->id[1] : "type",
						  row->name ? row->name : "type",
						  row->data[0], row->data[1] ? row->data[1] : "type"};
	JsonbIterator *it = JsonbIteratorInit(part->val.binary.data);
	JsonbValue name;
	JsonbValue value;

	if (reader->keeps_all)
		return;
	(void) JsonbIteratorNext(&it, &name, true); /* WJB_BEGIN_OBJECT */
	while (JsonbIteratorNext(&it, &name, true) == WJB_KEY)
	{
		bool is_used = false;

		(void) JsonbIteratorNext(&it, &value, true);
		for (int i = 0; i < (int) lengthof(used); i++)
			is_used |= rag_json_equals(&name, used[i]);
		if (!is_used && value.type != jbvNull)
			rag_push_pair(state, name, &value);
	}
}

/* The name of the tool: a field, or the rest of the type. */
static JsonbValue
tool_name(const RagPart *row, const JsonbValue *part)
{
	JsonbValue buffer;
	const JsonbValue *name = rag_part_type(part, &buffer);
	int begin = strlen(row->type);

	if (row->name)
	{
		name = rag_json_string_field(part, row->name, &buffer);
		begin = 0;
	}
	if (name == NULL)
		return rag_json_string("", 0);
	return rag_json_string(name->val.string.val + begin, name->val.string.len - begin);
}

/* data may be NULL. */
static void
read_call(Reader *reader, const RagPart *row, const JsonbValue *part,
		  const JsonbValue *id, const JsonbValue *data)
{
	RagJsonbState state = {0};
	JsonbValue name = tool_name(row, part);
	JsonbValue arguments = rag_json_string("{}", strlen("{}"));

	if (data)
		arguments = rag_json_to_string(data);
	rag_push_jsonb(&state, WJB_BEGIN_OBJECT, NULL);
	push_other_fields(&state, reader, row, part);
	rag_push_field(&state, "id", id);
	rag_push_string(&state, "type", "function", strlen("function"));
	rag_push_key(&state, "function");
	rag_push_jsonb(&state, WJB_BEGIN_OBJECT, NULL);
	rag_push_field(&state, "name", &name);
	rag_push_field(&state, "arguments", &arguments);
	rag_push_jsonb(&state, WJB_END_OBJECT, NULL);
	rag_push_jsonb(&state, WJB_END_OBJECT, NULL);
	reader->content->calls = lappend(reader->content->calls, rag_built_value(&state));
}

/*
 * The AI SDK and the Agents SDK say what a result is: {"type": "text", "value": ...}. An
 * object with another type is what the tool returned.
 */
static const JsonbValue *
open_result(const JsonbValue *data, JsonbValue *buffer)
{
	static const char *const types[] = {"text", "json", "error-text", "error-json",
										"content", "input_text"};
	JsonbValue type_buffer;
	const JsonbValue *type = rag_json_string_field(data, "type", &type_buffer);
	const JsonbValue *value;

	if (type == NULL || !rag_json_is_one_of(type, types, lengthof(types)))
		return data;
	value = rag_json_field(data, "value", buffer);
	if (value == NULL)
		value = rag_json_string_field(data, "text", buffer);
	return value ? value : data;
}

/* Is it an array of parts, one of which has a text? */
static bool
has_text_parts(const JsonbValue *value)
{
	JsonbIterator *it;
	JsonbValue part;
	JsonbValue buffer;

	if (!rag_json_is_array(value))
		return false;
	it = rag_json_elements(value);
	while (rag_json_next(&it, &part))
	{
		if (rag_json_is_object(&part) && rag_part_type(&part, &buffer) &&
			rag_part_text(&part, &buffer))
			return true;
	}
	return false;
}

/* data may be NULL. */
static void
read_result(Reader *reader, const RagPart *row, const JsonbValue *part,
			const JsonbValue *id, const JsonbValue *data)
{
	RagJsonbState state = {0};
	JsonbValue empty = rag_json_string("", 0);
	JsonbValue buffer;
	JsonbValue name = tool_name(row, part);
	JsonbValue content;
	StringInfoData text;

	data = data ? open_result(data, &buffer) : &empty;
	if (has_text_parts(data))
	{
		initStringInfo(&text);
		rag_append_content(&text, data);
		content = rag_json_string(text.data, text.len);
	}
	else
		content = rag_json_to_string(data);
	rag_push_jsonb(&state, WJB_BEGIN_OBJECT, NULL);
	push_other_fields(&state, reader, row, part);
	rag_push_field(&state, "tool_call_id", id);
	if (name.val.string.len > 0)
		rag_push_field(&state, "name", &name);
	rag_push_field(&state, "content", &content);
	if (has_text_parts(data) && !reader->keeps_all)
		rag_push_field(&state, "content_parts", data);
	rag_push_jsonb(&state, WJB_END_OBJECT, NULL);
	reader->content->results = lappend(reader->content->results, rag_built_value(&state));
}

/* ------------------------------------------------------------------------
 *		Parts
 * ------------------------------------------------------------------------
 */

static bool
is_of_type(const RagPart *row, const JsonbValue *type)
{
	int len = strlen(row->type);

	if (row->type[len - 1] != '-')
		return rag_json_equals(type, row->type);
	return type->val.string.len > len &&
		memcmp(type->val.string.val, row->type, len) == 0;
}

/* The first of two fields that is there, and not null; or NULL. */
static const JsonbValue *
first_field(const JsonbValue *part, const char *const names[2], JsonbValue *buffer)
{
	for (int i = 0; i < 2 && names[i]; i++)
	{
		const JsonbValue *field = rag_json_field(part, names[i], buffer);

		if (field && field->type != jbvNull)
			return field;
	}
	return NULL;
}

/*
 * May the part of a call or a result be without data? A function without arguments or
 * one that returns nothing leaves them out; but in a user interface they may still come.
 */
static bool
is_complete(const Reader *reader, const JsonbValue *part)
{
	JsonbValue buffer;
	const JsonbValue *state = rag_json_string_field(part, "state", &buffer);

	if (state == NULL)
		return (reader->form->flags & FORM_VERBATIM) == 0;
	return rag_json_equals(state, "output-available") ||
		rag_json_equals(state, "output-error") || rag_json_equals(state, "result");
}

/* Returns whether the row says what becomes of the part. */
static bool
use_row(Reader *reader, const RagPart *row, const JsonbValue *part)
{
	RagContent *content = reader->content;
	JsonbValue id_buffer;
	JsonbValue data_buffer;
	const JsonbValue *data = first_field(part, row->data, &data_buffer);
	const JsonbValue *id = first_field(part, row->id, &id_buffer);

	if (row->id[0] && (id == NULL || id->type != jbvString))
		return false;
	if (data == NULL && (row->id[0] == NULL || !is_complete(reader, part)))
		return false;
	switch (row->use)
	{
		case PART_CALL:
			read_call(reader, row, part, id, data);
			return true;
		case PART_RESULT:
			read_result(reader, row, part, id, data);
			return true;
		case PART_SYSTEM:
			if (data->type != jbvString)
				return false;
			content->system = lappend(content->system, text_of(data));
			return true;
		case PART_TEXT:
			if (data->type == jbvString)
				append_string(content, data);
			else if (rag_json_is_array(data))
				read_parts(reader, data);
			else
				return false;
			return true;
	}
	pg_unreachable();
}

/*
 * Returns whether the part is somewhere now, and need not be kept. Its type is a field of
 * it, or the name of the field that has it.
 */
static bool
use_part(Reader *reader, const JsonbValue *part)
{
	JsonbValue buffer;
	const JsonbValue *type = rag_part_type(part, &buffer);
	bool is_used = false;

	for (const RagPart *row = reader->form->parts; row && row->type; row++)
	{
		JsonbValue nested_buffer;
		const JsonbValue *nested = rag_json_field(part, row->type, &nested_buffer);

		if (type && is_of_type(row, type))
			is_used |= use_row(reader, row, part);
		else if (nested && rag_json_is_object(nested))
			is_used |= use_row(reader, row, nested);
	}
	return is_used;
}

pg_noreturn static void
error_part(const Reader *reader, int part)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%spart %d of field \"%s\" is not a part of a message",
					rag_element(reader->place), part, reader->field),
			 errdetail("A part is a string, {\"type\": \"text\", \"text\": ...}, or an object with another \"type\".")));
}

/* Says the object what it is? {"type": "text"} without its text does not. */
static bool
is_part(const JsonbValue *part, const JsonbValue *string)
{
	JsonbValue buffer;
	const JsonbValue *type;

	if (string)
		return true;
	if (!rag_json_is_object(part) || JsonContainerSize(part->val.binary.data) == 0)
		return false;
	type = rag_json_field(part, "type", &buffer);
	return type == NULL ||
		(type->type == jbvString && !rag_json_equals(type, "text"));
}

static void
read_parts(Reader *reader, const JsonbValue *parts)
{
	JsonbIterator *it = rag_json_elements(parts);
	JsonbValue part;
	int n = 0;

	check_stack_depth();
	while (rag_json_next(&it, &part))
	{
		JsonbValue buffer;
		const JsonbValue *string;

		n++;
		if (part.type == jbvNull)
			continue;
		if (use_part(reader, &part))
			continue;
		string = rag_part_text(&part, &buffer);
		if (!is_part(&part, string))
			error_part(reader, n);
		if (string)
			append_string(reader->content, string);
		reader->kept = lappend(reader->kept, copy_value(&part));
	}
}

/* ------------------------------------------------------------------------
 *		What is kept
 * ------------------------------------------------------------------------
 */

/* Is it a part of the type "text"? Its own text need not be kept if it is the content. */
static bool
is_text_part(const JsonbValue *part)
{
	JsonbValue buffer;
	const JsonbValue *type = rag_json_string_field(part, "type", &buffer);

	return type && rag_json_equals(type, "text") &&
		rag_json_string_field(part, "text", &buffer) != NULL;
}

/*
 * If only one part is of the type "text", and the others add up to nothing, it stands for
 * the content.
 */
static void
shorten_text_part(const Reader *reader)
{
	ListCell *found = NULL;
	ListCell *lc;
	JsonbValue buffer;
	const JsonbValue *text;

	foreach (lc, reader->kept)
	{
		if (!is_text_part(lfirst(lc)))
			continue;
		if (found)
			return;
		found = lc;
	}
	if (found == NULL)
		return;
	text = rag_json_string_field(lfirst(found), "text", &buffer);
	if (text->val.string.len == reader->content->text.len)
		lfirst(found) = rag_json_without(lfirst(found), "text");
}

/* Are all of them strings? */
static bool
are_strings(const List *parts)
{
	ListCell *lc;

	foreach (lc, parts)
	{
		if (((JsonbValue *) lfirst(lc))->type != jbvString)
			return false;
	}
	return true;
}

static void
keep_parts(const Reader *reader, const JsonbValue *given)
{
	RagContent *content = reader->content;
	int flags = reader->form->flags;

	if ((flags & FORM_VERBATIM) != 0)
	{
		content->parts = copy_value(given);
		return;
	}
	if (reader->kept == NIL || (flags & FORM_ITEMS) != 0 ||
		((flags & FORM_CHAT) == 0 && are_strings(reader->kept)))
		return;
	shorten_text_part(reader);
	content->parts = array_of(reader->kept);
}

/* ------------------------------------------------------------------------
 *		Contents
 * ------------------------------------------------------------------------
 */

/* Has it brought results of tools, which are kept with their calls, and nothing else? */
static bool
has_only_results(const Reader *reader)
{
	const RagContent *content = reader->content;

	return content->results != NIL && content->calls == NIL && content->text.len == 0 &&
		reader->kept == NIL;
}

static void
begin(RagContent *content)
{
	if (!content->has_text)
		initStringInfo(&content->text);
	content->has_text = true;
}

void
rag_read_content(RagContent *content, const RagForm *form, bool strict, int place,
				 const char *field, const JsonbValue *value)
{
	Reader reader = {.content = content,
					 .form = form,
					 .place = place,
					 .field = field,
					 .keeps_all = (form->flags & (FORM_VERBATIM | FORM_ITEMS)) != 0};
	JsonbValue buffer;
	const JsonbValue *parts = value;
	RagJsonbState state = {0};

	if (value->type == jbvNull)
		return;
	if (value->type == jbvString)
	{
		begin(content);
		append_string(content, value);
		return;
	}
	if (!strict && rag_json_is_object(value))
	{
		parts = rag_json_array_field(value, "parts", &buffer);
		if (parts == NULL) /* it is a part itself */
		{
			rag_push_jsonb(&state, WJB_BEGIN_ARRAY, NULL);
			rag_push_jsonb(&state, WJB_ELEM, copy_value(value));
			rag_push_jsonb(&state, WJB_END_ARRAY, NULL);
			parts = rag_built_value(&state);
		}
	}
	if (!rag_json_is_array(parts))
		rag_error_field(place, field, "a string or an array of parts");
	begin(content);
	read_parts(&reader, parts);
	if ((form->flags & FORM_VERBATIM) != 0 && has_only_results(&reader))
	{
		/* Once more, with all that the results have. */
		content->results = NIL;
		reader.keeps_all = false;
		read_parts(&reader, parts);
		return;
	}
	keep_parts(&reader, parts);
}

void
rag_read_item(RagContent *content, const RagForm *form, int place, const JsonbValue *item)
{
	Reader reader = {.content = content,
					 .form = form,
					 .place = place,
					 .field = "type",
					 .keeps_all = true};

	(void) use_part(&reader, item);
}

static void
use_nested(Reader *reader, const RagPart *row, const JsonbValue *value)
{
	JsonbIterator *it;
	JsonbValue part;

	if (rag_json_is_object(value))
		(void) use_row(reader, row, value);
	if (!rag_json_is_array(value))
		return;
	it = rag_json_elements(value);
	while (rag_json_next(&it, &part))
		(void) use_row(reader, row, &part);
}

void
rag_read_nested(RagContent *content, const RagForm *form, int place,
				const JsonbValue *object)
{
	Reader reader = {.content = content, .form = form, .place = place};

	for (const RagPart *row = form->parts; row && row->type; row++)
	{
		JsonbValue buffer;
		const JsonbValue *value = rag_json_field(object, row->type, &buffer);

		if (value)
			use_nested(&reader, row, value);
	}
	if (content->results != NIL)
	{
		content->has_text = false;
		content->parts = NULL;
	}
}

text *
rag_content_text(const RagContent *content)
{
	if (!content->has_text)
		return NULL;
	return cstring_to_text_with_len(content->text.data, content->text.len);
}

void
rag_append_content(StringInfo text, const JsonbValue *value)
{
	JsonbValue buffer;
	JsonbValue part;
	const JsonbValue *parts = rag_json_is_array(value) ? value : rag_json_array_field(value, "parts", &buffer);
	JsonbIterator *it;

	if (parts == NULL)
		parts = value;
	if (!rag_json_is_array(parts))
	{
		const JsonbValue *string = rag_part_text(parts, &part);

		if (string)
			appendBinaryStringInfo(text, string->val.string.val, string->val.string.len);
		return;
	}
	it = rag_json_elements(parts);
	while (rag_json_next(&it, &part))
	{
		JsonbValue string_buffer;
		const JsonbValue *string = rag_part_text(&part, &string_buffer);

		if (string)
			appendBinaryStringInfo(text, string->val.string.val, string->val.string.len);
	}
}
