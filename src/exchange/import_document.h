/*
 * exchange/import_document.h
 *		A conversation as one JSON document.
 */
#ifndef RAG_IMPORT_DOCUMENT_H
#define RAG_IMPORT_DOCUMENT_H

#include "base/compat.h"

#include "utils/jsonb.h"

#include "session/session.h"
#include "exchange/import_messages.h"

typedef struct RagConversation
{
	Datum values[RAG_SESSION_NCOLUMNS]; /* of the session */
	char nulls[RAG_SESSION_NCOLUMNS];
	RagChat chat;
	JsonbContainer *feedback; /* an array that is not read yet, or NULL */
	bool has_summary;		  /* metadata has a summary_upto_id, to be replaced */
} RagConversation;

/*
 * Reads an array of messages (see import_messages.h), or an object with such an array as
 * "messages" and the fields of a session. The session gets the id that it had
 * (keep_id), or a new one.
 *
 * Raises 22023 for anything else, naming the place. *conversation starts as zeros.
 */
extern void rag_conversation_from_json(RagConversation *conversation, Jsonb *json,
									   bool keep_id, Oid nspoid);

#endif /* RAG_IMPORT_DOCUMENT_H */
