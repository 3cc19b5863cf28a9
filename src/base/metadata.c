/*
 * base/metadata.c
 *		Changing the metadata of a session or a message.
 */
#include "base/compat.h"

#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

#include "base/error.h"
#include "base/json.h"
#include "base/metadata.h"

#define SUMMARY_UPTO "summary_upto_id"

void
rag_check_metadata(Jsonb *metadata, Oid nspoid, const char *table, int element)
{
	if (JB_ROOT_IS_OBJECT(metadata))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%smetadata must be a JSON object", rag_element(element)),
			 rag_jsonb_is_encoded_twice(metadata) ? errhint(RAG_HINT_ENCODED_TWICE) : 0,
			 rag_errtable(nspoid, table, "metadata", NULL)));
}

bool
rag_jsonb_is_null(Jsonb *json)
{
	JsonbValue value;

	return JB_ROOT_IS_SCALAR(json) && JsonbExtractScalar(&json->root, &value) &&
		value.type == jbvNull;
}

static Datum
remove_key(Datum object, const char *key, int len)
{
	return DirectFunctionCall2(jsonb_delete, object,
							   PointerGetDatum(cstring_to_text_with_len(key, len)));
}

static bool
has_nulls(Jsonb *object)
{
	JsonbIterator *it = JsonbIteratorInit(&object->root);
	JsonbIteratorToken token;
	JsonbValue value;

	while ((token = JsonbIteratorNext(&it, &value, true)) != WJB_DONE)
	{
		if (token == WJB_VALUE && value.type == jbvNull)
			return true;
	}
	return false;
}

static bool
has_key(Jsonb *object, const JsonbValue *key)
{
	JsonbValue buffer;

	return getKeyJsonValueFromContainer(&object->root, key->val.string.val,
										key->val.string.len, &buffer) != NULL;
}

/* Drops the keys that are null in change; in merged they are null as well. */
static Jsonb *
remove_nulls(Jsonb *merged, Jsonb *change)
{
	JsonbIterator *it = JsonbIteratorInit(&merged->root);
	RagJsonbState state = {0};
	JsonbValue key;
	JsonbValue value;

	(void) JsonbIteratorNext(&it, &key, true); /* WJB_BEGIN_OBJECT */
	rag_push_jsonb(&state, WJB_BEGIN_OBJECT, NULL);
	while (JsonbIteratorNext(&it, &key, true) == WJB_KEY)
	{
		(void) JsonbIteratorNext(&it, &value, true);
		if (value.type == jbvNull && has_key(change, &key))
			continue;
		rag_push_pair(&state, key, &value);
	}
	rag_push_jsonb(&state, WJB_END_OBJECT, NULL);
	return JsonbValueToJsonb(state.result);
}

Jsonb *
rag_merge_metadata(Jsonb *metadata, Jsonb *change, Oid nspoid, const char *table)
{
	Datum merged = JsonbPGetDatum(change);

	if (metadata && !rag_jsonb_is_null(metadata))
	{
		if (!JB_ROOT_IS_OBJECT(metadata))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("metadata cannot be merged"),
					 errdetail("What is stored is not a JSON object."),
					 errhint("Replace it with an UPDATE of column metadata of table %s.", table),
					 rag_errtable(nspoid, table, "metadata", NULL)));
		merged = DirectFunctionCall2(jsonb_concat, JsonbPGetDatum(metadata), merged);
	}
	return has_nulls(change) ? remove_nulls(DatumGetJsonbP(merged), change) :
							   DatumGetJsonbP(merged);
}

bool
rag_summary_upto(Jsonb *metadata, int64 *upto_id)
{
	JsonbValue buffer;
	JsonbValue *value;

	if (metadata == NULL || !JB_ROOT_IS_OBJECT(metadata))
		return false;
	value = getKeyJsonValueFromContainer(&metadata->root, SUMMARY_UPTO,
										 strlen(SUMMARY_UPTO), &buffer);
	return value && rag_json_is_id(value, upto_id);
}

Jsonb *
rag_set_summary_upto(Jsonb *metadata, int64 upto_id)
{
	JsonbValue id = {.type = jbvNumeric, .val.numeric = int64_to_numeric(upto_id)};
	Datum change = JsonbPGetDatum(rag_json_object(SUMMARY_UPTO, id));

	return DatumGetJsonbP(DirectFunctionCall2(jsonb_concat, JsonbPGetDatum(metadata),
											  change));
}

Jsonb *
rag_remove_summary(Jsonb *metadata)
{
	Datum without =
		remove_key(JsonbPGetDatum(metadata), RAG_SUMMARY, strlen(RAG_SUMMARY));

	return DatumGetJsonbP(remove_key(without, SUMMARY_UPTO, strlen(SUMMARY_UPTO)));
}
