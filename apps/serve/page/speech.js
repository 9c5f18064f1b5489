// Reading an answer aloud, sentence by sentence. Each sentence is one utterance: pausing then works in every
// browser, long texts are not cut off, and the sentence being read is known without word events.

import { announce, byId, toast } from './dom.js';
import { settings } from './settings.js';

const BLOCKS = 'p, li, h3, h4, h5, h6, td, th';
const HIGHLIGHT = 'reading';
const sentences = new Intl.Segmenter(undefined, { granularity: 'sentence' });

/** Whether this browser can speak at all. */
export const canSpeak = () => 'speechSynthesis' in window;

/** The sentences of an answer as ranges of its nodes; code is left out, nobody wants to hear it. */
function rangesOf(root) {
  const ranges = [];
  for (const block of root.querySelectorAll(BLOCKS)) {
    const nodes = [];
    const walker = document.createTreeWalker(block, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const nearest = node.parentElement.closest(`${BLOCKS}, .code-block`);
      if (nearest === block) nodes.push(node);
    }
    const text = nodes.map((node) => node.data).join('');
    for (const { index, segment } of sentences.segment(text)) {
      if (!segment.trim()) continue;
      const range = new Range();
      range.setStart(...placeAt(nodes, index));
      range.setEnd(...placeAt(nodes, index + segment.length));
      ranges.push({ range, text: segment.trim(), block });
    }
  }
  return ranges;
}

function placeAt(nodes, offset) {
  let rest = offset;
  for (const node of nodes) {
    if (rest <= node.length) return [node, rest];
    rest -= node.length;
  }
  return [nodes.at(-1), nodes.at(-1).length];
}

let reading = null;

function mark(entry) {
  for (const block of document.querySelectorAll('.is-read')) block.classList.remove('is-read');
  const precise = 'highlights' in CSS;
  if (precise) CSS.highlights.delete(HIGHLIGHT);
  if (!entry) return;
  if (precise) CSS.highlights.set(HIGHLIGHT, new Highlight(entry.range));
  else entry.block.classList.add('is-read');
  entry.block.scrollIntoView({ block: 'nearest' });
}

function speakNext(run) {
  if (reading !== run) return;
  const entry = run.ranges[run.at];
  if (!entry) {
    stopReading();
    return;
  }
  const utterance = new SpeechSynthesisUtterance(entry.text);
  utterance.rate = Number(settings.rate) || 1;
  utterance.onstart = () => {
    if (reading !== run) return;
    run.started = true;
    mark(entry);
  };
  utterance.onend = () => {
    if (reading !== run) return;
    run.at += 1;
    speakNext(run);
  };
  utterance.onerror = (event) => {
    if (reading !== run || event.error === 'interrupted' || event.error === 'canceled') return;
    stopReading();
    toast('This browser has no voice to read with.', true);
  };
  run.utterance = utterance;  // browsers forget the events of an utterance that nothing refers to
  speechSynthesis.speak(utterance);
}

/** Reads an element aloud from its beginning. @param {HTMLElement} root */
export function readAloud(root) {
  stopReading();
  const run = { ranges: rangesOf(root), at: 0, paused: false, started: false };
  if (!run.ranges.length) {
    toast('There is nothing to read aloud here.');
    return;
  }
  reading = run;
  showBar(true);
  speakNext(run);
  setTimeout(() => {
    if (reading !== run || run.started || run.paused) return;
    stopReading();
    toast('This browser has no voice to read with.', true);
  }, 4000);
}

/** Stops reading; nothing happens if nothing is read. */
export function stopReading() {
  if (!reading) return false;
  reading = null;
  speechSynthesis.cancel();
  mark(null);
  showBar(false);
  return true;
}

function togglePause() {
  if (!reading) return;
  reading.paused = !reading.paused;
  if (reading.paused) speechSynthesis.pause();
  else speechSynthesis.resume();
  showBar(true);
}

function showBar(visible) {
  byId('reading-bar').hidden = !visible;
  const paused = visible && reading?.paused;
  byId('reading-pause').textContent = paused ? 'Resume' : 'Pause';
  byId('reading-state').textContent = paused ? 'Paused' : 'Reading aloud';
  if (paused) announce('Paused');
}

/** Ties the bar of reading to its buttons. */
export function initSpeech() {
  byId('reading-pause').addEventListener('click', togglePause);
  byId('reading-stop').addEventListener('click', stopReading);
  window.addEventListener('pagehide', stopReading);
}
