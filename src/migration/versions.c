/*
 * migration/versions.c
 *		The versions of the extension, their order, and what their scripts do.
 *
 *		The scripts that are installed are the only list of versions. From the
 *		base version on, the script rag_events--v--w.sql leads from v to the next
 *		version w, and rag_events--w--v.sql back. A script that leads to a new
 *		version says in its opening, before the \echo line, what it is:
 *
 *			-- revision: 002_add_user_preferences
 *			-- description: add user preferences
 */
#include "base/compat.h"

#include "access/genam.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/pg_collation_d.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_type_d.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/tuplestore.h"

#include "base/schema.h"
#include "base/statement.h"
#include "migration/extension_files.h"
#include "migration/versions.h"

/* The columns of rag_migrations(), in order. */
enum
{
	MIGRATION_VERSION,
	MIGRATION_DOWN_VERSION,
	MIGRATION_REVISION,
	MIGRATION_DESCRIPTION,
	MIGRATION_IS_CURRENT,
	MIGRATION_IS_HEAD,
	MIGRATION_APPLIED_AT,
	MIGRATION_APPLIED_BY,
	MIGRATION_NCOLUMNS
};

static const RagStatement last_run = {
	"SELECT applied_at, applied_by FROM @extschema@.rag_migration_log"
	" WHERE version OPERATOR(pg_catalog.=) $1 ORDER BY id DESC LIMIT 1",
	1,
	{TEXTOID}};

static const RagStatement update_path = {
	"SELECT path FROM pg_catalog.pg_extension_update_paths('rag_events')"
	" WHERE source OPERATOR(pg_catalog.=) $1"
	" AND target OPERATOR(pg_catalog.=) $2",
	2,
	{TEXTOID, TEXTOID}};

/* ----------------------------------------------------------------
 *		The installed version
 * ----------------------------------------------------------------
 */

/*
 * rag_version() returns text
 *
 * Returns the version of the extension that is installed in this database, or
 * NULL if none is (the function then is a left-over).
 */
PG_FUNCTION_INFO_V1(rag_version);
Datum
rag_version(PG_FUNCTION_ARGS)
{
	char *version = rag_installed_version();

	if (version == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(version));
}

/* ----------------------------------------------------------------
 *		The order of versions
 * ----------------------------------------------------------------
 */

static bool
contains(List *names, const char *name)
{
	ListCell *lc;

	foreach (lc, names)
	{
		if (strcmp(lfirst(lc), name) == 0)
			return true;
	}
	return false;
}

/* The script that leads from a version to another, or with NULL makes it. */
static char *
script_name(const char *from, const char *to)
{
	return from ? psprintf("rag_events--%s--%s.sql", from, to) :
				  psprintf("rag_events--%s.sql", to);
}

/* Returns the version after the last of the chain, or NULL. */
static char *
next_in_chain(List *scripts, List *chain)
{
	char *start = psprintf("rag_events--%s--", (char *) llast(chain));
	size_t len = strlen(start);
	ListCell *lc;

	foreach (lc, scripts)
	{
		const char *script = lfirst(lc);
		char *version;

		if (strncmp(script, start, len) != 0)
			continue;
		version = pnstrdup(script + len,
						   strlen(script) - len - strlen(".sql"));
		/* one that is in the chain: a step down */
		if (strstr(version, "--") == NULL && !contains(chain, version))
			return version;
	}
	return NULL;
}

/* The versions from the base to the head, palloc'd strings. */
static List *
chain_of(List *scripts)
{
	List *chain = list_make1(pstrdup(RAG_BASE_VERSION));
	char *next;

	while ((next = next_in_chain(scripts, chain)) != NULL)
		chain = lappend(chain, next);
	return chain;
}

/* Returns the place of the version in the chain, or -1. */
static int
place_of(List *chain, const char *version)
{
	ListCell *lc;

	foreach (lc, chain)
	{
		if (version && strcmp(lfirst(lc), version) == 0)
			return foreach_current_index(lc);
	}
	return -1;
}

/*
 * rag_next_version(steps integer DEFAULT 1) returns text
 *
 * Returns the version that is as many steps up (or, when negative, down) from
 * the installed one, or NULL when that is past either end. From the adoption
 * version, one step up leads to the base version and none leads down.
 *
 * Errors: 22004 steps is NULL; 55000 the scripts that are installed do not know
 * the version of this database.
 */
PG_FUNCTION_INFO_V1(rag_next_version);
Datum
rag_next_version(PG_FUNCTION_ARGS)
{
	char *current = rag_installed_version();
	List *chain = chain_of(rag_list_extension_scripts());
	int64 place = place_of(chain, current);

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("steps must not be null")));
	if (current == NULL)
		PG_RETURN_NULL();
	if (PG_GETARG_INT32(0) == 0)
		PG_RETURN_TEXT_P(cstring_to_text(current));
	if (place < 0 && strcmp(current, RAG_ADOPTION_VERSION) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("version \"%s\" of rag_events is installed in this database, but its scripts are not on this server",
						current),
				 errhint("Install the release of rag_events that has this version, or a later one.")));

	place += PG_GETARG_INT32(0);
	if (place < 0 || place >= list_length(chain))
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(list_nth(chain, (int) place)));
}

/* ----------------------------------------------------------------
 *		The history
 * ----------------------------------------------------------------
 */

/*
 * Returns what the opening of a script says about key, as text, or NULL
 * when it does not say anything.
 */
static text *
opening_value(const char *script, const char *key)
{
	char *start = psprintf("-- %s: ", key);
	size_t len = strlen(start);

	for (const char *line = script; *line != '\0' && *line != '\\';)
	{
		size_t width = strcspn(line, "\r\n");

		if (strncmp(line, start, len) == 0)
			return cstring_to_text_with_len(line + len, (int) (width - len));
		line += width;
		line += strspn(line, "\r\n");
	}
	return NULL;
}

/*
 * What the log says of the last script that led to the version, if it says anything.
 */
static void
set_last_run(Oid nspoid, Datum *values, bool *nulls)
{
	if (rag_query(&last_run, nspoid, &values[MIGRATION_VERSION], NULL) == 0)
		return;
	for (int i = 0; i < 2; i++)
		values[MIGRATION_APPLIED_AT + i] =
			SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, i + 1,
						  &nulls[MIGRATION_APPLIED_AT + i]);
}

static void
set_text(int column, const text *value, Datum *values, bool *nulls)
{
	values[column] = PointerGetDatum(value);
	nulls[column] = value == NULL;
}

/* The row of the version at that place of the chain. */
static void
set_version(List *scripts, List *chain, int place, Datum *values, bool *nulls)
{
	const char *version = list_nth(chain, place);
	const char *previous = place > 0 ? list_nth(chain, place - 1) : NULL;
	char *script = script_name(previous, version);
	char *opening = rag_read_extension_file(script);
	bool has_down = previous && contains(scripts, script_name(version, previous));

	set_text(MIGRATION_VERSION, cstring_to_text(version), values, nulls);
	set_text(MIGRATION_DOWN_VERSION, has_down ? cstring_to_text(previous) : NULL,
			 values, nulls);
	set_text(MIGRATION_REVISION, opening_value(opening, "revision"), values, nulls);
	set_text(MIGRATION_DESCRIPTION, opening_value(opening, "description"), values,
			 nulls);
}

/*
 * rag_migrations() returns table (version text, down_version text,
 *		revision text, description text, is_current boolean, is_head boolean,
 *		applied_at timestamptz, applied_by name)
 *
 * Returns the versions that the installed scripts know, oldest first; when the
 * database last came to each, and who brought it there, up to the current one.
 *
 * Errors: as the system's when the scripts cannot be read.
 */
PG_FUNCTION_INFO_V1(rag_migrations);
Datum
rag_migrations(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Oid nspoid = rag_namespace(fcinfo);
	List *scripts = rag_list_extension_scripts();
	List *chain = chain_of(scripts);
	int current = place_of(chain, rag_installed_version());

	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	for (int place = 0; place < list_length(chain); place++)
	{
		Datum values[MIGRATION_NCOLUMNS] = {0};
		bool nulls[MIGRATION_NCOLUMNS] = {0};

		set_version(scripts, chain, place, values, nulls);
		values[MIGRATION_IS_CURRENT] = BoolGetDatum(place == current);
		values[MIGRATION_IS_HEAD] = BoolGetDatum(place == list_length(chain) - 1);
		nulls[MIGRATION_APPLIED_AT] = nulls[MIGRATION_APPLIED_BY] = true;
		if (place <= current)
			set_last_run(nspoid, values, nulls);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	SPI_finish();
	return (Datum) 0;
}

/* ----------------------------------------------------------------
 *		What an update would run
 * ----------------------------------------------------------------
 */

/* Raises 22023 unless there is such a version. Upper and lower case count. */
static void
check_version(List *scripts, List *chain, const char *version)
{
	StringInfoData known;
	ListCell *lc;
	bool adoption = contains(scripts, script_name(NULL, RAG_ADOPTION_VERSION));

	if (contains(chain, version) ||
		(adoption && strcmp(version, RAG_ADOPTION_VERSION) == 0))
		return;

	initStringInfo(&known);
	foreach (lc, chain)
		appendStringInfo(&known, "%s\"%s\"", lc == list_head(chain) ? "" : ", ",
						 (char *) lfirst(lc));
	if (adoption)
		appendStringInfo(&known, ", \"%s\"", RAG_ADOPTION_VERSION);
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("rag_events has no version \"%s\"", version),
			 errdetail("The versions on this server are: %s.", known.data)));
}

/*
 * Returns the versions on the way, both ends included, as PostgreSQL goes it.
 * It creates a version that has a full script by that alone, and any other by
 * the base version's and the steps from there: the adoption version is further.
 */
static List *
path_between(Oid nspoid, List *scripts, const char *from, const char *to)
{
	const char *start = from;
	Datum values[2];
	List *path = NIL;
	char *found;

	if (from == NULL)
		start = contains(scripts, script_name(NULL, to)) ? to : RAG_BASE_VERSION;
	if (strcmp(start, to) == 0)
		return list_make1(pstrdup(to));

	values[0] = CStringGetTextDatum(start);
	values[1] = CStringGetTextDatum(to);
	if (rag_query(&update_path, nspoid, values, NULL) == 0 ||
		(found = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc,
							  1)) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("rag_events has no update path from version \"%s\" to version \"%s\"",
						start, to)));

	for (char *sep; (sep = strstr(found, "--")) != NULL; found = sep + 2)
		path = lappend(path, pnstrdup(found, sep - found));
	return lappend(path, pstrdup(found));
}

/* Does what execute_extension_script() does, which refuses the same names. */
static Datum
replace_name(Datum script, const char *placeholder, const char *name)
{
	if (strstr(TextDatumGetCString(script), placeholder) == NULL)
		return script;
	if (strpbrk(name, "\"$'\\") != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid character in the value of %s: must not contain any of \"%s\"",
						placeholder, "\"$'\\")));
	return DirectFunctionCall3Coll(replace_text, C_COLLATION_OID, script,
								   CStringGetTextDatum(placeholder),
								   CStringGetTextDatum(quote_identifier(name)));
}

/* Appends a script, as PostgreSQL would run it here, under a heading. */
static void
append_script(StringInfo sql, Oid nspoid, const char *filename)
{
	Datum script = CStringGetTextDatum(rag_read_extension_file(filename));
	char *pathname = rag_read_control_value("module_pathname");

	script = DirectFunctionCall4Coll(textregexreplace, C_COLLATION_OID, script,
									 CStringGetTextDatum("^\\\\echo.*\n"),
									 CStringGetTextDatum(""),
									 CStringGetTextDatum("ng"));
	script = replace_name(script, "@extowner@",
						  GetUserNameFromId(GetUserId(), false));
	script = replace_name(script, "@extschema@", rag_namespace_name(nspoid));
	if (pathname)
		script = DirectFunctionCall3Coll(replace_text, C_COLLATION_OID, script,
										 CStringGetTextDatum("MODULE_PATHNAME"),
										 CStringGetTextDatum(pathname));
	appendStringInfo(sql, "%s--\n-- %s\n--\n%s", sql->len > 0 ? "\n" : "",
					 filename, TextDatumGetCString(script));
}

/* Appends the scripts from the one version (NULL: none) to the other. */
static void
append_scripts(StringInfo sql, Oid nspoid, const char *from, const char *to)
{
	List *scripts = rag_list_extension_scripts();
	List *chain = chain_of(scripts);
	List *path;
	ListCell *lc;

	if (from)
		check_version(scripts, chain, from);
	check_version(scripts, chain, to);
	path = path_between(nspoid, scripts, from, to);
	foreach (lc, path)
	{
		if (lc != list_head(path))
			append_script(sql, nspoid, script_name(from, lfirst(lc)));
		else if (from == NULL)
			append_script(sql, nspoid, script_name(NULL, lfirst(lc)));
		from = lfirst(lc);
	}
}

/*
 * rag_migration_sql(from_version text, to_version text) returns text
 *
 * Returns what ALTER EXTENSION would run from the one version to the other, up
 * or down, or with NULL for from_version what CREATE EXTENSION would run: each
 * script under its name, with the placeholders replaced as PostgreSQL would for
 * this database and the calling user. It is empty when there is nothing to run.
 *
 * Errors: 22004 to_version is NULL; 22023 there is no such version, or no way
 * between the two; as the system's when the scripts cannot be read.
 */
PG_FUNCTION_INFO_V1(rag_migration_sql);
Datum
rag_migration_sql(PG_FUNCTION_ARGS)
{
	StringInfoData sql;

	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("to_version must not be null")));

	initStringInfo(&sql);
	SPI_connect();
	append_scripts(&sql, rag_namespace(fcinfo),
				   PG_ARGISNULL(0) ? NULL :
									 text_to_cstring(PG_GETARG_TEXT_PP(0)),
				   text_to_cstring(PG_GETARG_TEXT_PP(1)));
	SPI_finish();
	PG_RETURN_TEXT_P(cstring_to_text(sql.data));
}
