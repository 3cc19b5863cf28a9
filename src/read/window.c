/*
 * read/window.c
 *		The end of a conversation that fits into a model's context window.
 *
 *		The messages are read from the newest on, and the query ends at the first
 *		that does not fit. What a message takes is its token_count, or an estimate
 *		from its size, which is known without decompressing the content.
 */
#include "base/compat.h"

#include "access/detoast.h"
#include "access/htup_details.h"

#include "message/message.h"
#include "message/newest_messages.h"
#include "message/token_count.h"
#include "read/window.h"

static RagNewest without_metadata = {
	WINDOW_METADATA, {COL_ID, COL_ROLE, COL_CONTENT, COL_TOKEN_COUNT}, {{0}}};

static RagNewest with_metadata = {
	WINDOW_NCOLUMNS,
	{COL_ID, COL_ROLE, COL_CONTENT, COL_TOKEN_COUNT, COL_METADATA},
	{{0}}};

typedef struct Filling
{
	RagWindow *window;
	MemoryContext context; /* of the messages */
} Filling;

/* In all of these, values and isnull are those of a message, by the columns above. */
static int64
count_tokens(const RagWindow *window, const Datum *values, const bool *isnull)
{
	Jsonb *metadata = NULL;
	Size bytes = 0;

	if (!isnull[WINDOW_TOKEN_COUNT])
		return Max(DatumGetInt32(values[WINDOW_TOKEN_COUNT]), 0);
	if (!isnull[WINDOW_CONTENT])
		bytes = toast_raw_datum_size(values[WINDOW_CONTENT]) - VARHDRSZ;
	if (window->desc->natts == WINDOW_NCOLUMNS && !isnull[WINDOW_METADATA])
		metadata = DatumGetJsonbP(values[WINDOW_METADATA]);
	return rag_estimate_tokens(bytes, metadata);
}

static bool
is_users(const Datum *values, const bool *isnull)
{
	text *role;

	if (isnull[WINDOW_ROLE])
		return false;
	role = DatumGetTextPP(values[WINDOW_ROLE]);
	return VARSIZE_ANY_EXHDR(role) == 4 && memcmp(VARDATA_ANY(role), "user", 4) == 0;
}

static void
keep_message(Filling *filling, const Datum *message, const bool *isnull, int64 tokens)
{
	MemoryContext old = MemoryContextSwitchTo(filling->context);
	RagWindow *window = filling->window;
	int n = window->desc->natts;
	Datum values[WINDOW_NCOLUMNS];
	bool nulls[WINDOW_NCOLUMNS];

	memcpy(values, message, sizeof(Datum) * n);
	memcpy(nulls, isnull, sizeof(bool) * n);
	nulls[WINDOW_TOKEN_COUNT] = false;
	values[WINDOW_TOKEN_COUNT] = Int32GetDatum((int32) Min(tokens, PG_INT32_MAX));
	window->messages = lappend(window->messages,
							   heap_form_tuple(window->desc, values, nulls));
	MemoryContextSwitchTo(old);
	if (is_users(message, isnull))
		window->n = list_length(window->messages);
}

/* Returns false if the message does not fit, or no other one would. */
static bool
take_message(const Datum *values, const bool *isnull, void *arg)
{
	Filling *filling = arg;
	RagWindow *window = filling->window;
	int64 tokens;

	window->is_whole = false;
	if (list_length(window->messages) == window->max)
		return false;
	tokens = count_tokens(window, values, isnull);
	if (tokens > window->left)
		return false;
	window->left -= tokens;
	keep_message(filling, values, isnull, tokens);
	window->is_whole = true;
	return window->look_further || list_length(window->messages) < window->max;
}

void
rag_fill_window(RagWindow *window, const RagSession *session)
{
	Filling filling = {.window = window, .context = CurrentMemoryContext};
	RagScan scan = {.session_id = session->id,
					.after = true,
					.id = window->after_id,
					.inclusive = window->inclusive,
					.direction = BackwardScanDirection};

	if (window->left <= 0 || window->max <= 0)
		return;
	window->is_whole = true;
	rag_read_newest(session->nspoid, &scan,
					window->look_further && window->max < PG_INT32_MAX ?
						window->max + 1 :
						window->max,
					window->desc->natts == WINDOW_NCOLUMNS ? &with_metadata :
															 &without_metadata,
					take_message, &filling);
}
