/*
 * base/workers.h
 *		Statements that run on every other node of a cluster, each in a transaction of its
 *		own. The caller is connected to SPI, and has its result in there.
 */
#ifndef RAG_WORKERS_H
#define RAG_WORKERS_H

#include "base/compat.h"

typedef struct RagWorkerAnswer
{
	const char *node; /* its host and port */
	bool success;
	const char *result; /* the value of a query, or NULL; or the error */
} RagWorkerAnswer;

/* Runs a statement as the caller. Returns how many nodes there are. */
extern int rag_ask_workers(const char *sql, RagWorkerAnswer **answers);

/*
 * Runs statements of PL/pgSQL as the caller. They may wait for locks of this
 * transaction, which no detector of deadlocks sees; so they do not wait for good. Returns
 * the answer of a node where they failed, or NULL.
 */
extern const RagWorkerAnswer *rag_do_on_workers(const char *statements);

#endif /* RAG_WORKERS_H */
