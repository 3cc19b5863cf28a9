// One session: its messages, the answer that is being written, and what can be done with them.
import { Chat, useChat } from '@ai-sdk/react';
import { DefaultChatTransport } from 'ai';
import { useEffect, useRef, useState } from 'react';
import { call } from './call.js';
import { Message } from './message.jsx';

const EXAMPLES = ['How long is a single ticket valid?', 'What about dogs and bikes?', 'Are there trams at night?'];
const PAGE = 50;

// Each request asks for the answer to the last question, and brings the question unless the server has it.
const transport = new DefaultChatTransport({
  prepareSendMessagesRequest: ({ id, messages }) => {
    const { id: key, metadata, parts } = messages.at(-1);
    const question = metadata?.stored ? undefined : { key, text: parts[0].text };
    return { api: `/api/sessions/${id}/answer`, body: { question } };
  },
});

export function Conversation({ session, isNew, changes, online, attempt }) {
  const [chat] = useState(() => new Chat({ id: session, transport, generateId: () => crypto.randomUUID() }));
  const { messages, status, error } = useChat({ chat });
  const [info, setInfo] = useState();
  const [feedback, setFeedback] = useState([]);
  const [max, setMax] = useState(PAGE);
  const [text, setText] = useState('');
  const loads = useRef(0);
  const path = `/api/sessions/${session}`;
  const busy = status === 'submitted' || status === 'streaming';

  // The page shows what is stored: when it is opened, when an answer is complete, when something was changed, here
  // or in another tab, and when a connection is there again. An answer that is being written is followed.
  useEffect(() => {
    if (!online || busy) return;
    if (error instanceof TypeError) chat.regenerate(); // the connection was lost: ask again for the same
    else if (!error && (!isNew || messages.length > 0)) attempt(load());
  }, [online, changes, status, max]);

  async function load() {
    loads.current += 1;
    const load = loads.current;
    const stored = await call('GET', `${path}?max=${max}`);
    if (load !== loads.current || chat.status !== 'ready') return; // that is not the newest any more
    chat.messages = stored.messages;
    setInfo(stored.info);
    setFeedback(stored.feedback);
    if (stored.writing) chat.regenerate();
  }

  useEffect(() => () => { chat.stop(); }, []); // stops reading: the server goes on writing

  function ask(question) {
    history.replaceState(null, '', `#${session}`);
    chat.sendMessage({ text: question });
  }

  function submit(event) {
    event.preventDefault();
    if (busy || !text.trim()) return;
    ask(text.trim());
    setText('');
  }

  // Removes a message and all after it.
  async function removeFrom(message) {
    await call('DELETE', `${path}/messages/${message.id}`);
    chat.messages = chat.messages.slice(0, chat.messages.findIndex(({ id }) => id === message.id));
  }

  const update = (metadata) => attempt(call('PATCH', path, metadata));
  const actions = {
    edit: (message, question) => attempt(removeFrom(message).then(() => ask(question))),
    regenerate: (message) => attempt(removeFrom(message).then(() => chat.regenerate())),
    branch: (message) => attempt(call('POST', `${path}/messages/${message.id}/branch`).then((id) => { location.hash = id; })),
    judge: (message, judgment) => attempt(call('PUT', `${path}/messages/${message.id}/feedback`, judgment)),
  };

  return (
    <main>
      {info && (
        <header>
          <Field name="Title" value={info.title} placeholder={info.preview} onSave={(title) => update({ title })} />
          <Field name="Folder" value={info.metadata?.folder} placeholder="No folder" onSave={(folder) => update({ folder })} />
          <a href={`${path}/export`} download>Export</a>
        </header>
      )}
      <div className="scroll"><div className="messages">
        {messages.length >= max && <button onClick={() => setMax(max + PAGE)}>Earlier messages</button>}
        {messages.length === 0 && isNew && EXAMPLES.map((question) => (
          <button key={question} onClick={() => ask(question)}>{question}</button>
        ))}
        {messages.map((message, i) => (
          <Message key={message.id} message={message} actions={actions} busy={busy} isLast={i === messages.length - 1}
            feedback={feedback.filter((given) => given.message_id === message.id && given.name === 'user' && !given.rater)} />
        ))}
        {error && <p role="alert">{error.message} <button onClick={() => chat.regenerate()}>Try again</button></p>}
      </div></div>
      <form className="ask" onSubmit={submit}>
        <input aria-label="Question" placeholder="Ask something" autoFocus value={text}
          onChange={(event) => setText(event.target.value)} />
        {busy
          ? <button type="button" onClick={() => attempt(call('POST', `${path}/stop`))}>Stop</button>
          : <button>Ask</button>}
      </form>
    </main>
  );
}

// A text that is saved when one leaves it; an empty one is null.
function Field({ name, value, placeholder, onSave }) {
  const save = ({ target }) => { if (target.value.trim() !== (value ?? '')) onSave(target.value.trim() || null); };
  return (
    <input key={value} aria-label={name} placeholder={placeholder ?? name} defaultValue={value ?? ''} onBlur={save}
      onKeyDown={({ key, target }) => { if (key === 'Enter') target.blur(); }} />
  );
}
