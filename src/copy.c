/* placeholder */
#include "compat.h"
PG_FUNCTION_INFO_V1(rag_copy_session);
Datum
rag_copy_session(PG_FUNCTION_ARGS)
{
	elog(ERROR, "not yet");
}
