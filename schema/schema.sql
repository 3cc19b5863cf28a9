-- The tables and functions of rag_events 1.5, to be read by people: written by "make
-- snapshot" from an installed extension. The scripts that make them are in sql/.

-- conversations between a user and an assistant
CREATE TABLE sessions (
    -- id of the session; rag_create_session() makes time-ordered ones
    id uuid DEFAULT rag_uuidv7() NOT NULL,
    -- user whom the session belongs to, by the application's name for them; null: nobody's
    user_id character varying,
    -- when the session was created, in the TimeZone of the client that did it
    created_at timestamp without time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    -- when the last message was added, in the TimeZone of the client that did it
    updated_at timestamp without time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    -- what the application keeps about the session
    metadata jsonb,
    -- a session is known by its id
    CONSTRAINT sessions_pkey PRIMARY KEY (id)
);
-- sessions by time of creation
CREATE INDEX ix_sessions_created_at ON rag_events.sessions USING btree (created_at);
-- sessions of a user by time of creation
CREATE INDEX ix_sessions_user_created ON rag_events.sessions USING btree (user_id, created_at);
-- sessions of a user
CREATE INDEX ix_sessions_user_id ON rag_events.sessions USING btree (user_id);

-- messages of the sessions; within a session, the order of ids is the order of the conversation
CREATE TABLE messages (
    -- id of the message, ascending
    id integer DEFAULT nextval('messages_id_seq'::regclass) NOT NULL,
    -- session that the message belongs to
    session_id uuid NOT NULL,
    -- who speaks: user or assistant
    role character varying NOT NULL,
    -- text of the message
    content text NOT NULL,
    -- when the message was added, in the TimeZone of the client that did it; not what messages are ordered by
    created_at timestamp without time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    -- retrieved passages that the answer rests on
    sources jsonb,
    -- how long the answer took, in milliseconds
    latency_ms double precision,
    -- how many passages the retrieval was asked for
    top_k integer,
    -- kind of query, as the application names it
    query_type character varying,
    -- length of the content in the model's tokens
    token_count integer,
    -- what else the application keeps about the message: model, finish reason, tool calls, rating, ...
    metadata jsonb,
    -- the caller's name for the message, once in a session: a retry with it writes nothing
    idempotency_key text,
    -- the two roles of a conversation, matched exactly
    CONSTRAINT ck_messages_role CHECK (((role)::text = ANY (ARRAY['user'::text, 'assistant'::text]))),
    -- a message is known by its id
    CONSTRAINT messages_pkey PRIMARY KEY (id),
    -- messages go when their session goes
    CONSTRAINT messages_session_id_fkey FOREIGN KEY (session_id) REFERENCES sessions(id) ON DELETE CASCADE
);
-- pages with messages of a time, for what counts days
CREATE INDEX ix_messages_created_at ON rag_events.messages USING brin (created_at) WITH (pages_per_range='32');
-- messages of a session by time
CREATE INDEX ix_messages_session_created ON rag_events.messages USING btree (session_id, created_at);
-- messages of a session in order
CREATE INDEX ix_messages_session_id ON rag_events.messages USING btree (session_id, id);
-- messages of a session by idempotency key
CREATE UNIQUE INDEX uq_messages_idempotency_key ON rag_events.messages USING btree (session_id, idempotency_key) WHERE (idempotency_key IS NOT NULL);

-- what people and evaluators say about messages and retrieved passages
CREATE TABLE rag_feedback (
    -- session of the message
    session_id uuid NOT NULL,
    -- message that is judged
    message_id bigint NOT NULL,
    -- place of the passage that is judged in the message's sources, from 1; null: the message itself
    source_no integer,
    -- what is judged: user, relevance, faithfulness, ...
    name text NOT NULL,
    -- who judges: a reviewer or an evaluator; null: the user of the session
    rater text,
    -- judgment as a number: 1 and -1, 0 to 1, stars, ...
    score double precision,
    -- judgment as a word: good, irrelevant, ...
    label text,
    -- explanation of the judgment
    comment text,
    -- what else the application keeps about the judgment
    metadata jsonb,
    -- when it was first given, in the TimeZone of the client that did it
    created_at timestamp without time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    -- when it was last given, in the TimeZone of the client that did it
    updated_at timestamp without time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    -- feedback goes when its session goes
    CONSTRAINT rag_feedback_session_id_fkey FOREIGN KEY (session_id) REFERENCES sessions(id) ON DELETE CASCADE
);
-- feedback of a rater, to be erased
CREATE INDEX ix_rag_feedback_rater ON rag_events.rag_feedback USING btree (rater) WHERE (rater IS NOT NULL);
-- one judgment of each name by each rater
CREATE UNIQUE INDEX uq_rag_feedback ON rag_events.rag_feedback USING btree (session_id, message_id, source_no NULLS FIRST, name, rater NULLS FIRST) NULLS NOT DISTINCT;

-- one row for each script of the extension that ran in this database; not dumped
CREATE TABLE rag_migration_log (
    -- order of the scripts
    id integer GENERATED ALWAYS AS IDENTITY NOT NULL,
    -- version that the script led to
    version text NOT NULL,
    -- version that the script started from; null: none
    previous_version text,
    -- start of the transaction that ran the script
    applied_at timestamp with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    -- session_user who ran the script
    applied_by name DEFAULT SESSION_USER NOT NULL,
    -- a script's run is known by its place in the order
    CONSTRAINT rag_migration_log_pkey PRIMARY KEY (id)
);

-- numbers of closed days, which stay when sessions are deleted
CREATE TABLE rag_usage_daily (
    -- day of the messages by their created_at
    day date NOT NULL,
    -- user of the sessions; null: nobody, or somebody who was erased
    user_id text,
    -- model in the metadata of the messages
    model text,
    -- query_type of the messages
    query_type text,
    -- sessions whose first message of the day is one of these
    sessions bigint NOT NULL,
    -- messages of the role user
    questions bigint NOT NULL,
    -- messages of the role assistant
    answers bigint NOT NULL,
    -- answers with no sources, or empty ones
    answers_without_sources bigint NOT NULL,
    -- input_tokens in the metadata of the messages, else token_count of the question
    input_tokens bigint NOT NULL,
    -- output_tokens in the metadata of the answers, else their token_count
    output_tokens bigint NOT NULL,
    -- histogram of latency_ms of the answers: rag_latency_sum() adds up, rag_latency_percentile() reads it
    latency integer[]
);
-- usage of a day
CREATE INDEX ix_rag_usage_daily_day ON rag_events.rag_usage_daily USING btree (day);
-- usage of a user, to be erased
CREATE INDEX ix_rag_usage_daily_user_id ON rag_events.rag_usage_daily USING btree (user_id) WHERE (user_id IS NOT NULL);

-- add messages to many sessions, all or none; returns how many were stored
FUNCTION rag_add_conversations(conversations jsonb)
    RETURNS bigint;

-- add a message (role user or assistant, latency in milliseconds) to a session and return the message's id
FUNCTION rag_add_message(session_id uuid, role text, content text, sources jsonb DEFAULT NULL::jsonb, latency_ms double precision DEFAULT NULL::double precision, top_k integer DEFAULT NULL::integer, query_type text DEFAULT NULL::text, user_id text DEFAULT NULL::text, token_count integer DEFAULT NULL::integer, metadata jsonb DEFAULT NULL::jsonb, idempotency_key text DEFAULT NULL::text)
    RETURNS bigint;

-- add a JSON array of messages to a session, all or none, and return their ids; create_session creates the session if it is missing
FUNCTION rag_add_messages(session_id uuid, messages jsonb, user_id text DEFAULT NULL::text, create_session boolean DEFAULT false)
    RETURNS bigint[];

-- part of rag_add_conversations() on the node that has the session
FUNCTION rag_add_shard_conversations(session_id uuid, conversations jsonb)
    RETURNS bigint;

-- what differs between this database and the installed version, each with the DDL that mends it
FUNCTION rag_check_schema()
    RETURNS TABLE(object text, kind text, expected text, actual text, ddl text);

-- count the days that are not closed yet, up to this one (null: yesterday), keep their numbers, and return how many days had messages
FUNCTION rag_close_days(upto date DEFAULT NULL::date)
    RETURNS integer;

-- copy a session with its messages (up to and with upto_id) and return the id of the copy
FUNCTION rag_copy_session(session_id uuid, upto_id bigint DEFAULT NULL::bigint, user_id text DEFAULT NULL::text)
    RETURNS uuid;

-- create a session and return its id; if_not_exists returns the user's session of that id if there is one
FUNCTION rag_create_session(user_id text DEFAULT NULL::text, metadata jsonb DEFAULT NULL::jsonb, session_id uuid DEFAULT NULL::uuid, if_not_exists boolean DEFAULT false)
    RETURNS uuid;

-- keeps Citus from calls for the session null
FUNCTION rag_delegation_support(request internal)
    RETURNS internal;

-- delete a message of a session and all after it, and return how many they were
FUNCTION rag_delete_messages(session_id uuid, from_id bigint, user_id text DEFAULT NULL::text)
    RETURNS bigint;

-- delete a session and its messages; false if there is none
FUNCTION rag_delete_session(session_id uuid, user_id text DEFAULT NULL::text)
    RETURNS boolean;

-- distribute the tables over the nodes of a Citus cluster, by session, into so many shards (null: citus.shard_count); again after a node was added
FUNCTION rag_distribute(shard_count integer DEFAULT NULL::integer)
    RETURNS void;

-- delete the sessions of a user, except those whose metadata contains keep (or one of an array), which are counted as kept; more: there are others
FUNCTION rag_erase_user(user_id text, keep jsonb DEFAULT NULL::jsonb, max_sessions integer DEFAULT NULL::integer, dry_run boolean DEFAULT false)
    RETURNS TABLE(sessions bigint, messages bigint, kept bigint, more boolean);

-- delete up to max_sessions sessions without activity for older_than, except those whose metadata contains keep (or one of an array); more: there are others
FUNCTION rag_expire_sessions(older_than interval, max_sessions integer DEFAULT 1000, keep jsonb DEFAULT NULL::jsonb, dry_run boolean DEFAULT false)
    RETURNS TABLE(sessions bigint, messages bigint, oldest timestamp without time zone, more boolean);

-- a session with its messages as one JSON document, as rag_import_session() takes it
FUNCTION rag_export_session(session_id uuid, user_id text DEFAULT NULL::text)
    RETURNS jsonb;

-- sessions of a user (null: nobody's) whose title or a message has all words and "phrases" of query, and whose metadata contains filter (a key with null: is absent), latest activity first
FUNCTION rag_find_sessions(user_id text, query text DEFAULT NULL::text, filter jsonb DEFAULT NULL::jsonb, max_sessions integer DEFAULT 20, after_cursor text DEFAULT NULL::text)
    RETURNS TABLE(session_id uuid, title text, preview text, created_at timestamp without time zone, updated_at timestamp without time zone, metadata jsonb, cursor text, message_id bigint, role text, snippet text);

-- newest messages of a session (after an id) whose tokens fit into max_tokens, oldest first, from a user's message on; a length that is not known is a quarter of the bytes
FUNCTION rag_get_context(session_id uuid, max_tokens integer, max_messages integer DEFAULT NULL::integer, after_id bigint DEFAULT NULL::bigint, user_id text DEFAULT NULL::text)
    RETURNS TABLE(id bigint, role text, content text, token_count integer);

-- feedback on a session's messages in their order; with rater, only that rater's
FUNCTION rag_get_feedback(session_id uuid, user_id text DEFAULT NULL::text, rater text DEFAULT NULL::text)
    RETURNS TABLE(message_id bigint, source_no integer, name text, rater text, score double precision, label text, comment text, metadata jsonb, created_at timestamp without time zone, updated_at timestamp without time zone);

-- last messages of a session, or the last before an id, oldest first; max_messages null: all
FUNCTION rag_get_messages(session_id uuid, max_messages integer DEFAULT 50, before_id bigint DEFAULT NULL::bigint, user_id text DEFAULT NULL::text, include_sources boolean DEFAULT true)
    RETURNS TABLE(id bigint, role text, content text, created_at timestamp without time zone, sources jsonb, latency_ms double precision, top_k integer, query_type text, token_count integer, metadata jsonb, idempotency_key text);

-- first messages of a session after an id (null: from the beginning), oldest first; max_messages null: all
FUNCTION rag_get_messages_after(session_id uuid, after_id bigint, max_messages integer DEFAULT 50, user_id text DEFAULT NULL::text, include_sources boolean DEFAULT true)
    RETURNS TABLE(id bigint, role text, content text, created_at timestamp without time zone, sources jsonb, latency_ms double precision, top_k integer, query_type text, token_count integer, metadata jsonb, idempotency_key text);

-- what a model is asked with: system prompt, summary and the newest messages that fit into max_tokens, with calls and results of tools, as a chat-completions API takes it
FUNCTION rag_get_prompt(session_id uuid, max_tokens integer, max_messages integer DEFAULT NULL::integer, user_id text DEFAULT NULL::text)
    RETURNS jsonb;

-- one session, with its title, the beginning of its first message and its metadata
FUNCTION rag_get_session(session_id uuid, user_id text DEFAULT NULL::text)
    RETURNS TABLE(session_id uuid, user_id text, title text, preview text, created_at timestamp without time zone, updated_at timestamp without time zone, metadata jsonb);

-- create a session from a JSON document (of rag_export_session(), OpenAI's or LangChain's form) and return its id; keep_id keeps the document's
FUNCTION rag_import_session(conversation jsonb, user_id text DEFAULT NULL::text, keep_id boolean DEFAULT false)
    RETURNS uuid;

-- sum of two latency histograms, for rag_latency_sum()
FUNCTION rag_latency_add(sum integer[], histogram integer[])
    RETURNS integer[];

-- latency in milliseconds that the fraction (0 to 1) of a latency histogram does not exceed, within 2 percent
FUNCTION rag_latency_percentile(histogram integer[], fraction double precision)
    RETURNS double precision;

-- sum of latency histograms
FUNCTION rag_latency_sum(histogram integer[])
    RETURNS integer[];

-- sessions of a user (null: nobody's), latest activity first; after_cursor continues after the row that had this cursor
FUNCTION rag_list_sessions(user_id text, max_sessions integer DEFAULT 20, after_cursor text DEFAULT NULL::text)
    RETURNS TABLE(session_id uuid, title text, preview text, created_at timestamp without time zone, updated_at timestamp without time zone, metadata jsonb, cursor text);

-- DDL for what users attached to the tables and pg_dump does not keep
FUNCTION rag_local_ddl()
    RETURNS TABLE(section text, object text, ddl text);

-- what the view rag_message_sources shows
FUNCTION rag_message_sources()
    RETURNS TABLE(session_id uuid, message_id bigint, created_at timestamp without time zone, source_no integer, document_id text, score double precision, source jsonb);

-- what ALTER EXTENSION would run between two versions; from null: what CREATE EXTENSION would run
FUNCTION rag_migration_sql(from_version text, to_version text)
    RETURNS text;

-- versions of rag_events, oldest first, and when each was last applied to this database
FUNCTION rag_migrations()
    RETURNS TABLE(version text, down_version text, revision text, description text, is_current boolean, is_head boolean, applied_at timestamp with time zone, applied_by name);

-- version that is so many steps up (negative: down) from the installed one; null past either end
FUNCTION rag_next_version(steps integer DEFAULT 1)
    RETURNS text;

-- part of rag_delegation_support()
FUNCTION rag_no_session()
    RETURNS uuid;

-- usage of the days that are not closed, counted now, for rag_usage()
FUNCTION rag_open_usage(from_day date, to_day date)
    RETURNS TABLE(day date, user_id text, model text, query_type text, sessions bigint, questions bigint, answers bigint, answers_without_sources bigint, input_tokens bigint, output_tokens bigint, latency integer[]);

-- part of rag_distribute() on the other nodes
FUNCTION rag_prepare_node(last_id bigint, ddl text[])
    RETURNS void;

-- add a message or, where the session has one with the key, replace its content and what is not null (metadata is merged), and return its id
FUNCTION rag_put_message(session_id uuid, idempotency_key text, role text, content text, sources jsonb DEFAULT NULL::jsonb, latency_ms double precision DEFAULT NULL::double precision, top_k integer DEFAULT NULL::integer, query_type text DEFAULT NULL::text, user_id text DEFAULT NULL::text, token_count integer DEFAULT NULL::integer, metadata jsonb DEFAULT NULL::jsonb)
    RETURNS bigint;

-- make the sessions of a user, or one of them, another user's, and return how many; user_id null: nobody's, which needs session_id
FUNCTION rag_reassign_sessions(user_id text, new_user_id text, session_id uuid DEFAULT NULL::uuid)
    RETURNS bigint;

-- judge a message, or its passage source_no, by name and rater (null: the user): replaces the judgment; without score, label, comment and metadata takes it back
FUNCTION rag_set_feedback(session_id uuid, message_id bigint, score double precision DEFAULT NULL::double precision, label text DEFAULT NULL::text, comment text DEFAULT NULL::text, name text DEFAULT 'user'::text, source_no integer DEFAULT NULL::integer, rater text DEFAULT NULL::text, metadata jsonb DEFAULT NULL::jsonb, user_id text DEFAULT NULL::text)
    RETURNS void;

-- bring all rows back to the coordinator of the cluster
FUNCTION rag_undistribute()
    RETURNS void;

-- change a message: null keeps a value, metadata is merged and a key with null removed
FUNCTION rag_update_message(session_id uuid, message_id bigint, content text DEFAULT NULL::text, sources jsonb DEFAULT NULL::jsonb, latency_ms double precision DEFAULT NULL::double precision, token_count integer DEFAULT NULL::integer, metadata jsonb DEFAULT NULL::jsonb, user_id text DEFAULT NULL::text)
    RETURNS void;

-- merge an object into the metadata of a session and return the result; a key with null is removed
FUNCTION rag_update_session(session_id uuid, metadata jsonb, user_id text DEFAULT NULL::text)
    RETURNS jsonb;

-- usage from one day to another (null: no limit): closed days as they were kept, the others counted now
FUNCTION rag_usage(from_day date, to_day date)
    RETURNS TABLE(day date, user_id text, model text, query_type text, sessions bigint, questions bigint, answers bigint, answers_without_sources bigint, input_tokens bigint, output_tokens bigint, latency integer[]);

-- new time-ordered UUID (version 7)
FUNCTION rag_uuidv7()
    RETURNS uuid;

-- version of rag_events that is installed in this database
FUNCTION rag_version()
    RETURNS text;

-- part of rag_close_days() on the other nodes
FUNCTION rag_wait_for_writers()
    RETURNS void;
