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

/* Pushes a list as an array, if there is any. */
static void
push_list(RagJsonbState *state, const char *name, const List *values)
{
	ListCell *lc;

	if (values == NIL)
		return;
	rag_push_key(state, name);
	rag_push_jsonb(state, WJB_BEGIN_ARRAY, NULL);
	foreach (lc, values)
		rag_push_jsonb(state, WJB_ELEM, (JsonbValue *) lfirst(lc));
	rag_push_jsonb(state, WJB_END_ARRAY, NULL);
}

Jsonb *
rag_kept_fields(const RagExtra *extra)
{
	RagJsonbState state = {0};

	rag_push_jsonb(&state, WJB_BEGIN_OBJECT, NULL);
	push_fields(&state, extra);
	rag_push_jsonb(&state, WJB_END_OBJECT, NULL);
	return JsonbValueToJsonb(state.result);
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
require_unused_list(const RagMessage *message, const RagExtra *extra, const char *name,
					const List *values)
{
	if (values != NIL)
		require_unused(message, extra, name, strlen(name));
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
	require_unused_list(message, extra, RAG_TOOL_CALLS, extra->calls);
	require_unused_list(message, extra, RAG_TOOL_RESULTS, extra->results);
	require_unused_list(message, extra, RAG_ITEMS, extra->items);
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

	if (extra->results == NIL && extra->calls == NIL &&
		!rag_kept_field(extra, RAG_TOOL_CALLS) &&
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

static bool
has_more(const RagExtra *extra)
{
	return extra->fields != NIL || extra->calls != NIL || extra->results != NIL ||
		extra->items != NIL;
}

void
rag_set_metadata(RagMessage *message, const RagExtra *extra)
{
	RagJsonbState state = {0};
	JsonbValue *result = extra->metadata;

	if (has_more(extra))
	{
		rag_push_jsonb(&state, WJB_BEGIN_OBJECT, NULL);
		if (extra->metadata && extra->metadata->type != jbvNull)
		{
			check_names(message, extra);
			rag_push_pairs(&state, extra->metadata->val.binary.data);
		}
		push_fields(&state, extra);
		push_list(&state, RAG_TOOL_CALLS, extra->calls);
		push_list(&state, RAG_TOOL_RESULTS, extra->results);
		push_list(&state, RAG_ITEMS, extra->items);
		rag_push_jsonb(&state, WJB_END_OBJECT, NULL);
		result = state.result;
	}
	if (result == NULL)
		return;
	message->values[COL_METADATA] = JsonbPGetDatum(JsonbValueToJsonb(result));
	message->isnull[COL_METADATA] = false;
	if (has_more(extra))
		count_tokens(message, extra);
}
