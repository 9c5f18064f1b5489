// The list of conversations at the side: choose, rename, delete, export, import.

import { byId, confirmAction, count, download, el, iconButton, toast } from './dom.js';
import { exportAll, readImport } from './transfer.js';

/** The list of conversations. */
export class History {
  /** `on` is told of { open(id), deleting(id), renamed(id, title) }. */
  constructor(store, on) {
    this.store = store;
    this.on = on;
    this.current = null;
    byId('export').addEventListener('click', () => this.export());
    byId('import').addEventListener('click', () => byId('import-file').click());
    byId('import-file').addEventListener('change', (event) => this.import(event.target));
  }

  /** Shows the list as it is stored, with `current` marked. */
  async show(current = this.current) {
    this.current = current;
    const entries = await this.store.list();
    // A growing answer is stored every few seconds; a name being written and the focus must survive that.
    const shown = JSON.stringify([current, entries.map(({ id, title }) => [id, title])]);
    if (shown === this.shown || byId('history').querySelector('input')) return;
    this.shown = shown;
    byId('history').replaceChildren(...entries.map((entry) => this.node(entry)));
    byId('history-empty').hidden = entries.length > 0;
    byId('export').disabled = entries.length === 0;
  }

  node({ id, title, updated }) {
    const open = el('button', { type: 'button', class: 'history-open', title: `${title}\n${new Date(updated).toLocaleString()}`,
      'aria-current': id === this.current ? 'true' : null, onclick: () => this.on.open(id), text: title });
    const item = el('li', { class: 'history-item' }, open,
      iconButton('edit', `Rename ${title}`, () => this.rename(item, id, title)),
      iconButton('trash', `Delete ${title}`, () => this.remove(id, title)));
    return item;
  }

  rename(item, id, title) {
    const field = el('input', { type: 'text', value: title, maxlength: '200', 'aria-label': 'New name', class: 'history-rename' });
    let closed = false;
    const close = async (keep) => {
      if (closed) return;
      closed = true;
      const name = field.value.trim();
      if (keep && name && name !== title) {
        await this.store.rename(id, name).catch((error) => toast(error.message, true));
        this.on.renamed(id, name);
      }
      this.shown = '';
      field.remove();
      await this.show();
    };
    field.addEventListener('keydown', (event) => {
      if (event.key === 'Enter' || event.key === 'Escape') {
        event.preventDefault();
        event.stopPropagation();
        close(event.key === 'Enter');
      }
    });
    field.addEventListener('blur', () => close(true));
    item.replaceChildren(field);
    field.select();
  }

  async remove(id, title) {
    if (!await confirmAction(`Delete “${title}” with its pictures? This cannot be undone.`, 'Delete')) return;
    this.on.deleting(id);
    await this.store.remove(id);
    await this.show();
    byId('new-chat').focus();
  }

  async export() {
    download(await exportAll(this.store), `nolens-${new Date().toISOString().slice(0, 10)}.json`);
  }

  async import(input) {
    const [file] = input.files;
    input.value = '';
    if (!file) return;
    try {
      const conversations = await readImport(file);
      for (const conversation of conversations) await this.store.save(conversation);
      toast(`${count(conversations.length)} conversation${conversations.length === 1 ? '' : 's'} imported`);
    } catch (error) {
      toast(error.message, true);
    }
    await this.show();
  }
}
