// Drawing a box on a picture. The model then looks at that part only, at full detail.

import { byId } from './dom.js';

const SMALLEST = 8;  // pixels of the source; less is a slip of the hand

/**
 * Lets a person choose a part of a picture, with a pointer or with the arrow keys.
 * @param {Object} attachment of kind image
 * @returns {Promise<Array|null|undefined>} [x, y, w, h] in pixels of the source, null for all of it,
 *   undefined if nothing was decided
 */
export function chooseRegion(attachment) {
  const dialog = byId('region-dialog');
  const stage = byId('region-stage');
  const image = byId('region-image');
  const box = byId('region-box');
  const status = byId('region-status');
  const { width, height } = attachment;
  const url = URL.createObjectURL(attachment.blob);
  let region = attachment.region;

  const show = () => {
    box.hidden = !region;
    byId('region-use').disabled = !region;
    status.textContent = region ? `${region[2]} × ${region[3]} pixels from (${region[0]}, ${region[1]})` : 'The whole picture is used.';
    if (!region) return;
    const [x, y, w, h] = region;
    box.style.left = `${(100 * x) / width}%`;
    box.style.top = `${(100 * y) / height}%`;
    box.style.width = `${(100 * w) / width}%`;
    box.style.height = `${(100 * h) / height}%`;
  };
  const set = (x0, y0, x1, y1) => {
    const left = Math.round(Math.max(0, Math.min(x0, x1)));
    const top = Math.round(Math.max(0, Math.min(y0, y1)));
    const w = Math.round(Math.min(width, Math.max(x0, x1))) - left;
    const h = Math.round(Math.min(height, Math.max(y0, y1))) - top;
    region = w >= SMALLEST && h >= SMALLEST ? [left, top, w, h] : null;
    show();
  };

  let from = null;
  const place = (event) => {
    const frame = image.getBoundingClientRect();
    return [((event.clientX - frame.left) / frame.width) * width, ((event.clientY - frame.top) / frame.height) * height];
  };
  stage.onpointerdown = (event) => {
    event.preventDefault();
    stage.focus();
    stage.setPointerCapture(event.pointerId);
    from = place(event);
  };
  stage.onpointermove = (event) => { if (from) set(...from, ...place(event)); };
  stage.onpointerup = () => { from = null; };
  stage.onpointercancel = stage.onpointerup;
  stage.onkeydown = (event) => {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!step) return;
    event.preventDefault();
    const [x, y, w, h] = region ?? [width / 4, height / 4, width / 2, height / 2].map(Math.round);
    const by = [step[0] * Math.max(1, Math.round(width / 40)), step[1] * Math.max(1, Math.round(height / 40))];
    if (event.shiftKey) set(x, y, x + Math.max(SMALLEST, w + by[0]), y + Math.max(SMALLEST, h + by[1]));
    else {
      const left = Math.max(0, Math.min(width - w, x + by[0]));
      const top = Math.max(0, Math.min(height - h, y + by[1]));
      set(left, top, left + w, top + h);
    }
  };

  // Small pictures are enlarged, so that a box can be drawn on them; large ones fit the window.
  const scale = Math.min((innerWidth * 0.85 - 60) / width, (innerHeight * 0.85 - 220) / height, 880 / width, 6);
  stage.style.width = `${Math.round(width * scale)}px`;
  image.src = url;
  image.alt = attachment.name;
  show();
  dialog.showModal();
  stage.focus();
  return new Promise((resolve) => {
    let answer;
    byId('region-use').onclick = () => { answer = region; dialog.close(); };
    byId('region-whole').onclick = () => { answer = null; dialog.close(); };
    byId('region-cancel').onclick = () => dialog.close();
    dialog.onclose = () => {
      image.removeAttribute('src');
      URL.revokeObjectURL(url);
      resolve(answer);
    };
  });
}
