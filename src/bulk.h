/*
 * bulk.h
 *		Inserting the messages of a session, many at once.
 */
#ifndef RAG_BULK_H
#define RAG_BULK_H

#include "compat.h"

#include "message.h"

/*
 * Draws ids for the messages, in their order, and inserts them. They are checked
 * and all of one session, which is locked; optional is the mask of the optional
 * columns that have a value in any of them. The caller is connected to SPI.
 */
extern void rag_insert_messages(RagMessage **messages, int n, int optional, Oid nspoid);

#endif /* RAG_BULK_H */
