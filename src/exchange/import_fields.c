/*
 * exchange/import_fields.c
 *		What becomes of the fields of a message, by the table of its form.
 */
#include "base/compat.h"

#include "catalog/pg_type_d.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#include "base/error.h"
#include "base/json.h"
#include "message/message.h"
#include "message/role.h"
#include "exchange/import_forms.h"

/* How much of a kind that is unknown is repeated in the error, in bytes. */
#define KIND_SHOWN 63

/* ------------------------------------------------------------------------
 *		Kinds
 * ------------------------------------------------------------------------
 */

static char *
known_kinds(const RagKindName *kinds)
{
	StringInfoData known;

	initStringInfo(&known);
	for (; kinds->name; kinds++)
		appendStringInfo(&known, "%s\"%s\"", known.len > 0 ? ", " : "", kinds->name);
	return known.data;
}

int
rag_find_kind(const RagForm *form, int place, const JsonbValue *element, Oid nspoid)
{
	JsonbValue buffer;
	JsonbValue role_buffer;
	const JsonbValue *name = rag_json_field(element, form->kind, &buffer);
	int kind;

	if (name && rag_json_is_object(name)) /* an author has a role */
		name = rag_json_field(name, "role", &role_buffer);
	if ((name == NULL || name->type == jbvNull) && (form->flags & FORM_ITEMS) != 0)
		return CHAT_ITEM;
	if (name == NULL || name->type != jbvString)
		rag_error_field(place, form->kind, "a string");
	kind = rag_kind_of_name(form->kinds, name);
	if (kind != 0)
		return kind;
	if (strcmp(form->kind, "role") == 0)
		rag_check_role(DatumGetTextPP(rag_text_from_json(place, "role", name)), nspoid,
					   place);
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%sunknown %s \"%.*s\"", rag_element(place), form->kind,
					pg_mbcliplen(name->val.string.val, name->val.string.len, KIND_SHOWN),
					name->val.string.val),
			 errdetail("In %s it is one of these: %s.", form->title, known_kinds(form->kinds))));
}

/* ------------------------------------------------------------------------
 *		Fields
 * ------------------------------------------------------------------------
 */

/* Is the field one of those that OUR_COLUMNS stands for? */
static bool
is_our_column(int col)
{
	return (rag_columns[col].may & RAG_IN_JSON) != 0 && col != COL_ROLE &&
		col != COL_CONTENT && col != COL_CREATED_AT;
}

static List *
known_fields(const RagField *field, int kind)
{
	List *known = NIL;

	for (; field->name; field++)
	{
		if ((field->kinds & kind) == 0)
			continue;
		if (field->name[0] != '\0')
			known = lappend(known, (char *) field->name);
		for (int col = 0; field->name[0] == '\0' && col < RAG_NCOLUMNS; col++)
		{
			if (is_our_column(col))
				known = lappend(known, (char *) rag_columns[col].name);
		}
	}
	return known;
}

void
rag_error_no_such_field(const RagForm *form, int place, int kind, const JsonbValue *name,
						const char *missing)
{
	rag_error_unknown_field(place, name, "Such a message", known_fields(form->fields, kind),
							missing);
}

/*
 * Does the line stand for the field with this name? If so, sets its action and
 * column.
 */
static bool
has_name(RagField *field, const JsonbValue *name)
{
	if (field->name[0] != '\0')
		return rag_json_equals(name, field->name);
	field->col = rag_column_of_field(name);
	if (field->col == RAG_NCOLUMNS || !is_our_column(field->col))
		return false;
	field->action = field->col == COL_METADATA ? CHAT_METADATA : CHAT_COLUMN;
	return true;
}

/* Could the value be one of the column? */
static bool
may_be_of_column(const JsonbValue *value, int col)
{
	switch (rag_columns[col].type)
	{
		case JSONBOID:
			return value->type == jbvBinary;
		case FLOAT8OID:
		case INT4OID:
			return value->type == jbvNumeric;
		default:
			return value->type == jbvString ||
				(col == COL_CONTENT && rag_json_is_array(value));
	}
}

/*
 * A name that nearly is that of a column, with a value for it, is meant for that; for the
 * content, if there is none. A context is something else.
 */
static bool
is_misspelt_column(const JsonbValue *name, const JsonbValue *value, bool has_content)
{
	for (int col = 0; col < RAG_NCOLUMNS; col++)
	{
		if ((rag_columns[col].may & RAG_IN_JSON) == 0 || col == COL_ROLE)
			continue;
		if (col == COL_CONTENT && (has_content || rag_json_equals(name, "context")))
			continue;
		if (may_be_of_column(value, col) &&
			rag_json_is_misspelt(name, rag_columns[col].name))
			return true;
	}
	return false;
}

RagField
rag_find_field(const RagForm *form, bool strict, int place, int kind, bool has_content,
			   const JsonbValue *name, const JsonbValue *value)
{
	RagField unknown = {.action = CHAT_UNKNOWN};
	RagField key = {.action = CHAT_COLUMN, .col = COL_IDEMPOTENCY_KEY};

	/*
	 * Who moves messages from another store gives keys to all, whatever they are; but
	 * only a message has one.
	 */
	if ((kind & CHAT_MESSAGE) == 0)
		key.action = CHAT_DONE;
	if (rag_json_equals(name, rag_columns[key.col].name))
		return key;

	for (const RagField *row = form->fields; row->name; row++)
	{
		RagField field = *row;

		if ((field.kinds & kind) != 0 && has_name(&field, name))
			return field;
	}
	if ((form->flags & FORM_MISSPELT) != 0)
		strict = strict || is_misspelt_column(name, value, has_content);
	if (strict)
		rag_error_no_such_field(form, place, kind, name, has_content ? NULL : "content");
	return unknown;
}
