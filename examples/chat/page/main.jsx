// The page: who is logged in, the list of sessions, and the one that is open.
import { useEffect, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { call } from './call.js';
import { Conversation } from './conversation.jsx';
import { Sidebar } from './sidebar.jsx';

function Login({ users, onLogin }) {
  return (
    <main className="login">
      <h1>Who are you?</h1>
      {users.map((user) => <button key={user} onClick={() => onLogin(user)}>{user}</button>)}
    </main>
  );
}

// What is open is named by the address; without a name it is a new session, which is stored with its first question.
const opened = () => (location.hash
  ? { session: location.hash.slice(1), isNew: false }
  : { session: crypto.randomUUID(), isNew: true });

function Home({ user, onLogout, onExpired }) {
  const [open, setOpen] = useState(opened);
  const [changes, setChanges] = useState(0); // how often the server has told that something has changed
  const [online, setOnline] = useState(false);
  const [problem, setProblem] = useState('');
  const attempt = (promise) => promise.catch((error) => setProblem(error.message));

  useEffect(() => {
    const events = new EventSource('/api/events'); // connects again by itself
    events.onopen = () => { setOnline(true); setProblem(''); };
    events.onerror = () => { setOnline(false); if (events.readyState === EventSource.CLOSED) onExpired(); };
    events.onmessage = () => setChanges((n) => n + 1);
    window.onhashchange = () => { setOpen(opened()); setProblem(''); };
    return () => events.close();
  }, []);

  return (
    <div className="home">
      <Sidebar user={user} open={open.session} changes={changes} online={online} attempt={attempt}
        onNew={() => { history.pushState(null, '', '.'); setOpen(opened()); }} onLogout={onLogout} />
      <Conversation key={open.session} {...open} changes={changes} online={online} attempt={attempt} />
      {!online && <p className="notice" role="status">Connecting …</p>}
      {problem && <p className="notice" role="alert">{problem} <button onClick={() => setProblem('')}>OK</button></p>}
    </div>
  );
}

function App() {
  const [login, setLogin] = useState();
  const load = async () => setLogin(await call('GET', '/api/login'));
  const logIn = async (user) => { await call('POST', '/api/login', { user }); await load(); };
  const logOut = async () => { await call('DELETE', '/api/login'); location.href = '/'; };

  useEffect(() => { load(); }, []);
  if (!login) return null;
  return login.user
    ? <Home user={login.user} onLogout={logOut} onExpired={load} />
    : <Login users={login.users} onLogin={logIn} />;
}

createRoot(document.getElementById('root')).render(<App />);
