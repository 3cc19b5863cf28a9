# shellcheck shell=bash
# shellcheck disable=SC2154 # variables of citus.sh and cluster.sh
#
# The owner of the tables is an ordinary role, and hostile: what rag_distribute() does as a
# superuser cannot be steered, and where a superuser works on his tables, no code of his
# gets the rights of one. His code says in the logs of the servers as whom it runs.

# Operators, functions, types and casts like those that are used.
make_captures() {
  local types operator function n=0

  for types in oid,oid name,text name,name text,text '"char","char"' int4,int4 int8,int8 bool,bool text,anyarray regclass,oid oid,regclass; do
    for operator in = '<>' '||' '<' '>'; do
      n=$((n + 1))
      echo "CREATE FUNCTION evil.op_$n($types) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN evil.run(''operator'') = 1; END';
        CREATE OPERATOR evil.$operator (LEFTARG = ${types%,*}, RIGHTARG = ${types#*,}, FUNCTION = evil.op_$n);"
    done
  done
  for function in 'create_distributed_function(oid, text, text)' 'create_distributed_function(regprocedure, text, text, bool)' \
    'create_distributed_table(text, text, text, text)' \
    'run_command_on_workers(text)' 'run_command_on_workers(text, bool)' 'citus_drop_all_shards(regclass, text, text)' \
    'format(text, text)' 'format(text, text, text, text)' 'string_agg(text, text)' 'quote_ident(name)' 'setval(regclass, int8, bool)' 'max(int8)' \
    'concat(name, text, int4)' 'regclass(text)' 'text(name)' 'shard_name(regclass, int8)' 'to_regclass(text)' 'unnest(text[])'; do
    echo "CREATE FUNCTION evil.$function RETURNS text LANGUAGE plpgsql AS 'BEGIN RETURN evil.run(''function''); END';"
  done
  for types in text int4 int8 oid name bool regclass regprocedure record; do
    echo "CREATE DOMAIN evil.\"$types\" AS pg_catalog.text CHECK (evil.run('type') = 1);"
  done
}

make_traps() {
  cat <<'SQL'
CREATE SCHEMA evil;
CREATE FUNCTION evil.run(what text) RETURNS int LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog AS $$ BEGIN
  RAISE LOG 'attack as %: %', CASE WHEN (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname OPERATOR(pg_catalog.=) current_user) THEN 'superuser' ELSE 'owner' END, what;
  RETURN 1;
END $$;
CREATE FUNCTION evil.later() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.run('deferred trigger'); RETURN NULL; END $$;
CREATE TABLE evil.trap (i int);
CREATE CONSTRAINT TRIGGER later AFTER INSERT ON evil.trap DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION evil.later();
-- What it leaves behind is to run when the caller is himself again.
CREATE FUNCTION evil.spread(what text) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN
  PERFORM evil.run(what);
  BEGIN EXECUTE 'INSERT INTO evil.trap VALUES (1)'; EXCEPTION WHEN OTHERS THEN NULL; END;
  BEGIN EXECUTE 'DECLARE c CURSOR WITH HOLD FOR SELECT evil.run(''cursor'') FROM pg_catalog.pg_type LIMIT 1'; EXCEPTION WHEN OTHERS THEN NULL; END;
  BEGIN EXECUTE 'RESET ROLE'; PERFORM evil.run('reset'); EXCEPTION WHEN OTHERS THEN NULL; END;
  BEGIN EXECUTE 'RESET SESSION AUTHORIZATION'; PERFORM evil.run('reset'); EXCEPTION WHEN OTHERS THEN NULL; END;
  RETURN 1;
END $$;
ALTER TABLE messages ADD COLUMN evil_default int DEFAULT evil.spread('default'),
  ADD COLUMN evil_computed int GENERATED ALWAYS AS (evil.spread('computed column')) STORED,
  ADD CONSTRAINT evil_check CHECK (evil.spread('check') = 1);
ALTER TABLE sessions ADD CONSTRAINT evil_check CHECK (evil.spread('check') = 1);
CREATE INDEX evil_index ON messages ((evil.spread('index')));
CREATE INDEX evil_part ON messages (id) WHERE evil.spread('predicate') = 1;
CREATE STATISTICS evil.statistics ON (evil.spread('statistics')), role FROM messages;
CREATE POLICY evil ON messages USING (evil.spread('policy') = 1);
ALTER TABLE messages ENABLE ROW LEVEL SECURITY;
SQL
}

# His settings and temporary tables come first.
steering="SET search_path = evil, \"Chat Room\", pg_catalog; CREATE TEMPORARY TABLE pg_proc (oid oid); CREATE TEMPORARY TABLE pg_extension (extname name);
  CREATE TEMPORARY TABLE pg_class (oid oid); CREATE TEMPORARY TABLE pg_dist_node (nodename text); CREATE TEMPORARY TABLE pg_dist_local_group (groupid int); SELECT NULL"

forget_attacks() {
  local node

  for node in 0 1 2; do : >"$PGHOST/node$node.log"; done
}

attacks() { sed -n 's/.*LOG:  attack as //p' "$PGHOST"/node[012].log | sort -u; }

# harmless NAME ROLE CALL: it works, and no code of his runs as a superuser.
harmless() {
  forget_attacks
  same "$1" '' "$(PGUSER=$2 sql -c "$steering" -o /dev/null -c "$3" | grep -v '^$')"
  same "... none of his code as a superuser" '' "$(attacks | grep superuser)"
}

part_attacks() {
  local before role

  . "$RAG_ROOT/test/citus/migrations.sh"
  own -o /dev/null -c "SELECT rag_undistribute()"
  before=$(everything)
  same "traps of the owner" '' "$({ make_traps; make_captures; } | own)"
  make_next_version
  for role in own postgres; do
    harmless "rag_distribute() by $role" "$role" "SELECT \"Chat Room\".rag_distribute(4)"
    ok "... but it has run" test -n "$(attacks)"
    harmless "... again" "$role" "SELECT \"Chat Room\".rag_distribute()"
    harmless "a step up by $role" "$role" "SET ROLE own; $up"
    harmless "a step down by $role" "$role" "SET ROLE own; $down"
    harmless "rag_undistribute() by $role" "$role" "SELECT \"Chat Room\".rag_undistribute()"
  done
  own -o /dev/null -c "SET search_path = \"Chat Room\"" -c "SELECT rag_distribute(4)"
  same "a superuser does not take another's tables to a version as himself" 42501 "$(state "$up")"
  forget_attacks
  sql -o /dev/null -c "SELECT count(*) FROM \"Chat Room\".messages"
  ok "the test sees it where a superuser runs his code" grep -q superuser <(attacks)
  same "a node is prepared with the rights of the caller" 42501 \
    "$(PGUSER=own rag_on_node 1 state "SELECT \"Chat Room\".rag_prepare_node(1, ARRAY['ALTER ROLE own SUPERUSER'])")"
  same "... and by the owner" 42501 "$(PGUSER=app rag_on_node 1 state "SELECT \"Chat Room\".rag_prepare_node(1, '{}')")"

  own -c "ALTER TABLE messages DROP COLUMN evil_default, DROP COLUMN evil_computed, DROP CONSTRAINT evil_check" \
    -c "ALTER TABLE sessions DROP CONSTRAINT evil_check" -c "DROP INDEX evil_index" -c "DROP INDEX evil_part" -c "DROP POLICY evil ON messages" \
    -c "ALTER TABLE messages DISABLE ROW LEVEL SECURITY" -c "DROP STATISTICS evil.statistics" -c "SET client_min_messages = error" -c "DROP SCHEMA evil CASCADE"
  same "the rows are the same" "$before" "$(everything)"
}
