/*
 * read/prompt_content.c
 *		The content of a message, as a chat-completions API takes it.
 *
 *		A message that was imported with an array of parts has them in its metadata. A
 *		part {"type": "text"} without a text stands for the content there. Where all
 *		parts have their own texts, and these are no longer the content, somebody has
 *		changed it since: then it takes the place of the texts, before the other parts.
 */
#include "base/compat.h"

#include "base/json.h"
#include "base/metadata.h"
#include "message/content_part.h"
#include "read/prompt_content.h"

/* A part of a content, and its text, if it has one. */
typedef struct Part
{
	JsonbValue value;
	JsonbValue text_buffer;
	const JsonbValue *text;
	bool is_text;
	bool is_content; /* it stands for the content */
	bool is_foreign; /* it is a text, and such an API does not know it in this form */
} Part;

static bool
is_of_type(const JsonbValue *value, const char *type)
{
	JsonbValue buffer;
	const JsonbValue *given = rag_json_string_field(value, "type", &buffer);

	return given && rag_json_equals(given, type);
}

static bool
read_part(JsonbIterator **it, Part *part)
{
	bool has_type_text;

	if (!rag_json_next(it, &part->value))
		return false;
	has_type_text = is_of_type(&part->value, "text");
	part->text = rag_part_text(&part->value, &part->text_buffer);
	part->is_text = part->text != NULL || has_type_text;
	part->is_content = part->text == NULL && has_type_text;
	part->is_foreign = part->text != NULL && !is_of_type(&part->value, "refusal") &&
		!(has_type_text && rag_json_string_field(&part->value, "text", &part->text_buffer));
	return true;
}

/* Are the texts of the parts, put together, the content? Or does one stand for it? */
static bool
parts_are_content(const JsonbValue *parts, const char *str, int len)
{
	JsonbIterator *it = rag_json_elements(parts);
	Part part;
	int place = 0;

	while (read_part(&it, &part))
	{
		const JsonbValue *text = part.text;

		if (part.is_content)
			return true;
		if (text == NULL)
			continue;
		if (text->val.string.len > len - place ||
			memcmp(text->val.string.val, str + place, text->val.string.len) != 0)
			return false;
		place += text->val.string.len;
	}
	return place == len;
}

/* A user says texts, and shows media; the others only what is in the list. */
static bool
is_allowed(const Part *part, const char *const *allowed)
{
	if (part->is_text && !is_of_type(&part->value, "refusal"))
		return true;
	if (allowed == NULL)
		return rag_part_is_media(&part->value);
	for (; *allowed; allowed++)
	{
		if (is_of_type(&part->value, *allowed))
			return true;
	}
	return false;
}

static void
push_text_part(RagJsonbState *state, const char *str, int len)
{
	rag_push_jsonb(state, WJB_BEGIN_OBJECT, NULL);
	rag_push_string(state, "type", "text", strlen("text"));
	rag_push_string(state, "text", str, len);
	rag_push_jsonb(state, WJB_END_OBJECT, NULL);
}

/* The fields of a part {"type": "text"}, with the content as its text. */
static void
push_content_part(RagJsonbState *state, const Part *part, const char *str, int len)
{
	rag_push_jsonb(state, WJB_BEGIN_OBJECT, NULL);
	rag_push_pairs(state, part->value.val.binary.data);
	rag_push_string(state, "text", str, len);
	rag_push_jsonb(state, WJB_END_OBJECT, NULL);
}

static void
push_part(RagJsonbState *state, Part *part, const char *str, int len)
{
	if (part->is_content)
		push_content_part(state, part, str, len);
	else if (part->is_foreign)
		push_text_part(state, part->text->val.string.val, part->text->val.string.len);
	else
		rag_push_jsonb(state, WJB_ELEM, &part->value);
}

/* Is there a part that may be shown? */
static bool
has_parts(const JsonbValue *parts, const char *const *allowed)
{
	JsonbIterator *it = rag_json_elements(parts);
	Part part;

	while (read_part(&it, &part))
	{
		if (is_allowed(&part, allowed))
			return true;
	}
	return false;
}

bool
rag_has_content_parts(const JsonbValue *owner, const char *const *allowed)
{
	JsonbValue buffer;
	const JsonbValue *parts = rag_json_array_field(owner, RAG_CONTENT_PARTS, &buffer);

	return parts && has_parts(parts, allowed);
}

void
rag_push_content(RagJsonbState *state, const char *str, int len, const JsonbValue *owner,
				 const char *const *allowed)
{
	JsonbValue buffer;
	const JsonbValue *parts =
		owner ? rag_json_array_field(owner, RAG_CONTENT_PARTS, &buffer) : NULL;
	JsonbIterator *it;
	Part part;
	bool replaced;

	if (parts == NULL || !has_parts(parts, allowed))
	{
		rag_push_string(state, "content", str, len);
		return;
	}
	replaced = !parts_are_content(parts, str, len);
	rag_push_key(state, "content");
	rag_push_jsonb(state, WJB_BEGIN_ARRAY, NULL);
	if (replaced && len > 0)
		push_text_part(state, str, len);
	it = rag_json_elements(parts);
	while (read_part(&it, &part))
	{
		if (is_allowed(&part, allowed) && !(replaced && part.is_text))
			push_part(state, &part, str, len);
	}
	rag_push_jsonb(state, WJB_END_ARRAY, NULL);
}
