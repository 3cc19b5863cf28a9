-- A whole RAG loop in one database: documents and their embeddings in pgvector, the
-- conversations in rag_events. Run it in an empty database:
--
--   createdb rag && psql -X -d rag -f rag.sql
--
-- Two things are pretended, so that it needs no model and no network: the embedding, which
-- is made of the words of a text, and the model's answers, which stand here.

\set QUIET on
\set ON_ERROR_STOP on
\pset footer off
SET client_min_messages = warning;

CREATE EXTENSION IF NOT EXISTS vector;
CREATE EXTENSION IF NOT EXISTS rag_events;

\echo '== Documents'

CREATE TABLE documents (id text PRIMARY KEY, title text NOT NULL, body text NOT NULL);
CREATE TABLE passages (document_id text NOT NULL REFERENCES documents ON DELETE CASCADE, no integer NOT NULL,
                       content text NOT NULL, embedding vector(256) NOT NULL, PRIMARY KEY (document_id, no));
CREATE INDEX ON passages USING hnsw (embedding vector_cosine_ops);

-- Texts with the same words are near each other: each word's stem counts in one of 256
-- dimensions. Yours comes from a model, and has its number of dimensions.
CREATE FUNCTION embed(text text) RETURNS vector LANGUAGE sql IMMUTABLE STRICT AS $$
  SELECT array_agg(coalesce(n, 0) ORDER BY dimension)::real[]::vector
    FROM generate_series(0, 255) AS dimension
    LEFT JOIN (SELECT get_byte(decode(md5(lexeme), 'hex'), 0) AS dimension, count(*) AS n
                 FROM unnest(to_tsvector('english', text)) GROUP BY 1) AS words USING (dimension)
$$;

INSERT INTO documents VALUES
  ('tariff', 'Tariff', 'A single ticket costs 2.40 and is valid for 75 minutes in all zones, on trams and buses.

A day ticket costs 6.20 and is valid until 3 in the morning of the next day.

Children under 6 travel free of charge. Children from 6 to 14 pay half of the price of a ticket.

A bicycle needs a ticket of its own, for 1.80. On weekdays from 7 to 9 bicycles must stay outside.'),
  ('claims', 'Your money back', 'If a tram is more than 20 minutes late, we return the price of your ticket.

Write to us within two weeks, with the number of the ticket and the time of the journey.'),
  ('lost', 'Lost property', 'What was found in a tram is kept at the counter in Northbay for three months.');

-- A paragraph is a passage. The title goes into the embedding with it.
INSERT INTO passages
SELECT id, no, content, embed(title || ' ' || content)
  FROM documents, regexp_split_to_table(body, '\n\n') WITH ORDINALITY AS paragraph (content, no);

SELECT title, count(*) AS passages FROM documents JOIN passages ON document_id = id GROUP BY title ORDER BY title;

\echo '== Retrieval'

-- The nearest passages, as they are stored with the answer: the view rag_message_sources
-- knows document_id and score. What is not near at all is no source.
CREATE FUNCTION retrieve(question text, top_k integer) RETURNS jsonb LANGUAGE sql STABLE AS $$
  SELECT coalesce(jsonb_agg(jsonb_build_object('document_id', document_id, 'passage', no, 'text', content,
                                               'score', round((1 - distance)::numeric, 2)) ORDER BY distance), '[]')
    FROM (SELECT *, embedding <=> embed(question) AS distance FROM passages ORDER BY distance LIMIT top_k) AS nearest
   WHERE distance < 0.9
$$;

-- What goes to the model: the conversation so far, as rag_get_prompt() has it, and the
-- passages with their numbers before the last question.
CREATE FUNCTION prompt(session uuid, sources jsonb, user_id text) RETURNS jsonb LANGUAGE sql STABLE AS $$
  SELECT jsonb_insert(rag_get_prompt(session, 2000, user_id => user_id), '{-1}', jsonb_build_object('role', 'system',
           'content', coalesce('Passages:' || string_agg(format(E'\n[%s] %s', no, source ->> 'text'), '' ORDER BY no), 'No passages were found.')))
    FROM jsonb_array_elements(sources) WITH ORDINALITY AS found (source, no)
$$;

\echo '== A question and its answer'

SELECT rag_create_session('maya', '{"title": "Tickets", "system_prompt": "Answer from the passages, and cite them by [number]."}') AS session \gset

-- 1. Save the question. psql commits it at once, and so should you.
SELECT rag_add_message(:'session', 'user', 'How long is a single ticket valid?', user_id => 'maya', idempotency_key => 'request-1') AS question \gset
-- 2. Retrieve, and build the prompt.
SELECT clock_timestamp() AS began \gset
SELECT retrieve('How long is a single ticket valid?', 3) AS sources \gset
SELECT role, content FROM jsonb_to_recordset(prompt(:'session', :'sources', 'maya')) AS prompt (role text, content text);
-- 3. Ask the model.
\set answer 'For 75 minutes, on trams and buses [1].'
-- 4. Save the answer, with what it is based on and what it took, in one call.
SELECT rag_add_message(:'session', 'assistant', :'answer', sources => :'sources', top_k => 3,
         latency_ms => extract(epoch FROM clock_timestamp() - :'began') * 1000, query_type => 'lookup',
         user_id => 'maya', idempotency_key => 'answer-1', metadata => '{"model": "pretended"}') AS answer_id \gset

SELECT source_no, document_id, score, source ->> 'text' AS text
  FROM rag_message_sources WHERE session_id = :'session' AND message_id = :answer_id ORDER BY source_no;

\echo '== The next question'

-- By itself it says too little to be searched for: the questions before it are searched
-- for as well, as many as fit into 50 tokens.
SELECT rag_add_message(:'session', 'user', 'And for children?', user_id => 'maya', idempotency_key => 'request-2') AS question \gset
SELECT clock_timestamp() AS began \gset
SELECT string_agg(content, ' ' ORDER BY id) AS query FROM rag_get_context(:'session', 50, user_id => 'maya') WHERE role = 'user' \gset
SELECT retrieve(:'query', 3) AS sources \gset
SELECT role, content FROM jsonb_to_recordset(prompt(:'session', :'sources', 'maya')) AS prompt (role text, content text);
\set answer 'As long [1]. Under 6 they need none, and up to 14 they pay half [3].'
SELECT rag_add_message(:'session', 'assistant', :'answer', sources => :'sources', top_k => 3,
         latency_ms => extract(epoch FROM clock_timestamp() - :'began') * 1000, query_type => 'follow-up',
         user_id => 'maya', idempotency_key => 'answer-2', metadata => '{"model": "pretended"}') AS answer_id \gset

SELECT id, role, content, top_k, jsonb_array_length(sources) AS sources, latency_ms > 0 AS timed
  FROM rag_get_messages(:'session', user_id => 'maya');

\echo '== What was cited'

-- A citation is a judgment of a passage: one by the model, with the name "cited". Once more
-- changes nothing, as a judgment replaces the one before.
SELECT count(*) AS cited FROM (
  SELECT rag_set_feedback(s.session_id, message_id, 1, name => 'cited', source_no => source_no, rater => 'model')
    FROM rag_message_sources AS s JOIN messages AS m ON m.session_id = s.session_id AND m.id = message_id
   WHERE s.session_id = :'session' AND strpos(m.content, format('[%s]', source_no)) > 0) AS citations;
-- And what Maya says of the last answer.
SELECT rag_set_feedback(:'session', :answer_id, -1, 'wrong', 'My son is 14. Half or not?', user_id => 'maya') \g /dev/null

-- Passages: how often they were found, at which place, and how often the answer cites them.
SELECT document_id, source ->> 'passage' AS passage, count(*) AS found, round(avg(source_no), 1) AS place, count(f.score) AS cited
  FROM rag_message_sources AS s
  LEFT JOIN (SELECT * FROM rag_feedback WHERE name = 'cited') AS f USING (session_id, message_id, source_no)
 GROUP BY 1, 2 ORDER BY cited DESC, found DESC, 1, 2;

-- Passages that no question has found.
SELECT document_id, no, left(content, 32) AS begins FROM passages AS p
 WHERE NOT EXISTS (SELECT FROM rag_message_sources AS s WHERE s.document_id = p.document_id AND (source ->> 'passage')::integer = p.no)
 ORDER BY 1, 2;

-- What people dislike, and what those answers cite.
SELECT m.content AS answer, f.comment, string_agg(format('%s %s', document_id, source ->> 'passage'), ', ' ORDER BY c.source_no) AS cites
  FROM rag_feedback AS f JOIN messages AS m ON m.session_id = f.session_id AND m.id = f.message_id
  LEFT JOIN (rag_message_sources JOIN rag_feedback USING (session_id, message_id, source_no)) AS c
         ON c.name = 'cited' AND c.session_id = f.session_id AND c.message_id = f.message_id
 WHERE f.name = 'user' AND f.source_no IS NULL AND f.score < 0
 GROUP BY m.id, m.content, f.comment ORDER BY m.id;

\echo '== What has changed since'

-- The passages of an answer are stored as the model saw them. So when a document changes,
-- the answers that cite what it no longer says are found.
UPDATE passages SET content = changed, embedding = embed('Tariff ' || changed)
  FROM replace('A single ticket costs 2.40 and is valid for 75 minutes in all zones, on trams and buses.', '75', '90') AS changed
 WHERE document_id = 'tariff' AND no = 1;

SELECT message_id, left(source ->> 'text', 52) AS said, left(p.content, 52) AS says
  FROM rag_message_sources AS s JOIN rag_feedback AS f USING (session_id, message_id, source_no)
  LEFT JOIN passages AS p ON p.document_id = s.document_id AND p.no = (source ->> 'passage')::integer
 WHERE f.name = 'cited' AND p.content IS DISTINCT FROM source ->> 'text' ORDER BY message_id;
