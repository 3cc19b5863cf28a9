/*
 * exchange/import_messages.c
 *		The messages of a conversation in the forms that chat programs keep them in.
 */
#include "base/compat.h"

#include "miscadmin.h"
#include "utils/builtins.h"

#include "base/error.h"
#include "base/json.h"
#include "base/json_keys.h"
#include "base/metadata.h"
#include "message/message.h"
#include "exchange/import_element.h"
#include "exchange/import_instructions.h"
#include "exchange/import_messages.h"
#include "exchange/import_metadata.h"

typedef struct Reader
{
	RagChat *chat;
	const RagSource *source;
	RagExtra **extras; /* by message; NULL: none */
	int assistant;	   /* the last message of the assistant so far, or -1 */
	int open;		   /* the one that the next item belongs to, or -1 */
	HTAB *calls;	   /* the message with a call, by the call's id; NULL: none so far */
	RagInstructions instructions;
} Reader;

/* ------------------------------------------------------------------------
 *		Messages
 * ------------------------------------------------------------------------
 */

static RagExtra *
extra_of_message(Reader *reader, int message)
{
	if (reader->extras[message] == NULL)
		reader->extras[message] = palloc0(sizeof(RagExtra));
	return reader->extras[message];
}

/*
 * Adds the next message of the array, whose columns may be filled, and returns its
 * place.
 */
static int
add_row(Reader *reader, int kind, int place, text *content)
{
	int n = reader->chat->n++;
	RagMessage *message = &reader->chat->messages[n];

	message->element = place;
	message->values[COL_SESSION_ID] = UUIDPGetDatum(reader->source->session_id);
	message->isnull[COL_SESSION_ID] = false;
	message->values[COL_ROLE] = CStringGetTextDatum(kind == CHAT_USER ? "user" : "assistant");
	message->isnull[COL_ROLE] = false;
	message->values[COL_CONTENT] = PointerGetDatum(content);
	message->isnull[COL_CONTENT] = false;
	rag_check_message(message, reader->source->nspoid);
	if (kind == CHAT_ASSISTANT)
		reader->assistant = n;
	return n;
}

/* A message of the assistant that says nothing (yet). */
static int
add_empty_answer(Reader *reader, int place)
{
	int n = reader->chat->n;

	rag_clear_message(&reader->chat->messages[n]);
	reader->extras[n] = NULL;
	return add_row(reader, CHAT_ASSISTANT, place, cstring_to_text(""));
}

/* Notes the calls of the message, which results refer to. */
static void
enter_call(Reader *reader, const JsonbValue *call, int message)
{
	JsonbValue buffer;
	const JsonbValue *id = rag_json_string_field(call, "id", &buffer);

	if (id == NULL)
		return;
	if (reader->calls == NULL)
		reader->calls = rag_create_json_keys();
	rag_enter_json_key(reader->calls, id, message);
}

static void
enter_calls(Reader *reader, const RagExtra *extra, int message)
{
	const JsonbValue *calls = rag_kept_field(extra, RAG_TOOL_CALLS);
	JsonbIterator *it;
	JsonbValue call;
	ListCell *lc;

	foreach (lc, extra->calls)
		enter_call(reader, lfirst(lc), message);
	if (calls == NULL || !rag_json_is_array(calls))
		return;
	it = rag_json_elements(calls);
	while (rag_json_next(&it, &call))
		enter_call(reader, &call, message);
}

/* Adds what an element has besides its content to a message that is there. */
static void
add_extra(Reader *reader, int message, const RagExtra *given)
{
	RagExtra *extra;

	if (given->metadata == NULL && given->fields == NIL && given->calls == NIL &&
		given->items == NIL)
		return;
	extra = extra_of_message(reader, message);
	if (given->metadata)
		extra->metadata = given->metadata;
	extra->fields = list_concat(extra->fields, given->fields);
	extra->calls = list_concat(extra->calls, given->calls);
	extra->items = list_concat(extra->items, given->items);
	extra->has_usage |= given->has_usage;
	enter_calls(reader, given, message);
}

static bool
is_empty(const RagMessage *message)
{
	return VARSIZE_ANY_EXHDR(DatumGetPointer(message->values[COL_CONTENT])) == 0;
}

/* Is it an answer in a form where what is done for it are elements of their own? */
static bool
may_join(const RagElement *element)
{
	return (element->form->flags & FORM_JOIN) != 0 && element->kind == CHAT_ASSISTANT;
}

/* Is there an answer that has only done something so far, to which this one belongs? */
static bool
joins(const Reader *reader, const RagElement *element)
{
	return may_join(element) && reader->open >= 0 &&
		is_empty(&reader->chat->messages[reader->open]);
}

static void
join(Reader *reader, const RagElement *element, text *content)
{
	RagMessage *message = &reader->chat->messages[reader->open];

	message->values[COL_CONTENT] = PointerGetDatum(content);
	if (element->message->isnull[COL_CREATED_AT])
		return;
	message->values[COL_CREATED_AT] = element->message->values[COL_CREATED_AT];
	message->isnull[COL_CREATED_AT] = false;
}

static void
add_message(Reader *reader, RagElement *element)
{
	text *content = rag_content_text(&element->content);
	int n;

	if (content == NULL && element->has_call)
		content = cstring_to_text("");
	if (content == NULL)
		rag_error_no_content(element, reader->source->nspoid);
	if (joins(reader, element))
	{
		n = reader->open;
		join(reader, element, content);
	}
	else
	{
		n = add_row(reader, element->kind, element->place, content);
		reader->open = may_join(element) ? n : -1;
	}
	add_extra(reader, n, &element->extra);
	if (element->has_id)
	{
		reader->chat->messages[n].values[COL_ID] = Int64GetDatum(element->id);
		reader->chat->messages[n].isnull[COL_ID] = false;
	}
	if (element->has_id && element->id <= reader->source->upto_id)
		reader->chat->n_upto = reader->chat->n;
}

/* ------------------------------------------------------------------------
 *		Results of tools, and other items
 * ------------------------------------------------------------------------
 */

/*
 * The message with the call; or the one that is open; or the last message of the
 * assistant if the result does not say which call it answers. In a chat-completions API
 * there is one; elsewhere one is added.
 */
static int
calling_message(Reader *reader, const RagElement *element, const JsonbValue *id)
{
	int flags = element->form->flags;
	const int *message = NULL;

	if (id && id->type == jbvString && reader->calls)
		message = rag_find_json_key(reader->calls, id);
	if (message)
		return *message;
	if (reader->open >= 0)
		return reader->open;
	if (reader->assistant >= 0 && ((flags & FORM_JOIN) == 0 || (flags & FORM_ITEMS) != 0))
		return reader->assistant;
	if ((flags & FORM_CHAT) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%sresult of a tool without a message of the assistant before it",
						rag_element(element->place))));
	return reader->open = add_empty_answer(reader, element->place);
}

/* Returns the message that the result went to. */
static int
add_result(Reader *reader, const RagElement *element, JsonbValue *result)
{
	JsonbValue buffer;
	const JsonbValue *id = rag_json_field(result, "tool_call_id", &buffer);
	int message = calling_message(reader, element, id);
	RagExtra *extra = extra_of_message(reader, message);

	extra->results = lappend(extra->results, result);
	return message;
}

/* The whole element, to be kept, but for what was added to it by reading a tree. */
static void
keep_item(RagExtra *extra, const JsonbValue *value)
{
	extra->items = lappend(extra->items, rag_json_without(value, RAG_VARIANTS));
}

/* Moves other answers to the question, which do not belong to the item alone. */
static void
keep_variants(RagExtra *extra, const JsonbValue *item)
{
	JsonbValue *variants = palloc(sizeof(JsonbValue));
	const JsonbValue *given = rag_json_field(item, RAG_VARIANTS, variants);

	if (given && !rag_kept_field(extra, RAG_VARIANTS))
		rag_keep_field(extra, RAG_VARIANTS, strlen(RAG_VARIANTS), given);
}

/*
 * What an assistant did belongs to the answer that it is about to give. With the result
 * of a tool, the agent's turn is over, and what it does then is another answer.
 */
static void
add_item(Reader *reader, RagElement *element)
{
	RagExtra *extra = &element->extra;
	int message = reader->open;
	ListCell *lc;

	foreach (lc, element->content.results)
		message = add_result(reader, element, lfirst(lc));
	if (message < 0)
		message = reader->open = add_empty_answer(reader, element->place);
	extra->metadata = NULL;
	extra->fields = NIL;
	keep_item(extra, &element->value);
	add_extra(reader, message, extra);
	keep_variants(extra_of_message(reader, message), &element->value);
	if (element->content.results != NIL)
		reader->open = -1;
}

static void
add_results(Reader *reader, const RagElement *element)
{
	ListCell *lc;

	foreach (lc, element->content.results)
		(void) add_result(reader, element, lfirst(lc));
}

/* A message of a tool is a result, or has several. */
static void
add_tool_message(Reader *reader, const RagElement *element)
{
	const text *content = rag_content_text(&element->content);

	if (element->content.results != NIL)
		add_results(reader, element);
	else
		(void) add_result(reader, element, rag_tool_result(&element->extra, content));
}

/* ------------------------------------------------------------------------
 *		What becomes of an element
 * ------------------------------------------------------------------------
 */

/* Is it a message of its own, besides the results or instructions that it brought? */
static bool
is_message(const RagElement *element)
{
	const RagContent *content = &element->content;

	return (content->results == NIL && content->system == NIL) ||
		(content->has_text && content->text.len > 0) || content->calls != NIL ||
		content->parts != NULL || element->kind == CHAT_ASSISTANT;
}

/* Is it more than {"role", "content": a text}, which can be made of the columns again? */
static bool
is_more_than_text(const JsonbValue *element)
{
	JsonbValue buffer;

	return rag_json_string_field(element, "content", &buffer) == NULL ||
		JsonContainerSize(element->val.binary.data) != 2;
}

static void
add_parts_of_message(Reader *reader, RagElement *element)
{
	ListCell *lc;

	foreach (lc, element->content.system)
		rag_add_instructions(&reader->instructions, lfirst(lc), NULL);
	if ((element->form->flags & FORM_ITEMS) != 0 && is_more_than_text(&element->value))
		keep_item(&element->extra, &element->value);
	if (is_message(element))
		add_message(reader, element);
	add_results(reader, element);
}

static void
add_element(Reader *reader, int place, const JsonbValue *value)
{
	Oid nspoid = reader->source->nspoid;
	RagElement element = {.place = place,
						  .strict = reader->source->strict,
						  .message = &reader->chat->messages[reader->chat->n]};

	/*
	 * Initialized one by one, so that an early error does not touch the whole array.
	 */
	rag_clear_message(element.message);
	reader->extras[reader->chat->n] = NULL;
	rag_read_element(&element, value, nspoid);
	switch (element.kind)
	{
		case CHAT_SYSTEM:
			rag_add_system_message(&reader->instructions, &element, nspoid);
			break;
		case CHAT_TOOL:
			add_tool_message(reader, &element);
			break;
		case CHAT_ITEM:
			add_item(reader, &element);
			break;
		default:
			add_parts_of_message(reader, &element);
	}
}

/* Instructions that stand beside the messages come before them. */
static void
add_source_instructions(Reader *reader)
{
	StringInfoData text;

	if (reader->source->system == NULL)
		return;
	initStringInfo(&text);
	rag_append_content(&text, reader->source->system);
	if (text.len > 0)
		rag_add_instructions(&reader->instructions,
							 cstring_to_text_with_len(text.data, text.len), NULL);
}

/*
 * The metadata of a message is complete only in the end, because results of tools may
 * come late.
 */
static void
finish_messages(Reader *reader)
{
	RagChat *chat = reader->chat;

	for (int i = 0; i < chat->n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (reader->extras[i])
			rag_set_metadata(&chat->messages[i], reader->extras[i]);
	}
	chat->system_prompt = rag_finish_instructions(&reader->instructions,
												  &chat->system_messages);
}

void
rag_chat_from_json(RagChat *chat, JsonbContainer *array, const RagSource *source)
{
	JsonbIterator *it = JsonbIteratorInit(array);
	Size n = (Size) JsonContainerSize(array) + 1; /* see add_empty_answer() */
	Reader reader = {.chat = chat, .source = source, .assistant = -1, .open = -1};
	JsonbValue value;
	int place = 0;

	memset(chat, 0, sizeof(RagChat));
	chat->messages = palloc_extended(sizeof(RagMessage) * n, MCXT_ALLOC_HUGE);
	reader.extras = palloc_extended(sizeof(RagExtra *) * n, MCXT_ALLOC_HUGE);
	add_source_instructions(&reader);
	(void) JsonbIteratorNext(&it, &value, true); /* WJB_BEGIN_ARRAY */
	while (JsonbIteratorNext(&it, &value, true) == WJB_ELEM)
	{
		CHECK_FOR_INTERRUPTS();
		add_element(&reader, ++place, &value);
	}
	finish_messages(&reader);
}
