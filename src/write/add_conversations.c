/*
 * write/add_conversations.c
 *		rag_add_conversations(): the messages of many sessions in one call.
 *
 *		What a call takes beside its rows is paid once. On a cluster, each shard gets
 *		those of its sessions by one command.
 */
#include "base/compat.h"

#include "catalog/pg_type_d.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"

#include "base/distributed.h"
#include "base/error.h"
#include "base/json.h"
#include "base/schema.h"
#include "base/statement.h"
#include "write/add_messages.h"

typedef struct Conversation
{
	int element;		 /* its place in the array, counted from 1 */
	JsonbValue object;	 /* as it was given */
	JsonbValue messages; /* an array, which is read when its turn comes */
	RagAddition addition;
	int64 shard; /* where its session is, on a cluster */
} Conversation;

typedef struct Conversations
{
	Oid nspoid;
	Conversation *items;
	int n;
} Conversations;

/* ------------------------------------------------------------------------
 *		Reading
 * ------------------------------------------------------------------------
 */

static void
add_place(void *arg)
{
	errcontext("conversation %d", *(int *) arg);
}

static void
read_field(Conversation *conversation, const JsonbValue *name, JsonbValue *value)
{
	RagAddition *addition = &conversation->addition;

	if (rag_json_equals(name, "session_id"))
		addition->session.id =
			DatumGetUUIDP(rag_uuid_from_json(0, "session_id", value));
	else if (rag_json_equals(name, "user_id"))
		addition->session.user_id =
			DatumGetTextPP(rag_text_from_json(0, "user_id", value));
	else if (rag_json_equals(name, "messages"))
	{
		if (!rag_json_is_array(value))
			rag_error_field(0, "messages", "an array");
		conversation->messages = *value;
	}
	else
	{
		Assert(rag_json_equals(name, "create_session"));
		if (value->type != jbvBool)
			rag_error_field(0, "create_session", "true or false");
		addition->create_session = value->val.boolean;
	}
}

static bool
is_field(const JsonbValue *name, const List *known)
{
	ListCell *lc;

	foreach (lc, known)
	{
		if (rag_json_equals(name, lfirst(lc)))
			return true;
	}
	return false;
}

static void
read_conversation(Conversation *conversation, const JsonbValue *object, Oid nspoid)
{
	List *known = list_make4("session_id", "messages", "user_id", "create_session");
	JsonbIterator *it;
	JsonbValue name;
	JsonbValue value;

	if (!rag_json_is_object(object))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("not a JSON object")));
	conversation->object = *object;
	conversation->addition.session.nspoid = nspoid;
	it = JsonbIteratorInit(object->val.binary.data);
	(void) JsonbIteratorNext(&it, &value, true); /* WJB_BEGIN_OBJECT */
	while (JsonbIteratorNext(&it, &name, true) == WJB_KEY)
	{
		if (!is_field(&name, known))
			rag_error_unknown_field(0, &name, "A conversation", known, NULL);
		(void) JsonbIteratorNext(&it, &value, true);
		if (value.type != jbvNull)
			read_field(conversation, &name, &value);
	}
	if (conversation->addition.session.id == NULL)
		rag_error_null(nspoid, "messages", "session_id", 0);
	if (conversation->messages.type == jbvNull)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("messages must not be null")));
	list_free(known);
}

static Conversations
conversations_from_json(Jsonb *json, Oid nspoid)
{
	Conversations list = {.nspoid = nspoid};
	ErrorContextCallback callback;
	JsonbIterator *it;
	JsonbValue array;
	JsonbValue element;

	if (!rag_json_list_argument(json, "conversations", &array))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("conversations must be a JSON array of objects"),
				 rag_jsonb_is_encoded_twice(json) ?
					 errhint(RAG_HINT_ENCODED_TWICE) :
					 errhint("Give [{\"session_id\": ..., \"messages\": [...]}, ...], or {\"conversations\": [...]}.")));
	list.items = palloc_extended(sizeof(Conversation) *
									 Max(JsonContainerSize(array.val.binary.data), 1),
								 MCXT_ALLOC_HUGE);
	callback.callback = add_place;
	callback.arg = &list.n;
	callback.previous = error_context_stack;
	error_context_stack = &callback;
	it = rag_json_elements(&array);
	while (rag_json_next(&it, &element))
	{
		Conversation *conversation = &list.items[list.n++];

		CHECK_FOR_INTERRUPTS();
		memset(conversation, 0, sizeof(Conversation));
		conversation->element = list.n;
		read_conversation(conversation, &element, nspoid);
		conversation->shard =
			rag_shard_of(nspoid, conversation->addition.session.id);
	}
	error_context_stack = callback.previous;
	return list;
}

/*
 * Two calls at once lock their sessions in one order, so that neither waits for the other
 * while the other waits for it. What is for one session stays in the order of the array.
 */
static int
compare(const void *a, const void *b)
{
	const Conversation *left = a;
	const Conversation *right = b;
	int result;

	if (left->shard != right->shard)
		return left->shard < right->shard ? -1 : 1;
	result = memcmp(left->addition.session.id, right->addition.session.id, UUID_LEN);
	return result != 0 ? result : left->element - right->element;
}

/* ------------------------------------------------------------------------
 *		Adding
 * ------------------------------------------------------------------------
 */

static void
add_session(void *arg)
{
	const RagSession *session = arg;

	errcontext("messages of session \"%s\"",
			   DatumGetCString(DirectFunctionCall1(uuid_out,
												   UUIDPGetDatum(session->id))));
}

static int
add_conversation(Conversation *conversation)
{
	RagAddition *addition = &conversation->addition;
	ErrorContextCallback callback;
	int n;

	callback.callback = add_session;
	callback.arg = &addition->session;
	callback.previous = error_context_stack;
	error_context_stack = &callback;
	rag_read_messages(addition, JsonbValueToJsonb(&conversation->messages));
	rag_check_addition(addition);
	SPI_connect();
	n = rag_add(addition);
	SPI_finish();
	error_context_stack = callback.previous;
	return n;
}

/* Adds those of the places from first to last - 1. */
static int64
add_here(const Conversations *list, int first, int last)
{
	MemoryContext each = AllocSetContextCreate(CurrentMemoryContext,
											   "rag_events conversation",
											   ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(each);
	int64 added = 0;

	for (int i = first; i < last; i++)
	{
		CHECK_FOR_INTERRUPTS();
		added += add_conversation(&list->items[i]);
		MemoryContextReset(each);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(each);
	return added;
}

/* The same on the node that has the session of the first. */
static int64
add_there(const Conversations *list, int first, int last)
{
	static const RagStatement add_sql = {
		"SELECT added FROM @extschema@.rag_add_shard_conversations($1, $2) AS added",
		2,
		{UUIDOID, JSONBOID}};
	RagJsonbState state = {0};
	Datum values[2];
	bool isnull;
	int64 added;

	SPI_connect();
	rag_push_jsonb(&state, WJB_BEGIN_ARRAY, NULL);
	for (int i = first; i < last; i++)
		rag_push_jsonb(&state, WJB_ELEM, &list->items[i].object);
	rag_push_jsonb(&state, WJB_END_ARRAY, NULL);
	values[0] = UUIDPGetDatum(list->items[first].addition.session.id);
	values[1] = JsonbPGetDatum(JsonbValueToJsonb(rag_built_value(&state)));
	rag_execute_once(&add_sql, list->nspoid, values, NULL);
	added = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1,
										&isnull));
	SPI_finish();
	return added;
}

/*
 * Each shard is held before it is written to, so that it is not moved or split in
 * between. Where the functions may not go straight to the shards, Citus lets a command
 * write to one session only.
 */
static int64
add_by_shard(const Conversations *list)
{
	bool whole_shards = rag_may_enter_shards();
	int64 added = 0;
	int last;

	for (int first = 0; first < list->n; first = last)
	{
		const pg_uuid_t *id = list->items[first].addition.session.id;
		bool is_here = rag_enter_shards(list->nspoid, id, true).ids[0] != 0;

		last = first + 1;
		while (whole_shards && last < list->n &&
			   rag_in_one_shard(list->nspoid, id,
								list->items[last].addition.session.id))
			last++;
		added += is_here ? add_here(list, first, last) : add_there(list, first, last);
	}
	return added;
}

static Conversations
read_argument(FunctionCallInfo fcinfo, int arg, const char *function)
{
	Conversations list;

	if (PG_ARGISNULL(arg))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("conversations must not be null")));
	list = conversations_from_json(PG_GETARG_JSONB_P(arg), rag_namespace(fcinfo));
	rag_check_may_write(function);
	qsort(list.items, list.n, sizeof(Conversation), compare);
	return list;
}

/*
 * rag_add_conversations(conversations jsonb) returns bigint
 *
 * Adds messages to many sessions, all or none: rag_add_messages() for each element of
 * a JSON array of objects, whose fields are named as its parameters: session_id,
 * messages, user_id and create_session. Returns how many messages were stored: all but
 * those whose idempotency_key was already in their session. Sessions are locked in the
 * order of their ids, whatever that of the array.
 *
 * Errors: those of rag_add_messages(), with the session in the context; 22004
 * conversations, or an element's session_id or messages, is NULL; 22023 JSON of another
 * form. Since 1.5.
 */
PG_FUNCTION_INFO_V1(rag_add_conversations);
Datum
rag_add_conversations(PG_FUNCTION_ARGS)
{
	Conversations list = read_argument(fcinfo, 0, "rag_add_conversations()");

	if (list.n == 0)
		PG_RETURN_INT64(0);
	PG_RETURN_INT64(rag_is_distributed(list.nspoid) ? add_by_shard(&list) :
													  add_here(&list, 0, list.n));
}

/*
 * rag_add_shard_conversations(session_id uuid, conversations jsonb) returns bigint
 *
 * A part of rag_add_conversations(): Citus sends it to the node that has the session, and
 * with it those of other sessions of the same shard. Since 1.5.
 */
PG_FUNCTION_INFO_V1(rag_add_shard_conversations);
Datum
rag_add_shard_conversations(PG_FUNCTION_ARGS)
{
	Conversations list;

	if (PG_ARGISNULL(0))
		rag_error_null(rag_namespace(fcinfo), "messages", "session_id", 0);
	list = read_argument(fcinfo, 1, "rag_add_shard_conversations()");
	PG_RETURN_INT64(add_here(&list, 0, list.n));
}
