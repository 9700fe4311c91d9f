// The first screen: a strip of photos, the switches, three linked pictures and the readout. Everything that
// follows the pointer or a switch happens here at once; the server is informed afterwards, for the link. The other files of
// this folder add methods to Viewer: choosing.js, drawing.js, pointing.js, giving.js.

// Functions of other files that are called with every new viewer. A file that explains pixels
// calls `extensions.push((viewer) => { viewer.onPixel = (x, y) => ...; })` and may draw into `viewer.beside`.
/** @type {((viewer: Viewer) => void)[]} */
const extensions = [];

class Viewer {
  /** @type {State} what the server sent last, of which all parts have arrived */ data;
  /** @type {Choices} */ choices;
  /** @type {HTMLImageElement} */ photo;
  /** @type {Uint8Array} class of each cell */ coarse;
  /** @type {Uint8Array} of each class in each cell, 0 to 255 */ probabilities;
  /** @type {Partial<Record<Sheets, { maps: Uint8Array, channels: number[] }>>} */ sheets;
  /** @type {Record<Upsampling, Uint8Array>} class of each pixel */ labels;
  /** @type {Partial<Record<Upsampling, Uint8Array>>} how sure each pixel's class is; not of the cells */ confidence;
  /** @type {(choices: Choices & { turn: number }) => void} informs the server */ tell;
  /** @type {() => void} ends the watch of the store */ unwatch;
  /** @type {number} how often `show` was called */ calls;
  /** @type {number} of the next drawing, while it waits for the screen */ frame;
  /** @type {{ name: Upsampling, timer?: number }} the upsampling that is shown for a moment */ blinking;
  /** @type {boolean} whether a pointer moves the line in the picture */ wiping;
  /** @type {boolean} whether a pointer moves it by its handle */ holding;
  /** @type {number} how far a pointer went while it was pressed */ moved;
  /** @type {number | null} the tile of the mosaic under the pointer */ pointedTile;

  /** @param {ViewerRoot} root */
  constructor(root) {
    this.root = root;
    this.panels = [...root.querySelectorAll("canvas")];
    this.readout = root.querySelector(".readout");
    this.bubble = root.querySelector(".bubble");
    this.handle = root.querySelector(".handle");
    /** @type {Set<number>} */
    this.hidden = new Set(); // indices of classes that are switched off
    this.view = { scale: 1, x: 0, y: 0 }; // x, y: photo pixel at the left upper corner
    this.line = 0.5; // where the two upsamplings meet, as a share of the picture's width
    /** @type {Point} */
    this.spot = null; // the pixel that is read
    /** @type {string | null} */
    this.awaited = null; // while a photo is on its way: the upload before it
    this.notTaken = ""; // why the last one was not taken
    this.turn = 0; // number of the last choice; what the server says of earlier ones is out of date
    /** @type {Map<number, PointerEvent>} */
    this.pointers = new Map();
    /** @type {Map<string, any>} */
    this.cache = new Map(); // what was drawn from a label map, by name
    this.endings = new AbortController(); // ends what listens outside of this part of the page
    this.panels.forEach((canvas) => this.listen(canvas));
    this.listenToHandle();
    this.listenToControls();
    this.listenToPhotos();
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(root);
    /** @type {(x: number, y: number) => void} */
    this.onPixel = null; // called when a pixel of the segmentation is clicked, tapped or entered
    this.beside = root.querySelector(".beside"); // an empty place under the readout, hidden while it is empty
    extensions.forEach((extend) => extend(this));
  }

  stop() {
    this.observer.disconnect();
    this.endings.abort();
    this.unwatch?.();
    clearInterval(this.blinking?.timer);
    this.root.viewer = undefined;
  }

  // Take what the server sends. Until all parts have arrived, the pictures do not change.
  /** @param {State} data */
  async show(data) {
    const call = (this.calls = (this.calls ?? 0) + 1);
    if (data.turn >= this.turn) this.choices = { ...data.choices };
    this.turn = Math.max(this.turn, data.turn);
    const [photo, maps] = await Promise.all([fetched("photo", data.photo), fetched("maps", data.maps)]);
    /** @type {(Arrays | Confidences)[]} */
    const names = [
      "bilinear",
      "transposed",
      "coarse",
      "probabilities",
      "features",
      "confident_bilinear",
      "confident_transposed",
      ...(maps.shapes ? /** @type {const} */ (["shapes"]) : []),
    ];
    const [image, ...arrays] = await Promise.all([picture(photo.source), ...names.map((name) => bytes(maps[name]))]);
    if (call !== this.calls) return; // newer data has come meanwhile
    const unpacked = /** @type {Record<Arrays | Confidences, Uint8Array>} */ (
      Object.fromEntries(names.map((name, index) => [name, arrays[index]]))
    );
    const fresh = this.data?.key !== data.key;
    // The sentence about a refused upload stands above; a phone has scrolled down to where the result would be.
    if (data.refused && this.data?.upload !== data.upload)
      this.root.scrollIntoView({ block: "start", behavior: "smooth" });
    if (this.data?.maps !== data.maps) this.cache.clear();
    Object.assign(this, { data, photo: image, coarse: unpacked.coarse, probabilities: unpacked.probabilities });
    this.sheets = { features: { maps: unpacked.features, channels: maps.channels } };
    if (maps.shapes) this.sheets.shapes = { maps: unpacked.shapes, channels: maps.shapeChannels };
    this.confidence = { bilinear: unpacked.confident_bilinear, transposed: unpacked.confident_transposed };
    this.labels = {
      bilinear: unpacked.bilinear,
      transposed: unpacked.transposed,
      nearest: this.repeated(unpacked.coarse),
    };
    if (fresh) {
      this.spot = null;
      this.view = { scale: 1, x: 0, y: 0 };
      this.hidden.clear();
    }
    this.stopBlinking();
    this.busy(this.isAwaiting(data));
    this.shapeFrames();
    this.refresh();
    Promise.all([fetched("strip", data.strip), data.own && fetched("own", data.own)]).then(([strip, own]) =>
      this.showStrip(strip.samples, own?.source),
    );
  }

  // Draw everything that the choices change.
  refresh() {
    this.showControls();
    this.showCaptions();
    this.showLegend();
    this.draw();
    this.read();
    const { upsampling, view } = this.choices;
    this.root.dataset.ready = `${this.data.key}${upsampling}${view}${this.cells()}${this.data.stride}`;
  }

  // What the middle picture shows: shape channels exist for one cell size only.
  /** @returns {Cells} */
  cells() {
    const { cells } = this.choices;
    /** @type {Partial<Record<Cells, Cells>>} */
    const others = { shapes: "features", shape: "channel" };
    return this.sheets.shapes ? cells : (others[cells] ?? cells);
  }

  // The maps of which the middle picture shows all or one, and whether it is a single one; null while it shows classes.
  /** @returns {Sheet | null} */
  sheet() {
    /** @type {Partial<Record<Cells, Sheets>>} */
    const kinds = { features: "features", channel: "features", shapes: "shapes", shape: "shapes" };
    const kind = kinds[this.cells()];
    return kind ? { ...this.sheets[kind], ...SHEETS[kind], kind, one: this.cells() === SHEETS[kind].single } : null;
  }

  // The cells as a label map of the photo's size: nearest upsampling.
  /** @param {Uint8Array} coarse */
  repeated(coarse) {
    const { width, height, stride, columns } = this.data;
    const labels = new Uint8Array(width * height);
    for (let y = 0; y < height; y++) {
      const row = Math.floor(y / stride) * columns;
      for (let x = 0; x < width; x++) labels[y * width + x] = coarse[row + Math.floor(x / stride)];
    }
    return labels;
  }

  // The upsampling that the chosen one is compared with.
  /** @returns {Upsampling} */
  against() {
    const { upsampling, against } = this.choices;
    if (against && against !== upsampling) return against;
    /** @type {Record<Upsampling, Upsampling>} */
    const others = { nearest: "bilinear", bilinear: "nearest", transposed: "bilinear" };
    return others[upsampling];
  }

  // A tall photo is made smaller, so that the legend stays on the screen.
  shapeFrames() {
    const { width, height } = this.data;
    for (const canvas of this.panels) {
      canvas.style.aspectRatio = `${width} / ${height}`;
      const room = matchMedia("(max-width: 640px)").matches
        ? "56vh"
        : `max(15rem, 100vh - ${this.data.present ? 19 : 27}rem)`;
      canvas.parentElement.style.width = `min(100%, calc(${room} * ${width / height}))`;
    }
  }

  // Shares of the classes in the labels shown, largest first: [class, share].
  /** @param {Uint8Array} labels @returns {[number, number][]} */
  shares(labels) {
    const counts = new Array(this.data.classes.length).fill(0);
    for (const label of labels) counts[label]++;
    return counts
      .map((count, index) => /** @type {[number, number]} */ ([index, count / labels.length]))
      .filter(([, share]) => share > 0)
      .sort((a, b) => b[1] - a[1]);
  }

  // Share of the pixels to which the two upsamplings give different classes.
  differing() {
    const [one, other] = [this.labels[this.choices.upsampling], this.labels[this.against()]];
    let count = 0;
    for (let index = 0; index < one.length; index++) if (one[index] !== other[index]) count++;
    return count / one.length;
  }
}
