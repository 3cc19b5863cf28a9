/*
 * exchange/document_forms.c
 *		The forms of a document with one conversation.
 *
 *		To add a form: its table, and its row in "forms".
 */
#include "base/compat.h"

#include "base/json.h"
#include "exchange/document_forms.h"
#include "exchange/import_forms.h"

#define END_OF_FIELDS \
	{ \
		NULL, DOC_KEEP \
	}

/* Ours; and what stands beside messages in files for the training of models. */
static const RagDocumentField our_fields[] = {
	{"session_id", DOC_SESSION},
	{"user_id", DOC_SESSION},
	{"created_at", DOC_SESSION},
	{"updated_at", DOC_SESSION},
	{"metadata", DOC_SESSION},
	{"messages", DOC_MESSAGES},
	{"feedback", DOC_FEEDBACK},
	{"system", DOC_SYSTEM},
	{"tools", DOC_KEEP},
	{"functions", DOC_KEEP},
	{"parallel_tool_calls", DOC_KEEP},
	{"createdAt", DOC_CREATED},
	{"updatedAt", DOC_UPDATED},
	END_OF_FIELDS,
};

static const RagTree chatgpt_tree = {"mapping", "current_node", "message", "parent",
									 "children"};

static const RagDocumentField chatgpt_fields[] = {
	{"mapping", DOC_NODES},
	{"current_node", DOC_LEAF},
	{"create_time", DOC_CREATED},
	{"update_time", DOC_UPDATED},
	{"conversation_id", DOC_ID},
	END_OF_FIELDS,
};

static const RagDocumentField claude_fields[] = {
	{"chat_messages", DOC_MESSAGES},
	{"name", DOC_TITLE},
	{"created_at", DOC_CREATED},
	{"updated_at", DOC_UPDATED},
	{"uuid", DOC_ID},
	END_OF_FIELDS,
};

static const RagTree webui_tree = {"messages", "currentId", NULL, "parentId", "childrenIds"};

static const RagDocumentField webui_fields[] = {
	{"chat", DOC_INSIDE},
	{"history", DOC_HISTORY},
	{"messages", DOC_MESSAGES},
	{"user_id", DOC_SESSION},
	{"created_at", DOC_CREATED},
	{"updated_at", DOC_UPDATED},
	{"id", DOC_ID},
	END_OF_FIELDS,
};

static const RagDocumentField sharegpt_fields[] = {
	{"conversations", DOC_MESSAGES},
	{"system", DOC_SYSTEM},
	END_OF_FIELDS,
};

static const RagDocumentField contents_fields[] = {
	{"contents", DOC_MESSAGES},
	{"systemInstruction", DOC_SYSTEM},
	{"system_instruction", DOC_SYSTEM},
	END_OF_FIELDS,
};

static const RagDocumentField items_fields[] = {
	{"items", DOC_MESSAGES},
	{"instructions", DOC_SYSTEM},
	END_OF_FIELDS,
};

/* What comes first is taken first. */
static const RagDocumentForm forms[] = {
	{"ChatGPT's export", "mapping", false, &chatgpt_tree, chatgpt_fields},
	{"Claude's export", "chat_messages", false, NULL, claude_fields},
	{"Open WebUI's export", "chat", false, &webui_tree, webui_fields},
	{"ShareGPT's", "conversations", false, NULL, sharegpt_fields},
	{"Gemini's", "contents", false, NULL, contents_fields},
	{"what rag_export_session() returns, and any messages", "messages", true, NULL, our_fields},
	{"OpenAI's Responses and Agents SDK items", "items", false, NULL, items_fields},
};

static const char *
known_forms(void)
{
	StringInfoData known;

	initStringInfo(&known);
	for (int i = 0; i < (int) lengthof(forms); i++)
		appendStringInfo(&known, "%s%s (with \"%s\")", i > 0 ? ", " : "", forms[i].title,
						 forms[i].list);
	return known.data;
}

/* Has the object the field that tells the form, and a list or an object in it? */
static bool
is_of_form(const RagDocumentForm *form, const JsonbValue *document)
{
	JsonbValue buffer;
	const JsonbValue *list = rag_json_field(document, form->list, &buffer);

	return list && (rag_json_is_array(list) || (form->tree && rag_json_is_object(list)));
}

const RagDocumentForm *
rag_find_document_form(const JsonbValue *document)
{
	for (int i = 0; i < (int) lengthof(forms); i++)
	{
		if (is_of_form(&forms[i], document))
			return &forms[i];
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("field \"%s\" must be %s", "messages", "an array"),
			 errhint("Conversations are known in these forms: %s.", known_forms())));
}

RagDocumentAction
rag_find_document_field(const RagDocumentForm *form, const JsonbValue *name,
						bool *is_known)
{
	*is_known = true;
	for (const RagDocumentField *field = form->fields; field->name; field++)
	{
		if (rag_json_equals(name, field->name))
			return field->action;
	}
	*is_known = false;
	return DOC_KEEP;
}

/* Is it a whole conversation, and no message? */
static bool
is_conversation(const JsonbValue *value)
{
	JsonbValue buffer;

	if (rag_json_is_array(value))
		return true;
	if (rag_json_string_field(value, "role", &buffer) || rag_json_string_field(value, "type", &buffer))
		return false;
	for (int i = 0; i < (int) lengthof(forms); i++)
	{
		if (is_of_form(&forms[i], value))
			return true;
	}
	return false;
}

void
rag_check_one_conversation(const JsonbValue *array, const char *path)
{
	JsonbIterator *it = rag_json_elements(array);
	int n = JsonContainerSize(array->val.binary.data);
	JsonbValue first;

	if (!rag_json_next(&it, &first) || !is_conversation(&first))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg_plural("this is a file of %d conversation", "this is a file of %d conversations", n, n),
			 errdetail("rag_import_session() takes one at a time."),
			 errhint("Import each of them: SELECT rag_import_session(conversation) FROM jsonb_array_elements(document%s) AS conversation, where document is the file.", path)));
}
