/*
 * base/json.c
 *		Reading the values of a JSON document, and building one.
 */
#include "base/compat.h"

#include <ctype.h>
#include <math.h>

#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/fmgrprotos.h"
#include "utils/formatting.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"
#include "utils/varlena.h"

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

/*
 * How many letters of the name are to be changed for this one, whatever their case; more
 * than most if it is more than that. Two letters that are swapped count as one.
 */
static int
wrong_letters(const JsonbValue *name, const char *ours, int most)
{
	int len = strlen(ours);
	int given = name->val.string.len;
	char *lower;
	int same = 0;

	if (abs(len - given) > most)
		return most + 1;
	lower = asc_tolower(name->val.string.val, given);
	while (same < Min(len, given) && lower[same] == ours[same])
		same++;
	if (same + 1 < len && given == len && lower[same] == ours[same + 1] &&
		lower[same + 1] == ours[same] && strcmp(lower + same + 2, ours + same + 2) == 0)
		return 1;
	return varstr_levenshtein_less_equal(lower, given, ours, len, 1, 1, 1, most, true);
}

/* So many letters of a long name may be wrong, one of a shorter one, and none of "top_k". */
bool
rag_json_is_misspelt(const JsonbValue *name, const char *ours)
{
	int len = strlen(ours);
	int most = len < 6 ? 0 : len < 8 ? 1 :
									   2;

	return wrong_letters(name, ours, most) <= most;
}

static const char *
nearest_name(const JsonbValue *name, const List *names)
{
	const char *nearest = NULL;
	int least = PG_INT32_MAX;
	ListCell *lc;

	foreach (lc, names)
	{
		const char *ours = lfirst(lc);
		int most = Min(strlen(ours) / 3, 3);
		int wrong = wrong_letters(name, ours, most);

		if (wrong <= most && wrong < least)
		{
			nearest = ours;
			least = wrong;
		}
	}
	return nearest;
}

static char *
join_names(const List *names)
{
	StringInfoData joined;
	ListCell *lc;

	initStringInfo(&joined);
	foreach (lc, names)
		appendStringInfo(&joined, "%s%s", joined.len > 0 ? ", " : "", (char *) lfirst(lc));
	return joined.data;
}

void
rag_error_unknown_field(int element, const JsonbValue *name, const char *owner,
						const List *names, const char *missing)
{
	const char *nearest = nearest_name(name, names);

	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%sunknown field \"%.*s\"", rag_element(element),
					pg_mbcliplen(name->val.string.val, name->val.string.len,
								 FIELD_SHOWN),
					name->val.string.val),
			 errdetail("%s has these fields: %s.", owner, join_names(names)),
			 nearest	 ? errhint("Perhaps you meant \"%s\".", nearest) :
				 missing ? errhint("There is no \"%s\".", missing) :
						   0));
}

bool
rag_json_equals(const JsonbValue *string, const char *expected)
{
	return string->val.string.len == (int) strlen(expected) &&
		memcmp(string->val.string.val, expected, string->val.string.len) == 0;
}

bool
rag_json_is_one_of(const JsonbValue *string, const char *const *names, int n)
{
	for (int i = 0; i < n; i++)
	{
		if (rag_json_equals(string, names[i]))
			return true;
	}
	return false;
}

bool
rag_json_is_object(const JsonbValue *value)
{
	return value->type == jbvBinary && JsonContainerIsObject(value->val.binary.data);
}

bool
rag_json_is_array(const JsonbValue *value)
{
	return value->type == jbvBinary && JsonContainerIsArray(value->val.binary.data) &&
		!JsonContainerIsScalar(value->val.binary.data);
}

const JsonbValue *
rag_json_field(const JsonbValue *value, const char *name, JsonbValue *buffer)
{
	if (!rag_json_is_object(value))
		return NULL;
	return getKeyJsonValueFromContainer(value->val.binary.data, name, strlen(name),
										buffer);
}

const JsonbValue *
rag_json_string_field(const JsonbValue *value, const char *name, JsonbValue *buffer)
{
	const JsonbValue *field = rag_json_field(value, name, buffer);

	return field && field->type == jbvString ? field : NULL;
}

const JsonbValue *
rag_json_array_field(const JsonbValue *value, const char *name, JsonbValue *buffer)
{
	const JsonbValue *field = rag_json_field(value, name, buffer);

	return field && rag_json_is_array(field) ? field : NULL;
}

JsonbValue
rag_json_root(Jsonb *json)
{
	JsonbValue value = {.type = jbvBinary,
						.val.binary = {.len = VARSIZE_ANY_EXHDR(json),
									   .data = &json->root}};

	return value;
}

bool
rag_json_list_argument(Jsonb *json, const char *name, JsonbValue *array)
{
	*array = rag_json_root(json);
	if (rag_json_is_object(array) && JsonContainerSize(array->val.binary.data) == 1)
	{
		JsonbValue object = *array;

		(void) rag_json_field(&object, name, array);
	}
	return rag_json_is_array(array);
}

JsonbIterator *
rag_json_elements(const JsonbValue *array)
{
	JsonbIterator *it = JsonbIteratorInit(array->val.binary.data);
	JsonbValue value;

	(void) JsonbIteratorNext(&it, &value, true); /* WJB_BEGIN_ARRAY */
	return it;
}

bool
rag_json_next(JsonbIterator **it, JsonbValue *element)
{
	return JsonbIteratorNext(it, element, true) == WJB_ELEM;
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
	Datum number;
	Datum least = NumericGetDatum(int64_to_numeric(PG_INT64_MIN));
	Datum greatest = NumericGetDatum(int64_to_numeric(PG_INT64_MAX));

	if (value->type != jbvNumeric || !is_whole(value))
		return false;
	number = NumericGetDatum(value->val.numeric);
	if (DatumGetBool(DirectFunctionCall2(numeric_lt, number, least)) ||
		DatumGetBool(DirectFunctionCall2(numeric_gt, number, greatest)))
		return false;
	*result = DatumGetInt64(DirectFunctionCall1(numeric_int8, number));
	return true;
}

bool
rag_json_is_id(const JsonbValue *value, int64 *result)
{
	char *text;
	char *end;

	if (value->type != jbvString)
		return rag_json_is_int64(value, result);
	text = pnstrdup(value->val.string.val, value->val.string.len);
	if (!isdigit((unsigned char) text[0]) ||
		strlen(text) != (size_t) value->val.string.len)
		return false;
	errno = 0;
	*result = strtoi64(text, &end, 10);
	return errno == 0 && *end == '\0';
}

bool
rag_json_is_encoded_twice(const JsonbValue *value)
{
	const char *text = value->val.string.val;
	int len = value->type == jbvString ? value->val.string.len : 0;

	while (len > 0 && isspace((unsigned char) *text))
		text++, len--;
	return len > 0 && (*text == '[' || *text == '{') && rag_is_json(text, len);
}

bool
rag_jsonb_is_encoded_twice(Jsonb *json)
{
	JsonbValue value;

	return JB_ROOT_IS_SCALAR(json) && JsonbExtractScalar(&json->root, &value) &&
		rag_json_is_encoded_twice(&value);
}

/* The years 1 to 9999, in seconds since 1970. */
#define FIRST_SECOND (-62135596800.0)
#define END_SECOND 253402300800.0

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

/* Does the text have hyphens where a UUID has them, and digits elsewhere? */
bool
rag_json_is_uuid(const JsonbValue *value)
{
	static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

	if (value->type != jbvString || value->val.string.len != (int) strlen(form))
		return false;
	for (int i = 0; i < value->val.string.len; i++)
	{
		char c = value->val.string.val[i];

		if (form[i] == '-' ? c != '-' : !isxdigit((unsigned char) c))
			return false;
	}
	return true;
}

Datum
rag_uuid_from_json(int element, const char *field, const JsonbValue *value)
{
	if (!rag_json_is_uuid(value))
		rag_error_field(element, field, "a UUID");
	return DirectFunctionCall1(uuid_in,
							   CStringGetDatum(pnstrdup(value->val.string.val,
														value->val.string.len)));
}

static Datum
time_from_epoch(int element, const char *field, const JsonbValue *value)
{
	double seconds = rag_json_number(value);
	double usecs = (seconds -
					(double) SECS_PER_DAY * (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE)) *
		USECS_PER_SEC;

	if (!(seconds >= FIRST_SECOND && seconds < END_SECOND))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%sfield \"%s\" must be %s", rag_element(element), field,
						"a time of the years 1 to 9999"),
				 errhint("A number is a time in seconds since 1970. Divide milliseconds by 1000.")));
	return local_time(element, field, (TimestampTz) rint(usecs));
}

/* "now" and its like are words of an SQL statement, and no time of a document. */
static bool
has_day_word(char **fields, int n)
{
	static const char *const words[] = {"now", "today", "tomorrow", "yesterday"};

	for (int i = 0; i < n; i++)
	{
		for (int j = 0; j < (int) lengthof(words); j++)
		{
			if (strcmp(fields[i], words[j]) == 0)
				return true;
		}
	}
	return false;
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
		!has_day_word(field, nf) &&
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

/* A number this large is no time in seconds: it is one in milliseconds. */
#define FIRST_MILLISECOND 1e11

Datum
rag_any_time_from_json(int element, const char *field, const JsonbValue *value)
{
	JsonbValue seconds = *value;
	Datum thousand = NumericGetDatum(int64_to_numeric(1000));

	if (value->type == jbvNumeric && rag_json_number(value) >= FIRST_MILLISECOND)
	{
		Datum number = NumericGetDatum(value->val.numeric);

		number = DirectFunctionCall2(numeric_div, number, thousand);
		seconds.val.numeric = DatumGetNumeric(number);
	}
	return rag_time_from_json(element, field, &seconds);
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

JsonbValue
rag_json_to_string(const JsonbValue *value)
{
	Jsonb *json;
	char *str;

	if (value->type == jbvString)
		return *value;
	json = JsonbValueToJsonb(unconstify(JsonbValue *, value));
	str = JsonbToCString(NULL, &json->root, VARSIZE(json));
	return rag_json_string(str, strlen(str));
}

void
rag_push_key(RagJsonbState *state, const char *name)
{
	JsonbValue key = rag_json_string(name, strlen(name));

	rag_push_jsonb(state, WJB_KEY, &key);
}

void
rag_push_field(RagJsonbState *state, const char *name, const JsonbValue *value)
{
	rag_push_key(state, name);
	rag_push_jsonb(state, WJB_VALUE, unconstify(JsonbValue *, value));
}

void
rag_push_string(RagJsonbState *state, const char *name, const char *str, int len)
{
	JsonbValue value = rag_json_string(str, len);

	rag_push_field(state, name, &value);
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

static void
push_pairs_without(RagJsonbState *state, JsonbContainer *object, const char *name)
{
	JsonbIterator *it = JsonbIteratorInit(object);
	JsonbValue key;
	JsonbValue value;

	(void) JsonbIteratorNext(&it, &key, true); /* WJB_BEGIN_OBJECT */
	while (JsonbIteratorNext(&it, &key, true) == WJB_KEY)
	{
		(void) JsonbIteratorNext(&it, &value, true);
		if (!rag_json_equals(&key, name))
			rag_push_pair(state, key, &value);
	}
}

JsonbValue *
rag_json_without(const JsonbValue *object, const char *name)
{
	RagJsonbState state = {0};

	rag_push_jsonb(&state, WJB_BEGIN_OBJECT, NULL);
	push_pairs_without(&state, object->val.binary.data, name);
	rag_push_jsonb(&state, WJB_END_OBJECT, NULL);
	return rag_built_value(&state);
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
