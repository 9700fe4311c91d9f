// How the three pictures are drawn.

const GRID = "rgba(20, 20, 20, 0.55)";
const DIFFERENT = [213, 94, 0]; // pixels that the two upsamplings label differently
const HIDDEN = [205, 205, 205]; // cells of a class that is switched off
const TILES = 4; // feature maps in a row of the mosaic
const NAME_SIZE = 13; // pixels on the screen

/** @type {Drawing & ThisType<Viewer>} */
const drawing = {
  draw() {
    if (!this.data) return;
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => {
      this.panel(this.panels[0], (paint) => paint(this.photo, true));
      if (this.sheet() && !this.sheet().one) this.drawMosaic(this.panels[1]);
      else this.panel(this.panels[1], (paint, context) => this.drawCells(paint, context));
      this.panel(this.panels[2], (paint, context) => this.drawSegmentation(paint, context));
      this.placeHandle();
    });
  },

  // Resize a canvas to the pixels of the screen; returns their number per pixel of the page.
  sized(canvas) {
    const ratio = window.devicePixelRatio || 1;
    canvas.width = Math.max(1, Math.round(canvas.clientWidth * ratio));
    canvas.height = Math.max(1, Math.round((canvas.clientWidth * ratio * this.data.height) / this.data.width));
    return ratio;
  },

  panel(canvas, content) {
    const { width, height } = this.data,
      { scale, x, y } = this.view;
    const ratio = this.sized(canvas),
      context = canvas.getContext("2d"),
      zoom = (canvas.width / width) * scale;
    context.setTransform(zoom, 0, 0, zoom, -x * zoom, -y * zoom); // from photo pixels to canvas pixels
    context.pixel = ratio / zoom; // a pixel of the page, in photo pixels
    /** @type {Paint} */
    const paint = (image, smooth, w = width, h = height) => {
      context.imageSmoothingEnabled = smooth;
      context.drawImage(image, 0, 0, w, h);
    };
    content(paint, context);
    if (this.spot) this.mark(context, true);
  },

  // Outline the cell being read, and the pixel itself.
  mark(context, pixelToo) {
    const { stride } = this.data,
      [left, top] = this.spot.map((value) => Math.floor(value / stride) * stride);
    for (const [colour, line] of /** @type {const} */ ([
      ["#000", 3.5],
      ["#fff", 1.8],
    ])) {
      context.strokeStyle = colour;
      context.lineWidth = line * context.pixel;
      context.strokeRect(left, top, stride, stride);
      const room = 2 / this.view.scale;
      if (pixelToo) context.strokeRect(this.spot[0] - room, this.spot[1] - room, 1 + 2 * room, 1 + 2 * room);
    }
  },

  // A map with one number per cell as a small picture: `colour` gives the colour of a cell.
  cellPicture(colour) {
    const { rows, columns } = this.data,
      image = new ImageData(columns, rows);
    for (let cell = 0; cell < rows * columns; cell++) image.data.set([...colour(cell), 255], cell * 4);
    return bitmap(image);
  },

  drawCells(paint, context) {
    const { rows, columns, stride, classes, width, height, palette } = this.data,
      sheet = this.sheet();
    const target = this.target();
    /** @type {Partial<Record<Cells, (cell: number) => Colour>>} */
    const colours = {
      class: (cell) => (this.hidden.has(this.coarse[cell]) ? HIDDEN : palette[this.coarse[cell]]),
      score: (cell) => ramp(this.probabilities[cell * classes.length + target] / 255),
    };
    const colour =
      colours[this.cells()] ?? ((cell) => ramp(sheet.maps[cell + this.channel(sheet) * rows * columns] / 255));
    paint(this.cellPicture(colour), false, columns * stride, rows * stride);
    context.strokeStyle = GRID;
    context.lineWidth = (Math.min(1, stride / 12) * (width / context.canvas.clientWidth)) / this.view.scale;
    context.beginPath();
    for (let x = stride; x < width; x += stride) context.moveTo(x, 0), context.lineTo(x, height);
    for (let y = stride; y < height; y += stride) context.moveTo(0, y), context.lineTo(width, y);
    context.stroke();
  },

  // Place of the one map that is shown, from 0.
  channel(sheet) {
    return Math.min(this.choices.channel, sheet.channels.length) - 1;
  },

  // The 16 strongest maps; each shows the same part of the photo, and the same cell is marked in each.
  drawMosaic(canvas) {
    const { rows, columns, stride, width } = this.data,
      { scale, x, y } = this.view,
      { maps } = this.sheet(),
      cells = rows * columns;
    const ratio = this.sized(canvas),
      context = canvas.getContext("2d"),
      gap = 2 * ratio;
    const [wide, high] = [canvas.width / TILES, canvas.height / TILES];
    for (let place = 0; place < TILES * TILES && place * cells < maps.length; place++) {
      const [left, top] = [(place % TILES) * wide, Math.floor(place / TILES) * high];
      const zoom = ((wide - gap) / width) * scale;
      context.save();
      context.beginPath();
      context.rect(left, top, wide - gap, high - gap);
      context.clip();
      context.setTransform(
        zoom,
        0,
        0,
        ((high - gap) / this.data.height) * scale,
        left - x * zoom,
        top - y * ((high - gap) / this.data.height) * scale,
      );
      context.imageSmoothingEnabled = false;
      context.drawImage(
        this.cellPicture((cell) => ramp(maps[place * cells + cell] / 255)),
        0,
        0,
        columns * stride,
        rows * stride,
      );
      context.pixel = (0.6 * ratio) / zoom;
      if (this.spot) this.mark(context, false);
      context.restore();
    }
  },

  drawSegmentation(paint, context) {
    const { upsampling, view } = this.choices,
      other = this.against();
    paint(this.photo, true);
    if (this.blinking) return this.drawLabels(paint, context, this.blinking.name);
    if (view === "difference") return paint(this.differencePicture(upsampling, other), false);
    if (view === "overlay") return this.drawLabels(paint, context, upsampling);
    const { width, height } = this.data,
      edge = this.view.x + (this.line * width) / this.view.scale;
    for (const [name, from, to] of /** @type {[Upsampling, number, number][]} */ ([
      [other, 0, edge],
      [upsampling, edge, width],
    ])) {
      context.save();
      context.beginPath();
      context.rect(from, 0, to - from, height);
      context.clip();
      this.drawLabels(paint, context, name);
      context.restore();
    }
    context.fillStyle = "#fff";
    context.fillRect(edge - 1.5 * context.pixel, 0, 3 * context.pixel, height);
  },

  // Colours, outlines and names of one upsampling's labels.
  drawLabels(paint, context, name) {
    paint(this.colours(name), false);
    const lines = this.once(`outlines ${name} ${[...this.hidden]}`, () =>
      outlines(this.labels[name], this.data.width, this.data.height, (label) => (this.hidden.has(label) ? -1 : label)),
    );
    context.lineJoin = "round";
    for (const [colour, line] of /** @type {const} */ ([
      ["rgba(0, 0, 0, 0.45)", 3],
      ["#fff", 1.3],
    ])) {
      context.strokeStyle = colour;
      context.lineWidth = line * context.pixel;
      context.stroke(lines);
    }
    if (this.choices.names) this.drawNames(context, name);
  },

  drawNames(context, name) {
    const places = this.once(`names ${name}`, () => namePlaces(this.labels[name], this.data.width, this.data.height));
    const size = NAME_SIZE * context.pixel,
      { classes, background } = this.data;
    context.font = `600 ${size}px sans-serif`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    for (const { label, x, y, wide, high } of places) {
      if (
        this.hidden.has(label) ||
        label === background ||
        high < size ||
        wide < context.measureText(classes[label]).width
      )
        continue;
      context.lineWidth = 3.5 * context.pixel;
      context.strokeStyle = "rgba(0, 0, 0, 0.75)";
      context.strokeText(classes[label], x, y);
      context.fillStyle = "#fff";
      context.fillText(classes[label], x, y);
    }
  },

  // The classes' colours over the photo; background has none and is slightly dimmed.
  colours(name) {
    const opacity = this.choices.opacity / 100,
      labels = this.labels[name];
    return this.once(`colours ${name} ${opacity} ${[...this.hidden]}`, () => {
      const { width, height, palette, background } = this.data,
        image = new ImageData(width, height);
      const alpha = Math.round(255 * opacity),
        dim = Math.round(255 * Math.min(opacity / 2, 0.25));
      const table = new Uint32Array(
        palette.map(([red, green, blue], index) => {
          if (this.hidden.has(index)) return 0;
          return index === background ? (dim << 24) >>> 0 : ((alpha << 24) | (blue << 16) | (green << 8) | red) >>> 0;
        }),
      );
      const pixels = new Uint32Array(image.data.buffer);
      for (let index = 0; index < pixels.length; index++) pixels[index] = table[labels[index]];
      return bitmap(image);
    });
  },

  differencePicture(name, other) {
    return this.once(`difference ${name} ${other}`, () => {
      const { width, height } = this.data,
        image = new ImageData(width, height);
      const [one, two] = [this.labels[name], this.labels[other]];
      for (let index = 0; index < one.length; index++)
        image.data.set(one[index] === two[index] ? [16, 20, 24, 150] : [...DIFFERENT, 255], index * 4);
      return bitmap(image);
    });
  },

  // Compute something once for the current labels.
  once(name, make) {
    if (!this.cache.has(name)) {
      if (this.cache.size > 40) this.cache.clear();
      this.cache.set(name, make());
    }
    return this.cache.get(name);
  },
};
Object.assign(Viewer.prototype, drawing);
