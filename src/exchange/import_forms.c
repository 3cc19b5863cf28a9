/*
 * exchange/import_forms.c
 *		The forms that chat programs keep their messages in.
 *
 *		To add a form: its tables, and its row in "forms", before those that it could be
 *		taken for.
 */
#include "base/compat.h"

#include "mb/pg_wchar.h"

#include "base/error.h"
#include "base/json.h"
#include "message/message.h"
#include "exchange/import_forms.h"

/* How much of the fields of an unknown form is shown, in bytes. */
#define FIELDS_SHOWN 100

#define END_OF_FIELDS \
	{ \
		NULL, 0, CHAT_DONE, 0 \
	}
#define END_OF_PARTS \
	{ \
		NULL, PART_TEXT, {NULL}, NULL, \
		{ \
			NULL \
		} \
	}
#define END_OF_KINDS \
	{ \
		NULL, 0 \
	}

/* ------------------------------------------------------------------------
 *		Chat-completions APIs: OpenAI's and those like it, and Anthropic's; and what
 *		rag_export_session() returns
 * ------------------------------------------------------------------------
 */

static const RagKindName roles[] = {
	{"user", CHAT_USER},
	{"assistant", CHAT_ASSISTANT},
	{"system", CHAT_SYSTEM},
	{"developer", CHAT_SYSTEM},
	{"tool", CHAT_TOOL},
	{"function", CHAT_TOOL},
	END_OF_KINDS,
};

static const RagField chat_fields[] = {
	{"role", CHAT_ANY_KIND, CHAT_DONE, 0},
	{"content", CHAT_ANY_KIND, CHAT_CONTENT, 0},
	{"created_at", CHAT_MESSAGE, CHAT_TIME, 0},
	{"created_at", CHAT_TOOL, CHAT_KEEP, 0},
	{"created_at", CHAT_SYSTEM, CHAT_DONE, 0},
	{"createdAt", CHAT_MESSAGE, CHAT_TIME, 0},
	{"id", CHAT_MESSAGE, CHAT_ID, 0},
	{"id", CHAT_TOOL, CHAT_KEEP, 0},
	{"id", CHAT_SYSTEM, CHAT_DONE, 0},
	{"name", CHAT_ANY_KIND, CHAT_KEEP, 0},
	{"tool_calls", CHAT_ASSISTANT, CHAT_CALL, 0},
	{"tool_call_id", CHAT_TOOL, CHAT_KEEP, 0},
	{RAG_OUR_COLUMNS, CHAT_MESSAGE, CHAT_COLUMN, 0},
	{"function_call", CHAT_ASSISTANT, CHAT_CALL, 0},
	{"refusal", CHAT_ASSISTANT, CHAT_SPOKEN, 0},
	{"audio", CHAT_ASSISTANT, CHAT_SPOKEN, 0},
	{"annotations", CHAT_ASSISTANT, CHAT_KEEP, 0},
	{"reasoning", CHAT_ASSISTANT, CHAT_KEEP, 0},
	{"reasoning_content", CHAT_ASSISTANT, CHAT_KEEP, 0},
	{"reasoning_details", CHAT_ASSISTANT, CHAT_KEEP, 0},
	{"weight", CHAT_ASSISTANT, CHAT_KEEP, 0},
	{"cache_control", CHAT_ANY_KIND, CHAT_KEEP, 0},
	END_OF_FIELDS,
};

/* Anthropic's blocks, the parts of the AI SDK's ModelMessage, and those of Bedrock. */
static const RagPart chat_parts[] = {
	{"tool_use", PART_CALL, {"id"}, "name", {"input"}},
	{"tool_result", PART_RESULT, {"tool_use_id"}, "name", {"content"}},
	{"tool-call", PART_CALL, {"toolCallId"}, "toolName", {"input", "args"}},
	{"tool-result", PART_RESULT, {"toolCallId"}, "toolName", {"output", "result"}},
	{"toolUse", PART_CALL, {"toolUseId"}, "name", {"input"}},
	{"toolResult", PART_RESULT, {"toolUseId"}, "name", {"content"}},
	END_OF_PARTS,
};

/* ------------------------------------------------------------------------
 *		OpenAI's Responses, and the items of its Agents SDK
 * ------------------------------------------------------------------------
 */

/* An item that is no message has no role: its parts tell what it is. */
static const RagField item_fields[] = {
	{"type", CHAT_ANY_KIND, CHAT_DONE, 0},
	{"role", CHAT_ANY_KIND, CHAT_DONE, 0},
	{"content", CHAT_ANY_KIND, CHAT_CONTENT, 0},
	{"created_at", CHAT_MESSAGE, CHAT_TIME, 0},
	END_OF_FIELDS,
};

static const RagPart item_parts[] = {
	{"function_call", PART_CALL, {"call_id", "callId"}, "name", {"arguments"}},
	{"custom_tool_call", PART_CALL, {"call_id"}, "name", {"input"}},
	{"function_call_output", PART_RESULT, {"call_id"}, "name", {"output"}},
	{"function_call_result", PART_RESULT, {"callId"}, "name", {"output"}},
	{"custom_tool_call_output", PART_RESULT, {"call_id"}, "name", {"output"}},
	{"tool_use", PART_CALL, {"id"}, "name", {"input"}},
	{"tool_result", PART_RESULT, {"tool_use_id"}, "name", {"content"}},
	END_OF_PARTS,
};

/* ------------------------------------------------------------------------
 *		LangChain's stored messages
 * ------------------------------------------------------------------------
 */

static const RagKindName types[] = {
	{"human", CHAT_USER},
	{"ai", CHAT_ASSISTANT},
	{"AIMessageChunk", CHAT_ASSISTANT},
	{"system", CHAT_SYSTEM},
	{"tool", CHAT_TOOL},
	{"function", CHAT_TOOL},
	END_OF_KINDS,
};

static const RagField langchain_fields[] = {
	{"type", CHAT_ANY_KIND, CHAT_DONE, 0},
	{"content", CHAT_ANY_KIND, CHAT_CONTENT, 0},
	{"created_at", CHAT_MESSAGE, CHAT_TIME, 0},
	{"created_at", CHAT_TOOL, CHAT_KEEP, 0},
	{"created_at", CHAT_SYSTEM, CHAT_DONE, 0},
	{"id", CHAT_MESSAGE | CHAT_TOOL, CHAT_KEEP, 0},
	{"id", CHAT_SYSTEM, CHAT_DONE, 0},
	{"name", CHAT_MESSAGE | CHAT_TOOL, CHAT_KEEP, 0},
	{"name", CHAT_SYSTEM, CHAT_DONE, 0},
	{"tool_calls", CHAT_ASSISTANT, CHAT_CALL, 0},
	{"tool_call_id", CHAT_TOOL, CHAT_KEEP, 0},
	{"additional_kwargs", CHAT_MESSAGE | CHAT_TOOL, CHAT_KWARGS, 0},
	{"additional_kwargs", CHAT_SYSTEM, CHAT_DONE, 0},
	{"response_metadata", CHAT_MESSAGE | CHAT_TOOL, CHAT_KEEP, 0},
	{"response_metadata", CHAT_SYSTEM, CHAT_DONE, 0},
	{"usage_metadata", CHAT_ASSISTANT, CHAT_USAGE, 0},
	{"invalid_tool_calls", CHAT_ASSISTANT, CHAT_KEEP, 0},
	{"tool_call_chunks", CHAT_ASSISTANT, CHAT_KEEP, 0},
	{"chunk_position", CHAT_ASSISTANT, CHAT_KEEP, 0},
	{"example", CHAT_MESSAGE, CHAT_KEEP, 0},
	{"artifact", CHAT_TOOL, CHAT_KEEP, 0},
	{"status", CHAT_TOOL, CHAT_KEEP, 0},
	END_OF_FIELDS,
};

/* ------------------------------------------------------------------------
 *		LlamaIndex
 * ------------------------------------------------------------------------
 */

static const RagKindName llamaindex_roles[] = {
	{"user", CHAT_USER},
	{"assistant", CHAT_ASSISTANT},
	{"system", CHAT_SYSTEM},
	{"developer", CHAT_SYSTEM},
	{"memory", CHAT_SYSTEM},
	{"tool", CHAT_TOOL},
	END_OF_KINDS,
};

static const RagField llamaindex_fields[] = {
	{"role", CHAT_ANY_KIND, CHAT_DONE, 0},
	{"content", CHAT_ANY_KIND, CHAT_CONTENT, 0},
	{"options", CHAT_ANY_KIND, CHAT_NESTED, 0},
	{"blocks", CHAT_ANY_KIND, CHAT_CONTENT, 0},
	{"additional_kwargs", CHAT_ANY_KIND, CHAT_KWARGS, 0},
	END_OF_FIELDS,
};

static const RagPart llamaindex_parts[] = {
	{"toolCall", PART_CALL, {"id"}, "name", {"input"}},
	{"toolResult", PART_RESULT, {"id"}, "name", {"result"}},
	END_OF_PARTS,
};

static const RagPart llamaindex_blocks[] = {
	{"tool_call", PART_CALL, {"tool_call_id"}, "tool_name", {"tool_kwargs"}},
	END_OF_PARTS,
};

/* ------------------------------------------------------------------------
 *		The AI SDK's UIMessage, and what else has "parts": Gemini's contents
 * ------------------------------------------------------------------------
 */

static const RagKindName ui_roles[] = {
	{"user", CHAT_USER},
	{"assistant", CHAT_ASSISTANT},
	{"system", CHAT_SYSTEM},
	{"model", CHAT_ASSISTANT},
	{"function", CHAT_TOOL},
	END_OF_KINDS,
};

static const RagField ui_fields[] = {
	{"role", CHAT_ANY_KIND, CHAT_DONE, 0},
	{"parts", CHAT_ANY_KIND, CHAT_CONTENT, 0},
	{"content", CHAT_ANY_KIND, CHAT_TEXT, 0},
	{"id", CHAT_ANY_KIND, CHAT_KEEP, 0},
	{"metadata", CHAT_MESSAGE, CHAT_METADATA, 0},
	{"createdAt", CHAT_MESSAGE, CHAT_TIME, 0},
	{"created_at", CHAT_MESSAGE, CHAT_TIME, 0},
	{"sources", CHAT_MESSAGE, CHAT_COLUMN, COL_SOURCES},
	END_OF_FIELDS,
};

/* Gemini's calls mostly have no id: they are known by their names. */
static const RagPart ui_parts[] = {
	{"dynamic-tool", PART_CALL, {"toolCallId"}, "toolName", {"input", "rawInput"}},
	{"dynamic-tool", PART_RESULT, {"toolCallId"}, "toolName", {"output", "errorText"}},
	{"toolInvocation", PART_CALL, {"toolCallId"}, "toolName", {"args"}},
	{"toolInvocation", PART_RESULT, {"toolCallId"}, "toolName", {"result"}},
	{"tool-", PART_CALL, {"toolCallId"}, NULL, {"input", "rawInput"}},
	{"tool-", PART_RESULT, {"toolCallId"}, NULL, {"output", "errorText"}},
	{"functionCall", PART_CALL, {"id", "name"}, "name", {"args"}},
	{"function_call", PART_CALL, {"id", "name"}, "name", {"args"}},
	{"functionResponse", PART_RESULT, {"id", "name"}, "name", {"response"}},
	{"function_response", PART_RESULT, {"id", "name"}, "name", {"response"}},
	END_OF_PARTS,
};

/* ------------------------------------------------------------------------
 *		pydantic-ai's history
 * ------------------------------------------------------------------------
 */

static const RagKindName pydantic_kinds[] = {
	{"request", CHAT_USER},
	{"response", CHAT_ASSISTANT},
	END_OF_KINDS,
};

static const RagField pydantic_fields[] = {
	{"kind", CHAT_MESSAGE, CHAT_DONE, 0},
	{"parts", CHAT_MESSAGE, CHAT_CONTENT, 0},
	{"timestamp", CHAT_MESSAGE, CHAT_TIME, 0},
	{"metadata", CHAT_MESSAGE, CHAT_METADATA, 0},
	{"usage", CHAT_ASSISTANT, CHAT_USAGE, 0},
	END_OF_FIELDS,
};

static const RagPart pydantic_parts[] = {
	{"text", PART_TEXT, {NULL}, NULL, {"content"}},
	{"user-prompt", PART_TEXT, {NULL}, NULL, {"content"}},
	{"system-prompt", PART_SYSTEM, {NULL}, NULL, {"content"}},
	{"tool-call", PART_CALL, {"tool_call_id"}, "tool_name", {"args"}},
	{"tool-return", PART_RESULT, {"tool_call_id"}, "tool_name", {"content"}},
	{"retry-prompt", PART_RESULT, {"tool_call_id"}, "tool_name", {"content"}},
	END_OF_PARTS,
};

/* ------------------------------------------------------------------------
 *		Exports of chat services: ChatGPT, Claude, Open WebUI; and ShareGPT
 * ------------------------------------------------------------------------
 */

static const RagField chatgpt_fields[] = {
	{"author", CHAT_TOOL, CHAT_KEEP, 0},
	{"author", CHAT_ANY_KIND, CHAT_DONE, 0},
	{"content", CHAT_ANY_KIND, CHAT_CONTENT, 0},
	{"create_time", CHAT_MESSAGE, CHAT_TIME, 0},
	{"recipient", CHAT_ASSISTANT, CHAT_RECIPIENT, 0},
	{"metadata", CHAT_MESSAGE, CHAT_METADATA, 0},
	{"variants", CHAT_MESSAGE, CHAT_KEEP, 0},
	END_OF_FIELDS,
};

static const RagPart chatgpt_parts[] = {
	{"user_editable_context", PART_SYSTEM, {NULL}, NULL, {"user_profile"}},
	{"user_editable_context", PART_SYSTEM, {NULL}, NULL, {"user_instructions"}},
	END_OF_PARTS,
};

static const RagKindName senders[] = {
	{"human", CHAT_USER},
	{"assistant", CHAT_ASSISTANT},
	END_OF_KINDS,
};

static const RagField claude_fields[] = {
	{"sender", CHAT_MESSAGE, CHAT_DONE, 0},
	{"content", CHAT_MESSAGE, CHAT_CONTENT, 0},
	{"text", CHAT_MESSAGE, CHAT_TEXT, 0},
	{"created_at", CHAT_MESSAGE, CHAT_TIME, 0},
	END_OF_FIELDS,
};

static const RagPart claude_parts[] = {
	{"tool_use", PART_CALL, {"id"}, "name", {"input"}},
	{"tool_result", PART_RESULT, {"tool_use_id"}, "name", {"content"}},
	END_OF_PARTS,
};

static const RagField webui_fields[] = {
	{"role", CHAT_ANY_KIND, CHAT_DONE, 0},
	{"content", CHAT_ANY_KIND, CHAT_CONTENT, 0},
	{"timestamp", CHAT_MESSAGE, CHAT_TIME, 0},
	{"sources", CHAT_MESSAGE, CHAT_COLUMN, COL_SOURCES},
	{"parentId", CHAT_ANY_KIND, CHAT_DONE, 0},
	{"childrenIds", CHAT_ANY_KIND, CHAT_DONE, 0},
	{"variants", CHAT_MESSAGE, CHAT_KEEP, 0},
	END_OF_FIELDS,
};

static const RagKindName speakers[] = {
	{"human", CHAT_USER},
	{"user", CHAT_USER},
	{"gpt", CHAT_ASSISTANT},
	{"assistant", CHAT_ASSISTANT},
	{"chatgpt", CHAT_ASSISTANT},
	{"bing", CHAT_ASSISTANT},
	{"bard", CHAT_ASSISTANT},
	{"model", CHAT_ASSISTANT},
	{"function_call", CHAT_ASSISTANT},
	{"system", CHAT_SYSTEM},
	{"tool", CHAT_TOOL},
	{"observation", CHAT_TOOL},
	{"function_response", CHAT_TOOL},
	END_OF_KINDS,
};

static const RagField sharegpt_fields[] = {
	{"from", CHAT_ANY_KIND, CHAT_DONE, 0},
	{"value", CHAT_ANY_KIND, CHAT_CONTENT, 0},
	END_OF_FIELDS,
};

/* ------------------------------------------------------------------------
 *		All of them
 * ------------------------------------------------------------------------
 */

/* What comes first is taken first. */
static const RagForm forms[] = {
	{"pydantic-ai's history", {"kind", "parts"}, "kind", pydantic_kinds, pydantic_fields, pydantic_parts, 0},
	{"the AI SDK's UIMessage", {"role", "parts"}, "role", ui_roles, ui_fields, ui_parts, FORM_VERBATIM},
	{"LlamaIndex's messages", {"role", "blocks"}, "role", llamaindex_roles, llamaindex_fields, llamaindex_blocks, 0},
	{"LlamaIndex's messages", {"role", "options"}, "role", llamaindex_roles, llamaindex_fields, llamaindex_parts, FORM_CHAT},
	{"ChatGPT's export", {"author", "content"}, "author", roles, chatgpt_fields, chatgpt_parts, FORM_JOIN},
	{"Claude's export", {"sender"}, "sender", senders, claude_fields, claude_parts, 0},
	{"Open WebUI's export", {"role", "childrenIds"}, "role", roles, webui_fields, NULL, 0},
	{"ShareGPT's", {"from", "value"}, "from", speakers, sharegpt_fields, NULL, 0},
#define RESPONSES_ITEM 8
	{"OpenAI's Responses and Agents SDK items", {"type"}, "role", roles, item_fields, item_parts, FORM_ITEMS | FORM_JOIN},
#define OUR_FORM 9
	{"what rag_export_session() returns", {"role"}, "role", roles, chat_fields, chat_parts, FORM_STRICT | FORM_CHAT},
	{"the messages of OpenAI, Anthropic and the AI SDK", {"role"}, "role", roles, chat_fields, chat_parts, FORM_CHAT | FORM_MISSPELT},
	{"LangChain's stored messages", {"type"}, "type", types, langchain_fields, NULL, FORM_CHAT},
};

static const JsonbValue *
field_of(const JsonbValue *element, const char *name, JsonbValue *buffer)
{
	const JsonbValue *field = rag_json_field(element, name, buffer);

	return field && field->type != jbvNull ? field : NULL;
}

int
rag_kind_of_name(const RagKindName *kinds, const JsonbValue *name)
{
	for (; name && name->type == jbvString && kinds->name; kinds++)
	{
		if (rag_json_equals(name, kinds->name))
			return kinds->kind;
	}
	return 0;
}

/* Has it a field that only our own messages have? */
static bool
is_ours(const JsonbValue *element)
{
	JsonbValue buffer;

	for (int col = 0; col < RAG_NCOLUMNS; col++)
	{
		if ((rag_columns[col].may & RAG_IN_JSON) != 0 && col != COL_ROLE &&
			col != COL_CONTENT && col != COL_CREATED_AT && col != COL_METADATA &&
			field_of(element, rag_columns[col].name, &buffer))
			return true;
	}
	return false;
}

/*
 * A message with a role and this type; or another item, which has an id. What has a text
 * as its content is a message, though, and nobody knows whose.
 */
static bool
is_item(const JsonbValue *element)
{
	static const char *const ids[] = {"call_id", "callId", "id"};
	JsonbValue buffer;
	const JsonbValue *type = rag_json_string_field(element, "type", &buffer);
	JsonbValue other;

	if (type == NULL)
		return false;
	if (field_of(element, "role", &other))
		return rag_json_equals(type, "message");
	if (rag_kind_of_name(types, type) != 0 || field_of(element, "data", &other) ||
		rag_json_string_field(element, "content", &other))
		return false;
	for (int i = 0; i < (int) lengthof(ids); i++)
	{
		if (rag_json_string_field(element, ids[i], &other))
			return true;
	}
	return false;
}

static bool
is_of_form(const RagForm *form, const JsonbValue *element)
{
	JsonbValue buffer;

	for (int i = 0; i < (int) lengthof(form->has) && form->has[i]; i++)
	{
		if (field_of(element, form->has[i], &buffer) == NULL)
			return false;
	}
	if (form == &forms[RESPONSES_ITEM])
		return is_item(element);
	return form != &forms[OUR_FORM] || is_ours(element);
}

pg_noreturn static void
error_unknown_form(int place, const JsonbValue *element)
{
	JsonbIterator *it = JsonbIteratorInit(element->val.binary.data);
	JsonbValue name;
	StringInfoData fields;

	initStringInfo(&fields);
	(void) JsonbIteratorNext(&it, &name, true); /* WJB_BEGIN_OBJECT */
	while (JsonbIteratorNext(&it, &name, true) == WJB_KEY)
	{
		if (fields.len < FIELDS_SHOWN)
			appendStringInfo(&fields, "%s\"%.*s\"", fields.len > 0 ? ", " : "",
							 pg_mbcliplen(name.val.string.val, name.val.string.len,
										  FIELDS_SHOWN),
							 name.val.string.val);
		(void) JsonbIteratorNext(&it, &name, true);
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%sneither \"role\" nor \"type\" tells what the message is", rag_element(place)),
			 fields.len > 0 ? errdetail("It has these fields: %s.", fields.data) : 0,
			 errhint("Messages are known in these forms: %s.", rag_known_forms())));
}

const RagForm *
rag_find_form(int place, const JsonbValue *element)
{
	for (int i = 0; i < (int) lengthof(forms); i++)
	{
		if (is_of_form(&forms[i], element))
			return &forms[i];
	}
	error_unknown_form(place, element);
}

const char *
rag_known_forms(void)
{
	StringInfoData known;

	initStringInfo(&known);
	for (int i = 0; i < (int) lengthof(forms); i++)
	{
		appendStringInfo(&known, "%s%s (with \"%s\"", i > 0 ? ", " : "", forms[i].title,
						 forms[i].has[0]);
		if (forms[i].has[1])
			appendStringInfo(&known, " and \"%s\"", forms[i].has[1]);
		appendStringInfoChar(&known, ')');
	}
	return known.data;
}
