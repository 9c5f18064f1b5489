// The live view: one question, answered again whenever the picture has changed. A running answer is finished
// first; then the newest frame counts, and frames in between are never sent.

import { Camera } from './camera.js';
import { announce, byId, duration, el, growWithText, remember } from './dom.js';
import { renderMarkdown } from './markdown.js';
import { dataUrl } from './media.js';
import { openSettings, requestSettings, systemMessages } from './settings.js';
import { streamChat } from './stream.js';

const LOOK_EVERY_MS = 200;
const BLOCKS = { across: 16, down: 12, size: 4 };  // a canvas of 64 × 48 in blocks of 4 × 4
const SHOWN = 12;
const SHORT_ANSWER = 160;  // tokens; a long answer would be about a picture long gone

/**
 * Mean brightness of each block of a picture.
 * @param {ImageData} data of across·size by down·size pixels
 * @returns {Float32Array} 0 to 255
 */
export function blockMeans({ data, width }) {
  const means = new Float32Array(BLOCKS.across * BLOCKS.down);
  for (let at = 0; at < data.length; at += 4) {
    const pixel = at / 4;
    const block = Math.floor(Math.floor(pixel / width) / BLOCKS.size) * BLOCKS.across + Math.floor((pixel % width) / BLOCKS.size);
    means[block] += 0.299 * data[at] + 0.587 * data[at + 1] + 0.114 * data[at + 2];
  }
  return means.map((sum) => sum / (BLOCKS.size * BLOCKS.size));
}

/** How much two pictures differ, in percent of the range of brightness. */
export function difference(a, b) {
  let sum = 0;
  for (let at = 0; at < a.length; at += 1) sum += Math.abs(a[at] - b[at]);
  return (100 * sum) / a.length / 255;
}

/** The live view. */
export class Live {
  constructor() {
    this.camera = new Camera(byId('live-video'), byId('live-select'));
    this.canvas = new OffscreenCanvas(BLOCKS.across * BLOCKS.size, BLOCKS.down * BLOCKS.size);
    this.context = this.canvas.getContext('2d', { willReadFrequently: true });
    this.question = byId('live-question');
    this.threshold = byId('live-threshold');
    this.answers = 0;
    this.lastText = '';
    this.question.value = remember('localStorage', 'nolens.live.question') ?? 'What do you see? Answer in one sentence.';
    this.threshold.value = remember('localStorage', 'nolens.live.threshold') ?? '3';
    growWithText(this.question);
    this.question.addEventListener('change', () => {
      remember('localStorage', 'nolens.live.question', this.question.value);
      this.asked = null;  // a new question is asked about the same picture too
    });
    this.question.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.question.dispatchEvent(new Event('change'));
      if (!this.timer) this.resume();
    });
    this.threshold.addEventListener('input', () => {
      remember('localStorage', 'nolens.live.threshold', this.threshold.value);
      this.showChange(0);
    });
    byId('live-toggle').addEventListener('click', () => (this.timer ? this.pause('Paused') : this.resume()));
    document.addEventListener('visibilitychange', () => {
      if (document.hidden && this.timer) this.pause('Paused while the page was hidden');
    });
    this.showChange(0);
  }

  /** Opens the camera if need be and begins to ask. */
  async resume() {
    if (!this.question.value.trim()) {
      this.say('Write a question first.');
      this.question.focus();
      return;
    }
    this.say('Waiting for the camera…');
    try {
      if (!this.camera.stream) await this.camera.open();
    } catch (error) {
      this.say(error.message, true);
      return;
    }
    this.asked = null;
    clearInterval(this.timer);
    this.timer = setInterval(() => this.look(), LOOK_EVERY_MS);
    this.showRunning(true);
    this.say('Watching');
  }

  /** Stops asking; the camera stays open, so that resuming is immediate. */
  pause(reason, isError = false) {
    clearInterval(this.timer);
    this.timer = 0;
    this.running?.abort();
    this.showRunning(false);
    this.say(reason, isError);
  }

  /** Leaves the view: stops asking and gives the camera back. */
  leave() {
    if (this.timer) this.pause('Paused');
    this.camera.close();
  }

  look() {
    if (!this.camera.ready) return;
    this.context.drawImage(this.camera.video, 0, 0, this.canvas.width, this.canvas.height);
    const blocks = blockMeans(this.context.getImageData(0, 0, this.canvas.width, this.canvas.height));
    const change = this.asked ? difference(blocks, this.asked) : 100;
    this.showChange(this.asked ? change : 0);
    if (this.running || change < Number(this.threshold.value)) return;
    this.asked = blocks;
    this.ask();
  }

  async ask() {
    const controller = this.running = new AbortController();
    let text = '';
    byId('live-card').setAttribute('aria-busy', 'true');
    try {
      const picture = await this.camera.shot();
      const part = { type: 'image_url', image_url: { url: await dataUrl(picture) } };
      if (byId('live-budget').value) part.max_soft_tokens = Number(byId('live-budget').value);
      const settings = { max_tokens: SHORT_ANSWER, ...requestSettings(false) };
      const content = [part, { type: 'text', text: this.question.value.trim() }];
      const result = await streamChat({ ...settings, messages: [...systemMessages(), { role: 'user', content }] }, controller.signal, {
        onText: (piece) => {
          text += piece;
          byId('live-answer').replaceChildren(renderMarkdown(text));
        },
      });
      if (!result.complete) throw new Error('The answer was cut off.');
      this.finish(text, picture, result);
    } catch (error) {
      if (error.name !== 'AbortError') {
        this.pause(error.message, true);
        if (error.status === 401) openSettings(true);
      }
    } finally {
      this.running = null;
      byId('live-card').setAttribute('aria-busy', 'false');
    }
  }

  finish(text, picture, { firstTokenMs, totalMs }) {
    this.answers += 1;
    byId('live-first').textContent = duration(firstTokenMs);
    byId('live-total').textContent = duration(totalMs);
    byId('live-count').textContent = String(this.answers);
    if (text !== this.lastText) announce(text);
    this.lastText = text;
    const list = byId('live-earlier');
    list.prepend(el('li', {}, el('img', { src: URL.createObjectURL(picture), alt: '' }),
      el('div', {}, el('time', { text: new Date().toLocaleTimeString() }), el('div', { class: 'prose' }, renderMarkdown(text)))));
    while (list.childElementCount > SHOWN) {
      URL.revokeObjectURL(list.lastElementChild.firstElementChild.src);
      list.lastElementChild.remove();
    }
    byId('live-earlier-title').hidden = false;
  }

  showChange(change) {
    const threshold = Number(this.threshold.value);
    const most = Number(this.threshold.max);
    byId('live-change').style.width = `${Math.min(100, (100 * change) / most)}%`;
    byId('live-change').classList.toggle('is-over', change >= threshold);
    byId('live-gate').style.left = `${(100 * threshold) / most}%`;
    byId('live-threshold-value').textContent = threshold === 0 ? 'always' : `${threshold.toFixed(1)} %`;
  }

  showRunning(running) {
    byId('live-toggle').textContent = running ? 'Pause' : 'Start';
    byId('live-stage').classList.toggle('is-live', running);
  }

  say(text, isError = false) {
    byId('live-status').textContent = text;
    byId('live-status').classList.toggle('is-error', isError);
  }
}
