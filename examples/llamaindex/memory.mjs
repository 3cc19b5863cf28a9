// A Memory of LlamaIndex.TS that rag_events keeps: what is added to it is stored, and open() reads it again. It stores
//
//   a user's message             as a message of the role "user"
//   the assistant's              as a message of the role "assistant"; its calls also in metadata.tool_calls
//   the results of calls         in metadata.tool_results of the message that has the calls
//   system, developer, memory    in the session's metadata.system_prompt; a new one replaces it
//
// Messages are kept as they are in metadata.llamaindex. Of what others stored texts, calls and results are read.
import { Memory } from 'llamaindex';

const named = (message) => ({ id: crypto.randomUUID(), createdAt: new Date(), ...message });
const asText = (value) => (typeof value === 'string' ? value : JSON.stringify(value));
const textOf = (content) => (typeof content === 'string' ? content : content.map(({ text }) => text ?? '').join(''));
const toCall = ({ id, name, input }) => ({ id, type: 'function', function: { name, arguments: asText(input) } });
const toResult = ({ options: { toolResult: { id, result, isError } } }) => (
  { tool_call_id: id, content: asText(result), ...(isError && { status: 'error' }) });

// An element of what rag_add_messages() takes, of a message and the results of its calls.
function toRow([message, ...results]) {
  const metadata = { llamaindex: [message, ...results] };
  if (message.options?.toolCall?.length > 0) metadata.tool_calls = message.options.toolCall.map(toCall);
  if (results.length > 0) metadata.tool_results = results.map(toResult);
  return { role: message.role, content: textOf(message.content), metadata, idempotency_key: message.id };
}

const parsed = (json) => { try { return JSON.parse(json); } catch { return { invalid: json }; } };
const fromCall = ({ id, name, args, function: call }) => (
  { id, name: call?.name ?? name, input: args ?? parsed(call.arguments) });
const fromResult = ({ tool_call_id: id, content: result, status }) => (
  { role: 'user', content: result, options: { toolResult: { id, result, isError: status === 'error' } } });
function toItems({ role, content, metadata }) {
  if (metadata?.llamaindex) return metadata.llamaindex.map((one) => ({ ...one, createdAt: new Date(one.createdAt) }));
  const options = metadata?.tool_calls && { toolCall: metadata.tool_calls.map(fromCall) };
  return [{ role, content, options }, ...(metadata?.tool_results ?? []).map(fromResult)].map(named);
}

export class RagEventsMemory extends Memory {
  #call;
  #last; // the message that was stored last: its id, and its items
  #waiting = []; // to be stored
  #turn = Promise.resolve();

  // pool: a pg.Pool. userId: the authenticated user. sessionId: a UUID; the session is created where there is none,
  // and another user's is error 23505. maxMessages: how many are read. The rest are the options of a Memory.
  static async open({ pool, sessionId, userId, maxMessages = 200, ...options }) {
    if (!userId) throw new TypeError('userId is missing: without it nobody would be kept from the session');
    const call = async (what, ...values) => (await pool.query(`SELECT ${what}`, [sessionId, userId, ...values])).rows;
    await call('rag_create_session(session_id => $1, user_id => $2, if_not_exists => true)');
    const [{ content }] = await call("metadata ->> 'system_prompt' AS content FROM rag_get_session($1, $2)");
    const rows = await call('* FROM rag_get_messages($1, $3, user_id => $2, include_sources => false)', maxMessages);
    const stored = rows.map((row) => ({ id: row.id, items: toItems(row) }));
    const system = content ? [named({ role: 'system', content })] : [];
    const memory = new RagEventsMemory([...system, ...stored.flatMap(({ items }) => items)], options);
    memory.#call = call;
    memory.#last = stored.at(-1);
    return memory;
  }

  // The message is in the memory at once: agents and chat engines do not wait until it is stored.
  async add(message) {
    const kept = named(message);
    this.#waiting.push(kept);
    this.saved().catch(() => {}); // the next saved() tries again, and tells
    await super.add(kept);
  }

  // To be awaited before the answer goes to the user. Throws what went wrong, and can be called again.
  saved() {
    this.#turn = this.#turn.catch(() => {}).then(() => this.#save());
    return this.#turn;
  }

  async describe({ sources, latency_ms: ms }) { // of the answer that was added last
    await this.saved();
    const describe = 'rag_update_message($1, $3, sources => $4, latency_ms => $5, user_id => $2)';
    await this.#call(describe, this.#last.id, JSON.stringify(sources), ms);
  }

  async clear() {
    await this.saved();
    await this.#call('rag_delete_messages($1, 0, user_id => $2)'); // the session stays, with its title
    this.#last = undefined;
    await super.clear();
  }

  async #save() { // all that waits, in order; each of the calls can be repeated
    for (; this.#waiting.length > 0; this.#waiting.shift()) {
      const [message] = this.#waiting;
      if (message.options?.toolResult && this.#last) {
        const { id, items } = { ...this.#last, items: [...this.#last.items, message] };
        await this.#call('rag_update_message($1, $3, metadata => $4, user_id => $2)', id, toRow(items).metadata);
        this.#last = { id, items };
      } else if (message.role === 'user' || message.role === 'assistant') {
        const add = 'rag_add_messages($1, $3, user_id => $2) AS ids';
        const [{ ids }] = await this.#call(add, { messages: [toRow([message])] });
        this.#last = { id: ids[0], items: [message] };
      } else await this.#call('rag_update_session($1, $3, $2)', { system_prompt: textOf(message.content) });
    }
  }
}
