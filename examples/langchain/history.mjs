// A LangChain.js message history that rag_events keeps. It stores
//
//   HumanMessage      as a message of the role "user"
//   AIMessage         as a message of the role "assistant"; tool calls and what else it has, in metadata
//   ToolMessage       in metadata.tool_results of the assistant's message that called the tool
//   SystemMessage     in the session's metadata.system_prompt; a new one replaces it
//
// The keys are those of rag_import_session(), whose sessions are read as well. A message's id is its idempotency key.
import { BaseListChatMessageHistory } from '@langchain/core/chat_history';
import { AIMessage, HumanMessage, SystemMessage, ToolMessage } from '@langchain/core/messages';
import { parseToolCall } from '@langchain/core/output_parsers/openai_tools';

const NEWEST = '* FROM rag_get_messages($1, $3, user_id => $2, include_sources => false)';
const KEPT = ['id', 'name', 'tool_calls', 'invalid_tool_calls', 'usage_metadata', 'response_metadata',
  'additional_kwargs', 'tool_call_id', 'status', 'artifact'];
const pick = (object) => Object.fromEntries(KEPT.map((key) => [key, object[key]])
  .filter(([, value]) => value && Object.keys(value).length > 0));

// What metadata keeps of a message, and back. A text that is all of the content is not kept twice.
function toMetadata(message) {
  const cut = (part) => (part.type === 'text' && part.text === message.text ? { ...part, text: undefined } : part);
  return Array.isArray(message.content) ? { ...pick(message), content_parts: message.content.map(cut) } : pick(message);
}
function toFields(text, metadata) {
  const content = metadata.content_parts?.map((part) => (part.type === 'text' ? { text, ...part } : part)) ?? text;
  const openAI = { returnId: true, partial: true }; // the form of calls that others have stored
  const calls = metadata.tool_calls?.map((call) => (call.function ? parseToolCall(call, openAI) : call));
  return { ...pick({ ...metadata, tool_calls: calls }), content };
}

// An element of what rag_add_messages() takes. An answer's passages may be in additional_kwargs.sources.
function toRow(message) {
  const { sources, ...kwargs } = message.additional_kwargs;
  const metadata = toMetadata({ ...message, text: message.text, additional_kwargs: kwargs });
  const row = { role: message.type === 'human' ? 'user' : 'assistant', content: message.text, sources, metadata };
  return { ...row, token_count: message.usage_metadata?.output_tokens, idempotency_key: message.id };
}

function toMessages({ role, content, metadata }) {
  const results = (metadata?.tool_results ?? []).map((result) => new ToolMessage(toFields(result.content, result)));
  return [new (role === 'user' ? HumanMessage : AIMessage)(toFields(content, metadata ?? {})), ...results];
}

// A result that is there already, by the id of its call, is replaced.
function addResult(row, message) {
  if (row?.role !== 'assistant') throw new TypeError('the result of a tool needs the AIMessage that called it');
  const others = (row.metadata?.tool_results ?? []).filter((other) => other.tool_call_id !== message.tool_call_id);
  row.metadata = { ...row.metadata, tool_results: [...others, { ...toMetadata(message), content: message.text }] };
}

export class RagEventsChatMessageHistory extends BaseListChatMessageHistory {
  lc_namespace = ['rag_events'];
  // pool: a pg.Pool. sessionId: a UUID; the session need not exist. userId: the authenticated user. maxTokens,
  // maxMessages: how much getMessages() returns, with maxTokens from a message of the user on; all by default.
  constructor({ pool, sessionId, userId, maxTokens = null, maxMessages = null }) {
    super();
    if (!userId) throw new TypeError('userId is missing: without it nobody would be kept from the session');
    Object.assign(this, { pool, sessionId, userId, maxTokens, maxMessages });
  }

  // Creates the session where there is none: so another user's is error 23505, before the model is asked.
  async getMessages() {
    const [{ prompt }] = await this.#session();
    const rows = this.maxTokens === null
      ? await this.#call(NEWEST, this.maxMessages)
      : await this.#call(`m.* FROM rag_get_context($1, max_messages => $3, user_id => $2, max_tokens => $4)
          JOIN messages AS m USING (id) ORDER BY id`, this.maxMessages, this.maxTokens);
    return [...(prompt ? [new SystemMessage(prompt)] : []), ...rows.flatMap(toMessages)];
  }
  async addMessage(message) { await this.addMessages([message]); }
  // All in one statement, so all or none. Creates the session where there is none; another user's is error 23505.
  async addMessages(messages) {
    const [rows, session] = [[], {}];
    const [last] = messages[0]?.type === 'tool' ? await this.#call(NEWEST, 1) : [];
    for (const message of messages) {
      if (message.type === 'human' || message.type === 'ai') rows.push(toRow(message));
      else if (message.type === 'tool') addResult(rows.at(-1) ?? last, message);
      else if (message.type === 'system') session.system_prompt = message.text;
      else throw new TypeError(`rag_events has no place for a message of type "${message.type}"`);
    }
    await this.#call(`rag_add_messages($1, $3, user_id => $2, create_session => true),
        CASE WHEN $4::jsonb <> '{}' THEN rag_update_session($1, $4, $2) END,
        CASE WHEN $5::bigint > 0 THEN rag_update_message($1, $5, metadata => $6, user_id => $2) END`,
    { messages: rows }, session, last?.id, last?.metadata);
  }

  async clear() {
    await this.#session();
    await this.#call('rag_delete_messages($1, 0, user_id => $2)'); // the session stays, with its system prompt
  }

  async #session() {
    const get = "metadata ->> 'system_prompt' AS prompt FROM rag_get_session($1, $2)";
    const create = 'rag_create_session(session_id => $1, user_id => $2, if_not_exists => true)';
    return this.#call(get).catch((error) => (error.code === '23503' ? this.#call(create) : Promise.reject(error)));
  }

  #call = async (what, ...more) => (
    await this.pool.query(`SELECT ${what}`, [this.sessionId, this.userId, ...more])).rows;
}
