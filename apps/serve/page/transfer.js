// Conversations as one JSON file, out and in. What comes in is taken apart field by field and built anew;
// no object of the file is ever used as it is.

import { dataUrl, newId } from './media.js';

const FORMAT = 'nolens-conversations';
const MAX_BYTES = 64 * 1024 * 1024;
const LIMITS = { conversations: 5000, messages: 5000, attachments: 64, text: 4 * 1024 * 1024, title: 200, name: 300 };
const TYPES = {
  image: /^image\/(png|jpeg|webp|gif|bmp)$/,
  audio: /^audio\/[a-z0-9.+-]{1,40}$/,
  document: /^application\/pdf$/,
};
const FORBIDDEN = new Set(['__proto__', 'constructor', 'prototype']);

/** @returns {Promise<Blob>} a JSON file with all conversations, files included */
export async function exportAll(store) {
  const pieces = [`{"format":"${FORMAT}","version":1,"conversations":[`];
  let first = true;
  for (const { id } of await store.list()) {
    const conversation = await store.load(id);
    if (!conversation) continue;
    const messages = await Promise.all(conversation.messages.map(async ({ role, text, reasoning, state, attachments }) => ({
      role, text, reasoning: reasoning || undefined, state,
      attachments: await Promise.all(attachments.map(async ({ kind, name, width, height, region, blob }) => (
        { kind, name, width, height, region: region ?? undefined, data: await dataUrl(blob) }))),
    })));
    // One conversation at a time: all of them as one string may be more than a string can hold.
    const { title, created, updated } = conversation;
    pieces.push(first ? '' : ',', new Blob([JSON.stringify({ title, created, updated, messages })]));
    first = false;
  }
  return new Blob([...pieces, ']}'], { type: 'application/json' });
}

/**
 * Reads a file made by exportAll. Conversations get new ids, so nothing stored is replaced.
 * @param {File} file
 * @returns {Promise<Array>} conversations, not stored yet
 * @throws {Error} with a sentence that says where the file is wrong
 */
export async function readImport(file) {
  if (file.size > MAX_BYTES) throw new Error('The file is larger than 64 MB. Nothing was imported.');
  let root;
  try {
    root = JSON.parse(await file.text());
  } catch {
    throw new Error('The file is no JSON. Nothing was imported.');
  }
  refuseSpecialKeys(root, 0);
  check(isObject(root) && root.format === FORMAT && root.version === 1, 'it is no export of conversations');
  check(Array.isArray(root.conversations) && root.conversations.length <= LIMITS.conversations, 'conversations must be a list of at most 5000');
  return root.conversations.map((entry, index) => conversationFrom(entry, `conversation ${index + 1}`));
}

function conversationFrom(entry, where) {
  check(isObject(entry), `${where} must be an object`);
  check(Array.isArray(entry.messages) && entry.messages.length <= LIMITS.messages, `${where}: messages must be a list of at most 5000`);
  return {
    id: newId(),
    title: text(entry.title, LIMITS.title, `${where}: title`) || 'Imported',
    created: time(entry.created, `${where}: created`),
    updated: time(entry.updated, `${where}: updated`),
    messages: entry.messages.map((message, index) => messageFrom(message, `${where}, message ${index + 1}`)),
  };
}

function messageFrom(message, where) {
  check(isObject(message), `${where} must be an object`);
  check(message.role === 'user' || message.role === 'assistant', `${where}: role must be user or assistant`);
  const attachments = message.attachments ?? [];
  check(Array.isArray(attachments) && attachments.length <= LIMITS.attachments, `${where}: attachments must be a list of at most 64`);
  return {
    role: message.role,
    text: text(message.text, LIMITS.text, `${where}: text`),
    reasoning: message.reasoning === undefined ? '' : text(message.reasoning, LIMITS.text, `${where}: reasoning`),
    state: ['stopped', 'cut'].includes(message.state) ? message.state : 'done',
    attachments: attachments.map((item, index) => attachmentFrom(item, `${where}, attachment ${index + 1}`)),
  };
}

function attachmentFrom(item, where) {
  check(isObject(item) && Object.hasOwn(TYPES, item.kind), `${where}: kind must be image, audio or document`);
  check(typeof item.data === 'string', `${where}: data must be a text`);
  const comma = item.data.indexOf(',');
  const head = /^data:([a-z0-9.+/-]{1,80});base64$/.exec(item.data.slice(0, Math.max(0, comma)));
  check(head && TYPES[item.kind].test(head[1]), `${where}: data is of no type that an attachment can have`);
  let bytes;
  try {
    bytes = Uint8Array.from(atob(item.data.slice(comma + 1)), (char) => char.charCodeAt(0));
  } catch {
    check(false, `${where}: data is no base64`);
  }
  const result = { id: newId(), kind: item.kind, name: text(item.name, LIMITS.name, `${where}: name`), type: head[1], blob: new Blob([bytes], { type: head[1] }) };
  if (item.kind === 'image') Object.assign(result, sizeFrom(item, where));
  return result;
}

function sizeFrom({ width, height, region }, where) {
  const whole = (number, least) => Number.isInteger(number) && number >= least && number <= 1e6;
  check(whole(width, 1) && whole(height, 1), `${where}: width and height must be whole numbers`);
  if (region === undefined || region === null) return { width, height, region: null };
  check(Array.isArray(region) && region.length === 4 && region.every((number, index) => whole(number, index < 2 ? 0 : 1)) &&
        region[0] + region[2] <= width && region[1] + region[3] <= height, `${where}: region must be [x, y, w, h] within the picture`);
  return { width, height, region: [...region] };
}

function refuseSpecialKeys(value, depth) {
  check(depth < 20, 'it is nested too deeply');
  if (value === null || typeof value !== 'object') return;
  for (const key of Object.keys(value)) {
    check(!FORBIDDEN.has(key), `it holds the key ${key}`);
    refuseSpecialKeys(value[key], depth + 1);
  }
}

const isObject = (value) => value !== null && typeof value === 'object' && !Array.isArray(value);

function check(right, problem) {
  if (!right) throw new Error(`The file cannot be imported: ${problem}. Nothing was imported.`);
}

function text(value, limit, where) {
  check(typeof value === 'string' && value.length <= limit, `${where} must be a text of at most ${limit} signs`);
  return value;
}

function time(value, where) {
  check(Number.isFinite(value) && value >= 0 && value < 1e14, `${where} must be a time in milliseconds`);
  return value;
}
