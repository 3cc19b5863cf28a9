-- Not measured: the session of the next call, which is then a parameter as applications send it.
\set n random(1, :sessions)
SELECT session, user_id AS "user" FROM bench_session WHERE n = :n \gset
