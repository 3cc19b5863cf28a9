// A Session of OpenAI's Agents SDK that rag_events keeps. It stores
//
//   a user's message                        as a message of the role "user"
//   all others, up to the results of calls  as a message of the role "assistant", whose content is what is said
//
// Items are kept in metadata.items, as by rag_import_session(); calls and results for rag_get_prompt() beside them.
import { protocol } from '@openai/agents';

const RESULT = 'function_call_result';

const isMessage = ({ role }) => role === 'user' || role === 'assistant';
const textOf = (content) => (typeof content === 'string' ? content
  : [content].flat().map((part) => part?.text ?? part?.transcript ?? part?.refusal ?? '').join(''));

const toCall = ({ callId: id, ...call }) => (
  { id, type: 'function', function: { name: call.name, arguments: call.arguments } });
const toResult = ({ callId, name, output }) => ({ tool_call_id: callId, name, content: textOf(output) });

// Whether an item begins a message: a question, what follows one, what comes after results, a second text.
const begins = (item, items) => item.role === 'user' || items.length === 0 || items[0].role === 'user'
  || (item.type !== RESULT && items.at(-1).type === RESULT) || (isMessage(item) && items.some(isMessage));

// An element of what rag_add_messages() takes.
function toRow(items) {
  const row = { role: items[0].role === 'user' ? 'user' : 'assistant', metadata: { items } };
  row.content = items.filter(isMessage).map(({ content }) => textOf(content)).join('');
  const calls = items.filter(({ type }) => type === 'function_call').map(toCall);
  const results = items.filter(({ type }) => type === RESULT).map(toResult);
  if (calls.length > 0) row.metadata.tool_calls = calls;
  if (results.length > 0) row.metadata.tool_results = results;
  return row;
}

// The items of a stored message. One that others have written has none, or others: then texts, calls and results.
const fromCall = ({ id, name, args, function: call }) => (
  { type: 'function_call', callId: id, name: call?.name ?? name, arguments: call?.arguments ?? JSON.stringify(args) });
const fromResult = ({ tool_call_id: callId, name = '', content: text }) => (
  { type: RESULT, callId, name, status: 'completed', output: { type: 'text', text } });
function toItems({ role, content: text, metadata }) {
  if (metadata?.items?.every((item) => protocol.ModelItem.safeParse(item).success)) return metadata.items;
  if (role === 'user') return [{ type: 'message', role, content: text }];
  const said = { type: 'message', role, status: 'completed', content: [{ type: 'output_text', text }] };
  const { tool_calls: calls = [], tool_results: results = [] } = metadata ?? {};
  return [...(text || calls.length === 0 ? [said] : []), ...calls.map(fromCall), ...results.map(fromResult)];
}

export class RagEventsSession {
  // pool: a pg.Pool. userId: the authenticated user. sessionId: a UUID; the session need not exist.
  constructor({ pool, userId, sessionId = crypto.randomUUID() }) {
    if (!userId) throw new TypeError('userId is missing: without it nobody would be kept from the session');
    Object.assign(this, { pool, userId, sessionId });
  }

  async getSessionId() { return this.sessionId; }
  async getItems(limit = Infinity) {
    const items = (await this.#newest(limit === Infinity ? null : limit)).flatMap(toItems);
    return items.slice(Math.max(items.length - limit, 0));
  }

  // Results of calls that are stored already, as after an approval, go to the message that has the calls.
  async addItems(items) {
    const [last] = items[0]?.type === RESULT ? await this.#newest(1) : [];
    const groups = [last ? toItems(last) : []];
    for (const item of items) {
      if (begins(item, groups.at(-1))) groups.push([]);
      groups.at(-1).push(item);
    }
    const update = last ? ', rag_update_message($1, $4, metadata => $5, user_id => $2)' : '';
    await this.#call(`rag_add_messages($1, $3, user_id => $2, create_session => true)${update}`,
      { messages: groups.slice(1).map(toRow) }, ...(last ? [last.id, toRow(groups[0]).metadata] : []));
  }

  async popItem() {
    const [last] = await this.#newest(1);
    const items = last ? toItems(last) : [];
    const item = items.pop();
    const { content, metadata } = items.length > 0 ? toRow(items) : {};
    if (metadata) { // a key with null goes
      await this.#call('rag_update_message($1, $3, content => $4, metadata => $5, user_id => $2)', last.id, content,
        { tool_calls: null, tool_results: null, ...metadata });
    } else if (last) await this.#call('rag_delete_messages($1, $3, user_id => $2)', last.id);
    return item;
  }

  async clearSession() {
    await this.#newest(0);
    await this.#call('rag_delete_messages($1, 0, user_id => $2)'); // the session stays, with its title
  }

  // Creates the session where there is none: so another user's is error 23505, before the model is asked.
  async #newest(limit) {
    const get = '* FROM rag_get_messages($1, $3, user_id => $2, include_sources => false)';
    const create = 'rag_create_session(session_id => $1, user_id => $2, if_not_exists => true)';
    return this.#call(get, limit).catch((error) => (
      error.code === '23503' ? this.#call(create).then(() => []) : Promise.reject(error)));
  }

  #call = async (what, ...more) => (
    await this.pool.query(`SELECT ${what}`, [this.sessionId, this.userId, ...more])).rows;
}
