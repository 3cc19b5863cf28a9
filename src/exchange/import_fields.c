/*
 * exchange/import_fields.c
 *		Which fields a message has in the forms of import_messages.h, and what becomes
 *		of them.
 *
 *		What is not named here is an error: nothing is lost unseen.
 */
#include "base/compat.h"

#include "mb/pg_wchar.h"

#include "base/error.h"
#include "base/json.h"
#include "message/message.h"
#include "message/role.h"
#include "exchange/import_fields.h"

/* How much of an unknown type is repeated in the error, in bytes. */
#define TYPE_SHOWN 63

/*
 * Stands for the columns of a message, except those that have a line of their own
 * here.
 */
#define OUR_COLUMNS NULL

static const RagField fields[] = {
	{"role", CHAT_BY_ROLE, CHAT_ANY_KIND, CHAT_DONE, 0},
	{"type", CHAT_BY_TYPE, CHAT_ANY_KIND, CHAT_DONE, 0},
	{"content", CHAT_ANY_FORM, CHAT_ANY_KIND, CHAT_CONTENT, 0},
	{"created_at", CHAT_ANY_FORM, CHAT_MESSAGE, CHAT_COLUMN, COL_CREATED_AT},
	{"created_at", CHAT_ANY_FORM, CHAT_TOOL, CHAT_KEEP, 0},
	{"created_at", CHAT_ANY_FORM, CHAT_SYSTEM, CHAT_DONE, 0},
	{"id", CHAT_BY_ROLE, CHAT_MESSAGE, CHAT_ID, 0},
	{"id", CHAT_BY_ROLE, CHAT_TOOL, CHAT_KEEP, 0},
	{"id", CHAT_BY_TYPE, CHAT_MESSAGE | CHAT_TOOL, CHAT_KEEP, 0},
	{"id", CHAT_ANY_FORM, CHAT_SYSTEM, CHAT_DONE, 0},
	{"name", CHAT_ANY_FORM, CHAT_MESSAGE | CHAT_TOOL, CHAT_KEEP, 0},
	{"name", CHAT_ANY_FORM, CHAT_SYSTEM, CHAT_DONE, 0},
	{"tool_calls", CHAT_ANY_FORM, CHAT_ASSISTANT, CHAT_CALL, 0},
	{"tool_call_id", CHAT_ANY_FORM, CHAT_TOOL, CHAT_KEEP, 0},
	/* our own */
	{OUR_COLUMNS, CHAT_BY_ROLE, CHAT_MESSAGE, CHAT_COLUMN, 0},
	/* OpenAI's */
	{"function_call", CHAT_BY_ROLE, CHAT_ASSISTANT, CHAT_CALL, 0},
	{"refusal", CHAT_BY_ROLE, CHAT_ASSISTANT, CHAT_CALL, 0},
	{"audio", CHAT_BY_ROLE, CHAT_ASSISTANT, CHAT_CALL, 0},
	{"annotations", CHAT_BY_ROLE, CHAT_ASSISTANT, CHAT_KEEP, 0},
	/* LangChain's */
	{"additional_kwargs", CHAT_BY_TYPE, CHAT_MESSAGE | CHAT_TOOL, CHAT_KEEP, 0},
	{"additional_kwargs", CHAT_BY_TYPE, CHAT_SYSTEM, CHAT_DONE, 0},
	{"response_metadata", CHAT_BY_TYPE, CHAT_MESSAGE | CHAT_TOOL, CHAT_KEEP, 0},
	{"response_metadata", CHAT_BY_TYPE, CHAT_SYSTEM, CHAT_DONE, 0},
	{"usage_metadata", CHAT_BY_TYPE, CHAT_ASSISTANT, CHAT_USAGE, 0},
	{"invalid_tool_calls", CHAT_BY_TYPE, CHAT_ASSISTANT, CHAT_KEEP, 0},
	{"tool_call_chunks", CHAT_BY_TYPE, CHAT_ASSISTANT, CHAT_KEEP, 0},
	{"chunk_position", CHAT_BY_TYPE, CHAT_ASSISTANT, CHAT_KEEP, 0},
	{"example", CHAT_BY_TYPE, CHAT_MESSAGE, CHAT_KEEP, 0},
	{"artifact", CHAT_BY_TYPE, CHAT_TOOL, CHAT_KEEP, 0},
	{"status", CHAT_BY_TYPE, CHAT_TOOL, CHAT_KEEP, 0},
};

typedef struct KindName
{
	const char *name;
	int kind;
} KindName;

static const KindName roles[] = {
	{"user", CHAT_USER},
	{"assistant", CHAT_ASSISTANT},
	{"system", CHAT_SYSTEM},
	{"developer", CHAT_SYSTEM},
	{"tool", CHAT_TOOL},
	{"function", CHAT_TOOL},
};

static const KindName types[] = {
	{"human", CHAT_USER},
	{"ai", CHAT_ASSISTANT},
	{"AIMessageChunk", CHAT_ASSISTANT},
	{"system", CHAT_SYSTEM},
	{"tool", CHAT_TOOL},
	{"function", CHAT_TOOL},
};

static bool
may_have(int form, int kind, const RagField *field)
{
	return (field->forms & form) && (field->kinds & kind);
}

/* Is the field one of those that OUR_COLUMNS stands for? */
static bool
is_our_column(int col)
{
	return (rag_columns[col].may & RAG_IN_JSON) != 0 && col != COL_ROLE &&
		col != COL_CONTENT && col != COL_CREATED_AT;
}

static void
append_name(StringInfo names, const char *name)
{
	appendStringInfo(names, "%s%s", names->len > 0 ? ", " : "", name);
}

static char *
known_fields(int form, int kind)
{
	StringInfoData known;

	initStringInfo(&known);
	for (int i = 0; i < (int) lengthof(fields); i++)
	{
		if (!may_have(form, kind, &fields[i]))
			continue;
		if (fields[i].name != OUR_COLUMNS)
			append_name(&known, fields[i].name);
		for (int col = 0; fields[i].name == OUR_COLUMNS && col < RAG_NCOLUMNS; col++)
		{
			if (is_our_column(col))
				append_name(&known, rag_columns[col].name);
		}
	}
	return psprintf("Such a message has these fields: %s.", known.data);
}

/*
 * Does the line stand for the field with this name? If so, sets its action and
 * column.
 */
static bool
has_name(RagField *field, const JsonbValue *name)
{
	if (field->name != OUR_COLUMNS)
		return rag_json_equals(name, field->name);
	field->col = rag_column_of_field(name);
	if (field->col == RAG_NCOLUMNS || !is_our_column(field->col))
		return false;
	field->action = field->col == COL_METADATA ? CHAT_METADATA : CHAT_COLUMN;
	return true;
}

RagField
rag_find_field(int place, int form, int kind, const JsonbValue *name)
{
	for (int i = 0; i < (int) lengthof(fields); i++)
	{
		RagField field = fields[i];

		if (may_have(form, kind, &field) && has_name(&field, name))
			return field;
	}
	rag_error_unknown_field(place, name, known_fields(form, kind));
}

static int
find_kind(const KindName *names, int n, const JsonbValue *name)
{
	for (int i = 0; i < n; i++)
	{
		if (rag_json_equals(name, names[i].name))
			return names[i].kind;
	}
	return 0;
}

int
rag_kind_of_role(int place, const JsonbValue *role, Oid nspoid)
{
	Datum name = rag_text_from_json(place, "role", role);
	int kind = find_kind(roles, lengthof(roles), role);

	if (kind == 0)
		rag_check_role(DatumGetTextPP(name), nspoid, place);
	return kind;
}

int
rag_kind_of_type(int place, const JsonbValue *type)
{
	int kind;

	if (type->type != jbvString)
		rag_error_field(place, "type", "a string");
	kind = find_kind(types, lengthof(types), type);
	if (kind == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%sunknown type \"%.*s\"", rag_element(place),
						pg_mbcliplen(type->val.string.val, type->val.string.len,
									 TYPE_SHOWN),
						type->val.string.val),
				 errdetail("The type of a stored message is \"human\", \"ai\", \"system\", \"tool\" or \"function\".")));
	return kind;
}
