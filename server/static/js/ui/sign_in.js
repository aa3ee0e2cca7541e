// Sign in again without leaving the page, when the server says that one is signed out: nothing that is open is lost.
import { ask } from './dialogs.js';
import { make } from './dom.js';

const DECLINED_MS = 60_000; // for which a person who has cancelled is not asked again by the page's own requests

/** @type {Promise<boolean> | null} */
let asking = null;
let declinedAt = -Infinity;

/**
 * Ask for the password, once for all requests that wait for it; returns whether one is signed in now.
 *
 * @param {boolean} isWanted whether a person has asked for what needs it
 */
export function signInAgain(isWanted) {
  if (!isWanted && Date.now() - declinedAt < DECLINED_MS) return Promise.resolve(false);
  asking ??= askForPassword().finally(() => {
    asking = null;
  });
  return asking;
}

async function askForPassword() {
  const email = make('input', { type: 'email', className: 'field', autocomplete: 'username', required: true });
  const password = make('input', {
    type: 'password',
    className: 'field',
    autocomplete: 'current-password',
    required: true,
  });
  const label = (/** @type {string} */ text, /** @type {Node} */ field) => make('label', {}, text, field);
  const elsewhere = make('a', { href: '/login', target: '_blank', rel: 'noopener' }, 'in another tab');
  const hint = make(
    'p',
    { className: 'hint' },
    'Or sign in ',
    elsewhere,
    ', for example by a sign-in link; this page then goes on.',
  );
  const done = new AbortController();
  const look = async () => {
    if (await isSignedIn()) done.abort();
  };
  addEventListener('focus', look);
  const isDone = await ask(
    {
      title: 'You have been signed out',
      text: 'Sign in to go on. What is open on this page stays.',
      action: 'Sign in',
      content: [label('E-mail', email), label('Password', password), hint],
      focus: email,
      done: done.signal,
    },
    () => signIn(email.value, password.value),
  );
  removeEventListener('focus', look);
  declinedAt = isDone ? -Infinity : Date.now();
  return isDone;
}

/**
 * @param {string} email
 * @param {string} password
 * @returns {Promise<string | null>} what went wrong
 */
async function signIn(email, password) {
  try {
    const body = new URLSearchParams({ email, password });
    const response = await fetch('/login', { method: 'POST', body, redirect: 'manual' });
    if (response.type === 'opaqueredirect') return null; // to the page that one signs in for
    return response.status === 401
      ? 'Wrong e-mail address or password.'
      : `The server responded with status ${response.status}.`;
  } catch {
    return 'The server does not respond.';
  }
}

async function isSignedIn() {
  try {
    return (await fetch('/api/v2/me')).ok;
  } catch {
    return false;
  }
}
