/*
 * message/message_json.c
 *		Messages as a JSON array.
 */
#include "base/compat.h"

#include "miscadmin.h"

#include "base/error.h"
#include "base/json.h"
#include "message/message.h"
#include "message/message_json.h"

/* The fields of an element: those columns that a caller may set. */
static const RagColumn fields[] = {
	COL_ROLE, COL_CONTENT, COL_SOURCES, COL_LATENCY_MS, COL_TOP_K, COL_QUERY_TYPE,
	COL_TOKEN_COUNT, COL_METADATA, COL_IDEMPOTENCY_KEY, COL_CREATED_AT};

static const char *
known_fields(void)
{
	StringInfoData known;

	initStringInfo(&known);
	for (int i = 0; i < (int) lengthof(fields); i++)
		appendStringInfo(&known, "%s%s", i > 0 ? ", " : "",
						 rag_columns[fields[i]].name);
	return psprintf("A message has these fields: %s.", known.data);
}

static RagColumn
column_of_field(const RagMessage *message, const JsonbValue *name)
{
	for (int i = 0; i < (int) lengthof(fields); i++)
	{
		if (rag_json_equals(name, rag_columns[fields[i]].name))
			return fields[i];
	}
	rag_error_unknown_field(message->element, name, known_fields());
}

Datum
rag_value_from_json(int element, RagColumn col, JsonbValue *value)
{
	const char *field = rag_columns[col].name;

	switch (col)
	{
		case COL_SOURCES:
			return JsonbPGetDatum(JsonbValueToJsonb(value));
		case COL_METADATA:
			if (!rag_json_is_object(value))
				rag_error_field(element, field, "an object");
			return JsonbPGetDatum(JsonbValueToJsonb(value));
		case COL_LATENCY_MS:
			if (value->type != jbvNumeric)
				rag_error_field(element, field, "a number");
			return Float8GetDatum(rag_json_number(value));
		case COL_TOP_K:
		case COL_TOKEN_COUNT:
			return Int32GetDatum(rag_int32_from_json(element, field, value));
		case COL_CREATED_AT:
			return rag_time_from_json(element, field, value);
		default:
			return rag_text_from_json(element, field, value);
	}
}

static void
message_from_json(RagMessage *message, const JsonbValue *object)
{
	JsonbIterator *it;
	JsonbValue value;
	JsonbIteratorToken token;

	if (!rag_json_is_object(object))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%snot a JSON object", rag_element(message->element))));

	it = JsonbIteratorInit(object->val.binary.data);
	(void) JsonbIteratorNext(&it, &value, true); /* WJB_BEGIN_OBJECT */
	while ((token = JsonbIteratorNext(&it, &value, true)) == WJB_KEY)
	{
		RagColumn col = column_of_field(message, &value);

		(void) JsonbIteratorNext(&it, &value, true);
		if (value.type == jbvNull)
			continue;
		message->values[col] = rag_value_from_json(message->element, col, &value);
		message->isnull[col] = false;
	}
	Assert(token == WJB_END_OBJECT);
}

/* Some drivers cannot send a list as JSON; they send {"messages": [...]}. */
static JsonbContainer *
array_of_messages(Jsonb *json)
{
	JsonbContainer *root = &json->root;
	JsonbValue buffer;

	if (JsonContainerIsObject(root) && JsonContainerSize(root) == 1)
	{
		JsonbValue *value = getKeyJsonValueFromContainer(root, "messages",
														 strlen("messages"), &buffer);

		if (value && value->type == jbvBinary)
			root = value->val.binary.data;
	}
	if (!JsonContainerIsArray(root) || JsonContainerIsScalar(root))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("messages must be a JSON array of objects"),
				 errhint("Give [{\"role\": ..., \"content\": ...}, ...], or {\"messages\": [...]}.")));
	return root;
}

RagMessage *
rag_messages_from_json(Jsonb *json, int *n)
{
	JsonbContainer *array = array_of_messages(json);
	JsonbIterator *it = JsonbIteratorInit(array);
	RagMessage *messages;
	JsonbValue value;
	int i = 0;

	/* Of the memory, what is not reached before an error is never touched. */
	*n = JsonContainerSize(array);
	messages = palloc_extended(sizeof(RagMessage) * Max(*n, 1),
							   MCXT_ALLOC_HUGE);
	(void) JsonbIteratorNext(&it, &value, true); /* WJB_BEGIN_ARRAY */
	while (JsonbIteratorNext(&it, &value, true) == WJB_ELEM)
	{
		CHECK_FOR_INTERRUPTS();
		rag_clear_message(&messages[i]);
		messages[i].element = i + 1;
		message_from_json(&messages[i], &value);
		i++;
	}
	return messages;
}
