/*
 * message_json.h
 *		Messages as a JSON array.
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

#endif /* RAG_MESSAGE_JSON_H */
