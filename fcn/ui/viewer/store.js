// Large data that stays the same while the visitor switches: photo, label maps, thumbnails. It comes in separate parts,
// so that the server need not send it again; the viewer looks it up here by name.

/** @type {Store} */
const store = (globalThis.fcnStore ??= { contents: new Map(), waiting: new Map(), watchers: new Set() });

// Keep something under its name; the oldest of its kind is dropped.
/** @param {keyof Contents} kind @param {string} name @param {Contents[keyof Contents]} content */
function keep(kind, name, content) {
  for (const key of [...store.contents.keys()].filter((key) => key.startsWith(`${kind} `)).slice(0, -2))
    store.contents.delete(key);
  store.contents.set(`${kind} ${name}`, content);
  store.waiting.get(`${kind} ${name}`)?.forEach((done) => done(content));
  store.waiting.delete(`${kind} ${name}`);
}

/** @template {keyof Contents} Kind @param {Kind} kind @param {string} name @returns {Promise<Contents[Kind]>} */
function fetched(kind, name) {
  const key = `${kind} ${name}`;
  if (store.contents.has(key)) return Promise.resolve(store.contents.get(key));
  return new Promise((done) => store.waiting.set(key, [...(store.waiting.get(key) ?? []), done]));
}

// The small data that changes with every choice is called "state".
/** @param {State} content */
function state(content) {
  store.state = content;
  store.watchers.forEach((watcher) => watcher(content));
}

// Call with the state now and whenever it changes; returns a function that stops this.
/** @param {(state: State) => void} watcher */
function watch(watcher) {
  store.watchers.add(watcher);
  if (store.state) watcher(store.state);
  return () => store.watchers.delete(watcher);
}
