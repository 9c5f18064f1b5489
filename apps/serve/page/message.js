// How one message looks. Views are told what changed; they never change the conversation themselves.

import { announce, copyText, count, el, icon, iconButton } from './dom.js';
import { detailsNode } from './details.js';
import { renderMarkdown } from './markdown.js';
import { canSpeak, readAloud } from './speech.js';

/** A message of the person. @returns {HTMLElement} */
export function userNode(message, onEdit) {
  const files = el('ul', { class: 'sent-files', 'aria-label': 'Attachments' }, ...message.attachments.map(sentFile));
  return el('article', { class: 'message user', 'aria-label': 'You' },
    message.attachments.length ? files : null,
    message.text ? el('div', { class: 'bubble', text: message.text }) : null,
    el('div', { class: 'actions' },
      iconButton('edit', 'Edit and send again', onEdit),
      message.text ? iconButton('copy', 'Copy message', () => copyText(message.text)) : null));
}

function sentFile(item) {
  if (item.kind === 'image') {
    const image = el('img', { alt: item.name, src: URL.createObjectURL(item.blob), onload: () => URL.revokeObjectURL(image.src) });
    return el('li', { class: 'sent-picture' }, image,
      item.region ? el('span', { class: 'tag', text: `part ${item.region[2]} × ${item.region[3]}` }) : null);
  }
  if (item.kind === 'audio') {
    const url = URL.createObjectURL(item.blob);
    return el('li', { class: 'sent-sound' }, el('span', { class: 'file-name', text: item.name }),
      el('audio', { controls: true, src: url, 'aria-label': item.name }));
  }
  return el('li', { class: 'file-chip' }, icon('file'), el('span', { class: 'file-name', text: item.name }));
}

/** An answer, while it arrives and afterwards. */
export class AnswerView {
  /** `onAgain` asks for the answer anew. */
  constructor(message, onAgain) {
    this.message = message;
    this.onAgain = onAgain;
    this.reasoning = el('div', { class: 'reasoning-text' });
    this.thinking = el('details', { class: 'thinking', hidden: true }, el('summary', {}, this.thinkingLabel = el('span', { text: 'Thinking…' })), this.reasoning);
    this.bar = el('progress', { 'aria-label': 'Reading the prompt' });
    this.waiting = el('div', { class: 'waiting' }, this.waitingText = el('span', { class: 'pulse', text: 'Reading…' }), this.bar);
    this.body = el('div', { class: 'prose' });
    this.foot = el('div', { class: 'foot' });
    this.node = el('article', { class: 'message assistant', 'aria-label': 'Answer' }, this.thinking, this.waiting, this.body, this.foot);
    this.announced = 0;
    this.timer = 0;
    this.cost = 0;
    this.draw();
  }

  /** How much of the prompt the model has read. */
  progress({ processed, total }) {
    if (!(total > 0)) return;
    this.bar.hidden = false;
    this.bar.max = total;
    this.bar.value = processed;
    this.waitingText.textContent = `Reading ${count(processed)} of ${count(total)} tokens`;
  }

  /** Tells that the message has grown. Drawing waits long enough to leave most of the time to everything else. */
  grow() {
    if (this.timer) return;
    this.timer = setTimeout(() => {
      this.timer = 0;
      this.draw();
    }, Math.max(40, this.cost * 5));
  }

  /** Draws the message as it is now. */
  draw() {
    clearTimeout(this.timer);
    this.timer = 0;
    const started = performance.now();
    const { text, reasoning, state } = this.message;
    const streaming = state === 'streaming';
    this.node.setAttribute('aria-busy', String(streaming));
    this.node.classList.toggle('is-streaming', streaming);
    this.thinking.hidden = !reasoning;
    if (reasoning !== this.reasoning.textContent) this.reasoning.textContent = reasoning;
    this.thinkingLabel.textContent = streaming && !text ? 'Thinking…' : 'Thoughts';
    this.waiting.hidden = !streaming || Boolean(text) || Boolean(reasoning);
    if (this.bar.max === 1) this.bar.hidden = true;  // nothing was said about progress
    this.body.replaceChildren(renderMarkdown(text));
    if (!streaming) this.drawFoot();
    this.cost = performance.now() - started;
  }

  /** Says the paragraphs that have become complete. Only answers that arrive are said, not those of a list. */
  say() {
    const { text, state } = this.message;
    const end = state === 'streaming' ? text.lastIndexOf('\n\n') : text.length;
    if (end <= this.announced) return;
    announce(text.slice(this.announced, end).replace(/[*_`#>|~]+/g, ' ').trim());
    this.announced = end;
  }

  drawFoot() {
    const { text, state, error, meta } = this.message;
    const nodes = [];
    const again = (label) => el('button', { type: 'button', class: 'quiet-button', text: label, onclick: this.onAgain });
    if (state === 'error') {
      const code = [error.status || '', error.code].filter(Boolean).join(' · ');
      nodes.push(el('div', { class: 'notice is-error' }, el('span', { text: error.message }),
        code ? el('code', { text: code }) : null, again('Try again')));
    } else if (state === 'cut') {
      nodes.push(el('div', { class: 'notice is-warning' }, el('span', { text: 'The answer was cut off: the connection ended before the answer did.' }), again('Try again')));
    } else if (state === 'stopped') {
      nodes.push(el('div', { class: 'notice' }, el('span', { text: text ? 'Stopped.' : 'Stopped before the answer began.' })));
    } else if (meta?.finish === 'length') {
      nodes.push(el('div', { class: 'notice is-warning' }, el('span', { text: 'The answer reached the limit of tokens.' })));
    } else if (!text) {
      nodes.push(el('div', { class: 'notice' }, el('span', { text: 'The model gave an empty answer.' })));
    }
    nodes.push(detailsNode(meta));
    nodes.push(el('div', { class: 'actions' },
      text ? iconButton('copy', 'Copy answer', () => copyText(text)) : null,
      text && canSpeak() ? iconButton('speaker', 'Read aloud', () => readAloud(this.body)) : null,
      iconButton('again', 'Answer again', this.onAgain, 'only-last')));
    this.foot.replaceChildren(...nodes.filter(Boolean));
  }
}
