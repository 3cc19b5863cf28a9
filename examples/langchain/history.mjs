// A LangChain.js message history that rag_events keeps.
//
//   message           is stored as
//   HumanMessage      a message of the role "user"
//   AIMessage         a message of the role "assistant"; tool calls and what else it has, in metadata
//   ToolMessage       in metadata.tool_results of the assistant's message that called the tool
//   SystemMessage     the session's metadata.system_prompt; a new one replaces it
//
// The keys in metadata are those of rag_import_session(), so sessions that it made of LangChain's stored
// messages are read as well. A message's own id is its idempotency key: adding it again writes nothing.
import { BaseListChatMessageHistory } from '@langchain/core/chat_history';
import { AIMessage, HumanMessage, SystemMessage, ToolMessage } from '@langchain/core/messages';

const ROLES = { human: 'user', ai: 'assistant' };
const KEPT = [
  'id', 'name', 'tool_calls', 'invalid_tool_calls', 'usage_metadata', 'response_metadata', 'additional_kwargs',
];
const NO_SESSION = '23503'; // or it is another user's

// pick OBJECT, KEYS: those that hold something.
function pick(object, keys) {
  const entries = keys.map((key) => [key, object[key]]);
  return Object.fromEntries(entries.filter(([, value]) => value && Object.keys(value).length > 0));
}

// isPlain PART: whether a part of a message's content is a text and nothing else.
const isPlain = ({ type, ...rest }) => type === 'text' && Object.keys(rest).join() === 'text';

const textOf = (parts) => parts.map((part) => (part.type === 'text' ? part.text : '')).join('');

// The parts of a content, as rag_import_session() keeps them: a text that is all of the content is not kept twice.
function toParts(parts, text) {
  const plain = parts.filter(isPlain);
  const isTheText = plain.length === 1 && plain[0].text === text;
  return parts.map((part) => (isTheText && part === plain[0] ? { type: 'text' } : part));
}

// And back. A text that was changed since takes the place of all texts.
function fromParts(parts, text) {
  if (parts.some((part) => part.type === 'text' && part.text === undefined)) {
    return parts.map((part) => (part.type === 'text' && part.text === undefined ? { ...part, text } : part));
  }
  if (textOf(parts) === text) return parts;
  return [...(text ? [{ type: 'text', text }] : []), ...parts.filter((part) => part.type !== 'text')];
}

// An element of what rag_add_messages() takes. The passages that an answer is based on may be in
// additional_kwargs.sources: they are no part of a prompt and go into a column of their own.
function toRow(message) {
  const { sources, ...kwargs } = message.additional_kwargs ?? {};
  const row = { role: ROLES[message.getType()], content: message.text };
  const metadata = pick({ ...message, additional_kwargs: kwargs }, KEPT);
  if (Array.isArray(message.content) && message.content.length > 0) {
    metadata.content_parts = toParts(message.content, message.text);
  }
  if (Object.keys(metadata).length > 0) row.metadata = metadata;
  if (sources) row.sources = sources;
  if (message.usage_metadata) row.token_count = message.usage_metadata.output_tokens;
  if (message.id) row.idempotency_key = message.id;
  return row;
}

function* toMessages({ role, content: text, metadata }) {
  const { content_parts: parts, tool_results: results = [] } = metadata ?? {};
  const content = parts ? fromParts(parts, text) : text;
  const fields = { ...pick(metadata ?? {}, KEPT), content };
  yield role === 'user' ? new HumanMessage(fields) : new AIMessage(fields);
  for (const { content_parts: kept, ...result } of results) {
    yield new ToolMessage({ ...result, content: kept ? fromParts(kept, result.content) : result.content });
  }
}

function toResult(message) {
  const result = { ...pick(message, ['tool_call_id', 'name', 'status', 'artifact', 'id']), content: message.text };
  if (Array.isArray(message.content)) result.content_parts = toParts(message.content, message.text);
  return result;
}

export class RagEventsChatMessageHistory extends BaseListChatMessageHistory {
  lc_namespace = ['rag_events'];

  // pool: a pg.Pool. sessionId: a UUID; the session need not exist. userId: whose it is.
  // maxTokens, maxMessages: how much of the conversation getMessages() returns; all by default.
  constructor({ pool, sessionId, userId, maxTokens = null, maxMessages = null }) {
    super();
    if (!userId) throw new TypeError('userId is missing: without it nobody would be kept from the session');
    Object.assign(this, { pool, sessionId, userId, maxTokens, maxMessages });
  }

  // The system prompt, if there is one, and the newest messages, oldest first. With maxTokens they begin at a
  // message of the user. Creates the session where there is none: so another user's is error 23505 before the
  // model is asked.
  async getMessages() {
    const newest = this.maxTokens === null
      ? 'SELECT * FROM rag_get_messages($1, max_messages => $2, user_id => $3, include_sources => false)'
      : `SELECT m.role, m.content, m.metadata
           FROM rag_get_context($1, max_messages => $2, user_id => $3, max_tokens => $4) JOIN messages m USING (id)
          ORDER BY id`;
    const values = [this.sessionId, this.maxMessages, this.userId, ...(this.maxTokens === null ? [] : [this.maxTokens])];
    try {
      const { rows } = await this.pool.query(newest, values);
      const system = await this.#systemPrompt();
      return [...(system ? [new SystemMessage(system)] : []), ...rows.flatMap((row) => [...toMessages(row)])];
    } catch (error) {
      if (error.code !== NO_SESSION) throw error;
      await this.#createSession();
      return [];
    }
  }

  async addMessage(message) {
    await this.addMessages([message]);
  }

  // Creates the session where there is none; another user's is error 23505. All human and AI messages are
  // added in one call, so all or none.
  async addMessages(messages) {
    const rows = [];
    const earlier = []; // results of tools that a message stored before has called
    let prompt;
    for (const message of messages) {
      const type = message.getType();
      if (type in ROLES) rows.push(toRow(message));
      else if (type === 'system') prompt = message.text;
      else if (type !== 'tool') throw new TypeError(`rag_events has no place for a message of type "${type}"`);
      else if (rows.length === 0) earlier.push(toResult(message));
      else addResults(rows.at(-1), [toResult(message)]);
    }
    if (prompt !== undefined) await this.#setSystemPrompt(prompt);
    if (earlier.length > 0) await this.#addToLast(earlier);
    if (rows.length > 0) {
      await this.pool.query(
        'SELECT rag_add_messages($1, $2, user_id => $3, create_session => true)',
        [this.sessionId, { messages: rows }, this.userId],
      );
    }
  }

  // Deletes the messages. The session stays, with its title and system prompt.
  async clear() {
    try {
      await this.pool.query('SELECT rag_delete_messages($1, 0, user_id => $2)', [this.sessionId, this.userId]);
    } catch (error) {
      if (error.code !== NO_SESSION) throw error;
    }
  }

  async #systemPrompt() {
    const { rows: [session] } = await this.pool.query(
      `SELECT metadata->>'system_prompt' AS prompt FROM sessions WHERE id = $1 AND user_id = $2`,
      [this.sessionId, this.userId],
    );
    return session?.prompt;
  }

  async #createSession() {
    await this.pool.query(
      'SELECT rag_create_session(session_id => $1, user_id => $2, if_not_exists => true)',
      [this.sessionId, this.userId],
    );
  }

  async #setSystemPrompt(prompt) {
    await this.#createSession();
    await this.pool.query(
      'SELECT rag_update_session($1, $2, user_id => $3)',
      [this.sessionId, { system_prompt: prompt }, this.userId],
    );
  }

  async #addToLast(results) {
    const { rows: [last] } = await this.pool.query(
      'SELECT id, role, metadata FROM rag_get_messages($1, max_messages => 1, user_id => $2)',
      [this.sessionId, this.userId],
    );
    if (last?.role !== 'assistant') throw new TypeError('the result of a tool needs the AIMessage that called it');
    addResults(last, results);
    await this.pool.query(
      'SELECT rag_update_message($1, $2, metadata => $3, user_id => $4)',
      [this.sessionId, last.id, { tool_results: last.metadata.tool_results }, this.userId],
    );
  }
}

// A result that is there already, by the id of the call, is replaced.
function addResults(row, results) {
  if (row.role !== 'assistant') throw new TypeError('the result of a tool needs the AIMessage that called it');
  const isNew = (old) => !results.some((result) => result.tool_call_id === old.tool_call_id);
  row.metadata = { ...row.metadata };
  row.metadata.tool_results = [...(row.metadata.tool_results ?? []).filter(isNew), ...results];
}
