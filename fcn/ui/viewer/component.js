// Where Streamlit starts the viewer. It stands alone because tsc hides the classes of a file that exports from the others.

/** @param {Component<unknown>} component */
export default function (component) {
  const root = /** @type {ViewerRoot} */ (component.parentElement.querySelector(".viewer"));
  const viewer = root.viewer ?? (root.viewer = new Viewer(root));
  viewer.tell = (choices) => component.setStateValue("choices", choices);
  viewer.unwatch ??= watch((data) => viewer.show(data)); // not by component.data: its script would be sent again
  return () => viewer.stop();
}
