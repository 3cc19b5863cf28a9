# What docs/drivers.md says of Ruby's pg.
require 'json'
require 'pg'

$failures = 0
$label = ENV['LABEL'] ? "#{ENV['LABEL']}: " : ''

def test(name)
  yield
  puts "ok - #{$label}#{name}"
rescue StandardError => e
  puts e.full_message(highlight: false), "not ok - #{$label}#{name}"
  $failures += 1
end

def equal(found, expected)
  raise "#{found.inspect} is not #{expected.inspect}" unless found == expected
end

conn = PG.connect(host: ENV['PGHOST'], port: ENV['PGPORT'], user: ENV['PGUSER'], dbname: ENV['PGDATABASE'])

test 'Ruby pg: strings and numbers are what is wanted, nil is NULL, and results are strings' do
  session = conn.exec_params('SELECT rag_create_session($1)', [42]).getvalue(0, 0)
  conn.exec_params('SELECT rag_add_messages($1, $2)', [session, [{ role: 'user', content: 'Hi' }].to_json])
  id = conn.exec_params('SELECT rag_add_message($1, $2, $3, sources => $4, top_k => $5, query_type => $6)', [session, 'assistant', 'x', [].to_json, 5, nil]).getvalue(0, 0)
  rows = conn.exec_params('SELECT id, content, sources, top_k, query_type FROM rag_get_messages($1, $2, user_id => $3)', [session, 5, '42']).to_a
  equal(rows.map { |row| row['content'] }, %w[Hi x])
  equal(rows[1].values_at('id', 'sources', 'top_k', 'query_type'), [id, '[]', '5', nil])
end

test 'Ruby pg: types of results by a map' do
  conn.type_map_for_results = PG::BasicTypeMapForResults.new(conn)
  session = conn.exec_params('SELECT rag_create_session($1, $2)', ['maya', { a: 1 }.to_json]).getvalue(0, 0)
  ids = conn.exec_params('SELECT rag_add_messages($1, $2)', [session, [{ role: 'user', content: 'Hi' }].to_json]).getvalue(0, 0)
  equal(ids.map(&:class), [Integer])
end

test 'Ruby pg: transactions' do
  session = conn.exec_params('SELECT rag_create_session($1)', ['00000000-0000-4000-8000-000000000042']).getvalue(0, 0)
  add = ->(content) { conn.exec_params('SELECT rag_add_message($1, $2, $3)', [session, 'user', content]) }
  begin
    conn.transaction do
      add.call('undone')
      raise IndexError
    end
  rescue IndexError
  end
  conn.transaction { add.call('done') }
  equal(conn.exec_params('SELECT content FROM rag_get_messages($1)', [session]).values, [['done']])
end

test 'Ruby pg: an error has a class and its SQLSTATE' do
  conn.exec_params('SELECT rag_get_messages($1)', ['00000000-0000-4000-8000-00000000ffff'])
  raise 'no error'
rescue PG::ForeignKeyViolation => e
  equal(e.result.error_field(PG::Result::PG_DIAG_SQLSTATE), '23503')
end

exit($failures.positive? ? 1 : 0)
