/*
 * read/get_context.c
 *		rag_get_context(): the end of a conversation that fits into a model's context
 *		window.
 */
#include "base/compat.h"

#include "executor/spi.h"
#include "funcapi.h"
#include "utils/tuplestore.h"

#include "base/error.h"
#include "session/session.h"
#include "read/get_messages.h"
#include "read/window.h"

/*
 * rag_get_context(session_id uuid, max_tokens integer,
 *				   max_messages integer DEFAULT NULL, after_id bigint DEFAULT NULL,
 *				   user_id text DEFAULT NULL)
 *		returns table (id bigint, role text, content text, token_count integer)
 *
 * Returns the newest messages of a session that fit together into max_tokens (NULL:
 * no limit), at most max_messages (NULL: no limit) and only those after after_id
 * (NULL: all), in the order of their ids. They begin at a message of the user: older
 * ones of the assistant are left out. token_count is what the message was counted as:
 * the column's value or, where that is NULL, a quarter of the bytes of its content,
 * rounded up. With user_id the session must be that user's.
 *
 * Errors: 22004 session_id is NULL; 22023 max_tokens or max_messages is negative;
 * 23503 no such session. Since 1.2.
 */
PG_FUNCTION_INFO_V1(rag_get_context);
Datum
rag_get_context(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	RagWindow window = {.left = PG_ARGISNULL(1) ? PG_INT64_MAX : PG_GETARG_INT32(1),
						.max = PG_ARGISNULL(2) ? PG_INT32_MAX : PG_GETARG_INT32(2),
						.after_id = PG_ARGISNULL(3) ? PG_INT64_MIN : PG_GETARG_INT64(3),
						.inclusive = PG_ARGISNULL(3)};
	RagSession session;

	rag_check_max(fcinfo, 1, "max_tokens");
	rag_check_max(fcinfo, 2, "max_messages");
	session = rag_begin_reading(fcinfo, 4);
	window.desc = rsinfo->setDesc;
	rag_fill_window(&window, &session);
	for (int i = window.n - 1; i >= 0; i--)
		tuplestore_puttuple(rsinfo->setResult, list_nth(window.messages, i));
	SPI_finish();
	return (Datum) 0;
}
