/*
 * load.c
 *		Loads a file of messages in one transaction, in one of several ways, and
 *		prints the microseconds that it took: from sending BEGIN to the answer to
 *		COMMIT. Reading the file and preparing the statements do not count. It begins
 *		when its standard input ends, so that several can begin at once.
 *
 *		load calls FILE		 one rag_add_messages() for each line of FILE, a session's
 *							 id and a JSON array, all in one pipeline
 *		load recordset FILE	 the same with INSERT ... SELECT FROM jsonb_to_recordset()
 *		load copy FILE IDS	 COPY of FILE, rows in COPY's text format, then touches
 *							 the sessions of IDS, an array as text
 *		load each FILE		 as calls, but each call is a transaction
 *		load many FILE		 one rag_add_conversations() for each line of FILE, a JSON array;
 *							 the first warms up
 *		load import FILE	 one rag_import_session() for each line of FILE, a document,
 *							 all in one pipeline
 *		load rows FILE IDS	 COPY of new sessions, whose ids are the lines of IDS, and
 *							 of FILE
 *
 *		The server is that of PGHOST, PGDATABASE ...
 */
#include <libpq-fe.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define COLUMNS "session_id, role, content, sources, latency_ms, top_k, query_type"

/* What is sent before the clock starts, and rolled back: lines of the file. */
static int warm_up = 20;

static PGconn *conn;

/* A line is the only parameter. */
static bool documents = false;

static void
fail(const char *what)
{
	fprintf(stderr, "%s: %s", what, conn ? PQerrorMessage(conn) : "\n");
	exit(1);
}

static char *
read_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	char *content;
	long size;

	if (!file || fseek(file, 0, SEEK_END) != 0 || (size = ftell(file)) < 0)
		fail(path);
	rewind(file);
	content = malloc(size + 1);
	if (!content || fread(content, 1, size, file) != (size_t) size)
		fail(path);
	fclose(file);
	content[size] = '\0';
	return content;
}

/* Cuts text into lines; lines[n] is its end. */
static char **
split_lines(char *text, int *n)
{
	char **lines = NULL;

	for (*n = 0;; (*n)++)
	{
		lines = realloc(lines, sizeof(char *) * (*n + 1));
		if (!lines)
			fail("lines");
		lines[*n] = text;
		if (*text == '\0')
			return lines;
		text = strchr(text, '\n');
		if (!text)
			fail("unfinished line");
		text++;
	}
}

/*
 * Ends the values of each line as libpq wants them: a document, or a session and its
 * messages, with a tab between them.
 */
static void
split_values(char **lines, int n)
{
	for (int i = 0; i < n; i++)
	{
		if (!documents)
			*strchr(lines[i], '\t') = '\0';
		lines[i + 1][-1] = '\0';
	}
}

static void
check(PGresult *result, ExecStatusType expected)
{
	if (PQresultStatus(result) != expected)
		fail("unexpected result");
	PQclear(result);
}

static void
command(const char *sql)
{
	check(PQexec(conn, sql), PGRES_COMMAND_OK);
}

static void
prepare(const char *sql)
{
	check(PQprepare(conn, "load", sql, 0, NULL), PGRES_COMMAND_OK);
}

static void
send_statement(const char *sql)
{
	if (!PQsendQueryParams(conn, sql, 0, NULL, NULL, NULL, NULL, 0))
		fail(sql);
}

/* Reads the results of n statements and of the synchronization after them. */
static void
read_results(int n)
{
	for (int i = 0; i < n; i++)
	{
		PGresult *result;

		while ((result = PQgetResult(conn)) != NULL)
		{
			ExecStatusType status = PQresultStatus(result);

			if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
				fail("unexpected result");
			PQclear(result);
		}
	}
	check(PQgetResult(conn), PGRES_PIPELINE_SYNC);
}

/* One call, with the values of its line: a document, or a session and its messages. */
static void
send_call(const char *line)
{
	const char *values[2] = {line, line + strlen(line) + 1};

	if (!PQsendQueryPrepared(conn, "load", documents ? 1 : 2, values, NULL, NULL, 0))
		fail("call");
}

/* One call a line. With ids, these sessions are touched at the end. */
static void
load_calls(char **lines, int n, const char *ids, const char *last)
{
	if (!PQenterPipelineMode(conn))
		fail("pipeline");
	send_statement("BEGIN");
	for (int i = 0; i < n; i++)
		send_call(lines[i]);
	if (ids)
	{
		const char *values[1] = {ids};

		if (!PQsendQueryPrepared(conn, "touch", 1, values, NULL, NULL, 0))
			fail("touch");
	}
	send_statement(last);
	if (!PQpipelineSync(conn))
		fail("sync");
	read_results(n + 2 + (ids != NULL));
	if (!PQexitPipelineMode(conn))
		fail("pipeline");
}

/* One call a line, each a transaction: there is none around them. */
static void
load_each(char **lines, int n, const char *ids, const char *last)
{
	(void) ids;
	(void) last;
	if (!PQenterPipelineMode(conn))
		fail("pipeline");
	for (int i = 0; i < n; i++)
	{
		send_call(lines[i]);
		if (!PQpipelineSync(conn))
			fail("sync");
	}
	for (int i = 0; i < n; i++)
		read_results(1);
	if (!PQexitPipelineMode(conn))
		fail("pipeline");
}

static void
copy(const char *sql, const char *text, const char *end)
{
	check(PQexec(conn, sql), PGRES_COPY_IN);
	while (text < end)
	{
		int size = end - text < 65536 ? (int) (end - text) : 65536;

		if (PQputCopyData(conn, text, size) != 1)
			fail("COPY");
		text += size;
	}
	if (PQputCopyEnd(conn, NULL) != 1)
		fail("COPY");
	check(PQgetResult(conn), PGRES_COMMAND_OK);
	if (PQgetResult(conn) != NULL)
		fail("COPY");
}

static void
load_copy(char **lines, int n, const char *ids, const char *last)
{
	const char *values[1] = {ids};

	command("BEGIN");
	copy("COPY messages (" COLUMNS ") FROM STDIN", lines[0], lines[n]);
	check(PQexecPrepared(conn, "touch", 1, values, NULL, NULL, 0), PGRES_COMMAND_OK);
	command(last);
}

/* All sessions, whatever the number of lines. */
static void
load_rows(char **lines, int n, const char *ids, const char *last)
{
	command("BEGIN");
	copy("COPY sessions (id) FROM STDIN", ids, ids + strlen(ids));
	copy("COPY messages (" COLUMNS ") FROM STDIN", lines[0], lines[n]);
	command(last);
}

int
main(int argc, char **argv)
{
	void (*load)(char **, int, const char *, const char *) = load_calls;
	const char *ids = NULL;
	char **lines;
	int n;
	struct timespec begin;
	struct timespec finish;

	if (argc < 3)
		fail("usage: load MODE FILE [IDS]");
	lines = split_lines(read_file(argv[2]), &n);
	if (argc > 3)
		ids = read_file(argv[3]);
	conn = PQconnectdb("");
	if (PQstatus(conn) != CONNECTION_OK)
		fail("connection");
	check(PQprepare(conn, "touch",
					"UPDATE sessions SET updated_at = CURRENT_TIMESTAMP"
					" WHERE id = ANY ($1::uuid[])",
					0, NULL),
		  PGRES_COMMAND_OK);
	if (strcmp(argv[1], "calls") == 0 || strcmp(argv[1], "each") == 0)
		prepare("SELECT rag_add_messages($1, $2)");
	else if (strcmp(argv[1], "many") == 0)
	{
		documents = true;
		warm_up = 1;
		prepare("SELECT rag_add_conversations($1)");
	}
	else if (strcmp(argv[1], "import") == 0)
	{
		documents = true;
		prepare("SELECT rag_import_session($1)");
	}
	else if (strcmp(argv[1], "recordset") == 0)
		prepare("INSERT INTO messages (" COLUMNS ") SELECT $1, m.* FROM"
				" jsonb_to_recordset($2) AS m (role varchar, content text, sources jsonb,"
				" latency_ms float8, top_k int, query_type varchar)");
	else
		load = strcmp(argv[1], "rows") == 0 ? load_rows : load_copy;
	if (load == load_calls)
		split_values(lines, n);

	load(lines, n < warm_up ? n : warm_up, ids, "ROLLBACK");
	if (strcmp(argv[1], "each") == 0)
	{
		load = load_each;
		load(lines, warm_up, NULL, NULL);
		command("DELETE FROM messages");
	}
	while (getchar() != EOF)
		;
	clock_gettime(CLOCK_MONOTONIC, &begin);
	load(lines, n, ids, "COMMIT");
	clock_gettime(CLOCK_MONOTONIC, &finish);
	printf("%.1f\n", (finish.tv_sec - begin.tv_sec) * 1e6 +
					 (finish.tv_nsec - begin.tv_nsec) / 1e3);
	PQfinish(conn);
	return 0;
}
