// The decisions view: pictures or a text, questions of three types, and probabilities as bars.

import { requestJson } from './api.js';
import { detailsNode } from './details.js';
import { announce, byId, el, growWithText, icon, iconButton, remember } from './dom.js';
import { dataUrl } from './media.js';
import { model, openSettings } from './settings.js';

const KEY = 'nolens.decisions';
const TYPES = {
  predicate: { label: 'Yes or no', hint: 'Is there a person in the picture?' },
  choice: { label: 'One of several', hint: 'Which season does the picture show?', list: 'choices', names: ['value', 'description'], add: 'Add a choice' },
  score: { label: 'Score', hint: 'How well lit is the picture?', list: 'levels', names: ['label', 'description'], add: 'Add a level' },
};
const percent = (share) => `${(100 * share).toFixed(share > 0 && share < 0.001 ? 2 : 1)} %`;
const blank = (type = 'predicate') => ({ type, name: '', instructions: '', options: [['', ''], ['', '']] });

/** The decisions view. */
export class Decisions {
  constructor(tray) {
    this.tray = tray;
    this.questions = Decisions.remembered();
    growWithText(byId('decide-text'));
    byId('question-add').addEventListener('click', () => {
      this.questions.push(blank());
      this.draw();
      byId('questions').lastElementChild.querySelector('select').focus();
    });
    byId('decide-form').addEventListener('submit', (event) => {
      event.preventDefault();
      if (this.running) this.running.abort();
      else this.run();
    });
    this.draw();
  }

  /** The questions of the last visit, as far as they are whole. */
  static remembered() {
    try {
      const stored = JSON.parse(remember('localStorage', KEY));
      const whole = stored.filter(({ type, name, instructions, options }) => Object.hasOwn(TYPES, type) &&
        typeof name === 'string' && typeof instructions === 'string' &&
        options.every((option) => option.length === 2 && option.every((text) => typeof text === 'string')));
      if (whole.length) return whole;
    } catch { /* none stored, or damaged */ }
    return [blank()];
  }

  /** Stops a running request; says whether there was one. */
  stop() {
    this.running?.abort();
    return Boolean(this.running);
  }

  changed() {
    remember('localStorage', KEY, JSON.stringify(this.questions));
  }

  draw() {
    byId('questions').replaceChildren(...this.questions.map((question, index) => this.card(question, index)));
    this.changed();
  }

  field(target, key, label, attributes) {
    const input = el('input', { type: 'text', value: target[key], ...attributes, oninput: () => {
      input.setCustomValidity('');
      target[key] = input.value;
      this.changed();
    } });
    return el('label', { class: 'field' }, el('span', { text: label }), input);
  }

  card(question, index) {
    const type = TYPES[question.type];
    const select = el('select', { onchange: () => {
      question.type = select.value;
      this.draw();
      byId('questions').children[index].querySelector('select').focus();
    } }, ...Object.entries(TYPES).map(([value, { label }]) => el('option', { value, text: label, selected: value === question.type })));
    const number = `Question ${index + 1}`;
    return el('fieldset', { class: 'card question' }, el('legend', { text: number }),
      el('div', { class: 'pair' },
        el('label', { class: 'field' }, el('span', { text: 'Type' }), select),
        this.field(question, 'name', 'Name', { required: true, maxlength: '64', placeholder: 'has_person', class: 'name-field' })),
      this.field(question, 'instructions', 'Question', { required: true, placeholder: type.hint }),
      type.list ? this.options(question, type) : null,
      this.questions.length > 1 ? iconButton('trash', `Remove ${number.toLowerCase()}`, () => {
        this.questions.splice(index, 1);
        this.draw();
        byId('question-add').focus();
      }, 'question-remove') : null);
  }

  options(question, type) {
    const [first, second] = type.names;
    const redraw = () => {
      const fresh = this.options(question, type);
      node.replaceWith(fresh);
      fresh.querySelector('.option:last-of-type input').focus();
      this.changed();
    };
    const node = el('div', { class: 'options', role: 'group', 'aria-label': type.list }, ...question.options.map((option, index) => el('div', { class: 'option' },
      this.field(option, 0, first, { required: true, placeholder: question.type === 'score' ? `level ${index + 1}` : `choice ${index + 1}` }),
      this.field(option, 1, second, { placeholder: 'what it means (may stay empty)' }),
      question.options.length > 2 ? iconButton('close', `Remove ${first} ${index + 1}`, () => {
        question.options.splice(index, 1);
        redraw();
      }) : null)),
    el('button', { type: 'button', class: 'quiet-button', text: type.add, onclick: () => {
      question.options.push(['', '']);
      redraw();
    } }));
    return node;
  }

  /** @returns {boolean} whether all can be sent; the first problem is shown at its field */
  valid() {
    const seen = new Set();
    for (const field of document.querySelectorAll('#questions .name-field')) {
      field.setCustomValidity(seen.has(field.value.trim()) && field.value.trim() ? 'Another question has this name.' : '');
      seen.add(field.value.trim());
    }
    return byId('decide-form').reportValidity();
  }

  async body() {
    const text = byId('decide-text').value.trim();
    const content = await Promise.all(this.tray.items.map(async ({ blob }) => ({ type: 'input_image', image_url: await dataUrl(blob) })));
    if (text) content.push({ type: 'input_text', text });
    const questions = this.questions.map(({ type, name, instructions, options }) => {
      const question = { type, name: name.trim(), instructions: instructions.trim() };
      const { list, names } = TYPES[type];
      if (list) question[list] = options.map((option) => ({ [names[0]]: option[0].trim(), ...(option[1].trim() ? { [names[1]]: option[1].trim() } : {}) }));
      return question;
    });
    return { model: model.id, input: [{ role: 'user', content }], questions };
  }

  async run() {
    if (!this.valid()) return;
    if (!this.tray.items.length && !byId('decide-text').value.trim()) {
      this.problem('Add a picture or a text to decide about.');
      return;
    }
    const controller = this.running = new AbortController();
    byId('decide-run').textContent = 'Stop';
    byId('results').setAttribute('aria-busy', 'true');
    const started = performance.now();
    try {
      const result = await requestJson('/v1/decisions', { body: await this.body(), signal: controller.signal });
      this.show(result, performance.now() - started);
    } catch (error) {
      if (error.name !== 'AbortError') this.problem(error.message, error);
      if (error.status === 401) openSettings(true);
    } finally {
      this.running = null;
      byId('decide-run').textContent = 'Decide';
      byId('results').setAttribute('aria-busy', 'false');
    }
  }

  problem(text, { status = 0, code = '' } = {}) {
    const label = [status || '', code].filter(Boolean).join(' · ');
    byId('results').replaceChildren(el('div', { class: 'notice is-error' }, el('span', { text }), label ? el('code', { text: label }) : null));
    announce(text);
  }

  show(result, totalMs) {
    const answers = Array.isArray(result.answers) ? result.answers : [];
    const meta = { usage: result.usage, timings: result.timings, images: result.images, totalMs };
    byId('results').replaceChildren(...answers.map((answer) => this.answer(answer)), ...[detailsNode(meta)].filter(Boolean));
    announce(answers.map((answer) => `${answer.name}: ${verdict(answer).text}`).join('. '));
  }

  answer(answer) {
    const question = this.questions.find(({ name }) => name.trim() === answer.name);
    const { text, tone } = verdict(answer);
    const shares = answer.type === 'predicate' ? [['yes', answer.probability], ['no', 1 - answer.probability]]
      : (answer.probabilities ?? []).map(({ label, value, probability }) => [label ?? value, probability]);
    const best = Math.max(...shares.map(([, share]) => share));
    return el('article', { class: 'card result' },
      el('header', {}, el('h3', { text: answer.name }), el('strong', { class: `verdict ${tone}` }, tone === 'is-yes' ? icon('check') : null, text)),
      question ? el('p', { class: 'muted', text: question.instructions }) : null,
      el('ul', { class: 'bars' }, ...shares.map(([label, share]) => bar(String(label), Number(share), share === best))));
  }
}

function verdict(answer) {
  if (answer.type === 'predicate') {
    return answer.probability >= 0.5 ? { text: `yes, ${percent(answer.probability)}`, tone: 'is-yes' } : { text: `no, ${percent(1 - answer.probability)}`, tone: 'is-no' };
  }
  const result = answer.type === 'score' ? Number(answer.score).toLocaleString(undefined, { maximumFractionDigits: 2 }) : String(answer.choice);
  return { text: result, tone: 'is-plain' };
}

function bar(label, share, isBest) {
  const fill = el('span', { class: 'bar-fill' });
  fill.style.width = `${100 * Math.max(0, Math.min(1, share))}%`;
  return el('li', { class: isBest ? 'is-best' : '' }, el('span', { class: 'bar-label', text: label }),
    el('span', { class: 'bar-track', 'aria-hidden': 'true' }, fill), el('span', { class: 'bar-value', text: percent(share) }));
}
