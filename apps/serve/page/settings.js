// What a person can set, and what the server says about its model (/props).

import { apiKey, requestJson, setApiKey } from './api.js';
import { byId, el, remember } from './dom.js';

const KEY = 'nolens.settings';
const NUMBERS = { temperature: [0, 5], top_p: [0, 1], top_k: [0, 1000000], max_tokens: [1, 1000000] };
const FIELDS = [...Object.keys(NUMBERS), 'image_budget', 'system', 'theme', 'rate'];

/** Everything set, as texts; '' leaves the choice to the server. */
export const settings = { temperature: '', top_p: '', top_k: '', max_tokens: '', image_budget: '', system: '', theme: '', rate: '1', thinking: false };

/** The model behind the page; all kinds of input are offered until the server says otherwise. */
export const model = { id: '', name: '', demo: false, budgets: [70, 140, 280, 560, 1120], image: true, audio: true, document: false };

function load() {
  let stored = null;
  try {
    stored = JSON.parse(remember('localStorage', KEY));
  } catch { /* damaged settings are the same as none */ }
  for (const name of FIELDS) if (typeof stored?.[name] === 'string') settings[name] = stored[name];
  settings.thinking = stored?.thinking === true;
}

const save = () => remember('localStorage', KEY, JSON.stringify(settings));

function applyTheme() {
  if (settings.theme) document.documentElement.dataset.theme = settings.theme;
  else delete document.documentElement.dataset.theme;
}

/**
 * Ties the dialog of settings and the switch for thinking to `settings`.
 * @param {function()} onKey called when the API key was changed
 */
export function initSettings(onKey) {
  load();
  applyTheme();
  const dialog = byId('settings-dialog');
  for (const name of FIELDS) {
    const field = byId(`set-${name}`);
    field.addEventListener('change', () => {
      if (!field.checkValidity()) {
        field.reportValidity();
        return;
      }
      settings[name] = field.value;
      save();
      if (name === 'theme') applyTheme();
      if (name === 'rate') byId('rate-value').textContent = `${Number(field.value).toFixed(1)}×`;
    });
  }
  const thinking = byId('thinking');
  thinking.setAttribute('aria-pressed', String(settings.thinking));
  thinking.addEventListener('click', () => {
    settings.thinking = !settings.thinking;
    thinking.setAttribute('aria-pressed', String(settings.thinking));
    save();
  });
  byId('open-settings').addEventListener('click', () => openSettings());
  byId('close-settings').addEventListener('click', () => dialog.close());
  dialog.addEventListener('close', () => {
    if (byId('set-key').value.trim() === apiKey()) return;
    setApiKey(byId('set-key').value);
    onKey();
  });
  byId('set-key').addEventListener('keydown', (event) => { if (event.key === 'Enter') dialog.close(); });
}

/** Opens the dialog; with `wantsKey` at the API key, saying why. */
export function openSettings(wantsKey = false) {
  for (const name of FIELDS) byId(`set-${name}`).value = settings[name];
  byId('rate-value').textContent = `${Number(settings.rate).toFixed(1)}×`;
  byId('set-key').value = apiKey();
  byId('key-wanted').hidden = !wantsKey;
  if (!byId('settings-dialog').open) byId('settings-dialog').showModal();
  byId(wantsKey ? 'set-key' : 'close-settings').focus();
}

/**
 * Asks the server what it runs and adapts `model`.
 * @throws {ApiError}
 */
export async function loadProps() {
  const { model: found = {}, image_budgets: budgets } = await requestJson('/props');
  model.id = String(found.id ?? '');
  model.name = String(found.name ?? found.id ?? '');
  model.demo = found.demo === true;
  model.image = found.modalities?.image !== false;
  model.audio = found.modalities?.audio !== false;
  model.document = found.modalities?.document === true;
  if (Array.isArray(budgets) && budgets.every((budget) => Number.isInteger(budget) && budget > 0)) model.budgets = budgets;
  for (const select of document.querySelectorAll('select.budgets')) {
    const chosen = select.id === 'set-image_budget' ? settings.image_budget : select.value || String(model.budgets[0] ?? '');
    select.replaceChildren(el('option', { value: '', text: 'The model’s own' }),
      ...model.budgets.map((budget) => el('option', { value: budget, text: `${budget} tokens` })));
    select.value = model.budgets.includes(Number(chosen)) ? chosen : '';
  }
}

/** The part of a request that the settings decide. `thinking` overrides the switch. */
export function requestSettings(thinking = settings.thinking) {
  const body = { model: model.id, chat_template_kwargs: { enable_thinking: thinking } };
  for (const [name, [least, most]] of Object.entries(NUMBERS)) {
    const number = Number(settings[name]);
    if (settings[name] !== '' && number >= least && number <= most) body[name] = number;
  }
  return body;
}

/** The system prompt as messages: one or none. */
export const systemMessages = () => (settings.system.trim() ? [{ role: 'system', content: settings.system.trim() }] : []);
