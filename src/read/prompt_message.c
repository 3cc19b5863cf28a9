/*
 * read/prompt_message.c
 *		A message, as a chat-completions API takes it.
 *
 *		Such an API refuses the result of a tool without its call, and a call without its
 *		result. So only those calls are shown that have a result in the same message, and
 *		only their results. Whatever the metadata has in another form is left out.
 */
#include "base/compat.h"

#include "base/json.h"
#include "base/json_keys.h"
#include "base/metadata.h"
#include "message/content_part.h"
#include "read/prompt_content.h"
#include "read/prompt_message.h"

/* What is known of the id of a call. */
enum
{
	CALLED,
	ANSWERED, /* there is a result, too */
	SHOWN	  /* the call was pushed, and its result was not yet */
};

typedef struct Message
{
	RagJsonbState *state;
	JsonbValue metadata; /* an object, or null */
	const char *content;
	int content_len;
	HTAB *calls; /* what is known of them, by their ids; NULL: there are none */
	JsonbValue calls_buffer;
	JsonbValue results_buffer;
	const JsonbValue *call_list; /* an array, or NULL */
	const JsonbValue *results;	 /* the same */
} Message;

static void
push_role(RagJsonbState *state, const char *role)
{
	rag_push_string(state, "role", role, strlen(role));
}

/* Pushes a field of the metadata that is a string, if there is one. */
static void
push_string_of_metadata(const Message *message, const char *name)
{
	JsonbValue buffer;
	const JsonbValue *value = rag_json_string_field(&message->metadata, name, &buffer);

	if (value && value->val.string.len > 0)
		rag_push_field(message->state, name, value);
}

/* ------------------------------------------------------------------------
 *		Calls and results
 * ------------------------------------------------------------------------
 */

/* Sets what is known of the string field of each element from one state to another. */
static int
advance(HTAB *calls, const JsonbValue *array, const char *field, int from, int to)
{
	JsonbIterator *it = rag_json_elements(array);
	JsonbValue element;
	int n = 0;

	while (rag_json_next(&it, &element))
	{
		JsonbValue buffer;
		const JsonbValue *id = rag_json_string_field(&element, field, &buffer);
		int *state = id ? rag_find_json_key(calls, id) : NULL;

		if (state && *state == from)
		{
			*state = to;
			n++;
		}
	}
	return n;
}

/* Has the object two fields that are strings? */
static bool
has_strings(const JsonbValue *object, const char *a, const char *b)
{
	JsonbValue buffer;

	return object && rag_json_string_field(object, a, &buffer) != NULL &&
		rag_json_string_field(object, b, &buffer) != NULL;
}

/* Has the object a name, and arguments in this field? */
static bool
has_arguments(const JsonbValue *object, const char *field)
{
	JsonbValue buffer;

	return object && rag_json_string_field(object, "name", &buffer) != NULL &&
		rag_json_field(object, field, &buffer) != NULL;
}

/* The kinds of calls: OpenAI's two, and LangChain's. */
typedef enum CallKind
{
	CALL_NONE,
	CALL_FUNCTION,
	CALL_CUSTOM,
	CALL_LANGCHAIN
} CallKind;

static CallKind
kind_of_call(const JsonbValue *call)
{
	JsonbValue buffer;

	if (has_arguments(rag_json_field(call, "function", &buffer), "arguments"))
		return CALL_FUNCTION;
	if (has_strings(rag_json_field(call, "custom", &buffer), "name", "input"))
		return CALL_CUSTOM;
	if (has_arguments(call, "args"))
		return CALL_LANGCHAIN;
	return CALL_NONE;
}

/* Returns whether there is a call with its result. */
static bool
match_calls(Message *message)
{
	JsonbIterator *it;
	JsonbValue call;

	message->call_list = rag_json_array_field(&message->metadata, RAG_TOOL_CALLS,
											  &message->calls_buffer);
	message->results = rag_json_array_field(&message->metadata, RAG_TOOL_RESULTS,
											&message->results_buffer);
	if (message->call_list == NULL || message->results == NULL)
		return false;
	message->calls = rag_create_json_keys();
	it = rag_json_elements(message->call_list);
	while (rag_json_next(&it, &call))
	{
		JsonbValue buffer;
		const JsonbValue *id = rag_json_string_field(&call, "id", &buffer);

		if (id && kind_of_call(&call) != CALL_NONE)
			rag_enter_json_key(message->calls, id, CALLED);
	}
	return advance(message->calls, message->results, "tool_call_id", CALLED, ANSWERED) > 0;
}

/* Pushes two strings of an object as an object. */
static void
push_strings(RagJsonbState *state, const char *key, const JsonbValue *object,
			 const char *a, const char *b)
{
	JsonbValue buffer;

	rag_push_key(state, key);
	rag_push_jsonb(state, WJB_BEGIN_OBJECT, NULL);
	rag_push_field(state, a, rag_json_string_field(object, a, &buffer));
	rag_push_field(state, b, rag_json_string_field(object, b, &buffer));
	rag_push_jsonb(state, WJB_END_OBJECT, NULL);
}

/* Arguments are a string that holds JSON here, and elsewhere the JSON itself. */
static void
push_function(RagJsonbState *state, const JsonbValue *function, const char *field)
{
	JsonbValue buffer;
	JsonbValue arguments = rag_json_to_string(rag_json_field(function, field, &buffer));

	rag_push_key(state, "function");
	rag_push_jsonb(state, WJB_BEGIN_OBJECT, NULL);
	rag_push_field(state, "name", rag_json_string_field(function, "name", &buffer));
	rag_push_field(state, "arguments", &arguments);
	rag_push_jsonb(state, WJB_END_OBJECT, NULL);
}

/* A call, and no more than such an API knows of it. */
static void
push_call(RagJsonbState *state, const JsonbValue *call, const JsonbValue *id)
{
	CallKind kind = kind_of_call(call);
	const char *type = kind == CALL_CUSTOM ? "custom" : "function";
	JsonbValue buffer;

	rag_push_jsonb(state, WJB_BEGIN_OBJECT, NULL);
	rag_push_field(state, "id", id);
	rag_push_string(state, "type", type, strlen(type));
	if (kind == CALL_FUNCTION)
		push_function(state, rag_json_field(call, type, &buffer), "arguments");
	else if (kind == CALL_CUSTOM)
		push_strings(state, type, rag_json_field(call, type, &buffer), "name", "input");
	else
		push_function(state, call, "args");
	rag_push_jsonb(state, WJB_END_OBJECT, NULL);
}

static void
push_calls(const Message *message)
{
	JsonbIterator *it = rag_json_elements(message->call_list);
	JsonbValue call;

	rag_push_key(message->state, RAG_TOOL_CALLS);
	rag_push_jsonb(message->state, WJB_BEGIN_ARRAY, NULL);
	while (rag_json_next(&it, &call))
	{
		JsonbValue buffer;
		const JsonbValue *id = rag_json_string_field(&call, "id", &buffer);
		int *known = NULL;

		if (id && kind_of_call(&call) != CALL_NONE)
			known = rag_find_json_key(message->calls, id);
		if (known == NULL || *known != ANSWERED)
			continue;
		*known = SHOWN;
		push_call(message->state, &call, id);
	}
	rag_push_jsonb(message->state, WJB_END_ARRAY, NULL);
}

static const char *const only_text[] = {NULL};

/* Pushes the content of a result, which is a string in ours. */
static void
push_content_of_result(RagJsonbState *state, const JsonbValue *result)
{
	JsonbValue buffer;
	const JsonbValue *content = rag_json_string_field(result, "content", &buffer);

	rag_push_content(state, content ? content->val.string.val : "",
					 content ? content->val.string.len : 0, result, only_text);
}

static void
push_results(const Message *message)
{
	JsonbIterator *it = rag_json_elements(message->results);
	RagJsonbState *state = message->state;
	JsonbValue result;

	while (rag_json_next(&it, &result))
	{
		JsonbValue buffer;
		const JsonbValue *id = rag_json_string_field(&result, "tool_call_id", &buffer);
		int *known = id ? rag_find_json_key(message->calls, id) : NULL;

		if (known == NULL || *known != SHOWN)
			continue;
		*known = CALLED;
		rag_push_jsonb(state, WJB_BEGIN_OBJECT, NULL);
		push_role(state, "tool");
		rag_push_field(state, "tool_call_id", id);
		push_content_of_result(state, &result);
		rag_push_jsonb(state, WJB_END_OBJECT, NULL);
	}
}

/*
 * OpenAI's older form: one call of a function, whose result has its name. Returns the
 * result, or NULL.
 */
static const JsonbValue *
find_function_result(const Message *message, const JsonbValue *call, JsonbValue *result)
{
	JsonbValue name_buffer;
	const JsonbValue *name = rag_json_string_field(call, "name", &name_buffer);
	JsonbIterator *it =
		name && message->results ? rag_json_elements(message->results) : NULL;

	while (it && rag_json_next(&it, result))
	{
		JsonbValue buffer;
		const JsonbValue *of = rag_json_string_field(result, "name", &buffer);

		if (of && of->val.string.len == name->val.string.len &&
			memcmp(of->val.string.val, name->val.string.val, of->val.string.len) == 0 &&
			rag_json_field(result, "tool_call_id", &buffer) == NULL)
			return result;
	}
	return NULL;
}

static void
push_function_result(RagJsonbState *state, const JsonbValue *result)
{
	JsonbValue buffer;

	rag_push_jsonb(state, WJB_BEGIN_OBJECT, NULL);
	push_role(state, "function");
	rag_push_field(state, "name", rag_json_string_field(result, "name", &buffer));
	push_content_of_result(state, result);
	rag_push_jsonb(state, WJB_END_OBJECT, NULL);
}

/* ------------------------------------------------------------------------
 *		Messages
 * ------------------------------------------------------------------------
 */

static void
push_user(const Message *message)
{
	rag_push_jsonb(message->state, WJB_BEGIN_OBJECT, NULL);
	push_role(message->state, "user");
	rag_push_content(message->state, message->content, message->content_len,
					 &message->metadata, NULL);
	push_string_of_metadata(message, "name");
	rag_push_jsonb(message->state, WJB_END_OBJECT, NULL);
}

/* The id of an answer that is a sound: such an API takes no more of it. */
static void
push_audio(const Message *message)
{
	JsonbValue buffer;
	JsonbValue id_buffer;
	const JsonbValue *audio = rag_json_field(&message->metadata, "audio", &buffer);
	const JsonbValue *id = audio ? rag_json_string_field(audio, "id", &id_buffer) : NULL;

	if (id == NULL)
		return;
	rag_push_key(message->state, "audio");
	rag_push_jsonb(message->state, WJB_BEGIN_OBJECT, NULL);
	rag_push_field(message->state, "id", id);
	rag_push_jsonb(message->state, WJB_END_OBJECT, NULL);
}

/* Has the message anything else than a text and calls? */
static bool
has_more(const Message *message)
{
	JsonbValue buffer;
	JsonbValue id_buffer;
	const JsonbValue *refusal =
		rag_json_string_field(&message->metadata, "refusal", &buffer);
	const JsonbValue *audio = rag_json_field(&message->metadata, "audio", &id_buffer);

	return (refusal && refusal->val.string.len > 0) ||
		(audio && rag_json_string_field(audio, "id", &buffer) != NULL);
}

/* Is the content what a field says that such an API has instead of a content? */
static bool
is_said_elsewhere(const Message *message)
{
	static const char *const fields[] = {"refusal", "audio"};

	for (int i = 0; i < (int) lengthof(fields); i++)
	{
		JsonbValue buffer;
		JsonbValue text_buffer;
		const JsonbValue *field = rag_json_field(&message->metadata, fields[i], &buffer);
		const JsonbValue *text = field ? rag_part_text(field, &text_buffer) : NULL;

		if (text && text->val.string.len == message->content_len &&
			memcmp(text->val.string.val, message->content, message->content_len) == 0)
			return true;
	}
	return false;
}

/* A message that says nothing, as its calls have no results yet, is left out. */
static void
push_assistant(Message *message)
{
	static const char *const allowed[] = {"refusal", NULL};
	static const JsonbValue null = {.type = jbvNull};
	RagJsonbState *state = message->state;
	bool has_calls = match_calls(message);
	JsonbValue buffer;
	JsonbValue result;
	const JsonbValue *call =
		rag_json_field(&message->metadata, RAG_FUNCTION_CALL, &buffer);
	const JsonbValue *answer = NULL;
	bool is_empty = (message->content_len == 0 || is_said_elsewhere(message)) &&
		!rag_has_content_parts(&message->metadata, allowed);

	if (has_strings(call, "name", "arguments"))
		answer = find_function_result(message, call, &result);
	if (is_empty && !has_calls && !answer && !has_more(message))
		return;
	rag_push_jsonb(state, WJB_BEGIN_OBJECT, NULL);
	push_role(state, "assistant");
	if (is_empty)
		rag_push_field(state, "content", &null);
	else
		rag_push_content(state, message->content, message->content_len,
						 &message->metadata, allowed);
	push_string_of_metadata(message, "name");
	push_string_of_metadata(message, "refusal");
	push_audio(message);
	if (has_calls)
		push_calls(message);
	if (answer)
		push_strings(state, RAG_FUNCTION_CALL, call, "name", "arguments");
	rag_push_jsonb(state, WJB_END_OBJECT, NULL);
	if (has_calls)
		push_results(message);
	if (answer)
		push_function_result(state, answer);
}

void
rag_push_message(RagJsonbState *state, const text *role, const text *content,
				 Jsonb *metadata)
{
	Message message = {.state = state,
					   .metadata = {.type = jbvNull},
					   .content = VARDATA_ANY(content),
					   .content_len = VARSIZE_ANY_EXHDR(content)};

	if (metadata && JB_ROOT_IS_OBJECT(metadata))
		message.metadata = rag_json_root(metadata);
	if (VARSIZE_ANY_EXHDR(role) == strlen("user") &&
		memcmp(VARDATA_ANY(role), "user", strlen("user")) == 0)
		push_user(&message);
	else
		push_assistant(&message);
	if (message.calls)
		hash_destroy(message.calls);
}

void
rag_push_system_message(RagJsonbState *state, const JsonbValue *content)
{
	rag_push_jsonb(state, WJB_BEGIN_OBJECT, NULL);
	push_role(state, "system");
	rag_push_field(state, "content", content);
	rag_push_jsonb(state, WJB_END_OBJECT, NULL);
}
