/*
 * base/uuidv7.c
 *		Time-ordered UUIDs (version 7 of RFC 9562).
 *
 *		bits   0 ..  47  milliseconds since the Unix epoch
 *		bits  48 ..  51  version, 7
 *		bits  52 ..  63  the fraction of the millisecond, in 1/4096 (section
 *						 6.2 of the RFC, method 3)
 *		bits  64 ..  65  variant, binary 10
 *		bits  66 .. 127  random
 *
 *		The first 48 bits and the 12 of the fraction form one number, a count
 *		of "ticks" of 1/4096 millisecond. A backend never gives out the same
 *		tick twice and never goes back: that alone makes its ids monotonic.
 */
#include "base/compat.h"

#include "port/pg_bswap.h"
#include "utils/timestamp.h"

#include "base/uuidv7.h"

#define TICKS_PER_MS 4096
#define UNIX_EPOCH_USECS \
	(((int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE)) * USECS_PER_DAY)

static uint64
next_tick(void)
{
	static uint64 last_tick = 0;
	uint64 usecs = (uint64) (GetCurrentTimestamp() + UNIX_EPOCH_USECS);
	uint64 tick = (usecs / 1000) * TICKS_PER_MS +
		(usecs % 1000) * TICKS_PER_MS / 1000;

	last_tick = Max(tick, last_tick + 1);
	return last_tick;
}

void
rag_uuidv7(pg_uuid_t *uuid)
{
	uint64 tick = next_tick();
	uint64 high = pg_hton64((tick / TICKS_PER_MS) << 16 |
							UINT64CONST(0x7000) |
							tick % TICKS_PER_MS);

	memcpy(uuid->data, &high, sizeof(high));
	if (!pg_strong_random(uuid->data + sizeof(high), UUID_LEN - sizeof(high)))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not generate random values")));
	uuid->data[8] = (uuid->data[8] & 0x3f) | 0x80;
}

/*
 * rag_uuidv7() returns uuid
 *
 * Returns a new time-ordered UUID (version 7 of RFC 9562). Since 1.1 it is the
 * default of sessions.id.
 */
PG_FUNCTION_INFO_V1(rag_uuidv7_sql);
Datum
rag_uuidv7_sql(PG_FUNCTION_ARGS)
{
	pg_uuid_t *uuid = palloc(sizeof(pg_uuid_t));

	rag_uuidv7(uuid);
	PG_RETURN_UUID_P(uuid);
}
