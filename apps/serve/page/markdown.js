// Markdown of answers → nodes. A small dialect on purpose: what models write, and nothing that fetches or
// runs. HTML stays text. Pictures and links to other places stay text too, except http and https links,
// which open only when a person follows them. Every loop moves forward and remembers what it did not find,
// so a megabyte of brackets costs no more than a megabyte of prose.

import { copyText, el } from './dom.js';

const MAX_DEPTH = 12;
const FENCE = /^ {0,3}(`{3,}|~{3,})([^`]*)$/;
const HEADING = /^ {0,3}(#{1,6})\s+(\S.*)$/;
const RULE = /^ {0,3}([-*_])(?:[ \t]*\1){2,}[ \t]*$/;
const ITEM = /^( {0,12})([-*+]|\d{1,9}[.)])(?:[ \t]+(.*)|)$/;
const QUOTE = /^ {0,3}>[ \t]?(.*)$/;
const TABLE_RULE = /^[ \t]*\|?[ \t]*:?-+:?[ \t]*(\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$/;

/**
 * Renders a text.
 * @param {string} text
 * @returns {DocumentFragment}
 */
export function renderMarkdown(text) {
  const fragment = document.createDocumentFragment();
  appendBlocks(fragment, text.replace(/\r\n?/g, '\n').split('\n'), 0);
  return fragment;
}

function appendBlocks(parent, lines, depth) {
  let at = 0;
  while (at < lines.length) {
    const line = lines[at];
    if (line.trim() === '') { at += 1; continue; }
    const handler = depth < MAX_DEPTH ? blockAt(lines, at) : paragraph;
    at = handler(parent, lines, at, depth);
  }
}

function blockAt(lines, at) {
  const line = lines[at];
  if (FENCE.test(line)) return codeBlock;
  if (HEADING.test(line)) return heading;
  if (RULE.test(line)) return rule;
  if (QUOTE.test(line)) return quote;
  if (ITEM.test(line)) return list;
  if (isTable(lines, at)) return table;
  return paragraph;
}

const isTable = (lines, at) => lines[at].includes('|') && at + 1 < lines.length && lines[at + 1].includes('-') &&
  lines[at + 1].includes('|') && lines[at + 1].length < 2000 && TABLE_RULE.test(lines[at + 1]);

function codeBlock(parent, lines, at) {
  const [, fence, info] = FENCE.exec(lines[at]);
  const language = info.trim().split(/\s/, 1)[0].slice(0, 40);
  const indent = lines[at].length - lines[at].trimStart().length;
  const body = [];
  let next = at + 1;
  for (; next < lines.length; next += 1) {
    const line = lines[next].trim();
    if (line.length >= fence.length && line === fence[0].repeat(line.length)) break;
    body.push(lines[next].slice(0, indent).trim() === '' ? lines[next].slice(indent) : lines[next]);
  }
  const text = body.join('\n');
  parent.append(el('div', { class: 'code-block' },
    el('div', { class: 'code-head' }, el('span', { text: language || 'text' }),
      el('button', { type: 'button', class: 'quiet-button', text: 'Copy', 'aria-label': 'Copy code', onclick: () => copyText(text) })),
    el('pre', { tabindex: '0' }, el('code', { text }))));
  return next + 1;
}

function heading(parent, lines, at) {
  const [, marks, text] = HEADING.exec(lines[at]);
  // The page has its own h1 and h2; an answer begins below them, so that the outline stays a tree.
  const node = el(`h${Math.min(6, marks.length + 2)}`, { class: `level-${marks.length}` });
  appendInline(node, text.trim().replace(/(^|\s)#+$/, ''), 0);
  parent.append(node);
  return at + 1;
}

function rule(parent, lines, at) {
  parent.append(el('hr'));
  return at + 1;
}

function quote(parent, lines, at, depth) {
  const inner = [];
  let next = at;
  for (; next < lines.length && QUOTE.test(lines[next]); next += 1) inner.push(QUOTE.exec(lines[next])[1]);
  const node = el('blockquote');
  appendBlocks(node, inner, depth + 1);
  parent.append(node);
  return next;
}

function list(parent, lines, at, depth) {
  const first = ITEM.exec(lines[at]);
  const ordered = first[2].length > 1;
  const node = el(ordered ? 'ol' : 'ul', { start: ordered && parseInt(first[2], 10) !== 1 ? parseInt(first[2], 10) : null });
  const base = first[1].length;
  let next = at;
  while (next < lines.length) {
    const match = ITEM.exec(lines[next]);
    if (!match || RULE.test(lines[next]) || match[1].length > base + 1 || match[1].length < base ||
        (match[2].length > 1) !== ordered) break;
    const inner = [match[3] ?? ''];
    const content = match[1].length + match[2].length + 1;
    next += 1;
    while (next < lines.length) {
      const line = lines[next];
      const indent = line.length - line.trimStart().length;
      if (line.trim() === '') {
        // A blank line belongs to the item only where something indented follows it.
        const after = lines[next + 1] ?? '';
        if (after.trim() === '' || after.length - after.trimStart().length < Math.min(content, base + 2)) break;
        inner.push('');
      } else if (indent >= Math.min(content, base + 2)) {
        inner.push(line.slice(Math.min(indent, content)));
      } else if (ITEM.test(line) || blockAt(lines, next) !== paragraph || inner.at(-1) === '') {
        break;
      } else {
        inner.push(line.trim());
      }
      next += 1;
    }
    const item = el('li');
    appendBlocks(item, inner, depth + 1);
    node.append(item);
    if (next < lines.length && lines[next].trim() === '' && ITEM.test(lines[next + 1] ?? '')) next += 1;
  }
  parent.append(node);
  return next;
}

function cellsOf(line) {
  const cells = line.trim().replace(/^\|/, '').replace(/\|$/, '').split(/(?<!\\)\|/);
  return cells.map((cell) => cell.trim().replace(/\\\|/g, '|'));
}

function table(parent, lines, at) {
  const sides = cellsOf(lines[at + 1]).map((cell) => (cell.endsWith(':') ? (cell.startsWith(':') ? 'center' : 'right') : 'left'));
  const row = (line, tag) => {
    const cells = cellsOf(line);
    const node = el('tr');
    sides.forEach((side, column) => {
      const cell = el(tag, { class: `align-${side}`, scope: tag === 'th' ? 'col' : null });
      appendInline(cell, cells[column] ?? '', 0);
      node.append(cell);
    });
    return node;
  };
  const body = el('tbody');
  let next = at + 2;
  for (; next < lines.length && lines[next].includes('|') && lines[next].trim() !== ''; next += 1) body.append(row(lines[next], 'td'));
  parent.append(el('div', { class: 'table-wrap', tabindex: '0', role: 'group', 'aria-label': 'Table' },
    el('table', {}, el('thead', {}, row(lines[at], 'th')), body)));
  return next;
}

function paragraph(parent, lines, at, depth) {
  let next = at + 1;
  while (next < lines.length && lines[next].trim() !== '' &&
         (depth >= MAX_DEPTH || blockAt(lines, next) === paragraph)) next += 1;
  const text = lines.slice(at, next).map((line, index, all) => (
    index + 1 < all.length && / {2,}$/.test(line) ? `${line.trim()}\\\n` : `${line.trim()}\n`)).join('').slice(0, -1);
  const node = el('p');
  appendInline(node, text, 0);
  parent.append(node);
  return next;
}

/** Appends a line of text with code, emphasis, links and line breaks. */
function appendInline(parent, text, depth) {
  const missing = new Set();
  let plain = '';
  let at = 0;
  const flush = () => {
    if (plain) parent.append(plain);
    plain = '';
  };
  const span = (tag, inner, end) => {
    flush();
    const node = el(tag);
    appendInline(node, inner, depth + 1);
    parent.append(node);
    at = end;
  };
  while (at < text.length) {
    const char = text[at];
    if (char === '\\' && at + 1 < text.length) {
      if (text[at + 1] === '\n') { flush(); parent.append(el('br')); } else if (/[!-/:-@[-`{-~]/.test(text[at + 1])) plain += text[at + 1];
      else plain += text.slice(at, at + 2);
      at += 2;
      continue;
    }
    if (char === '`') {
      let run = at;
      while (text[run] === '`') run += 1;
      const marks = text.slice(at, run);
      const end = missing.has(marks) ? -1 : closingTicks(text, marks, run);
      if (end < 0) {
        missing.add(marks);
        plain += marks;
        at = run;
      } else {
        flush();
        parent.append(el('code', { text: text.slice(run, end).replace(/^ (.*[^ ].*) $/s, '$1') }));
        at = end + marks.length;
      }
      continue;
    }
    if (depth < MAX_DEPTH && (char === '*' || char === '_' || (char === '~' && text[at + 1] === '~'))) {
      const marks = text[at + 1] === char ? char + char : char;
      const end = missing.has(marks) ? -1 : closingMarks(text, marks, at);
      if (end > 0) {
        span({ '*': 'em', _: 'em', '**': 'strong', __: 'strong', '~~': 'del' }[marks], text.slice(at + marks.length, end), end + marks.length);
      } else {
        if (end === -1) missing.add(marks);
        plain += marks;
        at += marks.length;
      }
      continue;
    }
    if (char === '[' || (char === '!' && text[at + 1] === '[')) {
      const link = linkAt(text, char === '!' ? at + 1 : at);
      if (link) {
        flush();
        parent.append(char === '!' ? pictureText(link) : linkNode(link));
        at = link.end;
        continue;
      }
    }
    if (char === 'h' && !/\w/.test(text[at - 1] ?? '') && /^https?:\/\//.test(text.slice(at, at + 8))) {
      const url = bareUrl(text.slice(at, at + 2000));
      flush();
      parent.append(linkNode({ label: url, url }));
      at += url.length;
      continue;
    }
    plain += char;
    at += 1;
  }
  flush();
}

/** The address at the start of a text, without the punctuation of the sentence around it. */
function bareUrl(text) {
  const run = /^[^\s<>"`]+/.exec(text)[0];
  const closers = run.includes('(') ? '.,;:!?\'*_]' : '.,;:!?\'*_])';
  let end = run.length;
  while (closers.includes(run[end - 1])) end -= 1;
  return run.slice(0, end);
}

function closingTicks(text, marks, from) {
  for (let at = text.indexOf(marks, from); at >= 0; at = text.indexOf(marks, at)) {
    let run = at;
    while (text[run] === '`') run += 1;
    if (run - at === marks.length) return at;
    at = run;
  }
  return -1;
}

/** Where emphasis that opens at `at` closes; -1 if nothing later can close it, 0 if it does not open here. */
function closingMarks(text, marks, at) {
  const word = /[\p{L}\p{N}]/u;
  const start = at + marks.length;
  if (/^\s?$/.test(text[start] ?? '')) return 0;
  if (marks[0] === '_' && word.test(text[at - 1] ?? '')) return 0;
  for (let end = text.indexOf(marks, start + 1); end >= 0; end = text.indexOf(marks, end + 1)) {
    if (/\s/.test(text[end - 1]) || text[end - 1] === '\\') continue;
    const after = text[end + marks.length] ?? '';
    if (marks[0] === '_' && word.test(after)) continue;
    if (marks.length === 1 && (after === marks || text[end - 1] === marks)) {
      // A single mark does not end inside a double one.
      if (after === marks) end += 1;
      continue;
    }
    // Of three marks in a row the outer two belong to the span that opened first.
    return marks.length === 2 && after === marks[0] ? end + 1 : end;
  }
  return -1;
}

/** `[label](url "title")`; null if this bracket begins no link. Labels are short, so the search is. */
function linkAt(text, at) {
  const length = text.slice(at, at + 1000).indexOf('](');
  if (length < 0) return null;
  const middle = at + length;
  const label = text.slice(at + 1, middle);
  if (label.includes('[') && !label.includes(']')) return null;
  const target = /^\s*<?([^\s<>]{0,2000}?)>?(?:\s+"[^"]{0,300}")?\s*\)/.exec(text.slice(middle + 2, middle + 2400));
  return target ? { label, url: target[1], end: middle + 2 + target[0].length } : null;
}

/** Links lead away only by http and https; any other target is shown as it was written. */
function linkNode({ label, url }) {
  let target = null;
  try {
    target = new URL(url);
  } catch { /* relative or broken: it would point into this page */ }
  if (!target || (target.protocol !== 'https:' && target.protocol !== 'http:')) {
    return document.createTextNode(url && url !== label ? `${label} (${url})` : label);
  }
  return el('a', { href: target.href, target: '_blank', rel: 'noopener noreferrer', title: target.href, text: label || url });
}

/** A picture elsewhere would tell its server that this answer was read, so only its name and place are shown. */
const pictureText = ({ label, url }) => el('span', { class: 'remote-picture', text: `[picture${label ? `: ${label}` : ''}] ${url.slice(0, 200)}` });
