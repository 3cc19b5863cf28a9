/*
 * message/content_part.c
 *		The parts of a content that is more than a text.
 */
#include "base/compat.h"

#include "base/json.h"
#include "message/content_part.h"

/* Where the type of a part stands, whosever it is. */
static const char *const type_fields[] = {"type", "part_kind", "content_type", "block_type"};

/* Where its text stands; that may be an object with a "value". */
static const char *const text_fields[] = {"text", "refusal", "transcript"};

/* These have a text, but it is not said to a person. */
static const char *const thoughts[] = {"reasoning", "reasoning_text", "reasoning.text",
									   "summary_text", "thinking", "thoughts"};

/* They have their data in a field of the same name. */
static const char *const media[] = {"image_url", "input_audio", "file"};

const JsonbValue *
rag_part_type(const JsonbValue *part, JsonbValue *buffer)
{
	const JsonbValue *type = NULL;

	for (int i = 0; i < (int) lengthof(type_fields) && type == NULL; i++)
		type = rag_json_string_field(part, type_fields[i], buffer);
	return type;
}

/* Is it what the model thought? Gemini calls it a text, and marks it. */
static bool
is_thought(const JsonbValue *part)
{
	JsonbValue buffer;
	const JsonbValue *type = rag_part_type(part, &buffer);
	const JsonbValue *mark;

	if (type && rag_json_is_one_of(type, thoughts, lengthof(thoughts)))
		return true;
	mark = rag_json_field(part, "thought", &buffer);
	return mark && mark->type == jbvBool && mark->val.boolean;
}

const JsonbValue *
rag_part_text(const JsonbValue *part, JsonbValue *buffer)
{
	const JsonbValue *text = NULL;

	if (part->type == jbvString)
		return part;
	if (is_thought(part))
		return NULL;
	for (int i = 0; i < (int) lengthof(text_fields) && text == NULL; i++)
	{
		JsonbValue field_buffer;
		const JsonbValue *field = rag_json_field(part, text_fields[i], &field_buffer);

		if (field == NULL)
			continue;
		text = rag_json_string_field(field, "value", buffer);
		if (field->type == jbvString)
		{
			*buffer = *field;
			text = buffer;
		}
	}
	return text;
}

bool
rag_part_is_media(const JsonbValue *part)
{
	JsonbValue buffer;
	JsonbValue data_buffer;
	const JsonbValue *type = rag_json_string_field(part, "type", &buffer);

	for (int i = 0; type && i < (int) lengthof(media); i++)
	{
		if (rag_json_equals(type, media[i]))
			return rag_json_field(part, media[i], &data_buffer) != NULL;
	}
	return false;
}
