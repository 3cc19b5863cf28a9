/*
 * message_json.h
 *		Messages as a JSON array, and the readers of their fields.
 */
#ifndef RAG_MESSAGE_JSON_H
#define RAG_MESSAGE_JSON_H

#include "compat.h"

#include "utils/jsonb.h"

#include "message.h"

/*
 * Returns the messages of a JSON array of objects, or of an object with such an
 * array as its only field, "messages". Fields are named as the columns; a JSON null
 * is as if the field was left out. created_at is a timestamp as text or seconds
 * since 1970 as a number. The messages are palloc'd, with neither id nor session.
 *
 * Raises 22023 for anything else, naming the element and the field.
 */
extern RagMessage *rag_messages_from_json(Jsonb *json, int *n);

/*
 * Readers of single fields, for every form of a message. They raise 22023 where the
 * value is not what it must be; element is the message's place in its array, as for
 * rag_element(). The value is not null.
 */
extern Datum rag_value_from_json(int element, RagColumn col, JsonbValue *value);
extern Datum rag_time_from_json(int element, const char *field, const JsonbValue *value);
extern Datum rag_text_from_json(int element, const char *field, const JsonbValue *value);
extern int32 rag_int32_from_json(int element, const char *field,
								 const JsonbValue *value);

/* Is it a whole number of 64 bits? */
extern bool rag_json_is_int64(const JsonbValue *value, int64 *result);

extern bool rag_json_is_object(const JsonbValue *value);

/* Is the JSON string just that text? */
extern bool rag_json_equals(const JsonbValue *string, const char *expected);

/* Raises 22023: the field must be something else. */
pg_noreturn extern void rag_error_field(int element, const char *field,
										const char *expected);

/* Raises 22023: there is no field by this name; detail says which there are. */
pg_noreturn extern void rag_error_unknown_field(int element, const JsonbValue *name,
												const char *detail);

#endif /* RAG_MESSAGE_JSON_H */
