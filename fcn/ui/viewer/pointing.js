// The pointer, fingers and keys on the pictures: reading a pixel, zoom, pan, the line between two upsamplings.

/** @type {Pointing & ThisType<Viewer>} */
const pointing = {
  listen(canvas) {
    /** @param {Place} event */
    const at = (event) => this.place(canvas, event);
    canvas.addEventListener("pointermove", (event) => {
      if (this.pointers.has(event.pointerId)) this.drag(canvas, event);
      if (!this.wiping) this.inspect(...at(event));
      this.showBubble(event);
    });
    canvas.addEventListener("pointerdown", (event) => {
      this.pointers.set(event.pointerId, event);
      this.moved = 0;
      this.wiping = canvas === this.panels[2] && this.choices.view === "compare" && !this.blinking;
      if (this.wiping) this.moveLine(canvas, event);
      this.inspect(...at(event));
      this.showBubble(event);
    });
    for (const name of /** @type {const} */ (["pointerup", "pointercancel", "pointerleave"]))
      canvas.addEventListener(name, (event) => {
        this.pointers.delete(event.pointerId);
        this.wiping = false;
        this.bubble.hidden = true;
      });
    canvas.addEventListener(
      "wheel",
      (event) => {
        if (!event.ctrlKey) return; // a plain wheel scrolls the page
        event.preventDefault();
        this.zoom(event.deltaY < 0 ? 1.25 : 0.8, ...at(event));
      },
      { passive: false },
    );
    canvas.addEventListener("click", (event) => this.press(canvas, event));
    canvas.addEventListener("dblclick", (event) => this.zoom(2, ...at(event)));
    canvas.addEventListener("keydown", (event) => this.key(event));
    const buttons = this.root.querySelectorAll(".zoom button");
    if (canvas === this.panels[0])
      [1.5, 1 / 1.5, 0].forEach((factor, index) =>
        buttons[index].addEventListener("click", () => this.zoom(factor, ...(this.spot ?? this.toPhoto(0.5, 0.5)))),
      );
  },

  // A click that was not a drag: a tile of the mosaic opens, a pixel of the segmentation is explained.
  press(canvas, event) {
    if (this.moved > 4 || !this.data) return;
    const sheet = this.sheet();
    if (canvas === this.panels[1] && sheet && !sheet.one)
      return this.choose({
        cells: sheet.single,
        channel: Math.min(sheet.channels.length, this.tile(canvas, event) + 1),
      });
    if (canvas === this.panels[2] && this.spot && this.choices.view !== "compare") this.onPixel?.(...this.spot);
  },

  // The feature map of the mosaic that an event points at, from 0.
  tile(canvas, event) {
    const box = canvas.getBoundingClientRect();
    const [u, v] = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
    return Math.min(TILES - 1, Math.floor(u * TILES)) + TILES * Math.min(TILES - 1, Math.floor(v * TILES));
  },

  // The photo pixel that an event points at.
  place(canvas, event) {
    const box = canvas.getBoundingClientRect();
    let [u, v] = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
    const sheet = this.data && canvas === this.panels[1] && this.sheet();
    if (sheet && !sheet.one) {
      this.pointedTile = this.tile(canvas, event);
      [u, v] = [(u * TILES) % 1, (v * TILES) % 1];
    } else this.pointedTile = null;
    return this.toPhoto(u, v);
  },

  toPhoto(u, v) {
    const { scale, x, y } = this.view;
    return [x + (u * this.data.width) / scale, y + (v * this.data.height) / scale];
  },

  key(event) {
    const { width, height, stride } = this.data;
    const step = event.shiftKey ? stride : 1;
    const [x, y] = this.spot ?? [width >> 1, height >> 1];
    /** @type {Record<string, Point>} */
    const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
    if (moves[event.key]) {
      this.inspect(x + moves[event.key][0], y + moves[event.key][1]);
      this.follow();
    } else if (event.key === "+") this.zoom(1.5, x, y);
    else if (event.key === "-") this.zoom(1 / 1.5, x, y);
    else if (event.key === "0") this.zoom(0);
    else if (event.key === "Enter" && event.target === this.panels[2]) {
      if (!this.spot) this.inspect(x, y);
      this.onPixel?.(x, y);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  },

  drag(canvas, event) {
    const before = this.pointers.get(event.pointerId);
    this.moved += Math.hypot(event.clientX - before.clientX, event.clientY - before.clientY);
    if (this.wiping && this.pointers.size === 1) this.moveLine(canvas, event);
    else if (this.pointers.size === 2) {
      const [other] = [...this.pointers.values()].filter((pointer) => pointer.pointerId !== event.pointerId);
      /** @param {Place} pointer */
      const span = (pointer) => Math.hypot(pointer.clientX - other.clientX, pointer.clientY - other.clientY);
      const middle = { clientX: (event.clientX + other.clientX) / 2, clientY: (event.clientY + other.clientY) / 2 };
      this.zoom(span(event) / Math.max(1, span(before)), ...this.place(canvas, middle));
    } else {
      const pixels = this.data.width / this.view.scale / canvas.clientWidth; // photo pixels in a pixel of the screen
      this.move(
        this.view.x - (event.clientX - before.clientX) * pixels,
        this.view.y - (event.clientY - before.clientY) * pixels,
      );
    }
    this.pointers.set(event.pointerId, event);
  },

  // Zoom around a photo pixel; factor 0 shows everything again.
  zoom(factor, x = 0, y = 0) {
    const scale = factor ? Math.min(24, Math.max(1, this.view.scale * factor)) : 1;
    const ratio = this.view.scale / scale;
    this.view.scale = scale;
    this.move(x - (x - this.view.x) * ratio, y - (y - this.view.y) * ratio);
  },

  move(x, y) {
    const { width, height } = this.data,
      { scale } = this.view;
    this.view.x = Math.min(width - width / scale, Math.max(0, x));
    this.view.y = Math.min(height - height / scale, Math.max(0, y));
    this.panels.forEach((canvas) => canvas.classList.toggle("zoomed", scale > 1));
    this.draw();
  },

  // Keep the pixel being read in view while keys move it.
  follow() {
    const { scale, x, y } = this.view;
    const [wide, high] = [this.data.width / scale, this.data.height / scale];
    this.move(
      Math.min(this.spot[0], Math.max(x, this.spot[0] + 1 - wide)),
      Math.min(this.spot[1], Math.max(y, this.spot[1] + 1 - high)),
    );
  },

  inspect(x, y) {
    const { width, height } = this.data;
    this.spot = [Math.min(width - 1, Math.max(0, Math.floor(x))), Math.min(height - 1, Math.max(0, Math.floor(y)))];
    this.draw();
    this.read();
  },

  // Probability of the class of a pixel, 0 to 1.
  confident(name, x, y, cell) {
    const { width, height, classes } = this.data,
      confidences = this.confidence[name];
    if (name === "nearest") return this.probabilities[cell * classes.length + this.coarse[cell]] / 255;
    const step = Math.round(Math.sqrt((width * height) / confidences.length)),
      columns = Math.ceil(width / step);
    return confidences[Math.floor(y / step) * columns + Math.floor(x / step)] / 255;
  },

  // The class of the pixel and the best classes of its cell, in words.
  read() {
    const { width, stride, columns, rows, classes } = this.data,
      { upsampling } = this.choices,
      sheet = this.sheet();
    if (!this.spot) return (this.readout.textContent = this.data.hint);
    const [x, y] = this.spot,
      label = this.labels[upsampling][y * width + x];
    const row = Math.floor(y / stride),
      column = Math.floor(x / stride),
      cell = row * columns + column;
    const place = sheet?.one ? this.channel(sheet) : this.pointedTile;
    if (sheet && place !== null && place < sheet.channels.length) {
      const value = sheet.maps[cell + place * rows * columns] / 255;
      return (this.readout.textContent =
        `Cell in row ${row + 1}, column ${column + 1}. ${sheet.name} ${place + 1} (channel ` +
        `${sheet.channels[place]}): ${value.toFixed(2)} on a scale from 0, its lowest value, to 1, its highest.`);
    }
    const start = cell * classes.length;
    const top = [...this.probabilities.slice(start, start + classes.length)]
      .map((value, index) => [value / 255, index])
      .sort((a, b) => b[0] - a[0])
      .slice(0, 3);
    this.readout.replaceChildren(
      element("span", `Pixel ${x}, ${y}: `),
      this.chip(label),
      element("b", classes[label]),
      element(
        "span",
        ` ${percent(this.confident(upsampling, x, y, cell))}. Its cell (row ${row + 1}, column ${column + 1}): `,
      ),
      ...top.flatMap(([share, index], order) => [
        this.chip(index),
        element("span", `${classes[index]} ${percent(share)}${order < top.length - 1 ? ", " : "."}`),
      ]),
    );
  },

  chip(index) {
    const swatch = element("i");
    swatch.style.background = css(this.data.palette[index]);
    return swatch;
  },

  // Next to a finger, which hides what it points at: the class there.
  showBubble(event) {
    if (event.pointerType !== "touch" || !this.spot) return;
    const [x, y] = this.spot,
      label = this.labels[this.choices.upsampling][y * this.data.width + x];
    this.bubble.textContent = this.data.classes[label];
    this.bubble.style.left = `${Math.min(innerWidth - 50, Math.max(50, event.clientX))}px`;
    this.bubble.style.top = `${event.clientY}px`;
    this.bubble.hidden = false;
  },

  // The line between two upsamplings

  listenToHandle() {
    const canvas = this.panels[2];
    this.handle.addEventListener("pointerdown", (event) => {
      this.handle.setPointerCapture(event.pointerId);
      this.holding = true;
    });
    this.handle.addEventListener("pointermove", (event) => this.holding && this.moveLine(canvas, event));
    for (const name of ["pointerup", "pointercancel"]) this.handle.addEventListener(name, () => (this.holding = false));
    this.handle.addEventListener("keydown", (event) => {
      const to = {
        ArrowLeft: this.line - 0.02,
        ArrowDown: this.line - 0.02,
        ArrowRight: this.line + 0.02,
        ArrowUp: this.line + 0.02,
        PageDown: this.line - 0.2,
        PageUp: this.line + 0.2,
        Home: 0,
        End: 1,
      }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      event.stopPropagation();
      this.setLine(to);
    });
  },

  moveLine(canvas, event) {
    const box = canvas.getBoundingClientRect();
    this.setLine((event.clientX - box.left) / box.width);
  },

  setLine(share) {
    this.line = Math.min(1, Math.max(0, share));
    this.draw();
  },

  placeHandle() {
    const comparing = this.choices.view === "compare" && !this.blinking;
    this.handle.hidden = !comparing;
    this.handle.style.left = `${100 * this.line}%`;
    this.handle.setAttribute("aria-valuenow", String(Math.round(100 * this.line)));
    this.panels[2].classList.toggle("wiping", comparing);
    const [left, right] = this.root.querySelectorAll(".corner");
    left.hidden = !comparing && !this.blinking;
    right.hidden = !comparing;
    left.textContent = short(this.blinking?.name ?? this.against());
    right.textContent = short(this.choices.upsampling);
  },

  // Show where two upsamplings differ most: zoom in, and alternate between the two.
  showWhere() {
    const { upsampling } = this.choices,
      other = this.against(),
      { width, height } = this.data;
    const box = largestDifference(this.labels[upsampling], this.labels[other], width, height);
    if (!box) return;
    const [wide, high] = [box.right - box.left, box.bottom - box.top];
    this.view.scale = Math.min(8, Math.max(1, 0.6 * Math.min(width / wide, height / high)));
    this.move(
      (box.left + box.right) / 2 - width / this.view.scale / 2,
      (box.top + box.bottom) / 2 - height / this.view.scale / 2,
    );
    this.stopBlinking();
    let left = 9;
    this.blinking = { name: other };
    this.blinking.timer = setInterval(() => {
      if (!--left) this.stopBlinking();
      else this.blinking.name = this.blinking.name === other ? upsampling : other;
      this.draw();
    }, 800);
    this.draw();
  },

  stopBlinking() {
    clearInterval(this.blinking?.timer);
    this.blinking = null;
  },
};
Object.assign(Viewer.prototype, pointing);
