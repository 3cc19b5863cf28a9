/*
 * message/role.c
 *		The rules for a message's role.
 *
 *		There are two roles and they are matched exactly, as the table's CHECK
 *		constraint does. Checking here first gives a better error than the
 *		constraint's, before anything is locked or written.
 */
#include "base/compat.h"

#include "mb/pg_wchar.h"
#include "parser/scansup.h"

#include "base/error.h"
#include "message/role.h"

/* How much of a bad role is repeated in the error, in bytes. */
#define ROLE_SHOWN 63

/* What other systems call our roles: the most likely mistakes. */
static const struct
{
	const char *alias;
	const char *hint;
} near_misses[] = {
#define MEANS_USER "Did you mean \"user\"? Roles are matched exactly."
#define MEANS_ASSISTANT "Did you mean \"assistant\"? Roles are matched exactly."
#define MEANS_SYSTEM "Instructions to the model are not a message: keep them in the session's metadata, under \"system_prompt\"."
#define MEANS_TOOL "A tool's calls and results are part of the assistant's message that used them."
	{"user", MEANS_USER},
	{"users", MEANS_USER},
	{"human", MEANS_USER},
	{"customer", MEANS_USER},
	{"client", MEANS_USER},
	{"person", MEANS_USER},
	{"assistant", MEANS_ASSISTANT},
	{"assistants", MEANS_ASSISTANT},
	{"ai", MEANS_ASSISTANT},
	{"bot", MEANS_ASSISTANT},
	{"chatbot", MEANS_ASSISTANT},
	{"agent", MEANS_ASSISTANT},
	{"model", MEANS_ASSISTANT},
	{"llm", MEANS_ASSISTANT},
	{"system", MEANS_SYSTEM},
	{"developer", MEANS_SYSTEM},
	{"tool", MEANS_TOOL},
	{"function", MEANS_TOOL},
};

/* Compares without regard to case and to white space around the role. */
static bool
is_near_miss(const char *role, int len, const char *alias)
{
	while (len > 0 && scanner_isspace(role[0]))
		role++, len--;
	while (len > 0 && scanner_isspace(role[len - 1]))
		len--;
	return len == (int) strlen(alias) && pg_strncasecmp(role, alias, len) == 0;
}

static const char *
role_hint(const char *role, int len)
{
	for (int i = 0; i < (int) lengthof(near_misses); i++)
	{
		if (is_near_miss(role, len, near_misses[i].alias))
			return near_misses[i].hint;
	}
	return NULL;
}

static inline bool
is_exactly(const char *role, int len, const char *expected)
{
	return len == (int) strlen(expected) && memcmp(role, expected, len) == 0;
}

void
rag_check_role(const text *role, Oid nspoid, int element)
{
	const char *str = VARDATA_ANY(role);
	int len = VARSIZE_ANY_EXHDR(role);
	int shown;
	const char *hint;

	if (is_exactly(str, len, "user") || is_exactly(str, len, "assistant"))
		return;

	shown = pg_mbcliplen(str, len, ROLE_SHOWN);
	hint = role_hint(str, len);
	ereport(ERROR,
			(errcode(ERRCODE_CHECK_VIOLATION),
			 errmsg("%sinvalid message role \"%.*s%s\"", rag_element(element),
					shown, str, shown < len ? "..." : ""),
			 errdetail("The role of a message is \"user\" or \"assistant\"."),
			 hint ? errhint("%s", hint) : 0,
			 rag_errtable(nspoid, "messages", NULL, "ck_messages_role")));
}
