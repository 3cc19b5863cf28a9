/*
 * message/message_json.c
 *		Messages as a JSON array.
 */
#include "base/compat.h"

#include "catalog/pg_type_d.h"
#include "miscadmin.h"

#include "base/error.h"
#include "base/json.h"
#include "message/message.h"
#include "message/message_json.h"

pg_noreturn static void
error_unknown_field(int element, const JsonbValue *object, const JsonbValue *name)
{
	const char *content = rag_columns[COL_CONTENT].name;
	List *known = NIL;
	JsonbValue buffer;

	for (int col = 0; col < RAG_NCOLUMNS; col++)
	{
		if ((rag_columns[col].may & RAG_IN_JSON) != 0)
			known = lappend(known, (char *) rag_columns[col].name);
	}
	rag_error_unknown_field(element, name, "A message", known,
							rag_json_field(object, content, &buffer) ? NULL : content);
}

Datum
rag_value_from_json(int element, RagColumn col, JsonbValue *value)
{
	const RagColumnInfo *column = &rag_columns[col];

	switch (column->type)
	{
		case JSONBOID:
			if ((column->may & RAG_IS_OBJECT) != 0 && !rag_json_is_object(value))
				rag_error_field(element, column->name, "an object");
			return JsonbPGetDatum(JsonbValueToJsonb(value));
		case FLOAT8OID:
			if (value->type != jbvNumeric)
				rag_error_field(element, column->name, "a number");
			return Float8GetDatum(rag_json_number(value));
		case INT4OID:
			return Int32GetDatum(rag_int32_from_json(element, column->name, value));
		case TIMESTAMPOID:
			return rag_time_from_json(element, column->name, value);
		default:
			Assert(column->type == TEXTOID);
			return rag_text_from_json(element, column->name, value);
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
		RagColumn col = rag_column_of_field(&value);

		if (col == RAG_NCOLUMNS)
			error_unknown_field(message->element, object, &value);
		(void) JsonbIteratorNext(&it, &value, true);
		if (value.type == jbvNull)
			continue;
		message->values[col] = rag_value_from_json(message->element, col, &value);
		message->isnull[col] = false;
	}
	Assert(token == WJB_END_OBJECT);
}

static JsonbContainer *
array_of_messages(Jsonb *json)
{
	JsonbValue array;

	if (!rag_json_list_argument(json, "messages", &array))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("messages must be a JSON array of objects"),
				 rag_jsonb_is_encoded_twice(json) ?
					 errhint(RAG_HINT_ENCODED_TWICE) :
					 errhint("Give [{\"role\": ..., \"content\": ...}, ...], or {\"messages\": [...]}.")));
	return array.val.binary.data;
}

RagMessage *
rag_messages_from_json(Jsonb *json, int *n)
{
	JsonbContainer *array = array_of_messages(json);
	JsonbIterator *it = JsonbIteratorInit(array);
	RagMessage *messages;
	JsonbValue value;
	int i = 0;

	/* Initialized one by one, so that an early error does not touch the whole array. */
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
