// What stands behind an answer, on demand: tokens, sizes of pictures, where the time went.

import { count, duration, el } from './dom.js';

/** Whether any picture reached the model smaller than it was. */
const downscaled = (meta) => Array.isArray(meta.images) && meta.images.some((image) => image?.downscaled);

const seconds = (ms) => Number(ms) / 1000;

function speed(tokens, ms) {
  return tokens > 0 && ms > 0 ? ` · ${(tokens / seconds(ms)).toFixed(1)} tokens/s` : '';
}

function row(name, value) {
  return [el('dt', { text: name }), el('dd', { text: value })];
}

function tokenRows(usage) {
  const { cached_tokens: cached, image_tokens: image, audio_tokens: audio } = usage.prompt_tokens_details ?? {};
  const parts = [[image, 'of pictures'], [audio, 'of sound'], [cached, 'already known']].filter(([number]) => number > 0)
    .map(([number, what]) => `${count(number)} ${what}`);
  return [
    ...row('Prompt', `${count(usage.prompt_tokens ?? 0)} tokens${parts.length ? ` (${parts.join(', ')})` : ''}`),
    ...(usage.completion_tokens > 0 ? row('Answer', `${count(usage.completion_tokens)} tokens`) : [])];
}

function timeRows({ timings, firstTokenMs, totalMs }) {
  const rows = [];
  if (timings) {
    const { preprocess_ms: prepare, prompt_ms: prompt, predicted_ms: predicted, prompt_n: read, predicted_n: written } = timings;
    if (prepare > 0) rows.push(...row('Preparing media', duration(Number(prepare))));
    rows.push(...row('Reading the prompt', duration(Number(prompt)) + speed(read, prompt)));
    rows.push(...row('Writing the answer', duration(Number(predicted)) + speed(written, predicted)));
  }
  if (Number.isFinite(firstTokenMs)) rows.push(...row('First word after', duration(firstTokenMs)));
  if (Number.isFinite(totalMs)) rows.push(...row('Total', duration(totalMs)));
  return rows;
}

function pictureRows(images) {
  return images.flatMap((image, index) => {
    const source = `${image.source_width} × ${image.source_height}`;
    const used = `${image.used_width} × ${image.used_height}`;
    return row(`Picture ${index + 1}`, `${source} → ${used}, ${count(image.tokens ?? 0)} tokens${image.downscaled ? ', made smaller' : ''}`);
  });
}

/** The fold under an answer; null where the server said nothing. `meta` is what streamChat returns. */
export function detailsNode(meta) {
  if (!meta) return null;
  const list = el('dl', { class: 'facts' });
  if (meta.usage) list.append(...tokenRows(meta.usage));
  if (Array.isArray(meta.images)) list.append(...pictureRows(meta.images));
  list.append(...timeRows(meta));
  if (!list.childElementCount) return null;
  const smaller = downscaled(meta);
  const brief = [Number.isFinite(meta.totalMs) ? duration(meta.totalMs) : '', meta.usage?.completion_tokens > 0 ? `${count(meta.usage.completion_tokens)} tokens` : '']
    .filter(Boolean).join(' · ');
  return el('details', { class: 'behind' },
    el('summary', {}, el('span', { text: 'Details' }), brief ? el('span', { class: 'muted', text: brief }) : null,
      smaller ? el('span', { class: 'tag is-warning', text: 'picture made smaller' }) : null),
    list,
    smaller ? el('p', { class: 'hint', text: 'A picture was larger than its budget of tokens, so small writing may be lost. Raise the image budget in the settings, or choose a part of the picture.' }) : null);
}
