/*
 * exchange/import_document.c
 *		A conversation as one JSON document.
 */
#include "base/compat.h"


#include "catalog/pg_type_d.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/uuid.h"

#include "base/json.h"
#include "base/metadata.h"
#include "base/uuidv7.h"
#include "session/session.h"
#include "exchange/document_forms.h"
#include "exchange/import_document.h"
#include "exchange/import_forms.h"
#include "exchange/import_messages.h"
#include "exchange/import_metadata.h"
#include "exchange/import_tree.h"


static Datum
session_value_from_json(const RagSessionColumn *column, JsonbValue *value)
{
	switch (column->type)
	{
		case UUIDOID:
			return rag_uuid_from_json(0, column->field, value);
		case JSONBOID:
			if (rag_json_is_encoded_twice(value))
				rag_error_field(0, column->field, "JSON itself, and not a string that holds it");
			return JsonbPGetDatum(JsonbValueToJsonb(value));
		case TIMESTAMPOID:
			return rag_time_from_json(0, column->field, value);
		default:
			return rag_text_from_json(0, column->field, value);
	}
}

/* What is read of a document. */
typedef struct Document
{
	RagConversation *conversation;
	const RagDocumentForm *form;
	RagSource *source;
	RagExtra extra;			  /* what else is known of the session */
	JsonbContainer *messages; /* the array; NULL: not found */
	JsonbValue nodes;		  /* of a tree; null: there is none */
	JsonbValue leaf;
	JsonbValue system;
} Document;

static void read_fields(Document *document, const JsonbValue *object);

/*
 * A JSON null means "not given", except for metadata, where it is stored.
 */
static void
read_session_field(RagConversation *conversation, const JsonbValue *name,
				   JsonbValue *value)
{
	int col = 0;

	while (!rag_json_equals(name, rag_session_columns[col].field))
		col++;
	if (value->type == jbvNull && col != SESSION_METADATA)
		return;
	conversation->values[col] = session_value_from_json(&rag_session_columns[col], value);
	conversation->nulls[col] = ' ';
}

static void
read_time(Document *document, int col, const JsonbValue *name, const JsonbValue *value)
{
	char *field = pnstrdup(name->val.string.val, name->val.string.len);

	if (value->type == jbvNull)
		return;
	document->conversation->values[col] = rag_any_time_from_json(0, field, value);
	document->conversation->nulls[col] = ' ';
}

/* The id of another program's session is one of ours if it is a UUID. */
static void
read_id(Document *document, const JsonbValue *value)
{
	if (!rag_json_is_uuid(value))
		return;
	document->conversation->values[SESSION_ID] =
		rag_uuid_from_json(0, "session_id", value);
	document->conversation->nulls[SESSION_ID] = ' ';
}

/* The fields of a document of ours. */
static List *
known_fields(void)
{
	List *known = NIL;

	for (int col = 0; col < RAG_SESSION_NCOLUMNS; col++)
		known = lappend(known, (char *) rag_session_columns[col].field);
	return lappend(lappend(known, "messages"), "feedback");
}

static bool
is_misspelt(const JsonbValue *name, const List *known)
{
	ListCell *lc;

	foreach (lc, known)
	{
		if (rag_json_is_misspelt(name, lfirst(lc)))
			return true;
	}
	return false;
}

static void
keep_field(Document *document, const char *name, int len, const JsonbValue *value)
{
	if (value->type != jbvNull)
		rag_keep_field(&document->extra, name, len, value);
}

static void
read_unknown_field(Document *document, const JsonbValue *name, const JsonbValue *value)
{
	if (document->form->is_ours)
	{
		const List *known = known_fields();

		if (document->source->strict || is_misspelt(name, known))
			rag_error_unknown_field(0, name, "A conversation", known, NULL);
	}
	keep_field(document, name->val.string.val, name->val.string.len, value);
}

/* The tree is an object in here, or an array of messages is beside it. */
static void
read_history(Document *document, const JsonbValue *history)
{
	JsonbValue buffer;
	const RagTree *tree = document->form->tree;
	const JsonbValue *nodes = rag_json_field(history, tree->nodes, &buffer);

	if (nodes == NULL || !rag_json_is_object(nodes))
		return;
	document->nodes = *nodes;
	if (!rag_json_field(history, tree->leaf, &document->leaf))
		document->leaf.type = jbvNull;
}

static void
read_messages(Document *document, const JsonbValue *name, const JsonbValue *value)
{
	char *path = psprintf(" -> '%.*s'", name->val.string.len, name->val.string.val);

	if (!rag_json_is_array(value))
		return;
	rag_check_one_conversation(value, path);
	document->messages = value->val.binary.data;
}

/* Another program may call something else so. */
static void
read_feedback(Document *document, const JsonbValue *name, const JsonbValue *value)
{
	if (rag_json_is_array(value))
		document->conversation->feedback = value->val.binary.data;
	else if (document->source->strict && value->type != jbvNull)
		rag_error_field(0, "feedback", "an array");
	else
		keep_field(document, name->val.string.val, name->val.string.len, value);
}

static void
read_field(Document *document, const JsonbValue *name, JsonbValue *value)
{
	bool is_known;

	switch (rag_find_document_field(document->form, name, &is_known))
	{
		case DOC_SESSION:
			read_session_field(document->conversation, name, value);
			return;
		case DOC_MESSAGES:
			read_messages(document, name, value);
			return;
		case DOC_FEEDBACK:
			read_feedback(document, name, value);
			return;
		case DOC_NODES:
			document->nodes = *value;
			return;
		case DOC_LEAF:
			document->leaf = *value;
			return;
		case DOC_HISTORY:
			read_history(document, value);
			return;
		case DOC_INSIDE:
			read_fields(document, value);
			return;
		case DOC_SYSTEM:
			document->system = *value;
			return;
		case DOC_TITLE:
			keep_field(document, RAG_TITLE, strlen(RAG_TITLE), value);
			return;
		case DOC_CREATED:
			read_time(document, SESSION_CREATED_AT, name, value);
			return;
		case DOC_UPDATED:
			read_time(document, SESSION_UPDATED_AT, name, value);
			return;
		case DOC_ID:
			if (rag_json_is_empty(value)) /* the one around it may have it */
				return;
			read_id(document, value);
			break;
		case DOC_KEEP:
			break;
	}
	if (is_known)
		keep_field(document, name->val.string.val, name->val.string.len, value);
	else
		read_unknown_field(document, name, value);
}

static void
read_fields(Document *document, const JsonbValue *object)
{
	JsonbIterator *it = JsonbIteratorInit(object->val.binary.data);
	JsonbValue name;
	JsonbValue value;

	check_stack_depth();
	(void) JsonbIteratorNext(&it, &name, true); /* WJB_BEGIN_OBJECT */
	while (JsonbIteratorNext(&it, &name, true) == WJB_KEY)
	{
		(void) JsonbIteratorNext(&it, &value, true);
		read_field(document, &name, &value);
	}
}

/* Is it a document as we export it? Its metadata alone do not tell. */
static bool
is_ours(const JsonbValue *object)
{
	static const char *const names[] = {"session_id", "user_id", "created_at", "updated_at"};
	JsonbValue buffer;

	for (int i = 0; i < (int) lengthof(names); i++)
	{
		if (rag_json_field(object, names[i], &buffer))
			return true;
	}
	return false;
}

/* What is known of the session beside its columns. */
static void
add_metadata(RagConversation *conversation, Jsonb *more, Oid nspoid)
{
	Datum *metadata = &conversation->values[SESSION_METADATA];
	Jsonb *given = NULL;

	if (conversation->nulls[SESSION_METADATA] != 'n')
		given = DatumGetJsonbP(*metadata);
	if (given && !rag_jsonb_is_null(given) && !JB_ROOT_IS_OBJECT(given))
		rag_error_field(0, "metadata", "an object, as there is more to be kept in it");
	*metadata = JsonbPGetDatum(rag_merge_metadata(given, more, nspoid, "sessions"));
	conversation->nulls[SESSION_METADATA] = ' ';
}

/* Returns the array of messages. */
static JsonbContainer *
read_object(RagConversation *conversation, RagSource *source, Jsonb *json)
{
	JsonbValue object = rag_json_root(json);
	Document document = {.conversation = conversation,
						 .form = rag_find_document_form(&object),
						 .source = source,
						 .nodes = {.type = jbvNull},
						 .leaf = {.type = jbvNull},
						 .system = {.type = jbvNull}};
	const RagTree *tree = document.form->tree;

	source->strict = document.form->is_ours && is_ours(&object);
	read_fields(&document, &object);
	if (document.extra.fields != NIL)
		add_metadata(conversation, rag_kept_fields(&document.extra), source->nspoid);
	if (document.system.type != jbvNull)
	{
		source->system = palloc(sizeof(JsonbValue));
		*(JsonbValue *) source->system = document.system;
	}
	if (rag_json_is_object(&document.nodes))
		return rag_path_of_tree(tree, &document.nodes, &document.leaf);
	if (document.messages == NULL)
		rag_error_field(0, tree ? tree->nodes : "messages", tree ? "an object" : "an array");
	return document.messages;
}

static JsonbContainer *
read_document(RagConversation *conversation, RagSource *source, Jsonb *json)
{
	JsonbValue root = rag_json_root(json);

	if (rag_json_is_object(&root))
		return read_object(conversation, source, json);
	if (rag_json_is_array(&root))
	{
		rag_check_one_conversation(&root, "");
		return root.val.binary.data;
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("conversation must be a JSON object or an array of messages"),
			 rag_jsonb_is_encoded_twice(json) ?
				 errhint(RAG_HINT_ENCODED_TWICE) :
				 errhint("Give what rag_export_session() returns, {\"messages\": [...]}, or [{\"role\": ..., \"content\": ...}, ...].")));
}

static void
choose_session_id(RagConversation *conversation, bool keep_id)
{
	if (!keep_id)
	{
		pg_uuid_t *id = palloc(sizeof(pg_uuid_t));

		rag_uuidv7(id);
		conversation->values[SESSION_ID] = UUIDPGetDatum(id);
		conversation->nulls[SESSION_ID] = ' ';
	}
	else if (conversation->nulls[SESSION_ID] == 'n')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("conversation has no session_id"),
				 errhint("Without keep_id the session gets a new id.")));
}

static Jsonb *
system_prompt(const RagChat *chat)
{
	RagJsonbState state = {0};

	rag_push_jsonb(&state, WJB_BEGIN_OBJECT, NULL);
	rag_push_string(&state, RAG_SYSTEM_PROMPT, VARDATA_ANY(chat->system_prompt),
					VARSIZE_ANY_EXHDR(chat->system_prompt));
	if (chat->system_messages)
		rag_push_field(&state, RAG_SYSTEM_MESSAGES, chat->system_messages);
	rag_push_jsonb(&state, WJB_END_OBJECT, NULL);
	return JsonbValueToJsonb(state.result);
}

/* The instructions to the model are the session's. */
static void
add_system_prompt(RagConversation *conversation, Oid nspoid)
{
	Datum *metadata = &conversation->values[SESSION_METADATA];
	Jsonb *prompt = system_prompt(&conversation->chat);
	Jsonb *given = NULL;
	JsonbValue buffer;

	if (conversation->nulls[SESSION_METADATA] != 'n')
		given = DatumGetJsonbP(*metadata);
	if (given && !rag_jsonb_is_null(given))
	{
		if (!JB_ROOT_IS_OBJECT(given))
			rag_error_field(0, "metadata", "an object, as there is a system message");
		if (getKeyJsonValueFromContainer(&given->root, RAG_SYSTEM_PROMPT,
										 strlen(RAG_SYSTEM_PROMPT), &buffer))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("field \"metadata\" has \"%s\" already, and there is a system message",
							RAG_SYSTEM_PROMPT)));
	}
	*metadata = JsonbPGetDatum(rag_merge_metadata(given, prompt, nspoid, "sessions"));
	conversation->nulls[SESSION_METADATA] = ' ';
}

void
rag_conversation_from_json(RagConversation *conversation, Jsonb *json, bool keep_id,
						   Oid nspoid)
{
	const Datum *values = conversation->values;
	RagSource source = {.upto_id = PG_INT64_MIN, .nspoid = nspoid};
	JsonbContainer *messages;

	memset(conversation->nulls, 'n', sizeof(conversation->nulls));
	messages = read_document(conversation, &source, json);
	choose_session_id(conversation, keep_id);
	conversation->has_summary =
		conversation->nulls[SESSION_METADATA] != 'n' &&
		rag_summary_upto(DatumGetJsonbP(values[SESSION_METADATA]), &source.upto_id);
	source.session_id = DatumGetUUIDP(values[SESSION_ID]);
	rag_chat_from_json(&conversation->chat, messages, &source);
	if (conversation->chat.system_prompt)
		add_system_prompt(conversation, nspoid);
}
