// Building blocks of the page. Everything visible is made of nodes and text here; no module parses
// markup, so nothing that a model, a file or a server says can become an element or a script.

/** Finds the one element with an id. */
export const byId = (id) => document.getElementById(id);

/**
 * Makes an element.
 * @param {Object} [attributes] `on…` are listeners, `text` is the text; true stands for an empty attribute,
 *   false and null leave it out
 * @param {...(Node|string|null)} children
 */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === 'text') node.textContent = value;
    else if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? '' : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

const SVG = 'http://www.w3.org/2000/svg';

/** An icon of the sprite in index.html; decoration only, its button carries the name. */
export function icon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  const use = document.createElementNS(SVG, 'use');
  svg.setAttribute('class', 'icon');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('aria-hidden', 'true');
  use.setAttribute('href', `#icon-${name}`);
  svg.append(use);
  return svg;
}

/** A button that shows an icon and is named by `label` for tooltips and screen readers. */
export const iconButton = (name, label, onclick, className = '') => (
  el('button', { type: 'button', class: `icon-button ${className}`, title: label, 'aria-label': label, onclick }, icon(name)));

/** Says something to screen readers without taking the focus. Lines are added, so none is cut off by the next. */
export function announce(text) {
  const log = byId('announcer');
  log.append(el('p', { text }));
  while (log.childElementCount > 40) log.firstElementChild.remove();
}

let toastTimer = 0;

/** Shows a short message at the bottom; an error stays longer than a notice. */
export function toast(text, isError = false) {
  const box = byId('toast');
  box.textContent = text;
  box.classList.toggle('is-error', isError);
  box.hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => { box.hidden = true; }, isError ? 9000 : 3500);
}

/**
 * Asks a yes-or-no question in a dialog of the page (native ones block the stream that is being read).
 * @returns {Promise<boolean>}
 */
export function confirmAction(question, action) {
  const dialog = byId('confirm-dialog');
  byId('confirm-text').textContent = question;
  byId('confirm-yes').textContent = action;
  return new Promise((resolve) => {
    let answer = false;
    byId('confirm-yes').onclick = () => { answer = true; dialog.close(); };
    byId('confirm-no').onclick = () => dialog.close();
    dialog.onclose = () => resolve(answer);
    dialog.showModal();
  });
}

/** Copies a text; says whether it worked. */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    toast('Copied');
  } catch {
    toast('This browser did not allow copying.', true);
  }
}

/** Offers bytes as a download. */
export function download(blob, name) {
  const url = URL.createObjectURL(blob);
  el('a', { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60000);
}

/** Grows a text field with its text, up to the height that the style sheet allows. */
export function growWithText(field) {
  const fit = () => {
    field.style.height = 'auto';
    field.style.height = `${field.scrollHeight + 2}px`;
  };
  field.addEventListener('input', fit);
  return fit;
}

/** Reads and writes small values; a browser that forbids storage still gets a working page. */
export function remember(storage, key, value) {
  try {
    if (value === undefined) return window[storage].getItem(key);
    if (value === null || value === '') window[storage].removeItem(key);
    else window[storage].setItem(key, value);
  } catch { /* the value lives as long as the page */ }
  return null;
}

/** 1234 → "1,234" in the reader's own writing. */
export const count = (number) => Number(number).toLocaleString();

/** Milliseconds as people say them. */
export function duration(ms) {
  if (!Number.isFinite(ms)) return '–';
  if (ms < 1000) return `${Math.round(ms)} ms`;
  return ms < 60000 ? `${(ms / 1000).toFixed(ms < 10000 ? 2 : 1)} s` : `${Math.floor(ms / 60000)} min ${Math.round((ms % 60000) / 1000)} s`;
}
