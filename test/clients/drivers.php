<?php
// What docs/drivers.md says of PHP's PDO, with prepares of the server, unless a pooler has none,
// and of its own.
$failures = 0;
$label = getenv('LABEL') ? getenv('LABEL') . ': ' : '';

function test(string $name, callable $body): void
{
    global $failures, $label;
    try {
        $body();
        echo "ok - $label$name\n";
    } catch (Throwable $error) {
        echo $error, "\nnot ok - $label$name\n";
        $failures++;
    }
}

function equal(mixed $found, mixed $expected): void
{
    if ($found !== $expected) {
        throw new Exception(var_export($found, true) . ' is not ' . var_export($expected, true));
    }
}

foreach (getenv('PREPARE') ? [false, true] : [true] as $emulated) {
    $pdo = new PDO('pgsql:host=' . getenv('PGHOST') . ';port=' . getenv('PGPORT') . ';dbname=' . getenv('PGDATABASE'), getenv('PGUSER'), null,
        [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION, PDO::ATTR_EMULATE_PREPARES => $emulated]);
    $call = function (string $sql, array $values) use ($pdo) {
        $statement = $pdo->prepare($sql);
        $statement->execute($values);
        return $statement->fetchAll(PDO::FETCH_ASSOC);
    };
    $how = $emulated ? 'PDO, prepares emulated' : 'PDO';

    test("$how: strings are what is wanted, arrays are JSON, null is NULL", function () use ($call) {
        $session = $call('SELECT rag_create_session(?) AS id', [42])[0]['id'];
        $call('SELECT rag_add_messages(?, ?)', [$session, json_encode([['role' => 'user', 'content' => 'Hi']])]);
        $id = $call('SELECT rag_add_message(?, ?, ?, sources => ?, top_k => ?, query_type => ?) AS id',
            [$session, 'assistant', 'x', json_encode([]), 5, null])[0]['id'];
        $rows = $call('SELECT id, content, sources, top_k, query_type FROM rag_get_messages(?, ?, user_id => ?)', [$session, 5, '42']);
        equal(array_column($rows, 'content'), ['Hi', 'x']);
        equal([$rows[1]['id'], $rows[1]['sources'], $rows[1]['top_k'], $rows[1]['query_type']], [$id, '[]', 5, null]);
        equal(is_int($id), true);
    });

    test("$how: transactions, and arrays come as a string", function () use ($pdo, $call) {
        $session = $call('SELECT rag_create_session(?) AS id', ['00000000-0000-4000-8000-000000000042'])[0]['id'];
        $pdo->beginTransaction();
        $call('SELECT rag_add_message(?, ?, ?)', [$session, 'user', 'undone']);
        $pdo->rollBack();
        $pdo->beginTransaction();
        $ids = $call('SELECT rag_add_messages(?, ?) AS ids', [$session, json_encode([['role' => 'user', 'content' => 'done']])])[0]['ids'];
        $pdo->commit();
        $rows = $call('SELECT id, content FROM rag_get_messages(?)', [$session]);
        equal([count($rows), $rows[0]['content'], $ids], [1, 'done', '{' . $rows[0]['id'] . '}']);
    });

    test("$how: an error has its SQLSTATE", function () use ($call) {
        try {
            $call('SELECT rag_get_messages(?)', ['00000000-0000-4000-8000-00000000ffff']);
        } catch (PDOException $error) {
            equal([$error->getCode(), $error->errorInfo[0]], ['23503', '23503']);
            return;
        }
        throw new Exception('no error');
    });
}
exit($failures > 0 ? 1 : 0);
