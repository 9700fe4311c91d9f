/** What Streamlit hands to the default export of a component's script; it returns what is called when it goes. */
interface Component<Data> {
  data: Data;
  parentElement: HTMLElement;
  setStateValue(name: string, value: unknown): void;
  setTriggerValue(name: string, value: unknown): void;
}

/** The kind of element that a selector finds, read from the tag at its end; one without a tag finds HTML. */
type Found<Selector extends string> = Selector extends `${string} ${infer End}`
  ? Found<End>
  : Selector extends `${infer Tag}[${string}` | `${infer Tag}.${string}`
    ? Tagged<Tag>
    : Tagged<Selector>;
type Tagged<Tag extends string> = Tag extends keyof HTMLElementTagNameMap
  ? HTMLElementTagNameMap[Tag]
  : Tag extends keyof SVGElementTagNameMap
    ? SVGElementTagNameMap[Tag]
    : HTMLElement;

interface ParentNode {
  querySelector<Selector extends string>(selector: Selector): Found<Selector> | null;
  querySelectorAll<Selector extends string>(selector: Selector): NodeListOf<Found<Selector>>;
}

/** Red, green and blue, 0 to 255. */
type Colour = number[];
