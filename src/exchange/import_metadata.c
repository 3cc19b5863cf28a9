/*
 * exchange/import_metadata.c
 *		What the messages of other programs have and our columns do not.
 */
#include "base/compat.h"

#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "base/error.h"
#include "base/json.h"
#include "base/metadata.h"
#include "message/message.h"
#include "message/token_count.h"
#include "exchange/import_metadata.h"

#define CONTENT "content"

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
	type = rag_json_string_field(part, "type", buffer);
	if (type && rag_json_equals(type, "text"))
	{
		*string = rag_json_string_field(part, "text", buffer);
		return *string != NULL;
	}
	*string = NULL;
	return type != NULL;
}

/* Is it {"type": "text", "text": ...} and nothing else? */
static bool
is_plain_text(const JsonbValue *part, const JsonbValue *string)
{
	return string && rag_json_is_object(part) &&
		JsonContainerSize(part->val.binary.data) == 2;
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

/* The texts of the parts, put together. *nplain is the number of those without more. */
static text *
text_of_parts(const JsonbValue *parts, int element, int *nplain)
{
	JsonbIterator *it = rag_json_elements(parts);
	JsonbValue part;
	JsonbValue buffer;
	StringInfoData str;
	int n = 0;

	*nplain = 0;
	initStringInfo(&str);
	while (rag_json_next(&it, &part))
	{
		const JsonbValue *string;

		if (!read_part(&part, &string, &buffer))
			error_part(element, n + 1);
		n++;
		if (string)
			appendBinaryStringInfo(&str, string->val.string.val, string->val.string.len);
		*nplain += is_plain_text(&part, string);
	}
	return cstring_to_text_with_len(str.data, str.len);
}

/*
 * The parts, to be kept. If only one is a plain text, that need not be kept twice:
 * {"type": "text"} stands for the content.
 */
static JsonbValue *
parts_to_keep(const JsonbValue *parts, bool one_plain)
{
	JsonbIterator *it = rag_json_elements(parts);
	RagJsonbState state = {0};
	JsonbValue part;
	JsonbValue buffer;

	rag_push_jsonb(&state, WJB_BEGIN_ARRAY, NULL);
	while (rag_json_next(&it, &part))
	{
		const JsonbValue *string;

		(void) read_part(&part, &string, &buffer);
		if (one_plain && is_plain_text(&part, string))
		{
			rag_push_jsonb(&state, WJB_BEGIN_OBJECT, NULL);
			rag_push_string(&state, "type", "text", strlen("text"));
			rag_push_jsonb(&state, WJB_END_OBJECT, NULL);
		}
		else
			rag_push_jsonb(&state, WJB_ELEM, &part);
	}
	rag_push_jsonb(&state, WJB_END_ARRAY, NULL);
	return rag_built_value(&state);
}

/* Do the texts of all other parts add up to nothing? */
static bool
is_the_text(const JsonbValue *parts, int len)
{
	JsonbIterator *it = rag_json_elements(parts);
	JsonbValue part;
	JsonbValue buffer;

	while (rag_json_next(&it, &part))
	{
		const JsonbValue *string;

		(void) read_part(&part, &string, &buffer);
		if (is_plain_text(&part, string))
			return string->val.string.len == len;
	}
	return false;
}

text *
rag_text_of_content(RagExtra *extra, int element, JsonbValue *content)
{
	text *result;
	int nplain;
	bool one_plain;

	if (content->type == jbvNull)
		return NULL;
	if (content->type == jbvString)
		return DatumGetTextPP(rag_text_from_json(element, CONTENT, content));
	if (!rag_json_is_array(content))
		rag_error_field(element, CONTENT, "a string or an array of parts");
	result = text_of_parts(content, element, &nplain);
	one_plain = nplain == 1 && is_the_text(content, VARSIZE_ANY_EXHDR(result));
	if (!rag_json_is_empty(content))
		rag_keep_field(extra, RAG_CONTENT_PARTS, strlen(RAG_CONTENT_PARTS),
					   parts_to_keep(content, one_plain));
	return result;
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

	rag_push_key(state, RAG_TOOL_RESULTS);
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
		require_unused(message, extra, RAG_TOOL_RESULTS, strlen(RAG_TOOL_RESULTS));
}

/*
 * Calls, their results and parts are in the metadata, where rag_get_context() does not
 * see them: the message has a token_count for them. A number of tokens that came with an
 * answer is that of the model's output.
 */
static void
count_tokens(RagMessage *message, const RagExtra *extra)
{
	Jsonb *metadata = DatumGetJsonbP(message->values[COL_METADATA]);
	Size bytes = VARSIZE_ANY_EXHDR(DatumGetTextPP(message->values[COL_CONTENT]));
	int64 tokens;

	if (extra->results == NIL && !rag_kept_field(extra, RAG_TOOL_CALLS) &&
		!rag_kept_field(extra, RAG_FUNCTION_CALL) &&
		!rag_kept_field(extra, RAG_CONTENT_PARTS))
		return;
	if (message->isnull[COL_TOKEN_COUNT])
		tokens = rag_estimate_tokens(bytes, metadata);
	else if (extra->has_usage)
		tokens = DatumGetInt32(message->values[COL_TOKEN_COUNT]) +
			rag_estimate_input(metadata);
	else
		return;
	message->values[COL_TOKEN_COUNT] = Int32GetDatum((int32) Min(tokens, PG_INT32_MAX));
	message->isnull[COL_TOKEN_COUNT] = false;
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
	if (extra->fields != NIL || extra->results != NIL)
		count_tokens(message, extra);
}
