/*
 * feedback/feedback.h
 *		What feedback is: its columns, the rules that each value must keep, and how it
 *		is deleted.
 */
#ifndef RAG_FEEDBACK_H
#define RAG_FEEDBACK_H

#include "base/compat.h"

#include "utils/array.h"
#include "utils/uuid.h"

#include "session/session.h"

/* The columns of rag_feedback, in the order of an INSERT's parameters. */
enum
{
	FEEDBACK_SESSION_ID,
	FEEDBACK_MESSAGE_ID,
	FEEDBACK_SOURCE_NO,
	FEEDBACK_NAME,
	FEEDBACK_RATER,
	FEEDBACK_SCORE,
	FEEDBACK_LABEL,
	FEEDBACK_COMMENT,
	FEEDBACK_METADATA,
	FEEDBACK_CREATED_AT,
	FEEDBACK_UPDATED_AT,
	RAG_FEEDBACK_NCOLUMNS
};

/* The first ones say what is judged and by whom; the next are the judgment. */
#define FEEDBACK_NKEYS FEEDBACK_SCORE
#define FEEDBACK_NVALUES FEEDBACK_CREATED_AT

typedef struct RagFeedbackColumn
{
	const char *name;
	Oid type;
} RagFeedbackColumn;

extern const RagFeedbackColumn rag_feedback_columns[RAG_FEEDBACK_NCOLUMNS];

typedef struct RagFeedback
{
	Datum values[RAG_FEEDBACK_NCOLUMNS];
	char nulls[RAG_FEEDBACK_NCOLUMNS]; /* ' ' or 'n', as SPI has them */
} RagFeedback;

#define RAG_DEFAULT_FEEDBACK_NAME "user"
#define RAG_MAX_FEEDBACK_NAME_BYTES 255

/*
 * Is there any feedback on the session, be it that the caller may not read it? Sees what
 * the calling query sees.
 */
extern bool rag_has_feedback(Datum session_id, Oid nspoid);

/* The table; InvalidOid where the installed version has none. */
extern Oid rag_feedback_table(Oid nspoid);

/*
 * Checks the values. Errors: 22004 no name; 22001 name or rater too long; 22003 score or
 * source_no out of range; 22023 an empty name, or metadata that is no object.
 */
extern void rag_check_feedback(const RagFeedback *feedback, Oid nspoid);

/* Is it a judgment at all: a score, a label, a comment or metadata? */
extern bool rag_is_judgment(const RagFeedback *feedback);

/* The number of passages of a message's sources. */
extern int rag_count_sources(Datum sources, bool isnull);

/* Raises 23503: the message has fewer passages. */
pg_noreturn extern void rag_error_no_source(int32 source_no, int count, Oid nspoid);

/*
 * What a foreign key on messages would do: deletes the feedback of the messages of a
 * session from from_id on that are gone. The session is locked. Raises 40001 where the
 * transaction's one snapshot is older than such feedback.
 */
extern void rag_delete_feedback_from(const RagSession *session, int64 from_id);

/*
 * The same for all feedback of some sessions, an array of their ids, before they are
 * deleted without the triggers of the foreign key.
 */
extern void rag_delete_feedback_of(Oid table, Datum session_ids, Oid nspoid);

/*
 * Has a person judged anything, in other sessions than these (uuid[], or NULL), and
 * except those whose metadata contains an object of the array keep, which may be
 * (Datum) 0?
 */
extern bool rag_has_judged(Datum rater, Datum keep, ArrayType *elsewhere, Oid nspoid);

/*
 * Deletes what a person judged in sessions that the caller sees, except those whose
 * metadata contains an object of the array keep. Raises 42501 if the caller may not
 * delete it.
 */
extern void rag_erase_rater(Datum rater, Datum keep, Oid nspoid);

#endif /* RAG_FEEDBACK_H */
