/*
 * read/window.h
 *		The end of a conversation that fits into a model's context window.
 */
#ifndef RAG_WINDOW_H
#define RAG_WINDOW_H

#include "base/compat.h"

#include "access/htup.h"
#include "access/tupdesc.h"
#include "nodes/pg_list.h"

#include "session/session.h"

/* The columns of a message in the window, in order. */
enum
{
	WINDOW_ID,
	WINDOW_ROLE,
	WINDOW_CONTENT,
	WINDOW_TOKEN_COUNT, /* what the message was counted as */
	WINDOW_METADATA,	/* only with metadata */
	WINDOW_NCOLUMNS
};

typedef struct RagWindow
{
	TupleDesc desc;	   /* of the messages: without metadata, or with it */
	int64 left;		   /* tokens that still fit */
	int max;		   /* messages at most */
	int64 after_id;	   /* only those after this one ... */
	bool inclusive;	   /* ... or from it on */
	List *messages;	   /* result: HeapTuples, newest first */
	int n;			   /* their number up to the oldest one of the user */
	bool look_further; /* tell for certain whether there are others */
	bool is_whole;	   /* result: there are none; certain only with look_further */
} RagWindow;

/*
 * Takes the newest messages of the session, until one does not fit. The caller is
 * connected to SPI.
 */
extern void rag_fill_window(RagWindow *window, const RagSession *session);

#endif /* RAG_WINDOW_H */
