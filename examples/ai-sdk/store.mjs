// The AI SDK's UIMessages in rag_events: what a route behind useChat() loads and saves.
//
//   of a UIMessage  is stored in
//   id              idempotency_key: who saves a message again changes it
//   role            role; a system message has no place here (23514): it is the session's metadata.system_prompt
//   parts           metadata.parts as they are; content is their text, sources their sources, and tool_calls and
//                   tool_results in metadata are for rag_get_prompt()
//   metadata        metadata beside them: model, input_tokens, output_tokens, finish_reason …
// What rag_import_session() made of UIMessages is read as well; of what others have stored, the text.
import { getToolName, isToolUIPart, readUIMessageStream } from 'ai';

const OURS = ['id', 'parts', 'items', 'llamaindex', 'content_parts', 'tool_calls', 'tool_results', 'metadata'];
const NUMBERED = /^#\d+$/; // the id here of a message that has none of its own: imported, copied, or of others
const toCall = (part) => ({
  id: part.toolCallId, type: 'function', function: { name: getToolName(part), arguments: JSON.stringify(part.input) },
});
const said = ({ errorText: error, output: out = '' }) => error ?? (typeof out === 'string' ? out : JSON.stringify(out));
const toResult = (part) => ({ tool_call_id: part.toolCallId, name: getToolName(part), content: said(part) });
const some = (array) => (array.length > 0 ? array : null);

function toolsOf(parts) {
  const called = parts.filter((part) => isToolUIPart(part) && part.state !== 'input-streaming');
  const results = called.filter(({ state }) => state.startsWith('output-'));
  return { tool_calls: some(called.map(toCall)), tool_results: some(results.map(toResult)) }; // a key with null goes
}

const sourcesOf = (parts) => parts.filter(({ type }) => type.startsWith('source-'))
  .map((part) => ({ document_id: part.url ?? part.sourceId, ...part }));

function toUIMessage({ id, role, content, metadata, idempotency_key: key }) {
  const { parts = [{ type: 'text', text: content }], ...rest } = metadata ?? {};
  const own = rest.metadata ?? Object.fromEntries(Object.entries(rest).filter(([name]) => !OURS.includes(name)));
  const message = { id: key ?? `#${id}`, role, parts };
  return Object.keys(own).length > 0 ? { ...message, metadata: own } : message;
}

export class RagEventsChatStore {
  // pool: a pg.Pool. userId: the authenticated user.
  constructor({ pool, userId }) {
    if (!userId) throw new TypeError('userId is missing: without it nobody would be kept from the sessions');
    Object.assign(this, { pool, userId });
  }

  // Creates the session where there is none; another user's is error 23505.
  async open(sessionId) {
    await this.#call('rag_create_session(session_id => $1, user_id => $2, if_not_exists => true)', sessionId);
  }

  // The newest UIMessages, oldest first; with BEFORE, the id of a UIMessage, those before it.
  async load(sessionId, { max = 50, before } = {}) {
    const get = '* FROM rag_get_messages($1, $3, before_id => $4, user_id => $2, include_sources => false)';
    return (await this.#call(get, sessionId, max, before && await this.#find(sessionId, before))).map(toUIMessage);
  }

  // Adds the message, or changes the one that has its id. COLUMNS: sources, latency_ms, top_k; and the status.
  async save(sessionId, { id, role, parts, metadata: own }, columns = {}) {
    const { sources = sourcesOf(parts), latency_ms: latency, top_k: topK, status } = columns;
    const metadata = { ...own, parts, ...toolsOf(parts), ...(status && { status }) };
    const text = parts.filter(({ type }) => type === 'text').map((part) => part.text).join('');
    const [call, target, ...rest] = NUMBERED.test(id)
      ? ['rag_update_message($1, $3', id.slice(1)]
      : ['rag_put_message($1, $3, role => $8, top_k => $9', id, role, topK];
    await this.#call(`${call}, content => $4, metadata => $5, sources => $6, latency_ms => $7, user_id => $2)`,
      sessionId, target, text, metadata, sources.length > 0 ? JSON.stringify(sources) : null, latency, ...rest);
  }

  // Stores an answer while it grows, from a stream of chunks (a branch of tee(), so that it goes on when the client
  // has gone), and returns it. MESSAGE is the assistant's last one, where the stream goes on with it.
  async keep(sessionId, stream, { message, everyMs = 500, ...columns } = {}) {
    let [answer, status, saved, start] = [undefined, 'done', -Infinity, performance.now()];
    const transform = (chunk, to) => {
      status = { error: 'failed', abort: 'stopped' }[chunk.type] ?? status;
      to.enqueue(chunk);
    };
    const watched = stream.pipeThrough(new TransformStream({ transform }));
    for await (answer of readUIMessageStream({ stream: watched, message })) {
      if (performance.now() - saved < everyMs) continue;
      await this.save(sessionId, answer, { status: 'streaming' });
      saved = performance.now();
    }
    if (answer) await this.save(sessionId, answer, { ...columns, latency_ms: performance.now() - start, status });
    return answer;
  }

  // Deletes a message and all after it: to edit a question, or to answer it again.
  async deleteFrom(sessionId, id) {
    await this.#call('rag_delete_messages($1, $3, user_id => $2)', sessionId, await this.#find(sessionId, id));
  }

  // The number of a message here; of one that is not there, one beyond all.
  async #find(sessionId, id) {
    if (NUMBERED.test(id)) return id.slice(1);
    const find = 'SELECT id FROM messages WHERE session_id = $1 AND idempotency_key = $2';
    return (await this.pool.query(find, [sessionId, id])).rows[0]?.id ?? '9223372036854775807';
  }

  async #call(what, sessionId, ...values) {
    return (await this.pool.query(`SELECT ${what}`, [sessionId, this.userId, ...values])).rows;
  }
}
