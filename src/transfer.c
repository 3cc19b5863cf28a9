/* placeholder */
#include "compat.h"
PG_FUNCTION_INFO_V1(rag_export_session);
Datum
rag_export_session(PG_FUNCTION_ARGS)
{
	elog(ERROR, "not yet");
}
PG_FUNCTION_INFO_V1(rag_import_session);
Datum
rag_import_session(PG_FUNCTION_ARGS)
{
	elog(ERROR, "not yet");
}
