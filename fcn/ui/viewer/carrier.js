// An invisible part of the page: it puts what it carries into the store.
/** @param {Component<Carried>} component */
export default function ({ data }) {
  if (data?.kind === "state") state(data.content);
  else if (data) keep(data.kind, data.name, data.content);
}
