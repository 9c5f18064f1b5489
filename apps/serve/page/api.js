// Requests to the server this page came from: the key, errors as sentences, JSON.

import { remember } from './dom.js';

const KEY = 'nolens.key';

/** What went wrong, as a sentence, with the server's code. `status` is 0 where nothing answered. */
export class ApiError extends Error {
  constructor(message, { status = 0, code = '' } = {}) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

let key = remember('sessionStorage', KEY) ?? '';

/** The key of this tab. It is forgotten with the tab and never written to disk. */
export const apiKey = () => key;

/** Sets the key of this tab. */
export function setApiKey(value) {
  key = value.trim();
  remember('sessionStorage', KEY, key);
}

/** Reads an error body in OpenAI's shape, in Ollama's, or as bare text. */
export function errorFrom(body, status) {
  const inner = body && typeof body === 'object' ? body.error ?? body : body;
  const message = typeof inner === 'string' ? inner : inner?.message;
  const code = typeof inner === 'object' && inner ? inner.code ?? inner.type : '';
  return new ApiError(typeof message === 'string' && message ? message.slice(0, 2000) : `The server answered ${status}.`,
    { status, code: String(code ?? '').slice(0, 80) });
}

/**
 * Sends a request to the server.
 * @param {string} path
 * @param {{body?: Object, signal?: AbortSignal}} [options] with a body it is a POST of JSON
 * @returns {Promise<Response>} of status 2xx
 * @throws {ApiError} an AbortError of `signal` passes through
 */
export async function request(path, { body, signal } = {}) {
  const headers = {};
  if (key) {
    // A header cannot carry other signs; the browser's own error would not say that it is the key.
    if (!/^[\x21-\x7e]+$/.test(key)) throw new ApiError('The API key holds signs that no key has.', { status: 401, code: 'bad_key' });
    headers.Authorization = `Bearer ${key}`;
  }
  if (body) headers['Content-Type'] = 'application/json';
  let response;
  try {
    response = await fetch(path, { method: body ? 'POST' : 'GET', headers, body: body && JSON.stringify(body), signal, cache: 'no-store' });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new ApiError('The server could not be reached. Is it still running?', { code: 'connection_lost' });
  }
  if (response.ok) return response;
  const text = await response.text().catch(() => '');
  let parsed = text.slice(0, 2000);
  try {
    parsed = JSON.parse(text);
  } catch { /* shown as the text it is */ }
  throw errorFrom(parsed, response.status);
}

/** A request whose answer is one JSON object. */
export async function requestJson(path, options) {
  const response = await request(path, options);
  try {
    return await response.json();
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new ApiError('The answer of the server broke off or is no JSON.', { status: response.status, code: 'bad_answer' });
  }
}
