// The list of sessions: search, folders, pins, pages, import.
import { useEffect, useState } from 'react';
import { call } from './call.js';

function find(query, filter, after) {
  const parameters = { filter: JSON.stringify(filter), ...(query && { query }), ...(after && { after }) };
  return call('GET', `/api/sessions?${new URLSearchParams(parameters)}`);
}

export function Sidebar({ user, open, changes, online, attempt, onNew, onLogout }) {
  const [query, setQuery] = useState('');
  const [folder, setFolder] = useState('');
  const [folders, setFolders] = useState([]);
  const [pinned, setPinned] = useState([]);
  const [others, setOthers] = useState([]);
  const [more, setMore] = useState(false); // whether the last page was full

  // Without a search, those that are pinned stand above the others.
  const searched = query.trim();
  const scope = folder ? { folder } : {};
  const filter = searched ? scope : { ...scope, pinned: null };

  useEffect(() => {
    let current = true;
    const load = async () => {
      const lists = await Promise.all([
        call('GET', '/api/folders'),
        searched ? [] : find('', { ...scope, pinned: true }),
        find(searched, filter),
      ]);
      if (!current) return; // something has changed meanwhile
      setFolders(lists[0].map(({ name }) => name));
      setPinned(lists[1]);
      setOthers(lists[2]);
      setMore(lists[2].length === 20);
    };
    if (online) attempt(load());
    return () => { current = false; };
  }, [searched, folder, changes, online]);

  async function loadMore() {
    const page = await find(searched, filter, others.at(-1).cursor);
    setOthers([...others, ...page]);
    setMore(page.length === 20);
  }

  async function importFile(event) {
    const [file] = event.target.files;
    event.target.value = '';
    if (file) location.hash = await call('POST', '/api/import', await file.text());
  }

  const items = (sessions) => (
    <ul>
      {sessions.map(({ session_id: id, title, preview, metadata, snippet }) => (
        <li key={id} className={id === open ? 'open' : ''}>
          <a href={`#${id}`}>{title ?? preview ?? 'Empty'}{snippet && <small>{snippet}</small>}</a>
          <button title={metadata?.pinned ? 'Unpin' : 'Pin'}
            onClick={() => attempt(call('PATCH', `/api/sessions/${id}`, { pinned: metadata?.pinned ? null : true }))}>
            {metadata?.pinned ? '★' : '☆'}
          </button>
          <button title="Delete" onClick={() => attempt(call('DELETE', `/api/sessions/${id}`)
            .then(() => { if (id === open) onNew(); }))}>×</button>
        </li>
      ))}
    </ul>
  );

  return (
    <nav>
      <header><b>{user}</b> <button onClick={onLogout}>Log out</button></header>
      <button className="new" onClick={onNew}>New chat</button>
      <input type="search" placeholder="Search" aria-label="Search" value={query}
        onChange={(event) => setQuery(event.target.value)} />
      <select aria-label="Folder" value={folder} onChange={(event) => setFolder(event.target.value)}>
        <option value="">All folders</option>
        {folders.map((name) => <option key={name}>{name}</option>)}
      </select>
      <div className="list">
        {pinned.length > 0 && <section aria-label="Pinned"><h2>Pinned</h2>{items(pinned)}</section>}
        <section aria-label="Chats"><h2>{searched ? 'Found' : 'Chats'}</h2>{items(others)}</section>
        {more && <button onClick={() => attempt(loadMore())}>More</button>}
      </div>
      <label className="import">Import a conversation …
        <input type="file" accept=".json" onChange={(event) => attempt(importFile(event))} />
      </label>
    </nav>
  );
}
