/*
 * base/uuidv7.h
 *		Time-ordered UUIDs (version 7 of RFC 9562) for session ids.
 */
#ifndef RAG_UUIDV7_H
#define RAG_UUIDV7_H

#include "base/compat.h"

#include "utils/uuid.h"

/*
 * Fills *uuid with a new UUID of version 7. Within a backend each is greater than the
 * one before, even if the clock is set back. Raises XX000 if the system has no source
 * of strong random numbers.
 */
extern void rag_uuidv7(pg_uuid_t *uuid);

#endif /* RAG_UUIDV7_H */
