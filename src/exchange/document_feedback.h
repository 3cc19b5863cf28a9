/*
 * exchange/document_feedback.h
 *		The feedback of a conversation in its JSON document: an array of objects with the
 *		columns of rag_feedback but session_id. message_id is the id of a message of the
 *		document.
 */
#ifndef RAG_DOCUMENT_FEEDBACK_H
#define RAG_DOCUMENT_FEEDBACK_H

#include "base/compat.h"

#include "utils/jsonb.h"
#include "utils/uuid.h"

#include "message/message.h"

/*
 * Puts the feedback on the messages of the session into the document as its field
 * "feedback", if there is any. Raises 42501 if there is some, and the caller may not read it. Sees what the
 * calling query sees.
 */
extern void rag_push_feedback(RagJsonbState *state, const pg_uuid_t *session_id,
							  Oid nspoid);

typedef struct RagFeedbackList RagFeedbackList;

/*
 * Reads the array for messages that have the ids of the document yet, or none. Errors,
 * each with the place: 22023 another form, no judgment or no such message; and those of
 * rag_check_feedback(). A message may have fewer sources than the feedback on one of them
 * says, as sources can be changed. 0A000: the installed version has no feedback.
 */
extern RagFeedbackList *rag_feedback_from_json(JsonbContainer *array,
											   const RagMessage *messages, int n,
											   Oid nspoid);

/*
 * Stores it for the messages, which have their new ids now. Raises 23505 if one thing is
 * judged twice.
 */
extern void rag_store_feedback_list(const RagFeedbackList *list, Datum session_id,
									const RagMessage *messages, Oid nspoid);

#endif /* RAG_DOCUMENT_FEEDBACK_H */
