// A message: its text, its sources beside it, and what can be done with it.
import { useState } from 'react';

const STATUS = { stopped: 'Stopped', failed: 'The model has failed', streaming: 'Interrupted' };

// A source is any JSON, such as an import has brought in.
const firstText = (...values) => values.find((value) => typeof value === 'string');

export function Message({ message, actions, feedback, busy, isLast }) {
  const { role, parts, metadata } = message;
  const [editing, setEditing] = useState(false);
  const text = parts[0]?.text ?? '';
  const isWriting = busy && isLast && role === 'assistant';
  const sources = [].concat(metadata?.sources ?? []);
  const actable = metadata?.stored && !busy;

  function save(edited) {
    setEditing(false);
    actions.edit(message, edited);
  }

  return (
    <article className={role} aria-label={role}>
      <div>
        {editing
          ? <Edit text={text} onCancel={() => setEditing(false)} onSave={save} />
          : <p className={isWriting ? 'writing' : ''}>{text}</p>}
        {!isWriting && STATUS[metadata?.status] && <small className="status">{STATUS[metadata.status]}</small>}
        {actable && (
          <footer>
            {role === 'user' && <button onClick={() => setEditing(true)}>Edit</button>}
            {role === 'assistant' && <button onClick={() => actions.regenerate(message)}>Regenerate</button>}
            <button onClick={() => actions.branch(message)}>Branch</button>
            {role === 'assistant' && (
              <Vote feedback={feedback.find(({ source_no: no }) => no === null)}
                onVote={(judgment) => actions.judge(message, judgment)} />
            )}
            {metadata.latency_ms != null && <small>{(metadata.latency_ms / 1000).toFixed(1)} s</small>}
          </footer>
        )}
      </div>
      {sources.length > 0 && (
        <ol aria-label="Sources">
          {sources.map((source, i) => (
            <li key={i}>
              <b>{firstText(source?.title, source?.document_id, source?.url) ?? 'Source'}</b>
              {typeof source?.score === 'number' && <small> {source.score}</small>}
              <span>{firstText(source, source?.text, source?.content)}</span>
              {actable && (
                <Vote plain feedback={feedback.find(({ source_no: no }) => no === i + 1)}
                  onVote={(judgment) => actions.judge(message, { ...judgment, source_no: i + 1 })} />
              )}
            </li>
          ))}
        </ol>
      )}
    </article>
  );
}

function Edit({ text, onSave, onCancel }) {
  return (
    <form onSubmit={(event) => { event.preventDefault(); onSave(event.target.elements.edited.value.trim() || text); }}>
      <textarea name="edited" aria-label="Edited question" defaultValue={text} autoFocus />
      <button>Save</button> <button type="button" onClick={onCancel}>Cancel</button>
    </form>
  );
}

// Good or bad; the same again takes it back. What is bad can be explained.
function Vote({ feedback, onVote, plain }) {
  const vote = (score) => onVote({ score: feedback?.score === score ? null : score });
  return (
    <span className="vote">
      <button aria-pressed={feedback?.score === 1} onClick={() => vote(1)}>Good</button>
      <button aria-pressed={feedback?.score === -1} onClick={() => vote(-1)}>Bad</button>
      {feedback?.score === -1 && !plain && (
        <input key={feedback.comment} aria-label="Comment" placeholder="What is wrong?" defaultValue={feedback.comment ?? ''}
          onKeyDown={({ key, target }) => { if (key === 'Enter') onVote({ score: -1, comment: target.value }); }} />
      )}
    </span>
  );
}
