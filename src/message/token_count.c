/*
 * message/token_count.c
 *		How many tokens a message is taken for, where nobody has counted them.
 *
 *		A text counts a quarter of its bytes: good enough for every language, and known
 *		without reading it. A part that is no text, such as an image or a file, counts
 *		the same whatever its size: its bytes tell nothing of what a model makes of it.
 */
#include "base/compat.h"

#include "base/json.h"
#include "base/metadata.h"
#include "message/content_part.h"
#include "message/token_count.h"

#define BYTES_PER_TOKEN 4
#define TOKENS_PER_PART 1000

/* A refusal is a text in a field of this name. */
#define REFUSAL "refusal"

/* What has been found: bytes of text, and parts that are none. */
typedef struct Amount
{
	Size bytes;
	int64 parts;
} Amount;

int64
rag_tokens_of_bytes(Size bytes)
{
	return (int64) ((bytes + BYTES_PER_TOKEN - 1) / BYTES_PER_TOKEN);
}

static void
add_json(Amount *amount, const JsonbValue *value)
{
	if (value && value->type == jbvBinary)
	{
		char *json = JsonbToCString(NULL, value->val.binary.data, value->val.binary.len);

		amount->bytes += strlen(json);
		pfree(json);
	}
}

/* Adds the bytes of a field that is a string. */
static bool
add_string(Amount *amount, const JsonbValue *object, const char *name)
{
	JsonbValue buffer;
	const JsonbValue *string = rag_json_string_field(object, name, &buffer);

	if (string)
		amount->bytes += string->val.string.len;
	return string != NULL;
}

/* Texts are in the content; thoughts and the like are in no prompt. */
static void
add_parts(Amount *amount, const JsonbValue *message)
{
	JsonbValue buffer;
	JsonbValue part;
	const JsonbValue *parts = rag_json_array_field(message, RAG_CONTENT_PARTS, &buffer);
	JsonbIterator *it = parts ? rag_json_elements(parts) : NULL;

	while (it && rag_json_next(&it, &part))
		amount->parts += rag_part_is_media(&part);
}

static void
add_results(Amount *amount, const JsonbValue *message)
{
	JsonbValue buffer;
	JsonbValue result;
	const JsonbValue *results = rag_json_array_field(message, RAG_TOOL_RESULTS, &buffer);
	JsonbIterator *it = results ? rag_json_elements(results) : NULL;

	while (it && rag_json_next(&it, &result))
	{
		(void) add_string(amount, &result, "content");
		add_parts(amount, &result);
	}
}

static int64
tokens_of(const Amount *amount)
{
	return rag_tokens_of_bytes(amount->bytes) + amount->parts * TOKENS_PER_PART;
}

int64
rag_estimate_tokens(Size content_bytes, Jsonb *metadata)
{
	Amount amount = {.bytes = content_bytes};
	JsonbValue message;
	JsonbValue buffer;

	if (metadata != NULL)
	{
		message = rag_json_root(metadata);
		add_json(&amount, rag_json_field(&message, RAG_TOOL_CALLS, &buffer));
		add_json(&amount, rag_json_field(&message, RAG_FUNCTION_CALL, &buffer));
		if (content_bytes == 0) /* otherwise it is the content */
			(void) add_string(&amount, &message, REFUSAL);
		add_results(&amount, &message);
		add_parts(&amount, &message);
	}
	return tokens_of(&amount);
}

int64
rag_estimate_input(Jsonb *metadata)
{
	Amount amount = {0};
	JsonbValue message = rag_json_root(metadata);

	add_results(&amount, &message);
	add_parts(&amount, &message);
	return tokens_of(&amount);
}
