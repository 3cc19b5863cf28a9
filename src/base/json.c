/*
 * base/json.c
 *		Reading the values of a JSON document, and building one.
 */
#include "base/compat.h"

#include <math.h>

#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

#include "base/error.h"
#include "base/json.h"

/* How much of an unknown field's name is repeated in the error, in bytes. */
#define FIELD_SHOWN 63

void
rag_error_field(int element, const char *field, const char *expected)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%sfield \"%s\" must be %s", rag_element(element), field,
					expected)));
}

void
rag_error_unknown_field(int element, const JsonbValue *name, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%sunknown field \"%.*s\"", rag_element(element),
					pg_mbcliplen(name->val.string.val, name->val.string.len,
								 FIELD_SHOWN),
					name->val.string.val),
			 errdetail_internal("%s", detail)));
}

bool
rag_json_equals(const JsonbValue *string, const char *expected)
{
	return string->val.string.len == (int) strlen(expected) &&
		memcmp(string->val.string.val, expected, string->val.string.len) == 0;
}

bool
rag_json_is_object(const JsonbValue *value)
{
	return value->type == jbvBinary && JsonContainerIsObject(value->val.binary.data);
}

double
rag_json_number(const JsonbValue *value)
{
	return DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow,
											  NumericGetDatum(value->val.numeric)));
}

static bool
is_whole(const JsonbValue *value)
{
	return DatumGetInt32(DirectFunctionCall1(numeric_min_scale,
											 NumericGetDatum(value->val.numeric))) == 0;
}

int32
rag_int32_from_json(int element, const char *field, const JsonbValue *value)
{
	double number;

	if (value->type != jbvNumeric)
		rag_error_field(element, field, "a whole number");
	number = rag_json_number(value);
	if (!(number >= PG_INT32_MIN && number <= PG_INT32_MAX) || !is_whole(value))
		rag_error_field(element, field, "a whole number of 32 bits");
	return (int32) number;
}

bool
rag_json_is_int64(const JsonbValue *value, int64 *result)
{
	double number;

	if (value->type != jbvNumeric || !is_whole(value))
		return false;
	/*
	 * The first double out of range is 2^63, and all smaller ones that are so large
	 * are whole numbers. A number just below -2^63 may have been rounded to it.
	 */
	number = rag_json_number(value);
	if (!(number > (double) PG_INT64_MIN && number < -(double) PG_INT64_MIN))
		return false;
	*result = DatumGetInt64(DirectFunctionCall1(numeric_int8,
												NumericGetDatum(value->val.numeric)));
	return true;
}

/* Timestamps are stored as the local time of the client's TimeZone. */
static Datum
local_time(int element, const char *field, TimestampTz time)
{
	struct pg_tm tm;
	fsec_t fsec;
	int tz;
	Timestamp local;

	if (!IS_VALID_TIMESTAMP(time) ||
		timestamp2tm(time, &tz, &tm, &fsec, NULL, NULL) != 0 ||
		tm2timestamp(&tm, fsec, NULL, &local) != 0)
		rag_error_field(element, field, "a timestamp within PostgreSQL's range");
	return TimestampGetDatum(local);
}

static Datum
time_from_epoch(int element, const char *field, const JsonbValue *value)
{
	double usecs = (rag_json_number(value) -
					(double) SECS_PER_DAY * (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE)) *
		USECS_PER_SEC;

	if (!(usecs >= (double) MIN_TIMESTAMP && usecs < (double) END_TIMESTAMP))
		rag_error_field(element, field, "a timestamp within PostgreSQL's range");
	return local_time(element, field, (TimestampTz) rint(usecs));
}

/*
 * Does what timestamp_in() and timestamptz_in() do, except that it returns false
 * where they raise an error. If tz is NULL, a text with a time zone is an error as
 * well.
 */
static bool
decode_time(const char *str, struct pg_tm *tm, fsec_t *fsec, int *tz)
{
	char buffer[MAXDATELEN + MAXDATEFIELDS];
	char *field[MAXDATEFIELDS];
	int ftype[MAXDATEFIELDS];
	int nf;
	int dtype;

	return ParseDateTime(str, buffer, sizeof(buffer), field, ftype, MAXDATEFIELDS,
						 &nf) == 0 &&
		rag_decode_date_time(field, ftype, nf, &dtype, tm, fsec, tz) == 0 &&
		dtype == DTK_DATE;
}

/*
 * A time without a zone is local time, and is stored exactly as it is given, even if
 * the clock skipped it in spring.
 */
static Datum
time_from_text(int element, const char *field, const JsonbValue *value)
{
	char *str = pnstrdup(value->val.string.val, value->val.string.len);
	struct pg_tm tm;
	fsec_t fsec;
	int tz;
	Timestamp time;

	if (decode_time(str, &tm, &fsec, NULL))
	{
		if (tm2timestamp(&tm, fsec, NULL, &time) == 0)
			return TimestampGetDatum(time);
	}
	else if (decode_time(str, &tm, &fsec, &tz))
	{
		if (tm2timestamp(&tm, fsec, &tz, &time) == 0)
			return local_time(element, field, time);
	}
	rag_error_field(element, field, "a timestamp, as text or as seconds since 1970");
}

Datum
rag_time_from_json(int element, const char *field, const JsonbValue *value)
{
	if (value->type == jbvNumeric)
		return time_from_epoch(element, field, value);
	if (value->type == jbvString)
		return time_from_text(element, field, value);
	rag_error_field(element, field, "a timestamp, as text or as seconds since 1970");
}

Datum
rag_text_from_json(int element, const char *field, const JsonbValue *value)
{
	if (value->type != jbvString)
		rag_error_field(element, field, "a string");
	return PointerGetDatum(cstring_to_text_with_len(value->val.string.val,
													value->val.string.len));
}

JsonbValue
rag_json_string(const char *str, int len)
{
	JsonbValue value = {.type = jbvString,
						.val.string = {.len = len, .val = unconstify(char *, str)}};

	return value;
}

void
rag_push_key(RagJsonbState *state, const char *name)
{
	JsonbValue key = rag_json_string(name, strlen(name));

	rag_push_jsonb(state, WJB_KEY, &key);
}

void
rag_push_pair(RagJsonbState *state, JsonbValue key, JsonbValue *value)
{
	rag_push_jsonb(state, WJB_KEY, &key);
	rag_push_jsonb(state, WJB_VALUE, value);
}

void
rag_push_pairs(RagJsonbState *state, JsonbContainer *object)
{
	JsonbIterator *it = JsonbIteratorInit(object);
	JsonbValue key;
	JsonbValue value;

	(void) JsonbIteratorNext(&it, &key, true); /* WJB_BEGIN_OBJECT */
	while (JsonbIteratorNext(&it, &key, true) == WJB_KEY)
	{
		(void) JsonbIteratorNext(&it, &value, true);
		rag_push_pair(state, key, &value);
	}
}

JsonbValue *
rag_built_value(const RagJsonbState *state)
{
	JsonbValue *value = palloc(sizeof(JsonbValue));

	JsonbToJsonbValue(JsonbValueToJsonb(state->result), value);
	return value;
}

Jsonb *
rag_json_object(const char *name, JsonbValue value)
{
	JsonbPair pair = {.key = rag_json_string(name, strlen(name)), .value = value};
	JsonbValue object = {.type = jbvObject, .val.object = {.nPairs = 1, .pairs = &pair}};

	return JsonbValueToJsonb(&object);
}
