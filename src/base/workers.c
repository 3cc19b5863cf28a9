/*
 * base/workers.c
 *		Statements that run on every other node of a cluster.
 */
#include "base/compat.h"

#include "executor/spi.h"
#include "utils/builtins.h"

#include "base/statement.h"
#include "base/workers.h"

int
rag_ask_workers(const char *sql, RagWorkerAnswer **answers)
{
	int n = rag_query_once(psprintf("SELECT pg_catalog.concat(nodename, ':', nodeport), success::pg_catalog.text, result"
									" FROM pg_catalog.run_command_on_workers(%s)",
									quote_literal_cstr(sql)),
						   0, NULL, NULL);

	*answers = palloc(sizeof(RagWorkerAnswer) * Max(n, 1));
	for (int i = 0; i < n; i++)
	{
		HeapTuple row = SPI_tuptable->vals[i];
		TupleDesc desc = SPI_tuptable->tupdesc;
		RagWorkerAnswer *answer = &(*answers)[i];

		answer->node = SPI_getvalue(row, desc, 1);
		answer->success = strcmp(SPI_getvalue(row, desc, 2), "true") == 0;
		answer->result = SPI_getvalue(row, desc, 3);
	}
	return n;
}

const RagWorkerAnswer *
rag_do_on_workers(const char *statements)
{
	char *block = psprintf("BEGIN SET LOCAL lock_timeout = '1min'; %s END", statements);
	RagWorkerAnswer *answers;
	int n = rag_ask_workers(psprintf("DO %s", quote_literal_cstr(block)), &answers);

	for (int i = 0; i < n; i++)
	{
		if (!answers[i].success)
			return &answers[i];
	}
	return NULL;
}
