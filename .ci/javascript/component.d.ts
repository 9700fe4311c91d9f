/** What Streamlit hands to the default export of a component's script; it returns what is called when it goes. */
interface Component<Data> {
  data: Data;
  parentElement: HTMLElement;
  setStateValue(name: string, value: unknown): void;
  setTriggerValue(name: string, value: unknown): void;
}
