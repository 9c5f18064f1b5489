// The row of attachments above a text field, and the ways into it: button, drag, paste, camera, microphone.

import { byId, el, icon, iconButton, toast } from './dom.js';
import { ACCEPT, Recorder, attachmentFrom } from './media.js';
import { takePicture } from './camera.js';
import { chooseRegion } from './region.js';

const NAMES = { image: 'pictures', audio: 'sounds', document: 'documents' };

/** Attachments that wait to be sent. */
export class Tray {
  /** `list` shows the attachments, `drop` takes dropped and pasted files, `input` is the file chooser. */
  constructor({ list, drop, input, regions = false }) {
    Object.assign(this, { list, input, regions });
    this.items = [];
    this.kinds = new Set();
    this.urls = new Map();
    input.addEventListener('change', async () => {
      await this.addFiles([...input.files]);
      input.value = '';
    });
    drop.addEventListener('paste', (event) => {
      const files = [...event.clipboardData.files];
      if (!files.length) return;
      event.preventDefault();
      this.addFiles(files);
    });
    let depth = 0;
    const mark = (change) => {
      depth = Math.max(0, depth + change);
      drop.classList.toggle('is-dropping', depth > 0);
    };
    const hasFiles = (event) => event.dataTransfer?.types.includes('Files');
    drop.addEventListener('dragenter', (event) => { if (hasFiles(event)) mark(1); });
    drop.addEventListener('dragleave', (event) => { if (hasFiles(event)) mark(-1); });
    drop.addEventListener('dragover', (event) => { if (hasFiles(event)) event.preventDefault(); });
    drop.addEventListener('drop', (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      mark(-depth);
      this.addFiles([...event.dataTransfer.files]);
    });
  }

  /** What may be attached: a subset of image, audio, document. */
  allow(kinds) {
    this.kinds = new Set(kinds);
    this.input.accept = kinds.map((kind) => ACCEPT[kind]).join(',');
  }

  /** Adds files; those that cannot be used are named and left out. */
  async addFiles(files) {
    for (const file of files) {
      try {
        this.add(await attachmentFrom(file));
      } catch (error) {
        toast(error.message, true);
      }
    }
  }

  add(attachment) {
    if (!this.kinds.has(attachment.kind)) {
      toast(`This model takes no ${NAMES[attachment.kind]} here.`, true);
      return;
    }
    this.items.push(attachment);
    this.show();
  }

  /** Opens the camera and adds the picture taken. */
  async addShot() {
    const attachment = await takePicture();
    if (attachment) this.add(attachment);
  }

  /** Replaces everything, as when an earlier message is edited. */
  set(attachments) {
    this.items = [...attachments];
    this.show();
  }

  /** Hands the attachments over and is empty afterwards. */
  take() {
    const items = this.items;
    this.set([]);
    return items;
  }

  show() {
    for (const [id, url] of this.urls) {
      if (this.items.some((item) => item.id === id)) continue;
      URL.revokeObjectURL(url);
      this.urls.delete(id);
    }
    this.list.hidden = this.items.length === 0;
    this.list.replaceChildren(...this.items.map((item) => this.node(item)));
  }

  node(item) {
    const remove = iconButton('close', `Remove ${item.name}`, () => {
      this.set(this.items.filter((other) => other !== item));
      (this.list.querySelector('button') ?? byId('message')).focus();
    }, 'chip-remove');
    if (item.kind !== 'image') {
      return el('li', { class: 'file-chip' }, icon(item.kind === 'audio' ? 'mic' : 'file'), el('span', { class: 'file-name', text: item.name }),
        item.seconds ? el('span', { class: 'muted', text: `${item.seconds.toFixed(1)} s` }) : null, remove);
    }
    if (!this.urls.has(item.id)) this.urls.set(item.id, URL.createObjectURL(item.blob));
    const zoom = this.regions && iconButton('crop', `Choose a part of ${item.name}`, async () => {
      const region = await chooseRegion(item);
      if (region === undefined) return;
      item.region = region;
      this.show();
    }, `chip-crop${item.region ? ' is-on' : ''}`);
    return el('li', { class: 'thumb', title: item.name },
      el('img', { src: this.urls.get(item.id), alt: item.region ? `${item.name}, part of it chosen` : item.name }), zoom || null, remove);
  }
}

/** Ties a button to a recording: the first press begins, the second ends it and attaches the sound. */
export function recordingButton(button, status, tray) {
  let recorder = null;
  let timer = 0;
  const idle = () => {
    clearInterval(timer);
    recorder = null;
    status.textContent = '';
    button.setAttribute('aria-pressed', 'false');
  };
  button.addEventListener('click', async () => {
    if (recorder) {
      const finished = recorder;
      idle();
      tray.add(await finished.stop());
      return;
    }
    const starting = new Recorder();
    button.disabled = true;  // until the person has answered the browser's question
    try {
      await starting.start();
    } catch (error) {
      toast(error.message, true);
      return;
    } finally {
      button.disabled = false;
    }
    recorder = starting;
    button.setAttribute('aria-pressed', 'true');
    const started = Date.now();
    const tick = () => { status.textContent = `Recording ${Math.floor((Date.now() - started) / 1000)} s – press again to stop`; };
    tick();
    timer = setInterval(tick, 1000);
  });
}
