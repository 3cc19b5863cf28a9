// The page of examples/chat in Chromium: see chat.sh.
import assert from 'node:assert';
import { readFileSync, writeFileSync } from 'node:fs';
import { chromium } from 'playwright-core';
import { sql, startChat, startConnection, startModel, stopChats, until } from './setting.mjs';
import { finish, test as tapTest } from './tap.mjs';

const model = await startModel();
const port = await startChat({
  ...process.env, CHAT_MODEL: new URL('model.mjs', import.meta.url).pathname, MODEL_URL: model.url,
});
const connection = await startConnection(port);
const origin = `http://127.0.0.1:${connection.port}`;
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ['--no-sandbox'] });
const problems = []; // what the page complains of

// Each test goes on where the one before it has ended: after a failure there is no more to be learnt.
async function test(name, body) {
  let passed = false;
  await tapTest(name, async () => { await body(); passed = true; });
  if (passed) return;
  console.log(problems);
  for (const page of browser.contexts().flatMap((context) => context.pages())) {
    console.log(`--- ${page.url()}\n${await page.locator('body').innerText()}`);
  }
  await end();
}

async function end() {
  await browser.close();
  await stopChats();
  finish();
}

// A browser of its own, in which the user has logged in.
async function logIn(user, at = origin) {
  const context = await browser.newContext({ viewport: { width: 1100, height: 700 } });
  context.setDefaultTimeout(60000);
  context.on('weberror', (error) => problems.push(String(error.error())));
  const page = await context.newPage();
  await page.goto(at);
  await page.getByRole('button', { name: user }).click();
  await page.getByText('Log out').waitFor();
  return page;
}

const button = (page, name) => page.getByRole('button', { name, exact: true });
const messages = (page) => page.locator('article');
const items = (page, section = 'Chats') => page.getByRole('region', { name: section }).locator('li a');
const sessionOf = (page) => page.evaluate(() => window.location.hash.slice(1));

async function ask(page, question) {
  await page.getByLabel('Question').fill(question);
  await button(page, 'Ask').click();
}

// What the page shows, and what is stored, are these texts: nothing twice, and nothing missing.
async function shows(page, ...texts) {
  await until('the page', texts, () => page.locator('article p').allTextContents());
}

async function holds(page, ...texts) {
  const session = await sessionOf(page);
  await button(page, 'Ask').waitFor(); // no answer is being written
  await shows(page, ...texts);
  assert.deepEqual(JSON.parse(sql(`SELECT json_agg(content ORDER BY id) FROM messages WHERE session_id = '${session}'`)), texts);
}

async function answered(page, question, answer) {
  await ask(page, question);
  await model.end(answer);
  await messages(page).filter({ hasText: answer }).last().getByRole('button', { name: 'Regenerate' }).waitFor();
}

async function newChat(page) {
  await button(page, 'New chat').click();
  await until('messages', 0, () => messages(page).count());
}

// ---------------------------------------------------------------------------

const maya = await logIn('maya');

await test('an answer is shown while it grows, with its sources, and stored with them', async () => {
  await ask(maya, 'How long is a ticket valid?');
  await model.say('Seventy-five ');
  await shows(maya, 'How long is a ticket valid?', 'Seventy-five ');
  await until('sources', ['Tariff, part 4', 'Tariff, part 9'], () => messages(maya).last().locator('ol b').allTextContents());
  const row = () => sql(`SELECT role, metadata->>'status', latency_ms > 0, top_k, sources->0->>'document_id' FROM messages
    WHERE session_id = '${session}' ORDER BY id`);
  const session = await sessionOf(maya);
  assert.equal(row(), 'user||||\nassistant|streaming||3|tariff-04');
  await model.end('minutes.');
  await holds(maya, 'How long is a ticket valid?', 'Seventy-five minutes.');
  assert.equal(row(), 'user||||\nassistant|done|t|3|tariff-04');
  assert.equal(sql(`SELECT user_id FROM sessions WHERE id = '${session}'`), 'maya');
});

await test('an answer goes on through a reload', async () => {
  await ask(maya, 'And dogs?');
  await model.say('Dogs ');
  await shows(maya, 'How long is a ticket valid?', 'Seventy-five minutes.', 'And dogs?', 'Dogs ');
  await maya.reload();
  await shows(maya, 'How long is a ticket valid?', 'Seventy-five minutes.', 'And dogs?', 'Dogs ');
  await model.end('need ', 'one.');
  await holds(maya, 'How long is a ticket valid?', 'Seventy-five minutes.', 'And dogs?', 'Dogs need one.');
  await maya.reload();
  await holds(maya, 'How long is a ticket valid?', 'Seventy-five minutes.', 'And dogs?', 'Dogs need one.');
});

await test('an answer goes on after a lost connection', async () => {
  await newChat(maya);
  await ask(maya, 'At night?');
  await model.say('Every ');
  await shows(maya, 'At night?', 'Every ');
  connection.lose();
  await maya.getByText('Connecting …').waitFor();
  await model.say('40 ');
  connection.mend();
  await shows(maya, 'At night?', 'Every 40 ');
  await model.end('minutes.');
  await holds(maya, 'At night?', 'Every 40 minutes.');
});

await test('an answer that was completed meanwhile is there when the connection is', async () => {
  await ask(maya, 'How much?');
  await model.say('The ');
  await shows(maya, 'At night?', 'Every 40 minutes.', 'How much?', 'The ');
  connection.lose();
  await model.end('usual.');
  await until('stored', 'done', () => sql(`SELECT metadata->>'status' FROM messages ORDER BY id DESC LIMIT 1`));
  connection.mend();
  await holds(maya, 'At night?', 'Every 40 minutes.', 'How much?', 'The usual.');
});

await test('a question that was asked without a connection is answered once', async () => {
  connection.lose();
  await maya.getByText('Connecting …').waitFor();
  await ask(maya, 'From where?');
  await button(maya, 'Try again').waitFor();
  connection.mend();
  await model.end('The harbour.');
  await holds(maya, 'At night?', 'Every 40 minutes.', 'How much?', 'The usual.', 'From where?', 'The harbour.');
});

await test('two tabs show the same, whichever asks and whichever stops', async () => {
  await newChat(maya);
  await answered(maya, 'One?', 'One.');
  const tab = await maya.context().newPage();
  await tab.goto(maya.url());
  await shows(tab, 'One?', 'One.');
  await ask(maya, 'Two?');
  await model.say('Tw');
  await shows(tab, 'One?', 'One.', 'Two?', 'Tw');
  await model.end('o.');
  await holds(tab, 'One?', 'One.', 'Two?', 'Two.');
  await holds(maya, 'One?', 'One.', 'Two?', 'Two.');
  await ask(tab, 'Three?');
  await model.say('Th');
  await shows(maya, 'One?', 'One.', 'Two?', 'Two.', 'Three?', 'Th');
  await button(maya, 'Stop').click();
  for (const page of [maya, tab]) {
    await holds(page, 'One?', 'One.', 'Two?', 'Two.', 'Three?', 'Th');
    await messages(page).last().getByText('Stopped').waitFor();
  }
  await until('the model', 0, model.waiting);
  assert.equal(sql(`SELECT metadata->>'status' FROM messages ORDER BY id DESC LIMIT 1`), 'stopped');
  await tab.close();
});

await test('an answer is regenerated, also one whose model has failed', async () => {
  await newChat(maya);
  await ask(maya, 'Why?');
  await model.say('Beca');
  await model.fail();
  await messages(maya).last().getByText('The model has failed').waitFor();
  await holds(maya, 'Why?', 'Beca');
  await messages(maya).last().getByRole('button', { name: 'Regenerate' }).click();
  await model.end('Because.');
  await holds(maya, 'Why?', 'Because.');
  assert.deepEqual(model.prompt, [{ role: 'user', content: 'Why?' }]);
});

await test('an answer that its server has left says so', async () => {
  sql(`UPDATE messages SET metadata = '{"status": "streaming"}' WHERE content = 'Because.'`);
  await maya.reload();
  await messages(maya).last().getByText('Interrupted').waitFor();
});

await test('a question is edited: what came after it is gone', async () => {
  await answered(maya, 'And then?', 'Nothing.');
  await messages(maya).first().getByRole('button', { name: 'Edit' }).click();
  await maya.getByLabel('Edited question').fill('Why not?');
  await button(maya, 'Save').click();
  await model.end('Indeed.');
  await holds(maya, 'Why not?', 'Indeed.');
  assert.deepEqual(model.prompt, [{ role: 'user', content: 'Why not?' }]);
});

await test('a branch has the messages up to one, and leaves the others', async () => {
  await answered(maya, 'And now?', 'Now this.');
  const before = await sessionOf(maya);
  await messages(maya).nth(1).getByRole('button', { name: 'Branch' }).click();
  await shows(maya, 'Why not?', 'Indeed.');
  assert.notEqual(await sessionOf(maya), before);
  await answered(maya, 'And here?', 'Here that.');
  await holds(maya, 'Why not?', 'Indeed.', 'And here?', 'Here that.');
  await maya.goBack();
  await holds(maya, 'Why not?', 'Indeed.', 'And now?', 'Now this.');
});

const feedback = () => sql('SELECT source_no, score, comment FROM rag_feedback ORDER BY message_id, source_no NULLS FIRST');

await test('feedback on an answer and on a source is given, kept and taken back', async () => {
  const answer = messages(maya).last();
  const vote = (name) => answer.locator('footer').getByRole('button', { name, exact: true });
  await vote('Bad').click();
  await answer.getByLabel('Comment').fill('Too short');
  await answer.getByLabel('Comment').press('Enter');
  await answer.locator('ol li').nth(1).getByRole('button', { name: 'Good' }).click();
  await until('feedback', '|-1|Too short\n2|1|', feedback);
  await maya.reload();
  await until('comment', 'Too short', () => answer.getByLabel('Comment').inputValue());
  await until('pressed', 'true', () => answer.locator('ol li').nth(1).getByRole('button', { name: 'Good' }).getAttribute('aria-pressed'));
  await vote('Good').click();
  await until('feedback', '|1|\n2|1|', feedback);
  await answer.locator('footer').locator('[aria-pressed=true]').getByText('Good').click();
  await until('feedback', '2|1|', feedback);
});

await test('a session has a title, a folder and a pin, and is found by all of them and by its words', async () => {
  const all = await items(maya).count();
  await maya.getByLabel('Title').fill('Reasons');
  await maya.getByLabel('Title').press('Enter');
  await items(maya).filter({ hasText: 'Reasons' }).waitFor();
  await maya.getByRole('main').getByLabel('Folder').fill('philosophy');
  await maya.getByRole('main').getByLabel('Folder').press('Enter');
  await maya.getByRole('navigation').getByLabel('Folder').selectOption('philosophy');
  await until('the folder', ['Reasons'], () => items(maya).allTextContents());
  await maya.getByRole('navigation').getByLabel('Folder').selectOption('All folders');
  await until('all', all, () => items(maya).count());
  await maya.locator('li.open').getByTitle('Pin').click();
  await until('pinned', ['Reasons'], () => items(maya, 'Pinned').allTextContents());
  assert.equal(await items(maya).count(), all - 1);
  const search = maya.getByLabel('Search');
  await search.fill('reason');
  await until('by title', ['Reasons'], () => items(maya).allTextContents());
  await search.fill('HARBOUR');
  await until('by words', ['At night?The harbour.'], () => items(maya).allTextContents());
  await search.fill('');
  await maya.locator('li.open').getByTitle('Unpin').click();
  await until('unpinned', all, () => items(maya).count());
});

await test('what is exported is imported the same, with its feedback', async () => {
  const session = await sessionOf(maya);
  const [download] = await Promise.all([maya.waitForEvent('download'), maya.getByText('Export').click()]);
  const file = await download.path();
  const exported = JSON.parse(readFileSync(file, 'utf8'));
  await maya.locator('li.open').getByTitle('Delete').click();
  await until('deleted', '0', () => sql(`SELECT count(*) FROM sessions WHERE id = '${session}'`));
  await until('messages', 0, () => messages(maya).count());
  writeFileSync(file, JSON.stringify({ ...exported, user_id: 'ben' })); // whose it is, is not for the file to say
  await maya.locator('input[type=file]').setInputFiles(file);
  await shows(maya, ...exported.messages.map(({ content }) => content));
  await holds(maya, ...exported.messages.map(({ content }) => content));
  const again = JSON.parse(sql(`SELECT rag_export_session('${await sessionOf(maya)}', 'maya')`));
  const withoutIds = ({ session_id: s, updated_at: u, messages: m, feedback: f, ...rest }) => [
    rest, m.map(({ id, ...message }) => message), f.map(({ message_id: id, ...judgment }) => judgment),
  ];
  assert.deepEqual(withoutIds(again), withoutIds(exported));
});

await test('a conversation of another program is imported, and goes on', async () => {
  const import_ = (name, document) => maya.locator('input[type=file]').setInputFiles({
    name, mimeType: 'application/json', buffer: Buffer.from(JSON.stringify(document)),
  });
  await import_('ui.json', [
    { id: 'a', role: 'user', parts: [{ type: 'text', text: 'Hi' }] }, { id: 'b', role: 'assistant', parts: [{ type: 'text', text: 'Hello!' }] },
  ]);
  await shows(maya, 'Hi', 'Hello!');
  await answered(maya, 'Again?', 'Hello.');
  await holds(maya, 'Hi', 'Hello!', 'Again?', 'Hello.');
  assert.equal(model.prompt.length, 3);
  await messages(maya).first().getByRole('button', { name: 'Edit' }).click();
  await maya.getByLabel('Edited question').fill('Ho');
  await button(maya, 'Save').click();
  await model.end('Hoho.');
  await holds(maya, 'Ho', 'Hoho.');
  await import_('sources.json', [
    { role: 'user', content: 'Hi' }, { role: 'assistant', content: 'Hello!', sources: [{ title: { a: 1 }, text: ['b'] }, 'faq', 7, null] },
  ]);
  await shows(maya, 'Hi', 'Hello!');
  await until('sources', 4, () => messages(maya).last().locator('ol li').count());
  await import_('wrong.json', [{ role: 'robot', content: 'Hi' }]);
  await maya.getByRole('alert').getByText('invalid message role "robot"').waitFor();
  await button(maya, 'OK').click();
});

await test('a long list and a long conversation come in pages', async () => {
  sql(`SELECT rag_create_session('maya', jsonb_build_object('title', 'S' || n)) FROM generate_series(1, 45) AS n`);
  await maya.reload();
  await until('a page', 20, () => items(maya).count());
  const total = Number(sql(`SELECT count(*) FROM sessions WHERE user_id = 'maya'`));
  await button(maya, 'More').click();
  await until('two pages', 40, () => items(maya).count());
  while (await items(maya).count() < total) {
    const n = await items(maya).count();
    await button(maya, 'More').click();
    await until('more', true, async () => await items(maya).count() > n);
  }
  assert.equal(new Set(await items(maya).evaluateAll((links) => links.map((link) => link.href))).size, total);
  const long = sql(`SELECT rag_import_session(jsonb_agg(jsonb_build_object('role', 'user', 'content', 'M' || n) ORDER BY n), 'maya')
    FROM generate_series(1, 70) AS n`);
  await maya.goto(`${origin}/#${long}`);
  await until('the newest', 50, () => messages(maya).count());
  await button(maya, 'Earlier messages').click();
  await until('all', 70, () => messages(maya).count());
});

await test('what looks like HTML or SQL is a text', async () => {
  const text = `<img src=x onerror="document.title='run'">'; DROP TABLE messages; --`;
  await newChat(maya);
  await answered(maya, text, text);
  await holds(maya, text, text);
  await maya.getByLabel('Title').fill(text);
  await maya.getByLabel('Title').press('Enter');
  await items(maya).filter({ hasText: 'DROP TABLE' }).waitFor();
  await maya.getByLabel('Search').fill(`'; DROP TABLE`);
  await until('found', 1, () => items(maya).count());
  await maya.getByLabel('Search').fill('');
  assert.equal(await maya.title(), 'Chat');
});

await test('two users never see each other', async () => {
  const ben = await logIn('ben');
  assert.equal(await items(ben).count(), 0);
  await ask(maya, 'Is this a secret?'); // an answer is being written while he tries
  await model.say('It ');
  await messages(maya).last().getByText('It').waitFor();
  const session = await sessionOf(maya);
  const message = sql(`SELECT min(id) FROM messages WHERE session_id = '${session}'`);
  const state = () => sql(`SELECT md5(string_agg(m::text || s::text, '' ORDER BY m.id)) FROM messages m JOIN sessions s ON s.id = session_id`);
  const before = state();
  await ben.goto(`${origin}/#${session}`);
  await ben.reload();
  await ben.getByRole('alert').getByText('session does not exist').waitFor();
  assert.equal(await messages(ben).count(), 0);
  // He sends what the page would, and names the owner as well.
  const request = (method, path, body = {}) => ben.evaluate(async ([m, p, b]) => {
    const response = await fetch(p, { method: m, body: m === 'GET' ? undefined : b });
    return [response.status, await response.text()];
  }, [method, path, JSON.stringify({ ...body, user: 'maya', user_id: 'maya' })]);
  const path = `/api/sessions/${session}`;
  const missing = [404, 'session does not exist'];
  assert.deepEqual(await request('GET', path), missing);
  assert.deepEqual(await request('GET', `${path}/export`), missing);
  assert.deepEqual(await request('PATCH', path, { title: 'His' }), missing);
  assert.deepEqual(await request('POST', `${path}/answer`), missing);
  assert.equal((await request('POST', `${path}/answer`, { question: { key: 'k', text: 'And?' } }))[0], 409);
  assert.deepEqual(await request('DELETE', `${path}/messages/${message}`), missing);
  assert.deepEqual(await request('POST', `${path}/messages/${message}/branch`), missing);
  assert.deepEqual(await request('PUT', `${path}/messages/${message}/feedback`, { score: 1 }), missing);
  await request('POST', `${path}/stop`);
  await request('DELETE', path);
  assert.deepEqual(await request('GET', '/api/sessions?query=secret&user_id=maya'), [200, '[]']);
  assert.deepEqual(await request('GET', '/api/folders'), [200, '[]']);
  assert.equal(state(), before);
  await ben.context().clearCookies();
  assert.equal((await request('GET', path))[0], 401);
  await ben.context().addCookies([{ name: 'login', value: 'maya', url: origin }]);
  assert.equal((await request('GET', path))[0], 401);
  await model.end('is.');
  await shows(maya, ...JSON.parse(sql(`SELECT json_agg(content ORDER BY id) FROM messages WHERE session_id = '${session}'`)));
  await messages(maya).last().getByText('It is.').waitFor();
  await ben.context().close();
});

await test('who logs out, or whose login has ended, has to log in again', async () => {
  await button(maya, 'Log out').click();
  await maya.getByText('Who are you?').waitFor();
  assert.equal((await maya.request.get(`${origin}/api/sessions`)).status(), 401);
  await button(maya, 'maya').click();
  await maya.getByText('Log out').waitFor();
  await maya.context().clearCookies(); // the server has forgotten the login
  connection.lose();
  await maya.getByText('Connecting …').waitFor();
  connection.mend();
  await maya.getByText('Who are you?').waitFor();
});

await test('the page has thrown no error', () => assert.deepEqual(problems, []));

await test('one line starts it on a server of its own, with sample conversations', async () => {
  const { PGHOST, PGPORT, PGUSER, PGDATABASE, PGCLIENTENCODING, ...environment } = process.env;
  const page = await logIn('maya', `http://127.0.0.1:${await startChat(environment)}`);
  await until('samples', 8, () => items(page).count());
  for (const question of ['How long is a single ticket valid?', 'And what about dogs and bikes?']) {
    await ask(page, question);
    await button(page, 'Ask').waitFor();
    await messages(page).last().locator('footer').waitFor();
  }
  await messages(page).last().getByText('Dogs need a child ticket; those that fit into a bag ride free. [1]').waitFor();
  if (process.env.CHAT_SCREENSHOT) {
    await page.getByLabel('Title').fill('Tickets, dogs and bikes');
    await page.getByLabel('Title').press('Enter');
    await page.getByRole('main').getByLabel('Folder').fill('Trams');
    await page.getByRole('main').getByLabel('Folder').press('Enter');
    await page.locator('li.open').getByTitle('Pin').click();
    await messages(page).nth(1).locator('footer').getByRole('button', { name: 'Good' }).click();
    await page.locator('[aria-pressed=true]').waitFor();
    await page.getByRole('region', { name: 'Pinned' }).waitFor();
    for (const title of ['多言語', 'Basil']) { // there may be no font for these
      await page.locator('li').filter({ hasText: title }).getByTitle('Delete').click();
      await items(page).filter({ hasText: title }).waitFor({ state: 'detached' });
    }
    await page.screenshot({ path: process.env.CHAT_SCREENSHOT });
  }
});

await end();
