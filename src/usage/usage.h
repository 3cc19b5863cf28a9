/*
 * usage/usage.h
 *		Usage by day: closed days are kept in rag_usage_daily, the others are counted.
 */
#ifndef RAG_USAGE_H
#define RAG_USAGE_H

#include "base/compat.h"

/*
 * Whoever erases a user begins with this: it waits for a rag_close_days() that may have
 * counted the user's messages, and from then on none begins to count until the end of the
 * transaction.
 */
extern void rag_lock_usage(Oid nspoid);

/*
 * Moves the numbers of a user to no user. Raises 42501 if there are some, and the caller
 * may not change them. The caller is connected to SPI.
 */
extern void rag_erase_usage(Datum user_id, Oid nspoid);

#endif /* RAG_USAGE_H */
