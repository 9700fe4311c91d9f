// Three linked pictures: photo, score map, segmentation. Everything that follows the pointer happens here, without
// asking the server: reading a pixel, outlining its cell, zoom and pan, the wipe, classes on and off.

const GRID = "rgba(20, 20, 20, 0.55)";
const UNKNOWN = [213, 94, 0]; // pixels that the two upsamplings label differently
const HIDDEN = [205, 205, 205]; // cells of a class that is switched off
const VIRIDIS = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]];

export default function (component) {
  const { data, parentElement } = component;
  const root = parentElement.querySelector(".viewer");
  const viewer = root.viewer ?? (root.viewer = new Viewer(root));
  viewer.show(data);
  return () => viewer.stop();
}

class Viewer {
  constructor(root) {
    this.root = root;
    this.panels = [...root.querySelectorAll("canvas")];
    this.readout = root.querySelector(".readout");
    this.wipe = root.querySelector(".wipe input");
    this.hidden = new Set();
    this.view = { scale: 1, x: 0, y: 0 }; // x, y: photo pixel at the left upper corner
    this.spot = null; // the pixel that is read, [x, y]
    this.pointers = new Map();
    this.panels.forEach((canvas, index) => this.listen(canvas, index));
    this.wipe.addEventListener("input", () => this.draw());
    const buttons = root.querySelectorAll(".zoom button");
    [1.5, 1 / 1.5, 0].forEach((factor, index) =>
      buttons[index].addEventListener("click", () => this.zoom(factor, ...(this.spot ?? this.toPhoto(0.5, 0.5)))));
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(root);
  }

  stop() {
    this.observer.disconnect();
    this.root.viewer = undefined;
  }

  async show(data) {
    const turn = (this.turn = (this.turn ?? 0) + 1);
    const [photo, bilinear, transposed, confidence, probabilities, features] = await Promise.all([
      picture(data.photo), ...["bilinear", "transposed", "confidence", "probabilities", "features"]
        .map((name) => bytes(data[name]))]);
    if (turn !== this.turn) return; // newer data has come meanwhile
    const fresh = this.data?.key !== data.key;
    Object.assign(this, { data, photo, labels: { bilinear, transposed }, confidence, probabilities, features });
    if (fresh) {
      this.spot = null;
      this.view = { scale: 1, x: 0, y: 0 };
      this.hidden.clear();
    }
    this.panels.forEach((canvas) => {
      canvas.style.aspectRatio = `${data.width} / ${data.height}`;
      canvas.style.width = `min(100%, calc(75vh * ${data.width / data.height}))`; // a tall photo stays on the screen
    });
    ["photo", "score", "segmentation"].forEach((name, index) => {
      this.panels[index].setAttribute("aria-label", data.alt[name]);
      this.root.querySelectorAll("figcaption")[index].innerHTML = "";
      const [title, note] = data.captions[name];
      this.root.querySelectorAll("figcaption")[index].append(element("b", title), element("span", note));
    });
    this.root.querySelector(".wipe").hidden = data.right !== "compare";
    this.legend();
    this.draw();
    this.read();
    this.root.dataset.ready = data.key + data.upsampling + data.right + data.left + data.stride;
  }

  // The legend: a button a class, pressed while the class is shown.
  legend() {
    const list = this.root.querySelector(".legend");
    list.replaceChildren(...this.data.shares.map(([index, share]) => {
      const button = element("button", "");
      button.type = "button";
      button.setAttribute("aria-pressed", String(!this.hidden.has(index)));
      button.title = "Show or hide this class";
      const swatch = element("i", "");
      swatch.style.background = css(this.data.palette[index]);
      button.append(swatch, this.data.classes[index] + " ", element("b", share));
      button.addEventListener("click", () => {
        this.hidden.has(index) ? this.hidden.delete(index) : this.hidden.add(index);
        button.setAttribute("aria-pressed", String(!this.hidden.has(index)));
        this.draw();
      });
      const item = element("li", "");
      item.append(button);
      return item;
    }));
  }

  listen(canvas) {
    const at = (event) => {
      const box = canvas.getBoundingClientRect();
      return this.toPhoto((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
    };
    canvas.addEventListener("pointermove", (event) => {
      if (this.pointers.has(event.pointerId)) this.drag(canvas, event);
      this.inspect(...at(event));
    });
    canvas.addEventListener("pointerdown", (event) => {
      this.pointers.set(event.pointerId, event);
      this.inspect(...at(event));
    });
    for (const name of ["pointerup", "pointercancel", "pointerleave"])
      canvas.addEventListener(name, (event) => this.pointers.delete(event.pointerId));
    canvas.addEventListener("wheel", (event) => {
      if (!event.ctrlKey) return; // a plain wheel scrolls the page
      event.preventDefault();
      this.zoom(event.deltaY < 0 ? 1.25 : 0.8, ...at(event));
    }, { passive: false });
    canvas.addEventListener("dblclick", (event) => this.zoom(2, ...at(event)));
    canvas.addEventListener("keydown", (event) => this.key(event));
  }

  key(event) {
    const { width, height, stride } = this.data;
    const step = event.shiftKey ? stride : 1;
    const [x, y] = this.spot ?? [width >> 1, height >> 1];
    const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
    if (moves[event.key]) {
      this.inspect(x + moves[event.key][0], y + moves[event.key][1]);
      this.follow();
    }
    else if (event.key === "+") this.zoom(1.5, x, y);
    else if (event.key === "-") this.zoom(1 / 1.5, x, y);
    else if (event.key === "0") this.zoom(0);
    else return;
    event.preventDefault();
  }

  drag(canvas, event) {
    const before = this.pointers.get(event.pointerId);
    const pixels = this.data.width / this.view.scale / canvas.clientWidth; // photo pixels in a screen pixel
    if (this.pointers.size === 2) {
      const [other] = [...this.pointers.values()].filter((pointer) => pointer.pointerId !== event.pointerId);
      const span = (pointer) => Math.hypot(pointer.clientX - other.clientX, pointer.clientY - other.clientY);
      const box = canvas.getBoundingClientRect();
      this.zoom(span(event) / Math.max(1, span(before)), ...this.toPhoto(
        ((event.clientX + other.clientX) / 2 - box.left) / box.width,
        ((event.clientY + other.clientY) / 2 - box.top) / box.height));
    } else {
      this.move(this.view.x - (event.clientX - before.clientX) * pixels,
        this.view.y - (event.clientY - before.clientY) * pixels);
    }
    this.pointers.set(event.pointerId, event);
  }

  toPhoto(u, v) {
    const { scale, x, y } = this.view;
    return [x + (u * this.data.width) / scale, y + (v * this.data.height) / scale];
  }

  // Zoom around a photo pixel; factor 0 shows everything again.
  zoom(factor, x = 0, y = 0) {
    const scale = factor ? Math.min(24, Math.max(1, this.view.scale * factor)) : 1;
    const ratio = this.view.scale / scale;
    this.view.scale = scale;
    this.move(x - (x - this.view.x) * ratio, y - (y - this.view.y) * ratio);
  }

  move(x, y) {
    const { width, height } = this.data, { scale } = this.view;
    this.view.x = Math.min(width - width / scale, Math.max(0, x));
    this.view.y = Math.min(height - height / scale, Math.max(0, y));
    this.panels.forEach((canvas) => canvas.classList.toggle("zoomed", scale > 1));
    this.draw();
  }

  // Keep the pixel that is read in sight while it is moved by keys.
  follow() {
    const { scale, x, y } = this.view;
    const [wide, high] = [this.data.width / scale, this.data.height / scale];
    this.move(Math.min(this.spot[0], Math.max(x, this.spot[0] + 1 - wide)),
      Math.min(this.spot[1], Math.max(y, this.spot[1] + 1 - high)));
  }

  inspect(x, y) {
    const { width, height } = this.data;
    this.spot = [Math.min(width - 1, Math.max(0, Math.floor(x))), Math.min(height - 1, Math.max(0, Math.floor(y)))];
    this.draw();
    this.read();
  }

  // What is known of the pixel and of its cell, in words.
  read() {
    const { width, stride, columns, classes } = this.data;
    if (!this.spot) return (this.readout.textContent = this.data.hint);
    const [x, y] = this.spot;
    const pixel = y * width + x, label = this.labels[this.data.upsampling][pixel];
    const row = Math.floor(y / stride), column = Math.floor(x / stride);
    const count = classes.length, start = (row * columns + column) * count;
    const top = [...this.probabilities.slice(start, start + count)]
      .map((value, index) => [value / 2.55, index]).sort((a, b) => b[0] - a[0]).slice(0, 3);
    const said = (share) => (share < 1 ? "under 1%" : `${Math.round(share)}%`);
    this.readout.replaceChildren(
      element("span", `Pixel ${x}, ${y}: `), this.chip(label), element("b", classes[label]),
      element("span", ` ${said(this.confidence[pixel] / 2.55)}. Its cell (row ${row + 1}, column ${column + 1}): `),
      ...top.flatMap(([share, index], place) => [this.chip(index),
        element("span", `${classes[index]} ${said(share)}${place < top.length - 1 ? ", " : "."}`)]));
  }

  chip(index) {
    const swatch = element("i", "");
    swatch.style.background = css(this.data.palette[index]);
    return swatch;
  }

  draw() {
    if (!this.data) return;
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => {
      this.panel(this.panels[0], (paint) => paint(this.photo, true));
      this.panel(this.panels[1], (paint, context) => this.drawScores(paint, context));
      this.panel(this.panels[2], (paint, context) => this.drawSegmentation(paint, context));
    });
  }

  panel(canvas, content) {
    const { width, height, stride } = this.data, { scale, x, y } = this.view;
    const ratio = window.devicePixelRatio || 1;
    canvas.width = Math.max(1, Math.round(canvas.clientWidth * ratio));
    canvas.height = Math.max(1, Math.round((canvas.clientWidth * ratio * height) / width));
    const context = canvas.getContext("2d"), zoom = (canvas.width / width) * scale;
    context.setTransform(zoom, 0, 0, zoom, -x * zoom, -y * zoom); // from photo pixels to canvas pixels
    const paint = (image, smooth, w = width, h = height) => {
      context.imageSmoothingEnabled = smooth;
      context.drawImage(image, 0, 0, w, h);
    };
    content(paint, context);
    if (!this.spot) return;
    const [left, top] = this.spot.map((value) => Math.floor(value / stride) * stride);
    for (const [colour, line] of [["#000", 3.5], ["#fff", 1.8]]) {
      context.strokeStyle = colour;
      context.lineWidth = (line * ratio) / zoom;
      context.strokeRect(left, top, stride, stride);
      context.strokeRect(this.spot[0] - 2 / scale, this.spot[1] - 2 / scale, 1 + 4 / scale, 1 + 4 / scale);
    }
  }

  drawScores(paint, context) {
    const { rows, columns, stride, classes, left, width, height, sheet } = this.data;
    const cells = rows * columns;
    if (left === "features" && sheet) return this.drawSheet(paint, context);
    const image = new ImageData(columns, rows);
    for (let cell = 0; cell < cells; cell++) {
      let colour;
      if (left === "class") {
        const label = this.data.coarse[cell];
        colour = this.hidden.has(label) ? HIDDEN : this.data.palette[label];
      } else if (left === "score") colour = ramp(this.probabilities[cell * classes.length + this.data.target] / 255);
      else colour = ramp(this.features[cell + this.data.channel * cells] / 255);
      image.data.set([...colour, 255], cell * 4);
    }
    paint(bitmap(image), false, columns * stride, rows * stride);
    context.strokeStyle = GRID;
    context.lineWidth = Math.min(1, stride / 12) * (width / context.canvas.clientWidth) / this.view.scale;
    context.beginPath();
    for (let x = stride; x < width; x += stride) context.moveTo(x, 0), context.lineTo(x, height);
    for (let y = stride; y < height; y += stride) context.moveTo(0, y), context.lineTo(width, y);
    context.stroke();
  }

  // Small multiples of the 16 strongest channels.
  drawSheet(paint, context) {
    const { rows, columns, width, height } = this.data;
    for (let place = 0; place < 16 && place * rows * columns < this.features.length; place++) {
      const image = new ImageData(columns, rows);
      for (let cell = 0; cell < rows * columns; cell++)
        image.data.set([...ramp(this.features[place * rows * columns + cell] / 255), 255], cell * 4);
      context.imageSmoothingEnabled = false;
      context.drawImage(bitmap(image), ((place % 4) * width) / 4, (Math.floor(place / 4) * height) / 4,
        width / 4 - 2, height / 4 - 2);
    }
  }

  drawSegmentation(paint, context) {
    const { upsampling, right, width, height, opacity } = this.data;
    paint(this.photo, true);
    context.globalAlpha = right === "difference" ? 1 : opacity;
    if (right === "compare") {
      const edge = (this.wipe.value / 100) * width;
      for (const [way, from, to] of [["bilinear", 0, edge], ["transposed", edge, width]]) {
        context.save();
        context.beginPath();
        context.rect(from, 0, to - from, height);
        context.clip();
        paint(this.colours(this.labels[way]), false);
        context.restore();
      }
      context.globalAlpha = 1;
      context.fillStyle = "#fff";
      context.fillRect(edge - 1.5 / this.view.scale, 0, 3 / this.view.scale, height);
    } else if (right === "difference") paint(this.differences(), false);
    else paint(this.colours(this.labels[upsampling]), false);
    context.globalAlpha = 1;
  }

  colours(labels) {
    const { width, height, palette } = this.data;
    const key = [this.data.key, [...this.hidden].join()].join("|");
    this.painted ??= new Map();
    const kept = this.painted.get(labels);
    if (kept?.key === key) return kept.image;
    const table = new Uint32Array(palette.map(([red, green, blue], index) =>
      this.hidden.has(index) ? 0 : (255 << 24) | (blue << 16) | (green << 8) | red));
    const image = new ImageData(width, height);
    const pixels = new Uint32Array(image.data.buffer);
    for (let index = 0; index < pixels.length; index++) pixels[index] = table[labels[index]];
    if (this.painted.size > 4) this.painted.clear();
    const made = { key, image: bitmap(image) };
    this.painted.set(labels, made);
    return made.image;
  }

  differences() {
    const { width, height } = this.data, { bilinear, transposed } = this.labels;
    const image = new ImageData(width, height);
    for (let index = 0; index < bilinear.length; index++)
      image.data.set(bilinear[index] === transposed[index] ? [16, 20, 24, 150] : [...UNKNOWN, 255], index * 4);
    return bitmap(image);
  }
}

function element(tag, text) {
  const made = document.createElement(tag);
  made.textContent = text;
  return made;
}

const css = ([red, green, blue]) => `rgb(${red}, ${green}, ${blue})`;

function ramp(value) {
  const place = Math.min(0.9999, Math.max(0, value)) * (VIRIDIS.length - 1);
  const low = VIRIDIS[Math.floor(place)], high = VIRIDIS[Math.floor(place) + 1], part = place % 1;
  return low.map((channel, index) => Math.round(channel + (high[index] - channel) * part));
}

function bitmap(image) {
  const canvas = document.createElement("canvas");
  canvas.width = image.width;
  canvas.height = image.height;
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

function picture(url) {
  return new Promise((done, failed) => {
    const image = new Image();
    image.onload = () => done(image);
    image.onerror = failed;
    image.src = url;
  });
}

// zlib-compressed bytes in base64 -> Uint8Array
async function bytes(text) {
  const packed = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
