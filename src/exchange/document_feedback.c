/*
 * exchange/document_feedback.c
 *		The feedback of a conversation in its JSON document.
 */
#include "base/compat.h"

#include "catalog/pg_type_d.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "base/error.h"
#include "base/json.h"
#include "base/schema.h"
#include "base/statement.h"
#include "feedback/feedback.h"
#include "exchange/document_feedback.h"

typedef struct FeedbackItem
{
	RagFeedback feedback;
	int message; /* the number of the message, from 0 */
} FeedbackItem;

struct RagFeedbackList
{
	FeedbackItem *items;
	int n;
};

/* ------------------------------------------------------------------------
 *		Export
 * ------------------------------------------------------------------------
 */

#define FIELD(name) " ('" name "'::pg_catalog.text, pg_catalog.to_jsonb(t." name "))"

#define FIELDS \
	FIELD("message_id") \
	"," FIELD("source_no") "," FIELD("name") "," FIELD("rater") "," FIELD("score") "," FIELD("label") "," FIELD("comment") "," FIELD("metadata") "," FIELD("created_at") "," FIELD("updated_at")

/* In the order of the index. */
static const RagStatement export_sql = {
	RAG_OF_SESSION "SELECT (SELECT pg_catalog.jsonb_object_agg(f.name, f.value)"
				   " FILTER (WHERE f.value IS NOT NULL) FROM (VALUES" FIELDS ") AS f (name, value))"
				   " FROM @extschema@.rag_feedback AS t WHERE t.session_id OPERATOR(pg_catalog.=) $1"
				   " AND EXISTS (SELECT FROM @extschema@.messages AS m"
				   " WHERE m.session_id OPERATOR(pg_catalog.=) $1"
				   " AND m.id OPERATOR(pg_catalog.=) t.message_id)"
				   " ORDER BY t.session_id, t.message_id, t.source_no NULLS FIRST, t.name,"
				   " t.rater NULLS FIRST",
	1,
	{UUIDOID}};

void
rag_push_feedback(RagJsonbState *state, const pg_uuid_t *session_id, Oid nspoid)
{
	Datum value = UUIDPGetDatum(session_id);
	uint64 n;

	if (!rag_has_feedback(value, nspoid))
		return;
	n = rag_query(&export_sql, nspoid, &value, NULL);
	if (n == 0)
		return;
	rag_push_key(state, "feedback");
	rag_push_jsonb(state, WJB_BEGIN_ARRAY, NULL);
	for (uint64 i = 0; i < n; i++)
	{
		bool isnull;
		Datum object = SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1,
									 &isnull);
		JsonbValue element = rag_json_root(DatumGetJsonbP(object));

		rag_push_jsonb(state, WJB_ELEM, &element);
	}
	rag_push_jsonb(state, WJB_END_ARRAY, NULL);
}

/* ------------------------------------------------------------------------
 *		Import
 * ------------------------------------------------------------------------
 */

static void
add_place(void *arg)
{
	errcontext("feedback %d of the conversation", *(int *) arg);
}

static double
score_from_json(const JsonbValue *value)
{
	if (value->type != jbvNumeric)
		rag_error_field(0, "score", "a number");
	return rag_json_number(value);
}

static Datum
message_id_from_json(const JsonbValue *value)
{
	int64 id;

	if (!rag_json_is_id(value, &id))
		rag_error_field(0, "message_id", "the id of a message");
	return Int64GetDatum(id);
}

static Datum
value_from_json(int col, JsonbValue *value)
{
	const char *name = rag_feedback_columns[col].name;

	switch (rag_feedback_columns[col].type)
	{
		case INT8OID:
			return message_id_from_json(value);
		case INT4OID:
			return Int32GetDatum(rag_int32_from_json(0, name, value));
		case FLOAT8OID:
			return Float8GetDatum(score_from_json(value));
		case JSONBOID:
			return JsonbPGetDatum(JsonbValueToJsonb(value));
		case TIMESTAMPOID:
			return rag_time_from_json(0, name, value);
		default:
			return rag_text_from_json(0, name, value);
	}
}

static int
column_of(const JsonbValue *name)
{
	List *known = NIL;

	for (int col = FEEDBACK_MESSAGE_ID; col < RAG_FEEDBACK_NCOLUMNS; col++)
	{
		if (rag_json_equals(name, rag_feedback_columns[col].name))
			return col;
	}
	for (int col = FEEDBACK_MESSAGE_ID; col < RAG_FEEDBACK_NCOLUMNS; col++)
		known = lappend(known, (char *) rag_feedback_columns[col].name);
	rag_error_unknown_field(0, name, "Feedback", known, NULL);
}

/* A JSON null means "not given". */
static void
read_fields(RagFeedback *feedback, const JsonbValue *object)
{
	JsonbIterator *it = JsonbIteratorInit(object->val.binary.data);
	JsonbValue name;
	JsonbValue value;

	(void) JsonbIteratorNext(&it, &name, true); /* WJB_BEGIN_OBJECT */
	while (JsonbIteratorNext(&it, &name, true) == WJB_KEY)
	{
		int col = column_of(&name);

		(void) JsonbIteratorNext(&it, &value, true);
		if (value.type == jbvNull)
			continue;
		feedback->values[col] = value_from_json(col, &value);
		feedback->nulls[col] = ' ';
	}
}

/*
 * The message that has this id in the document. Feedback comes in the order of messages
 * mostly: the search goes on where the last one ended.
 */
static int
find_message(const RagMessage *messages, int n, int64 id, int from)
{
	for (int i = 0; i < n; i++)
	{
		int place = (from + i) % n;
		const RagMessage *message = &messages[place];

		if (!message->isnull[COL_ID] && DatumGetInt64(message->values[COL_ID]) == id)
			return place;
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("the conversation has no message with id " INT64_FORMAT, id)));
}

static void
read_item(FeedbackItem *item, const JsonbValue *object, const RagMessage *messages, int n,
		  int from, Oid nspoid)
{
	RagFeedback *feedback = &item->feedback;
	int64 id;

	if (!rag_json_is_object(object))
		rag_error_field(0, "feedback", "an array of objects");
	memset(feedback->nulls, 'n', sizeof(feedback->nulls));
	feedback->values[FEEDBACK_NAME] = CStringGetTextDatum(RAG_DEFAULT_FEEDBACK_NAME);
	feedback->nulls[FEEDBACK_NAME] = ' ';
	read_fields(feedback, object);
	if (feedback->nulls[FEEDBACK_MESSAGE_ID] == 'n')
		rag_error_field(0, "message_id", "the id of a message");
	rag_check_feedback(feedback, nspoid);
	if (!rag_is_judgment(feedback))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("feedback has no score, label, comment or metadata")));
	id = DatumGetInt64(feedback->values[FEEDBACK_MESSAGE_ID]);
	item->message = find_message(messages, n, id, from);
}

RagFeedbackList *
rag_feedback_from_json(JsonbContainer *array, const RagMessage *messages, int n,
					   Oid nspoid)
{
	RagFeedbackList *list = palloc0(sizeof(RagFeedbackList));
	JsonbValue value = {.type = jbvBinary, .val.binary = {.data = array}};
	JsonbIterator *it = rag_json_elements(&value);
	ErrorContextCallback callback;
	JsonbValue element;
	FeedbackItem *item;
	int from = 0;

	list->items = palloc_extended(sizeof(FeedbackItem) * Max(JsonContainerSize(array), 1),
								  MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	callback.callback = add_place;
	callback.arg = &list->n;
	callback.previous = error_context_stack;
	error_context_stack = &callback;
	while (rag_json_next(&it, &element))
	{
		CHECK_FOR_INTERRUPTS();
		item = &list->items[list->n++];
		read_item(item, &element, messages, n, from, nspoid);
		from = item->message;
	}
	error_context_stack = callback.previous;
	if (list->n > 0 && !OidIsValid(rag_feedback_table(nspoid)))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("feedback needs rag_events 1.4 or later"),
				 errhint("Run ALTER EXTENSION rag_events UPDATE, or leave feedback out.")));
	return list;
}

static const RagStatement store_sql = {
	RAG_OF_SESSION "INSERT INTO @extschema@.rag_feedback"
				   " (session_id, message_id, source_no, name, rater, score, label, comment, metadata, created_at, updated_at)"
				   " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9,"
				   " COALESCE($10, LOCALTIMESTAMP), COALESCE($11, $10, LOCALTIMESTAMP))",
	RAG_FEEDBACK_NCOLUMNS,
	{UUIDOID, INT8OID, INT4OID, TEXTOID, TEXTOID, FLOAT8OID, TEXTOID, TEXTOID, JSONBOID,
	 TIMESTAMPOID, TIMESTAMPOID}};

void
rag_store_feedback_list(const RagFeedbackList *list, Datum session_id,
						const RagMessage *messages, Oid nspoid)
{
	for (int i = 0; i < list->n; i++)
	{
		RagFeedback *feedback = &list->items[i].feedback;

		feedback->values[FEEDBACK_SESSION_ID] = session_id;
		feedback->nulls[FEEDBACK_SESSION_ID] = ' ';
		feedback->values[FEEDBACK_MESSAGE_ID] =
			messages[list->items[i].message].values[COL_ID];
		if (rag_execute(&store_sql, nspoid, feedback->values, feedback->nulls) == 0)
			rag_error_discarded(nspoid, "rag_feedback");
	}
}
