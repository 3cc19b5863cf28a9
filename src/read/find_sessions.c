/*
 * read/find_sessions.c
 *		rag_find_sessions(): the search box and the folders of a list of sessions.
 *
 *		The plan is fixed: the user's sessions in the order of the list, of each the
 *		messages from the newest on, until one has what is searched for, and so on until
 *		the page is full. Nothing is kept for it when messages are written, and in the
 *		worst case all messages of the user are read once. (Where the tables are
 *		distributed, all machines do their part of it at once.)
 */
#include "base/compat.h"

#include "catalog/pg_type_d.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"

#include "base/distributed.h"
#include "base/error.h"
#include "base/json.h"
#include "base/schema.h"
#include "base/statement.h"
#include "message/newest_messages.h"
#include "read/search_terms.h"
#include "read/session_sql.h"

/* Without metadata, or with a JSON null, as some ORMs store it, a session has no keys. */
#define METADATA \
	"CASE WHEN metadata::pg_catalog.jsonb OPERATOR(pg_catalog.<>) 'null'" \
	" THEN metadata::pg_catalog.jsonb ELSE '{}' END"

/* What a session must contain ($5), and which keys it must not have ($6). */
#define FILTER \
	" AND ($5 IS NULL OR " \
	"(" METADATA ") OPERATOR(pg_catalog.@>) $5)" \
	" AND ($6 IS NULL OR NOT pg_catalog.jsonb_strip_nulls(" METADATA ")" \
	" OPERATOR(pg_catalog.?|) $6)"

#define FIND(condition) \
	"SELECT id, " RAG_TITLE " FROM @extschema@.sessions WHERE " condition \
	" AND " RAG_AFTER_CURSOR FILTER RAG_LIST_ORDER " LIMIT $2"
#define FIND_ARGS \
	6, \
	{ \
		TEXTOID, INT4OID, TIMESTAMPOID, UUIDOID, JSONBOID, TEXTARRAYOID \
	}

static const RagStatement find_sql[2] = {{FIND(RAG_OF_NOBODY), FIND_ARGS},
										 {FIND(RAG_OF_USER), FIND_ARGS}};

/* Title and preview take the places of "%s". */
#define SHOW \
	"SELECT s.id, %s, %s, s.created_at::pg_catalog.timestamp," \
	" s.updated_at::pg_catalog.timestamp, s.metadata::pg_catalog.jsonb, " RAG_CURSOR \
	" FROM @extschema@.sessions AS s WHERE s.id OPERATOR(pg_catalog.=) $1"

/* The columns of the result that come from it, and those after them. */
enum
{
	NSHOWN = 7,
	FOUND_MESSAGE_ID = NSHOWN,
	FOUND_ROLE,
	FOUND_SNIPPET,
	FOUND_NCOLUMNS
};

enum
{
	MESSAGE_ID,
	MESSAGE_ROLE,
	MESSAGE_CONTENT,
	MESSAGE_NCOLUMNS
};

static RagNewest newest = {
	MESSAGE_NCOLUMNS, {COL_ID, COL_ROLE, COL_CONTENT}, {{0}}};

/*
 * Where the tables are distributed, each machine looks through its sessions by itself,
 * with patterns for the terms ($7 and $8; $7 is NULL where there are none), and finds the
 * newest message that has them: all machines are asked once.
 */
#define HAS_TERMS(text, collation) \
	"(pg_catalog.lower(" text " COLLATE pg_catalog.\"C\") OPERATOR(pg_catalog.~~) ALL ($7)" \
	" AND pg_catalog.upper(" text " COLLATE pg_catalog." collation ") COLLATE pg_catalog.\"C\"" \
	" OPERATOR(pg_catalog.~~) ALL ($8))"
#define WITH_TERMS(collation) \
	" FROM @extschema@.messages AS m WHERE m.session_id OPERATOR(pg_catalog.=) s.id AND " HAS_TERMS("m.content::pg_catalog.text", collation)
#define SEARCH(condition, collation) \
	"SELECT s.id, %s, %s, s.created_at::pg_catalog.timestamp," \
	" s.updated_at::pg_catalog.timestamp, s.metadata::pg_catalog.jsonb, " RAG_CURSOR ", " \
	"(SELECT ARRAY[m.id::pg_catalog.text, m.role::pg_catalog.text, m.content::pg_catalog.text]" WITH_TERMS(collation) " ORDER BY m.session_id DESC, m.id DESC LIMIT 1)" \
																													  " FROM @extschema@.sessions AS s WHERE " condition " AND " RAG_AFTER_CURSOR FILTER \
																													  " AND ($7 IS NULL OR " HAS_TERMS(RAG_TITLE, collation) " OR EXISTS (SELECT" WITH_TERMS(collation) "))" RAG_LIST_ORDER " LIMIT $2"

static const char *const search_formats[2][2] = {
	{SEARCH(RAG_OF_NOBODY, "\"default\""), SEARCH(RAG_OF_NOBODY, "\"und-x-icu\"")},
	{SEARCH(RAG_OF_USER, "\"default\""), SEARCH(RAG_OF_USER, "\"und-x-icu\"")}};

/* A session that may be part of the result. */
typedef struct Candidate
{
	pg_uuid_t id;
	bool has_title; /* the title has all terms */
} Candidate;

typedef struct Search
{
	Oid nspoid;
	const RagTerms *terms; /* NULL: none */
	Candidate *candidates;
	int64 n;
	int64 allocated;
	MemoryContext context; /* for one text at a time */
	ReturnSetInfo *result;

	/* The message that was found. */
	MemoryContext result_context; /* of a session's row */
	bool found;
	Datum values[FOUND_NCOLUMNS];
	bool isnull[FOUND_NCOLUMNS];
} Search;

/* ------------------------------------------------------------------------
 *		The filter
 * ------------------------------------------------------------------------
 */

pg_noreturn static void
error_filter(Jsonb *filter)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("filter must be a JSON object"),
			 rag_jsonb_is_encoded_twice(filter) ?
				 errhint(RAG_HINT_ENCODED_TWICE) :
				 errhint("A session's metadata must contain it; a key with null must be absent.")));
}

/* Splits a filter into what must be there and the keys that must not. */
static void
split_filter(Jsonb *filter, Datum *contained, ArrayBuildState **absent)
{
	JsonbIterator *it = JsonbIteratorInit(&filter->root);
	RagJsonbState state = {0};
	JsonbValue key;
	JsonbValue value;

	(void) JsonbIteratorNext(&it, &key, true); /* WJB_BEGIN_OBJECT */
	rag_push_jsonb(&state, WJB_BEGIN_OBJECT, NULL);
	while (JsonbIteratorNext(&it, &key, true) == WJB_KEY)
	{
		(void) JsonbIteratorNext(&it, &value, true);
		if (value.type == jbvNull)
			*absent = accumArrayResult(*absent,
									   rag_text_from_json(0, "filter", &key), false,
									   TEXTOID, CurrentMemoryContext);
		else
			rag_push_pair(&state, key, &value);
	}
	rag_push_jsonb(&state, WJB_END_OBJECT, NULL);
	*contained = JsonbPGetDatum(JsonbValueToJsonb(state.result));
}

/* ------------------------------------------------------------------------
 *		Sessions
 * ------------------------------------------------------------------------
 */

static bool
receive_session(TupleTableSlot *slot, void *arg)
{
	Search *search = arg;
	Candidate *candidate;

	if (search->n == search->allocated)
	{
		search->allocated *= 2;
		search->candidates =
			repalloc_huge(search->candidates, sizeof(Candidate) * search->allocated);
	}
	candidate = &search->candidates[search->n++];
	candidate->id = *DatumGetUUIDP(slot->tts_values[0]);
	candidate->has_title = false;
	if (search->terms && !slot->tts_isnull[1])
	{
		MemoryContext old = MemoryContextSwitchTo(search->context);

		candidate->has_title = rag_has_all_terms(
			search->terms, DatumGetTextPP(slot->tts_values[1]), NULL);
		MemoryContextSwitchTo(old);
		MemoryContextReset(search->context);
	}
	return true;
}

static bool
receive_message(const Datum *values, const bool *isnull, void *arg)
{
	Search *search = arg;
	MemoryContext old = MemoryContextSwitchTo(search->context);
	text *snippet;

	search->found = !isnull[MESSAGE_CONTENT] &&
		rag_has_all_terms(search->terms, DatumGetTextPP(values[MESSAGE_CONTENT]),
						  &snippet);
	if (search->found)
	{
		MemoryContextSwitchTo(search->result_context);
		memset(&search->isnull[FOUND_MESSAGE_ID], false, FOUND_NCOLUMNS - NSHOWN);
		search->values[FOUND_MESSAGE_ID] = values[MESSAGE_ID];
		search->isnull[FOUND_ROLE] = isnull[MESSAGE_ROLE];
		if (!isnull[MESSAGE_ROLE])
			search->values[FOUND_ROLE] =
				PointerGetDatum(DatumGetTextPCopy(values[MESSAGE_ROLE]));
		search->values[FOUND_SNIPPET] =
			PointerGetDatum(DatumGetTextPCopy(PointerGetDatum(snippet)));
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(search->context);
	CHECK_FOR_INTERRUPTS();
	return !search->found;
}

/* Looks for the newest message of the session that has all terms. */
static void
search_messages(Search *search, const pg_uuid_t *session_id)
{
	RagScan scan = {.session_id = session_id,
					.after = true,
					.id = PG_INT64_MIN,
					.inclusive = true,
					.direction = BackwardScanDirection};

	search->found = false;
	memset(&search->isnull[FOUND_MESSAGE_ID], true, FOUND_NCOLUMNS - NSHOWN);
	if (search->terms)
		rag_read_newest(search->nspoid, &scan, PG_INT32_MAX, &newest, receive_message,
						search);
}

static const RagStatement *
show_statement(void)
{
	static RagStatement statement = {NULL, 1, {UUIDOID}};

	if (statement.sql == NULL)
		statement.sql = rag_session_sql(SHOW);
	return &statement;
}

/* Adds the row of the session to the result. (It is there: the snapshot is the same.) */
static void
return_session(Search *search, const pg_uuid_t *session_id)
{
	Datum parameters[] = {UUIDPGetDatum(session_id)};

	if (rag_query(show_statement(), search->nspoid, parameters, NULL) == 0)
		return;
	for (int i = 0; i < NSHOWN; i++)
		search->values[i] = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc,
										  i + 1, &search->isnull[i]);
	tuplestore_putvalues(search->result->setResult, search->result->setDesc,
						 search->values, search->isnull);
	SPI_freetuptable(SPI_tuptable);
}

static void
return_sessions(Search *search, int max)
{
	MemoryContext old = CurrentMemoryContext;

	for (int64 i = 0; i < search->n && max > 0; i++)
	{
		const Candidate *candidate = &search->candidates[i];

		CHECK_FOR_INTERRUPTS();
		MemoryContextSwitchTo(search->result_context);
		search_messages(search, &candidate->id);
		if (search->terms == NULL || search->found || candidate->has_title)
		{
			return_session(search, &candidate->id);
			max--;
		}
		MemoryContextSwitchTo(old);
		MemoryContextReset(search->result_context);
	}
}

static const RagStatement *
search_statement(bool has_user, bool by_icu)
{
	static RagStatement statements[2][2];
	RagStatement *statement = &statements[has_user][by_icu];

	if (statement->sql == NULL)
	{
		*statement = (RagStatement){
			NULL,
			8,
			{TEXTOID, INT4OID, TIMESTAMPOID, UUIDOID, JSONBOID, TEXTARRAYOID,
			 TEXTARRAYOID, TEXTARRAYOID}};
		statement->sql = rag_session_sql(search_formats[has_user][by_icu]);
	}
	return statement;
}

/* The message that a machine has found: its id, role and content. */
static void
take_message(Search *search, Datum message, bool isnull)
{
	Datum *values;
	bool *nulls;
	int n;
	text *snippet = NULL;

	memset(&search->isnull[FOUND_MESSAGE_ID], true, FOUND_NCOLUMNS - NSHOWN);
	if (isnull)
		return;
	deconstruct_array(DatumGetArrayTypeP(message), TEXTOID, -1, false, TYPALIGN_INT,
					  &values, &nulls, &n);
	search->values[FOUND_MESSAGE_ID] =
		DirectFunctionCall1(int8in, CStringGetDatum(TextDatumGetCString(values[0])));
	search->values[FOUND_ROLE] = values[1];
	rag_has_all_terms(search->terms, DatumGetTextPP(values[2]), &snippet);
	search->values[FOUND_SNIPPET] = PointerGetDatum(snippet);
	search->isnull[FOUND_MESSAGE_ID] = false;
	search->isnull[FOUND_ROLE] = nulls[1];
	search->isnull[FOUND_SNIPPET] = snippet == NULL;
}

static bool
receive_found(TupleTableSlot *slot, void *arg)
{
	Search *search = arg;
	MemoryContext old = MemoryContextSwitchTo(search->result_context);

	memcpy(search->values, slot->tts_values, sizeof(Datum) * NSHOWN);
	memcpy(search->isnull, slot->tts_isnull, sizeof(bool) * NSHOWN);
	take_message(search, slot->tts_values[NSHOWN], slot->tts_isnull[NSHOWN]);
	tuplestore_putvalues(search->result->setResult, search->result->setDesc,
						 search->values, search->isnull);
	MemoryContextSwitchTo(old);
	MemoryContextReset(search->result_context);
	return true;
}

/* values and nulls are those of find_sql, and the limit is that of the result. */
static void
search_machines(Search *search, bool has_user, const Datum *values, const char *nulls)
{
	Datum with_terms[8];
	char with_nulls[] = "nnnnnnnn";
	bool by_icu = false;

	memcpy(with_terms, values, sizeof(Datum) * 6);
	memcpy(with_nulls, nulls, 6);
	if (search->terms)
	{
		by_icu = rag_terms_as_patterns(search->terms, &with_terms[6], &with_terms[7]);
		with_nulls[6] = with_nulls[7] = ' ';
	}
	rag_query_each(search_statement(has_user, by_icu), search->nspoid, with_terms,
				   with_nulls, receive_found, search);
}

static void
start_search(Search *search, Oid nspoid)
{
	search->nspoid = nspoid;
	search->allocated = 64;
	search->candidates = palloc(sizeof(Candidate) * search->allocated);
	search->context = AllocSetContextCreate(CurrentMemoryContext, "rag_events text",
											ALLOCSET_DEFAULT_SIZES);
	search->result_context = AllocSetContextCreate(
		CurrentMemoryContext, "rag_events session", ALLOCSET_DEFAULT_SIZES);
}

/*
 * rag_find_sessions(user_id text, query text DEFAULT NULL, filter jsonb DEFAULT NULL,
 *					 max_sessions integer DEFAULT 20, after_cursor text DEFAULT NULL)
 *		returns table (session_id uuid, title text, preview text,
 *					   created_at timestamp, updated_at timestamp, metadata jsonb,
 *					   cursor text, message_id bigint, role text, snippet text)
 *
 * Returns those sessions of a user (NULL: of nobody) that rag_list_sessions() would
 * list, in the same order and with the same cursors, at most max_sessions (NULL: all),
 * and of these only
 *
 * - with query: those that have all of its words and "phrases", in any case, in the
 *	 title, or all in one message; message_id is the newest such message (NULL: only the
 *	 title has them), role its role and snippet its 200 characters around the first;
 * - with filter: those whose metadata contains it; a key with null must be absent.
 *
 * Errors: 22023 query has no words or more than 100 different ones, filter is no object,
 * max_sessions is negative, or after_cursor is none. Since 1.3.
 */
PG_FUNCTION_INFO_V1(rag_find_sessions);
Datum
rag_find_sessions(PG_FUNCTION_ARGS)
{
	bool has_user = !PG_ARGISNULL(0);
	bool has_cursor = !PG_ARGISNULL(4);
	int max = PG_ARGISNULL(3) ? PG_INT32_MAX : PG_GETARG_INT32(3);
	Search search = {0};
	ArrayBuildState *absent = NULL;
	Timestamp updated_at = 0;
	pg_uuid_t id = {0};
	Datum values[6] = {0};
	char nulls[] = "nnnnnn";

	rag_check_max(fcinfo, 3, "max_sessions");
	if (!PG_ARGISNULL(1))
		search.terms = rag_parse_query(PG_GETARG_TEXT_PP(1));
	if (!PG_ARGISNULL(2))
	{
		if (!JB_ROOT_IS_OBJECT(PG_GETARG_JSONB_P(2)))
			error_filter(PG_GETARG_JSONB_P(2));
		split_filter(PG_GETARG_JSONB_P(2), &values[4], &absent);
		nulls[4] = ' ';
	}
	if (absent)
	{
		values[5] = makeArrayResult(absent, CurrentMemoryContext);
		nulls[5] = ' ';
	}
	if (has_cursor)
	{
		rag_decode_cursor(text_to_cstring(PG_GETARG_TEXT_PP(4)), &updated_at, &id);
		nulls[2] = nulls[3] = ' ';
	}
	values[0] = PG_GETARG_DATUM(0);
	nulls[0] = has_user ? ' ' : 'n';
	values[1] = Int32GetDatum(max);
	nulls[1] = search.terms ? 'n' : ' ';
	values[2] = TimestampGetDatum(updated_at);
	values[3] = UUIDPGetDatum(&id);

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	SPI_connect();
	search.result = (ReturnSetInfo *) fcinfo->resultinfo;
	start_search(&search, rag_namespace(fcinfo));
	if (rag_is_distributed(search.nspoid))
	{
		nulls[1] = ' ';
		search_machines(&search, has_user, values, nulls);
	}
	else
	{
		rag_query_each(&find_sql[has_user], search.nspoid, values, nulls, receive_session,
					   &search);
		return_sessions(&search, max);
	}
	SPI_finish();
	return (Datum) 0;
}
