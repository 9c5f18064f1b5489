// Starts the page: ties the views together and moves between them.

import { Chat } from './chat.js';
import { Decisions } from './decisions.js';
import { byId, icon, toast } from './dom.js';
import { History } from './history.js';
import { Live } from './live.js';
import { initSettings, loadProps, model, openSettings } from './settings.js';
import { initSpeech, stopReading } from './speech.js';
import { Store } from './store.js';
import { Tray, recordingButton } from './tray.js';

const VIEWS = ['chat', 'live', 'decisions'];
const TITLES = { chat: 'Chat', live: 'Live', decisions: 'Decisions' };

for (const button of document.querySelectorAll('[data-icon]')) {
  button.prepend(...button.dataset.icon.split(' ').map(icon));
}
const store = await Store.open();
const tray = new Tray({ list: byId('attachments'), drop: byId('view-chat'), input: byId('attach-file'), regions: true });
const decideTray = new Tray({ list: byId('decide-attachments'), drop: byId('view-decisions'), input: byId('decide-file') });
const history = new History(store, {
  open: (id) => openConversation(() => chat.open(id)),
  deleting: (id) => chat.forget(id),
  renamed: (id, title) => { if (id === chat.conversation.id) chat.conversation.title = title; },
});
const chat = new Chat(store, history, tray);
const live = new Live();
const decisions = new Decisions(decideTray);

async function openConversation(open) {
  await open();
  location.hash = '#chat';
  closeSide();
  await history.show(chat.conversation.id);
  byId('message').focus();
}

function showView() {
  const wanted = VIEWS.find((view) => location.hash === `#${view}`) ?? 'chat';
  for (const view of VIEWS) {
    byId(`view-${view}`).hidden = view !== wanted;
    const tab = byId(`tab-${view}`);
    if (view === wanted) tab.setAttribute('aria-current', 'page');
    else tab.removeAttribute('aria-current');
  }
  document.title = `${TITLES[wanted]} – nolens`;
  if (wanted !== 'live') live.leave();
  if (wanted !== 'chat') stopReading();
  if (wanted === 'chat') {
    chat.toEnd();
    // A phone would cover half the page with its keyboard.
    if (!matchMedia('(pointer: coarse)').matches) byId('message').focus();
  }
}

function openSide() {
  document.body.classList.add('side-open');
  byId('menu').setAttribute('aria-expanded', 'true');
  byId('new-chat').focus();
}

function closeSide() {
  document.body.classList.remove('side-open');
  byId('menu').setAttribute('aria-expanded', 'false');
}

/** Shows what the model can take; asked again when the key has changed. */
async function meetServer() {
  const problem = byId('server-problem');
  try {
    await loadProps();
    problem.hidden = true;
  } catch (error) {
    problem.hidden = false;
    byId('server-problem-text').textContent = error.message;
    if (error.status === 401) openSettings(true);
  }
  byId('model-name').textContent = model.name || 'no model';
  byId('demo-banner').hidden = !model.demo;
  byId('welcome-demo').hidden = !model.demo;
  const kinds = [model.image && 'image', model.audio && 'audio', model.document && 'document'].filter(Boolean);
  tray.allow(kinds);
  decideTray.allow(model.image ? ['image'] : []);
  byId('attach').hidden = !kinds.length;
  byId('shoot').hidden = !model.image;
  byId('record').hidden = !model.audio;
  byId('decide-attach').hidden = !model.image;
  byId('decide-shoot').hidden = !model.image;
  byId('missing').textContent = Chat.missing();
  byId('live-blind').hidden = model.image;
  byId('live-panel').hidden = !model.image;
}

function onEscape(event) {
  if (event.key !== 'Escape' || event.defaultPrevented || document.querySelector('dialog[open]')) return;
  if (document.body.classList.contains('side-open')) {
    closeSide();
    byId('menu').focus();
  } else if (stopReading() || decisions.stop()) {
    return;
  } else if (chat.running) {
    chat.stop();
  } else if (live.timer) {
    live.pause('Paused');
  } else if (chat.editing) {
    chat.leaveEditing();
  }
}

byId('menu').addEventListener('click', () => (document.body.classList.contains('side-open') ? closeSide() : openSide()));
byId('side-shade').addEventListener('click', closeSide);
byId('new-chat').addEventListener('click', () => openConversation(() => chat.start()));
byId('attach').addEventListener('click', () => byId('attach-file').click());
byId('shoot').addEventListener('click', () => tray.addShot());
byId('decide-attach').addEventListener('click', () => byId('decide-file').click());
byId('decide-shoot').addEventListener('click', () => decideTray.addShot());
byId('server-retry').addEventListener('click', meetServer);
recordingButton(byId('record'), byId('record-state'), tray);
// A file that misses its target must not replace the page.
for (const name of ['dragover', 'drop']) window.addEventListener(name, (event) => event.preventDefault());
window.addEventListener('keydown', onEscape);
window.addEventListener('hashchange', showView);

initSettings(meetServer);
initSpeech();
showView();
await history.show();
await meetServer();
if (!store.persistent) toast('This browser window stores nothing: conversations are kept only until the page is closed.', true);
document.documentElement.dataset.ready = 'true';
