// What the files of the viewer add to its class, so that each of them knows the others' methods.

type Point = [x: number, y: number]; // photo pixels
type Box = { left: number; right: number; top: number; bottom: number }; // photo pixels
type Titles = [value: string | number, title: string | string[]][];
type Values = [value: string | number, title: string][];

/** The 16 strongest maps of a kind, and whether the middle picture shows a single one. */
interface Sheet {
  kind: Sheets;
  maps: Uint8Array;
  channels: number[];
  single: "channel" | "shape";
  name: string;
  words: string;
  one: boolean;
}

/** Draws an image over the whole photo, or over w x h of its pixels. */
type Paint = (image: CanvasImageSource, smooth: boolean, w?: number, h?: number) => void;

/** Where the name of a region fits. */
interface NamePlace {
  room: number; // how good the place is
  label: number;
  x: number;
  y: number;
  wide: number;
  high: number;
}

/** A cell that reaches a pixel, and its share in bilinear interpolation. */
interface Corner {
  row: number;
  column: number;
  share: number;
}

/** A class of a pixel and the parts of its sums: see PARTS in why.js. */
interface Sums {
  index: number;
  numbers: Int32Array;
}

interface CanvasRenderingContext2D {
  pixel: number; // a pixel of the page, in photo pixels; set by `panel`
}

interface ViewerRoot extends HTMLElement {
  viewer?: Viewer;
}

interface Choosing {
  part(name: string): HTMLElement;
  choose(changes: Partial<Choices>): void;
  busy(working: boolean): void;
  listenToControls(): void;
  options(place: HTMLElement, choice: keyof Choices, titles: Titles, chosen: string | number): void;
  select(titles: Values, choice: keyof Choices, chosen: string | number, name: string): HTMLElement;
  showControls(): void;
  showNote(note: Note | null): void;
  target(): number;
  showCaptions(): void;
  sheetCaption(sheet: Sheet): HTMLElement[];
  sentence(share: number): string;
  showLegend(): void;
}

interface Drawing {
  draw(): void;
  sized(canvas: HTMLCanvasElement): number;
  panel(canvas: HTMLCanvasElement, content: (paint: Paint, context: CanvasRenderingContext2D) => void): void;
  mark(context: CanvasRenderingContext2D, pixelToo: boolean): void;
  cellPicture(colour: (cell: number) => Colour): HTMLCanvasElement;
  drawCells(paint: Paint, context: CanvasRenderingContext2D): void;
  channel(sheet: Sheet): number;
  drawMosaic(canvas: HTMLCanvasElement): void;
  drawSegmentation(paint: Paint, context: CanvasRenderingContext2D): void;
  drawLabels(paint: Paint, context: CanvasRenderingContext2D, name: Upsampling): void;
  drawNames(context: CanvasRenderingContext2D, name: Upsampling): void;
  colours(name: Upsampling): HTMLCanvasElement;
  differencePicture(name: Upsampling, other: Upsampling): HTMLCanvasElement;
  once<Value>(name: string, make: () => Value): Value;
}

interface Pointing {
  listen(canvas: HTMLCanvasElement): void;
  press(canvas: HTMLCanvasElement, event: MouseEvent): void;
  tile(canvas: HTMLCanvasElement, event: Place): number;
  place(canvas: HTMLCanvasElement, event: Place): Point;
  toPhoto(u: number, v: number): Point;
  key(event: KeyboardEvent): void;
  drag(canvas: HTMLCanvasElement, event: PointerEvent): void;
  zoom(factor: number, x?: number, y?: number): void;
  move(x: number, y: number): void;
  follow(): void;
  inspect(x: number, y: number): void;
  confident(name: Upsampling, x: number, y: number, cell: number): number;
  read(): void;
  chip(index: number): HTMLElement;
  showBubble(event: PointerEvent): void;
  listenToHandle(): void;
  moveLine(canvas: HTMLCanvasElement, event: Place): void;
  setLine(share: number): void;
  placeHandle(): void;
  showWhere(): void;
  stopBlinking(): void;
}

/** Where an event happened in the window. */
type Place = { clientX: number; clientY: number };

interface Giving {
  listenToPhotos(): void;
  input(key: string): HTMLInputElement | null;
  give(files: File[]): void;
  hand(key: string, file: File): boolean;
  handLater(key: string, file: File, before: string, tries?: number): void;
  awaitPhoto(): void;
  whenThere(key: string, act: (input: HTMLInputElement) => void, tries?: number): void;
  uploadWatch?: MutationObserver;
  inputWait?: ReturnType<typeof setTimeout>;
  isAwaiting(data: State): boolean;
  watchUpload(): void;
  openCamera(): Promise<void>;
  showStrip(samples: Sample[], own?: string): void;
  chooseSample(name: string): void;
  present(event: KeyboardEvent): void;
}

interface Viewer extends Choosing, Drawing, Pointing, Giving {}
