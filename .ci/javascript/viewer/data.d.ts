// What the server sends to the first screen, and the store that keeps it.

type Upsampling = "nearest" | "bilinear" | "transposed";
type Cells = "class" | "score" | "features" | "channel" | "shapes" | "shape";
type Sheets = "features" | "shapes";
type Stride = 32 | 16 | 8;

/** The same as `Choices` in fcn/ui/choices.py, which explains them. */
interface Choices {
  model: string;
  sample: string;
  stride: Stride;
  upsampling: Upsampling;
  against: Upsampling | "";
  cells: Cells;
  view: "overlay" | "compare" | "difference";
  target: string;
  channel: number;
  opacity: number;
  names: boolean;
  size: number;
}

/** The small data that changes with every choice: `screen` in fcn/ui/pages/try_it.py. */
interface State {
  key: string; // what the maps were computed from
  turn: number; // of the last choice that the server knows
  choices: Choices;
  photo: string; // name under which it was carried; so are the next three
  maps: string;
  strip: string;
  own: string; // "" without a photo of the visitor's own
  shown: string; // name of the sample
  upload: string; // changes with every upload
  refused: boolean; // the last upload could not be used
  ownKernel: boolean;
  width: number;
  height: number;
  stride: Stride;
  rows: number;
  columns: number;
  classes: string[];
  palette: Colour[];
  background: number; // index of that class, or -1
  model: string;
  models: [name: string, title: string][];
  modelHint: string;
  note: Note | null;
  captions: { photo: [title: string, detail: string] };
  alt: string;
  sizes: number[];
  hide: string[];
  lock: string[];
  present: boolean;
  hint: string;
}

/** A sentence above the pictures, and perhaps another model to offer. */
interface Note {
  text: string;
  other?: [name: string, title: string] | null;
}

/** A card of the strip of photos. */
interface Sample {
  name: string;
  title: string;
  alt: string;
  source: string;
}

type Arrays = "coarse" | "probabilities" | "features" | "shapes" | "bilinear" | "transposed";
type Confidences = "confident_bilinear" | "confident_transposed";

/** Arrays of bytes by name, packed by `pack`: `maps` in fcn/ui/viewer/viewer.py. Only stride 32 has shapes. */
interface Maps extends Record<Arrays | Confidences, string> {
  channels: number[];
  shapeChannels?: number[];
}

/** Which square of pixels the browser wants explained. */
interface SquareRequest {
  key: string;
  stride: Stride;
  row: number;
  column: number;
}

/** The sums of a square of pixels: `square` in fcn/ui/viewer/why.py. */
interface Square {
  top: number;
  left: number;
  height: number;
  width: number;
  listed: number; // classes of each pixel
  classes: string; // packed, and so are `numbers` and `cells`
  numbers: string;
  firstRow: number;
  firstColumn: number;
  across: number;
  rows: number;
  columns: number;
  cells: string;
  shape: number; // how many shape channels there are
  read?: { classes: Uint8Array; numbers: Int32Array; cells: Int32Array }; // unpacked here
}

/** What is carried, by its kind. */
interface Contents {
  photo: { source: string };
  maps: Maps;
  strip: { samples: Sample[] };
  own: { source: string };
  why: Square;
}

/** What one carrier brings: `carry` in fcn/ui/viewer/viewer.py. */
type Carried =
  | { kind: "state"; name: string; content: State }
  | { [Kind in keyof Contents]: { kind: Kind; name: string; content: Contents[Kind] } }[keyof Contents];

interface Store {
  contents: Map<string, any>; // "KIND NAME" -> Contents[KIND]
  waiting: Map<string, ((content: any) => void)[]>;
  watchers: Set<(state: State) => void>;
  state?: State;
  ask?: (square: SquareRequest) => void; // defined by fcn/ui/viewer/why.py
}

declare var fcnStore: Store;
