// Conversations in IndexedDB. Lists, messages and files lie apart, so that the list is read without the
// pictures and a growing answer is written without them.
//
// A conversation is { id, title, created, updated, messages }, a message { role, text, reasoning,
// attachments, meta, state, error }.

const STORES = ['conversations', 'bodies', 'blobs'];

const asPromise = (request) => new Promise((resolve, reject) => {
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => reject(request.error);
});

const finished = (transaction) => new Promise((resolve, reject) => {
  transaction.oncomplete = resolve;
  transaction.onabort = () => reject(transaction.error ?? new Error('aborted'));
});

function sentence(error) {
  if (error?.name === 'QuotaExceededError') {
    return 'The browser’s storage for this page is full. Nothing stored is lost, but this conversation is kept only until the page is closed: export it, or delete old ones.';
  }
  return `The conversation could not be stored (${error?.name ?? 'unknown error'}). It is kept only until the page is closed.`;
}

/** Where conversations are kept. Without IndexedDB (some private windows) they live as long as the page. */
export class Store {
  /** @returns {Promise<Store>} */
  static async open() {
    const store = new Store();
    store.memory = new Map();
    store.written = new Set();  // ids of files that are on the disk already
    try {
      const request = indexedDB.open('nolens', 1);
      request.onupgradeneeded = () => {
        request.result.createObjectStore('conversations', { keyPath: 'id' });
        request.result.createObjectStore('bodies', { keyPath: 'id' });
        request.result.createObjectStore('blobs', { keyPath: 'id' }).createIndex('conversation', 'conversation');
      };
      store.db = await asPromise(request);
      store.db.onversionchange = () => store.db.close();
    } catch {
      store.db = null;
    }
    return store;
  }

  /** Whether conversations outlive the page. */
  get persistent() {
    return this.db !== null;
  }

  /** @returns {Promise<Array<{id, title, created, updated}>>} newest first */
  async list() {
    const stored = this.db ? await asPromise(this.db.transaction('conversations').objectStore('conversations').getAll()) : [];
    const all = new Map(stored.map((entry) => [entry.id, entry]));
    for (const { id, title, created, updated } of this.memory.values()) all.set(id, { id, title, created, updated });
    return [...all.values()].sort((a, b) => b.updated - a.updated);
  }

  /** @returns {Promise<Object|null>} with its files; a file that is gone is left out */
  async load(id) {
    if (this.memory.has(id)) return structuredClone(this.memory.get(id));
    if (!this.db) return null;
    const transaction = this.db.transaction(STORES);
    const [head, body, blobs] = await Promise.all([
      asPromise(transaction.objectStore('conversations').get(id)),
      asPromise(transaction.objectStore('bodies').get(id)),
      asPromise(transaction.objectStore('blobs').index('conversation').getAll(id))]);
    if (!head || !body) return null;
    const files = new Map(blobs.map((entry) => [entry.id, entry.blob]));
    files.forEach((_, file) => this.written.add(file));
    for (const message of body.messages) {
      message.attachments = (message.attachments ?? []).filter((item) => files.has(item.id)).map((item) => ({ ...item, blob: files.get(item.id) }));
      // The page was closed while this answer arrived.
      if (message.state === 'streaming') message.state = 'cut';
    }
    return { ...head, messages: body.messages };
  }

  /**
   * Writes a conversation, all of it or nothing.
   * @throws {Error} with a sentence; the conversation is then kept in memory
   */
  async save(conversation) {
    const { id, title, created, updated, messages } = conversation;
    if (!this.db) {
      this.memory.set(id, structuredClone(conversation));
      return;
    }
    const items = messages.flatMap((message) => message.attachments ?? []);
    const fresh = items.filter((item) => !this.written.has(item.id));
    let transaction = null;
    try {
      transaction = this.db.transaction(STORES, 'readwrite');
      const done = finished(transaction);
      done.catch(() => {});  // awaited below, unless a put throws before
      const blobs = transaction.objectStore('blobs');
      transaction.objectStore('conversations').put({ id, title, created, updated });
      transaction.objectStore('bodies').put({ id,
        messages: messages.map((message) => ({ ...message, attachments: (message.attachments ?? []).map(({ blob, ...item }) => item) })) });
      for (const item of fresh) blobs.put({ id: item.id, conversation: id, blob: item.blob });
      const used = new Set(items.map((item) => item.id));
      blobs.index('conversation').getAllKeys(id).onsuccess = (event) => {
        event.target.result.filter((key) => !used.has(key)).forEach((key) => { blobs.delete(key); this.written.delete(key); });
      };
      await done;
      fresh.forEach((item) => this.written.add(item.id));
      this.memory.delete(id);
    } catch (error) {
      try {
        transaction?.abort();
      } catch { /* it has aborted by itself */ }
      this.memory.set(id, structuredClone(conversation));
      throw new Error(sentence(error));
    }
  }

  async rename(id, title) {
    const conversation = await this.load(id);
    if (conversation) await this.save({ ...conversation, title });
  }

  async remove(id) {
    this.memory.delete(id);
    if (!this.db) return;
    const transaction = this.db.transaction(STORES, 'readwrite');
    const done = finished(transaction);
    transaction.objectStore('conversations').delete(id);
    transaction.objectStore('bodies').delete(id);
    const blobs = transaction.objectStore('blobs');
    blobs.index('conversation').getAllKeys(id).onsuccess = (event) => event.target.result.forEach((key) => blobs.delete(key));
    await done;
  }
}
