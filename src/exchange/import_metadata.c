/*
 * exchange/import_metadata.c
 *		What the messages of other programs have and our columns do not.
 */
#include "base/compat.h"

#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "base/error.h"
#include "base/json.h"
#include "message/message.h"
#include "exchange/import_metadata.h"

#define CONTENT "content"
#define CONTENT_PARTS "content_parts"
#define TOOL_RESULTS "tool_results"

bool
rag_json_is_empty(const JsonbValue *value)
{
	switch (value->type)
	{
		case jbvNull:
			return true;
		case jbvBool:
			return !value->val.boolean;
		case jbvString:
			return value->val.string.len == 0;
		case jbvBinary:
			return JsonContainerSize(value->val.binary.data) == 0;
		default:
			return false;
	}
}

void
rag_keep_field(RagExtra *extra, const char *name, int len, const JsonbValue *value)
{
	JsonbPair *pair = palloc0(sizeof(JsonbPair));

	pair->key = rag_json_string(name, len);
	pair->value = *value;
	extra->fields = lappend(extra->fields, pair);
}

const JsonbValue *
rag_kept_field(const RagExtra *extra, const char *name)
{
	ListCell *lc;

	foreach (lc, extra->fields)
	{
		const JsonbPair *pair = lfirst(lc);

		if (rag_json_equals(&pair->key, name))
			return &pair->value;
	}
	return NULL;
}

/* ------------------------------------------------------------------------
 *		Content
 * ------------------------------------------------------------------------
 */

static const JsonbValue *
string_field(const JsonbValue *object, const char *name, JsonbValue *buffer)
{
	const JsonbValue *value = getKeyJsonValueFromContainer(object->val.binary.data, name,
														   strlen(name), buffer);

	return value && value->type == jbvString ? value : NULL;
}

/*
 * Returns false if it is not a part of a content. *string is its text, or NULL if it
 * has none.
 */
static bool
read_part(const JsonbValue *part, const JsonbValue **string, JsonbValue *buffer)
{
	const JsonbValue *type;

	*string = part;
	if (part->type == jbvString)
		return true;
	if (!rag_json_is_object(part))
		return false;
	type = string_field(part, "type", buffer);
	if (type && rag_json_equals(type, "text"))
	{
		*string = string_field(part, "text", buffer);
		return *string != NULL;
	}
	*string = NULL;
	return type != NULL;
}

/* Does the part have nothing except the text? */
static bool
is_plain_text(const JsonbValue *part)
{
	return part->type == jbvString || JsonContainerSize(part->val.binary.data) == 2;
}

pg_noreturn static void
error_part(int element, int part)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%spart %d of field \"%s\" is not a part of a message",
					rag_element(element), part, CONTENT),
			 errdetail("A part is a string, {\"type\": \"text\", \"text\": ...}, or an object with another \"type\".")));
}

static text *
text_of_parts(RagExtra *extra, int element, JsonbContainer *parts)
{
	JsonbIterator *it = JsonbIteratorInit(parts);
	RagJsonbState others = {0};
	JsonbValue part;
	JsonbValue buffer;
	StringInfoData str;
	int n = 0;

	initStringInfo(&str);
	rag_push_jsonb(&others, WJB_BEGIN_ARRAY, NULL);
	(void) JsonbIteratorNext(&it, &part, true); /* WJB_BEGIN_ARRAY */
	while (JsonbIteratorNext(&it, &part, true) == WJB_ELEM)
	{
		const JsonbValue *string;

		n++;
		if (!read_part(&part, &string, &buffer))
			error_part(element, n);
		if (string)
			appendBinaryStringInfo(&str, string->val.string.val, string->val.string.len);
		if (string == NULL || !is_plain_text(&part))
			rag_push_jsonb(&others, WJB_ELEM, &part);
	}
	rag_push_jsonb(&others, WJB_END_ARRAY, NULL);
	if (others.result->val.array.nElems > 0)
		rag_keep_field(extra, CONTENT_PARTS, strlen(CONTENT_PARTS),
					   rag_built_value(&others));
	return cstring_to_text_with_len(str.data, str.len);
}

text *
rag_text_of_content(RagExtra *extra, int element, JsonbValue *content)
{
	if (content->type == jbvNull)
		return NULL;
	if (content->type == jbvString)
		return DatumGetTextPP(rag_text_from_json(element, CONTENT, content));
	if (content->type != jbvBinary || !JsonContainerIsArray(content->val.binary.data))
		rag_error_field(element, CONTENT, "a string or an array of parts");
	return text_of_parts(extra, element, content->val.binary.data);
}

/* ------------------------------------------------------------------------
 *		Metadata
 * ------------------------------------------------------------------------
 */

static void
push_fields(RagJsonbState *state, const RagExtra *extra)
{
	ListCell *lc;

	foreach (lc, extra->fields)
	{
		JsonbPair *pair = lfirst(lc);

		rag_push_pair(state, pair->key, &pair->value);
	}
}

static void
push_results(RagJsonbState *state, const RagExtra *extra)
{
	ListCell *lc;

	rag_push_key(state, TOOL_RESULTS);
	rag_push_jsonb(state, WJB_BEGIN_ARRAY, NULL);
	foreach (lc, extra->results)
		rag_push_jsonb(state, WJB_ELEM, (JsonbValue *) lfirst(lc));
	rag_push_jsonb(state, WJB_END_ARRAY, NULL);
}

JsonbValue *
rag_tool_result(const RagExtra *extra, const text *content)
{
	RagJsonbState state = {0};
	JsonbValue value = rag_json_string("", 0);

	if (content)
		value = rag_json_string(VARDATA_ANY(content), VARSIZE_ANY_EXHDR(content));
	rag_push_jsonb(&state, WJB_BEGIN_OBJECT, NULL);
	push_fields(&state, extra);
	rag_push_pair(&state, rag_json_string(CONTENT, strlen(CONTENT)), &value);
	rag_push_jsonb(&state, WJB_END_OBJECT, NULL);
	return rag_built_value(&state);
}

static void
require_unused(const RagMessage *message, const RagExtra *extra, const char *name,
			   int len)
{
	JsonbValue buffer;

	if (getKeyJsonValueFromContainer(extra->metadata->val.binary.data, name, len,
									 &buffer) == NULL)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%sfield \"metadata\" has \"%.*s\" already",
					rag_element(message->element), len, name)));
}

static void
check_names(const RagMessage *message, const RagExtra *extra)
{
	ListCell *lc;

	foreach (lc, extra->fields)
	{
		const JsonbValue *key = &((JsonbPair *) lfirst(lc))->key;

		require_unused(message, extra, key->val.string.val, key->val.string.len);
	}
	if (extra->results != NIL)
		require_unused(message, extra, TOOL_RESULTS, strlen(TOOL_RESULTS));
}

void
rag_set_metadata(RagMessage *message, const RagExtra *extra)
{
	RagJsonbState state = {0};
	JsonbValue *result = extra->metadata;

	if (extra->fields != NIL || extra->results != NIL)
	{
		rag_push_jsonb(&state, WJB_BEGIN_OBJECT, NULL);
		if (extra->metadata && extra->metadata->type != jbvNull)
		{
			check_names(message, extra);
			rag_push_pairs(&state, extra->metadata->val.binary.data);
		}
		push_fields(&state, extra);
		if (extra->results != NIL)
			push_results(&state, extra);
		rag_push_jsonb(&state, WJB_END_OBJECT, NULL);
		result = state.result;
	}
	if (result == NULL)
		return;
	message->values[COL_METADATA] = JsonbPGetDatum(JsonbValueToJsonb(result));
	message->isnull[COL_METADATA] = false;
}
