// One turn of a conversation with pg, from the question to the stored answer.
import pg from 'pg';

const HTTP_STATUS = { 23503: 404, 23514: 422 }; // no such session of this user; not a role
const pool = new pg.Pool(); // PGHOST, PGDATABASE …

function httpStatus(error) {
  // A foreign key of your own, such as that of a table of ratings, is not a session that is missing.
  if (error.code === '23503' && ![undefined, 'messages_session_id_fkey'].includes(error.constraint)) return 409;
  return HTTP_STATUS[error.code] ?? 500;
}

async function askModel(question) { // your retrieval and your model
  return ['A single ticket is valid for 75 minutes.', [{ document_id: 'tariff-04', score: 0.91 }]];
}

async function turn(userId, sessionId, question, role = 'user') {
  try {
    await pool.query('SELECT rag_add_message($1, $2, $3, user_id => $4)', [sessionId, role, question, userId]);
    // No BEGIN: the question is safe, and nothing is locked while the model thinks.
    const start = performance.now();
    const [answer, sources] = await askModel(question);
    await pool.query(
      `SELECT rag_add_message($1, 'assistant', $2, sources => $3, latency_ms => $4, top_k => $5, user_id => $6)`,
      [sessionId, answer, JSON.stringify(sources), performance.now() - start, 5, userId],
    );
    return [200, answer];
  } catch (error) {
    if (httpStatus(error) === 500) throw error;
    return [httpStatus(error), error.message];
  }
}

const { rows: [{ session_id: sessionId }] } = await pool.query(
  'SELECT rag_create_session(user_id => $1, metadata => $2) AS session_id',
  ['maya', JSON.stringify({ collection: 'trams' })],
);
console.log(...await turn('maya', sessionId, 'How long is a ticket valid?'));
console.log(...await turn('eve', sessionId, 'What did she ask?'));
console.log(...await turn('maya', sessionId, 'Hello!', 'human'));
await pool.end();
