// The conversation: sending, streaming, stopping, editing, answering again.

import { announce, byId, growWithText, toast } from './dom.js';
import { contentPart, newId } from './media.js';
import { AnswerView, userNode } from './message.js';
import { model, openSettings, requestSettings, settings, systemMessages } from './settings.js';
import { stopReading } from './speech.js';
import { streamChat } from './stream.js';

const SAVE_EVERY_MS = 3000;

/** The view of one conversation and what can be done with it. */
export class Chat {
  constructor(store, history, tray) {
    Object.assign(this, { store, history, tray });
    this.field = byId('message');
    this.log = byId('log');
    this.scroller = byId('scroller');
    this.fit = growWithText(this.field);
    this.running = null;
    this.storeProblem = '';
    this.start();
    byId('composer').addEventListener('submit', (event) => {
      event.preventDefault();
      if (this.running) this.stop();
      else this.send();
    });
    this.field.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      if (!this.running) this.send();
    });
    byId('edit-cancel').addEventListener('click', () => this.leaveEditing());
    byId('to-end').addEventListener('click', () => this.toEnd());
    this.scroller.addEventListener('scroll', () => {
      this.pinned = this.scroller.scrollHeight - this.scroller.scrollTop - this.scroller.clientHeight < 60;
      byId('to-end').hidden = this.pinned;
    });
  }

  /** Begins an empty conversation. */
  start() {
    this.stop();
    stopReading();
    const now = Date.now();
    this.conversation = { id: newId(), title: '', created: now, updated: now, messages: [] };
    this.leaveEditing();
    this.draw();
  }

  /** Shows a stored conversation. */
  async open(id) {
    if (id === this.conversation.id) return;
    const conversation = await this.store.load(id);
    if (!conversation) {
      toast('This conversation is no longer stored.', true);
      return;
    }
    this.stop();
    stopReading();
    this.conversation = conversation;
    this.leaveEditing();
    this.draw();
  }

  /** Leaves a conversation that is being deleted; an answer still arriving must not store it again. */
  forget(id) {
    if (id !== this.conversation.id) return;
    this.forgotten = this.conversation;
    this.start();
  }

  draw() {
    const { messages } = this.conversation;
    this.log.replaceChildren(...messages.map((message) => this.nodeOf(message)));
    byId('welcome').hidden = messages.length > 0;
    this.toEnd();
  }

  nodeOf(message) {
    if (message.role === 'user') return userNode(message, () => this.edit(message));
    return new AnswerView(message, () => this.again(message)).node;
  }

  toEnd() {
    this.pinned = true;
    this.scroller.scrollTop = this.scroller.scrollHeight;
    byId('to-end').hidden = true;
  }

  /** Sends what the composer holds. */
  async send() {
    const text = this.field.value.trim();
    if (!text && !this.tray.items.length) return;
    stopReading();
    if (this.editing) this.truncate(this.editing);
    const message = { role: 'user', text, attachments: this.tray.take(), state: 'done' };
    this.leaveEditing();
    this.conversation.messages.push(message);
    this.conversation.title ||= (text || message.attachments[0].name).replace(/\s+/g, ' ').slice(0, 80);
    this.log.append(this.nodeOf(message));
    byId('welcome').hidden = true;
    this.toEnd();
    await this.answer();
  }

  /** Puts an earlier message into the composer; sending it replaces what came after. */
  edit(message) {
    this.stop();
    this.editing = message;
    byId('editing').hidden = false;
    this.field.value = message.text;
    this.tray.set(message.attachments);
    this.fit();
    this.field.focus();
  }

  leaveEditing() {
    this.editing = null;
    byId('editing').hidden = true;
    this.field.value = '';
    this.tray.set([]);
    this.fit();
  }

  /** Answers again from the message before this answer. */
  again(message) {
    this.stop();
    this.truncate(message);
    this.field.focus();
    this.answer();
  }

  truncate(message) {
    const { messages } = this.conversation;
    const at = messages.indexOf(message);
    if (at < 0) return;
    messages.splice(at);
    while (this.log.childElementCount > at) this.log.lastElementChild.remove();
  }

  /** Stops the answer that is arriving; what has come is kept. */
  stop() {
    this.running?.abort();
  }

  /** @returns {Promise<Array>} the messages of a request; neighbours of one role become one message */
  async requestMessages() {
    const result = systemMessages();
    for (const { role, text, attachments } of this.conversation.messages) {
      if (role === 'assistant') {
        if (text) result.push({ role, content: text });
        continue;
      }
      const parts = await Promise.all(attachments.map((item) => contentPart(item, settings.image_budget)));
      if (text) parts.push({ type: 'text', text });
      const last = result.at(-1);
      // An answer that failed leaves two questions in a row, which templates refuse.
      if (last?.role === 'user') last.content.push(...parts);
      else result.push({ role, content: parts });
    }
    return result.map(({ role, content }) => ({ role, content: content.length === 1 && content[0].type === 'text' ? content[0].text : content }));
  }

  async answer() {
    const { conversation } = this;
    const controller = new AbortController();
    this.setRunning(controller);
    const message = { role: 'assistant', text: '', reasoning: '', attachments: [], meta: null, state: 'streaming' };
    try {
      const messages = await this.requestMessages();
      conversation.messages.push(message);
      const view = new AnswerView(message, () => this.again(message));
      this.log.append(view.node);
      this.toEnd();
      announce('Answering');
      await this.keep(conversation);
      await this.stream({ ...requestSettings(), messages }, controller, message, view, conversation);
    } catch (error) {
      toast(error.message, true);
    } finally {
      if (this.running === controller) this.setRunning(null);
      conversation.updated = Date.now();
      if (conversation.messages.includes(message)) await this.keep(conversation);
    }
  }

  async stream(body, controller, message, view, conversation) {
    let saved = performance.now();
    const grown = () => {
      view.grow();
      view.say();
      if (performance.now() - saved > SAVE_EVERY_MS) {
        saved = performance.now();
        this.keep(conversation);
      }
    };
    const follow = new ResizeObserver(() => { if (this.pinned) this.scroller.scrollTop = this.scroller.scrollHeight; });
    follow.observe(view.node);
    try {
      const result = await streamChat(body, controller.signal, {
        onText: (piece) => { message.text += piece; grown(); },
        onReasoning: (piece) => { message.reasoning += piece; grown(); },
        onProgress: (progress) => view.progress(progress),
      });
      const { complete, ...meta } = result;
      message.meta = meta;
      message.state = complete ? 'done' : 'cut';
    } catch (error) {
      message.state = error.name === 'AbortError' ? 'stopped' : 'error';
      message.error = { message: error.message, code: error.code ?? '', status: error.status ?? 0 };
      if (error.status === 401) openSettings(true);
    }
    view.draw();
    view.say();
    announce({ done: 'Answer finished', stopped: 'Answer stopped', cut: 'The answer was cut off', error: message.error?.message }[message.state]);
    setTimeout(() => follow.disconnect(), 300);
  }

  /** Stores a conversation; a problem is said once, not every three seconds. */
  async keep(conversation) {
    if (conversation === this.forgotten) return;
    try {
      await this.store.save(conversation);
      this.storeProblem = '';
    } catch (error) {
      if (error.message !== this.storeProblem) toast(error.message, true);
      this.storeProblem = error.message;
    }
    await this.history.show(this.conversation.id);
  }

  setRunning(controller) {
    this.running = controller;
    const button = byId('send');
    button.classList.toggle('is-stop', Boolean(controller));
    button.setAttribute('aria-label', controller ? 'Stop the answer' : 'Send');
    button.title = controller ? 'Stop (Escape)' : 'Send (Enter)';
    byId('model-state').classList.toggle('is-busy', Boolean(controller));
  }

  /** What the model cannot take, as a sentence under the composer; '' if it takes all. */
  static missing() {
    const none = [model.image ? '' : 'pictures', model.audio ? '' : 'sound'].filter(Boolean);
    return none.length ? `${model.name || 'This model'} takes no ${none.join(' and no ')}.` : '';
  }
}
