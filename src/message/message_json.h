/*
 * message/message_json.h
 *		Messages as a JSON array, and the readers of their fields.
 */
#ifndef RAG_MESSAGE_JSON_H
#define RAG_MESSAGE_JSON_H

#include "base/compat.h"

#include "utils/jsonb.h"

#include "message/message.h"

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
 * Reads the value of a column from the field of that name, whatever the form of the
 * message is. Raises 22023 where the value does not suit the column; element is the
 * message's place in its array, as for rag_element(). The value is not null.
 */
extern Datum rag_value_from_json(int element, RagColumn col, JsonbValue *value);

#endif /* RAG_MESSAGE_JSON_H */
