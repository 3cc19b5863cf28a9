/*
 * exchange/import_instructions.c
 *		The instructions to the model among the messages of a conversation.
 */
#include "base/compat.h"

#include "utils/builtins.h"

#include "base/error.h"
#include "base/json.h"
#include "base/metadata.h"
#include "message/content_part.h"
#include "exchange/import_instructions.h"

/* Is it one of a chat-completions API, which takes it as it is? */
static bool
is_taken_back(const RagElement *element)
{
	return (element->form->flags & FORM_CHAT) != 0 && strcmp(element->form->kind, "role") == 0;
}

static void
append_instructions(RagInstructions *given, const text *content)
{
	if (given->n++ > 0)
		appendStringInfoString(&given->prompt, "\n\n");
	else
	{
		initStringInfo(&given->prompt);
		rag_push_jsonb(&given->messages, WJB_BEGIN_ARRAY, NULL);
	}
	appendBinaryStringInfo(&given->prompt, VARDATA_ANY(content),
						   VARSIZE_ANY_EXHDR(content));
}

void
rag_add_instructions(RagInstructions *given, const text *content, const JsonbValue *role)
{
	RagJsonbState *state = &given->messages;
	JsonbValue system = rag_json_string("system", strlen("system"));
	bool is_developer = role && rag_json_equals(role, "developer");

	append_instructions(given, content);
	rag_push_jsonb(state, WJB_BEGIN_OBJECT, NULL);
	rag_push_field(state, "role", is_developer ? role : &system);
	rag_push_string(state, "content", VARDATA_ANY(content), VARSIZE_ANY_EXHDR(content));
	rag_push_jsonb(state, WJB_END_OBJECT, NULL);
	given->is_plain = given->n == 1 && !is_developer;
}

/* Adds a system message as it came. */
static void
add_given_instructions(RagInstructions *given, const RagElement *element,
					   const text *content)
{
	RagJsonbState *state = &given->messages;
	JsonbValue buffer;
	const JsonbValue *role = rag_json_string_field(&element->value, "role", &buffer);
	JsonbValue content_buffer;
	const RagExtra *extra = &element->extra;
	ListCell *lc;

	append_instructions(given, content);
	rag_push_jsonb(state, WJB_BEGIN_OBJECT, NULL);
	rag_push_field(state, "role", role);
	rag_push_field(state, "content",
				   rag_json_field(&element->value, "content", &content_buffer));
	foreach (lc, extra->fields)
	{
		JsonbPair *pair = lfirst(lc);

		if (!rag_json_equals(&pair->key, RAG_CONTENT_PARTS))
			rag_push_pair(state, pair->key, &pair->value);
	}
	rag_push_jsonb(state, WJB_END_OBJECT, NULL);
	given->is_plain = given->n == 1 && extra->fields == NIL &&
		rag_json_equals(role, "system");
}

/* A system message has a text, or parts that are texts. */
static void
check_system_message(const RagElement *element)
{
	const JsonbValue *parts = element->content.parts;
	JsonbIterator *it = parts ? rag_json_elements(parts) : NULL;
	JsonbValue part;

	while (it && rag_json_next(&it, &part))
	{
		JsonbValue buffer;
		const JsonbValue *type = rag_part_type(&part, &buffer);

		if (type && !rag_json_equals(type, "text") && rag_part_text(&part, &buffer) == NULL)
			rag_error_field(element->place, "content", "text only, in a system message");
	}
}

void
rag_add_system_message(RagInstructions *given, const RagElement *element, Oid nspoid)
{
	const text *content = rag_content_text(&element->content);
	JsonbValue buffer;

	if (content == NULL)
		rag_error_no_content(element, nspoid);
	if (is_taken_back(element))
	{
		check_system_message(element);
		add_given_instructions(given, element, content);
	}
	else if (VARSIZE_ANY_EXHDR(content) > 0 || (element->form->flags & FORM_CHAT) != 0)
		rag_add_instructions(given, content, rag_json_string_field(&element->value, "role", &buffer));
}

text *
rag_finish_instructions(RagInstructions *given, JsonbValue **messages)
{
	*messages = NULL;
	if (given->n == 0)
		return NULL;
	rag_push_jsonb(&given->messages, WJB_END_ARRAY, NULL);
	if (!given->is_plain)
		*messages = rag_built_value(&given->messages);
	return cstring_to_text_with_len(given->prompt.data, given->prompt.len);
}
