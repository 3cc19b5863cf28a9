/*
 * base/json.h
 *		Reading the values of a JSON document, and building one. What is wrong in a
 *		document is an error that names the field and, where there is an array of
 *		messages, the message's place in it.
 */
#ifndef RAG_JSON_H
#define RAG_JSON_H

#include "base/compat.h"

#include "nodes/pg_list.h"
#include "utils/jsonb.h"

/* Is the JSON string equal to this text? */
extern bool rag_json_equals(const JsonbValue *string, const char *expected);

/* Is the string one of the n names? */
extern bool rag_json_is_one_of(const JsonbValue *string, const char *const *names, int n);

extern bool rag_json_is_object(const JsonbValue *value);
extern bool rag_json_is_array(const JsonbValue *value);

/*
 * The field of an object; or NULL if the value is no object, or has no such field. The
 * others return NULL as well if it has another type. The result may be in *buffer.
 */
extern const JsonbValue *rag_json_field(const JsonbValue *value, const char *name,
										JsonbValue *buffer);
extern const JsonbValue *rag_json_string_field(const JsonbValue *value,
											   const char *name, JsonbValue *buffer);
extern const JsonbValue *rag_json_array_field(const JsonbValue *value,
											  const char *name, JsonbValue *buffer);

/* The whole of a jsonb, as a value that points into it. */
extern JsonbValue rag_json_root(Jsonb *json);

/*
 * Sets *array to the array that an argument is; or, as some drivers cannot send a list as
 * JSON, to the array that is its only field, of this name. False if it is neither.
 */
extern bool rag_json_list_argument(Jsonb *json, const char *name, JsonbValue *array);

/*
 * The elements of an array: an iterator, and the next of them, until that returns
 * false.
 */
extern JsonbIterator *rag_json_elements(const JsonbValue *array);
extern bool rag_json_next(JsonbIterator **it, JsonbValue *element);

/* Is it a UUID, with hyphens? */
extern bool rag_json_is_uuid(const JsonbValue *value);

/* Is it an id: a whole number of 64 bits, or one as JavaScript has it, in a string? */
extern bool rag_json_is_id(const JsonbValue *value, int64 *result);

/*
 * Is it a string that holds the JSON of an object or array? Some drivers encode JSON
 * that is JSON already.
 */
extern bool rag_json_is_encoded_twice(const JsonbValue *value);
extern bool rag_jsonb_is_encoded_twice(Jsonb *json);

/* Is it a whole number of 64 bits? */
extern bool rag_json_is_int64(const JsonbValue *value, int64 *result);

/* The value of a JSON number. It is infinite if a double cannot hold it. */
extern double rag_json_number(const JsonbValue *value);

/*
 * Each of these reads the value of a field, and raises 22023 if it does not have the
 * type that the field must have. element is the message's place in its array, as for
 * rag_element(). The value is not null. (A time is a text, or seconds since 1970; any
 * time may also be milliseconds, as other programs have it.)
 */
extern Datum rag_time_from_json(int element, const char *field, const JsonbValue *value);
extern Datum rag_any_time_from_json(int element, const char *field,
									const JsonbValue *value);
extern Datum rag_uuid_from_json(int element, const char *field, const JsonbValue *value);
extern Datum rag_text_from_json(int element, const char *field, const JsonbValue *value);
extern int32 rag_int32_from_json(int element, const char *field,
								 const JsonbValue *value);

/* Raises 22023: the field must be something else. */
pg_noreturn extern void rag_error_field(int element, const char *field,
										const char *expected);

/* Is the name of a field this one but for its case, a letter or two, or a swap of two? */
extern bool rag_json_is_misspelt(const JsonbValue *name, const char *ours);

/*
 * Raises 22023: there is no field with this name. owner has those in names, a list of
 * char *. The hint is the one of them that comes near, or else missing, which may be
 * NULL: one that should be there and is not.
 */
pg_noreturn extern void rag_error_unknown_field(int element, const JsonbValue *name,
												const char *owner, const List *names,
												const char *missing);

/* A JSON value that points to the string. */
extern JsonbValue rag_json_string(const char *str, int len);

/* The value as a string: what it is, or its JSON. */
extern JsonbValue rag_json_to_string(const JsonbValue *value);

/* Building: a key, a key with its value, and all pairs of an object. */
extern void rag_push_key(RagJsonbState *state, const char *name);
extern void rag_push_field(RagJsonbState *state, const char *name,
						   const JsonbValue *value);
extern void rag_push_string(RagJsonbState *state, const char *name, const char *str,
							int len);
extern void rag_push_pair(RagJsonbState *state, JsonbValue key, JsonbValue *value);
extern void rag_push_pairs(RagJsonbState *state, JsonbContainer *object);

/* What was built, as a value that can be part of another. */
extern JsonbValue *rag_built_value(const RagJsonbState *state);

/* The same object without one of its fields. */
extern JsonbValue *rag_json_without(const JsonbValue *object, const char *name);

/* An object with one key. */
extern Jsonb *rag_json_object(const char *name, JsonbValue value);

#define RAG_HINT_ENCODED_TWICE \
	"It is a string that holds JSON. Some drivers encode a string once more: pass the value itself."

#endif /* RAG_JSON_H */
