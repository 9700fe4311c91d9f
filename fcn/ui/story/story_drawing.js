// The picture of the story at any time t: `draw` interpolates between beat i and beat i + 1. A unit is a pixel of the
// photo as the network received it.

const ZERO = "#10151c"; // where nothing has been added up yet
const DOT = 4; // side of a cell between zeros; in truth it is 1
const OPACITY = 0.62; // of the colours over the photo
const HALVINGS = [2, 4, 8, 16, 32];
const BEAT = { cells: 6, zeros: 7, kernel: 8, result: 9 }; // index of the beat at which each is finished

class Picture {
  /** @type {StoryData} */ data;
  /** @type {HTMLImageElement} */ photo;
  /** @type {number} */ width;
  /** @type {number} */ height;
  /** @type {number} */ stride;
  /** @type {number} of cells */ columns;
  /** @type {number} */ rows;
  /** @type {Uint8Array} class of each cell */ coarse;
  /** @type {Uint8Array} labels after one to four cells have stamped their kernels */ stamps;
  /** @type {Colour[]} of each label */ colours;
  /** @type {number[]} the classes that a map shows, the one with most cells first */ occurring;
  /** @type {HTMLCanvasElement} the coarse map, a pixel for each cell */ cells;
  /** @type {HTMLCanvasElement[]} label maps of FCN-32s, 16s and 8s, then the ground truth */ labels;
  /** @type {Record<number, HTMLCanvasElement>} a feature map of each stride */ features;
  /** @type {HTMLCanvasElement} */ stamped;
  /** @type {ImageData} of `stamped` */ pixels;
  /** @type {Share[][]} along the width and the height */ shares;
  /** @type {CanvasRenderingContext2D} */ context;

  // Everything that depends only on the photo, painted once

  /** @param {StoryData} data */
  async prepare(data) {
    const [photo, coarse, stamps, ...maps] = await Promise.all([
      picture(data.photo),
      bytes(data.coarse),
      bytes(data.stamps),
      ...[data.labels_32, data.labels_16, data.labels_8, data.truth].filter(Boolean).map(bytes),
      ...HALVINGS.map((stride) => bytes(data.features[stride])),
    ]);
    const { width, height, stride } = data,
      side = (/** @type {number} */ length) =>
        /** @type {const} */ ([Math.ceil(width / length), Math.ceil(height / length)]);
    const colours = [...data.palette];
    colours[data.ignored] = [128, 128, 128];
    const labels = maps.slice(0, maps.length - HALVINGS.length);
    const [columns, rows] = side(stride);
    Object.assign(this, {
      data,
      photo,
      coarse,
      stamps,
      width,
      height,
      stride,
      columns,
      rows,
      cells: painted(columns, rows, coarse, (value) => colours[value]),
      labels: labels.map((map) => painted(width, height, map, (value) => colours[value])),
      features: Object.fromEntries(
        HALVINGS.map((length, index) => [length, painted(...side(length), maps[labels.length + index], viridis)]),
      ),
      colours,
      occurring: occurring([coarse, ...labels], data.classes.length),
      stamped: blank(width, height),
    });
    this.pixels = this.stamped.getContext("2d").createImageData(width, height);
    this.shares = [width, height].map((length) => weights(length, stride));
  }

  /** @param {HTMLCanvasElement} canvas @param {number} t */
  draw(canvas, t) {
    const context = (this.context = canvas.getContext("2d")),
      last = this.data.beats.length - 1;
    this.unit = this.width / canvas.width; // photo pixels in a pixel of the canvas
    context.setTransform(1 / this.unit, 0, 0, 1 / this.unit, 0, 0);
    context.globalAlpha = 1;
    const beat = Math.min(Math.floor(t), last - 1),
      share = t - beat;
    if (beat < BEAT.cells - 1) this.halve(beat, share);
    else if (beat < BEAT.cells) this.classify(share);
    else if (beat < BEAT.zeros) this.stretch(share);
    else if (beat < BEAT.kernel) this.stamp(share);
    else if (beat < BEAT.result) this.lay(share);
    else this.wipe(beat - BEAT.result, share);
  }

  // Photo to feature maps: the photo shrinks into the corner; behind it is what the network sees at this stride.
  /** @param {number} beat @param {number} share */
  halve(beat, share) {
    if (beat) this.blocks(this.features[HALVINGS[beat - 1]], HALVINGS[beat - 1]);
    else this.paint(this.photo);
    this.blocks(this.features[HALVINGS[beat]], HALVINGS[beat], share);
    this.inset(this.photo, 2 ** -(beat + share), true);
  }

  // The small picture of cells grows to the size of the photo
  /** @param {number} share */
  classify(share) {
    this.blocks(this.features[this.stride], this.stride);
    const scale = this.stride ** (share - 1);
    this.inset(this.photo, scale, true);
    this.context.globalAlpha = Math.min(1, 4 * share);
    this.inset(this.cells, scale, false);
    this.context.globalAlpha = 1;
    if (share > 0.6) this.grid((share - 0.6) / 0.4);
  }

  /** @param {number} share */
  stretch(share) {
    this.fill(ZERO);
    const side = this.stride * (DOT / this.stride) ** share;
    for (let row = 0; row < this.rows; row++)
      for (let column = 0; column < this.columns; column++) this.dot(row, column, side);
    if (share < 0.5) this.grid(1 - 2 * share);
  }

  // The first cells have stamped their kernels; each pixel shows the best class so far, the more opaque the
  // more of the kernel has arrived.
  /** @param {number} share */
  stamp(share) {
    const { columns, rows, width, height, stamps, colours, pixels, shares } = this;
    const count = share * columns * rows,
      done = Math.floor(count),
      area = width * height;
    this.fill(ZERO);
    const [across, down] = shares;
    for (let y = 0; y < height; y++) {
      const [top, bottom, upper] = down[y];
      for (let x = 0; x < width; x++) {
        const [left, right, near] = across[x],
          at = y * width + x;
        let arrived = 0,
          reach = 0;
        for (let corner = 0; corner < 4; corner++) {
          const row = corner < 2 ? top : bottom,
            column = corner % 2 ? right : left;
          const inside = row >= 0 && row < rows && column >= 0 && column < columns;
          if (inside && row * columns + column >= done) break;
          if (inside) reach += (corner < 2 ? upper : 1 - upper) * (corner % 2 ? 1 - near : near);
          arrived = corner + 1;
        }
        const colour = colours[stamps[Math.max(0, arrived - 1) * area + at]];
        pixels.data[4 * at] = colour[0];
        pixels.data[4 * at + 1] = colour[1];
        pixels.data[4 * at + 2] = colour[2];
        pixels.data[4 * at + 3] = done === columns * rows ? 255 : 255 * Math.min(1, reach);
      }
    }
    this.stamped.getContext("2d").putImageData(pixels, 0, 0);
    this.paint(this.stamped);
    for (let cell = done; cell < columns * rows; cell++) this.dot(Math.floor(cell / columns), cell % columns, DOT);
    if (share > 0 && done < columns * rows) {
      const row = Math.floor(done / columns),
        column = done % columns,
        reach = this.stride;
      this.frame(
        (column + 0.5) * this.stride - reach,
        (row + 0.5) * this.stride - reach,
        2 * reach,
        css(colours[this.coarse[done]]),
      );
    }
  }

  /** @param {number} share */
  lay(share) {
    this.paint(this.photo);
    this.paint(this.labels[0], 1 - share * (1 - OPACITY));
  }

  // From one label map to the next, from left to right
  /** @param {number} index @param {number} share */
  wipe(index, share) {
    const { context, width, height, unit } = this,
      edge = share * width;
    this.paint(this.photo);
    for (const [map, left, right] of /** @type {[HTMLCanvasElement, number, number][]} */ ([
      [this.labels[index], edge, width],
      [this.labels[index + 1], 0, edge],
    ])) {
      context.save();
      context.beginPath();
      context.rect(left, 0, right - left, height);
      context.clip();
      this.paint(map, OPACITY);
      context.restore();
    }
    if (share <= 0 || share >= 1) return;
    context.fillStyle = "#fff";
    context.fillRect(edge - 1.5 * unit, 0, 3 * unit, height);
  }

  // Strokes

  /** @param {Paintable} image */
  paint(image, alpha = 1) {
    this.context.globalAlpha = alpha;
    this.context.imageSmoothingEnabled = image === this.photo;
    this.context.drawImage(image, 0, 0, this.width, this.height);
    this.context.globalAlpha = 1;
  }

  // A map of one stride over the photo, the last cells cropped at the edge
  /** @param {HTMLCanvasElement} map @param {number} stride */
  blocks(map, stride, alpha = 1) {
    this.context.globalAlpha = alpha;
    this.context.imageSmoothingEnabled = false;
    this.context.drawImage(map, 0, 0, map.width * stride, map.height * stride);
    this.context.globalAlpha = 1;
  }

  // A picture shrunk into the lower right corner, with a white border that fades out when it fills everything
  /** @param {Paintable} picture @param {number} scale @param {boolean} smooth */
  inset(picture, scale, smooth) {
    const { context, width, height, unit } = this;
    const wide = width * scale,
      high = height * scale,
      room = 10 * unit * (1 - scale);
    const left = width - wide - room,
      top = height - high - room,
      line = 2.5 * unit * Math.min(1, 8 * (1 - scale));
    context.fillStyle = "#fff";
    if (line > 0) context.fillRect(left - line, top - line, wide + 2 * line, high + 2 * line);
    context.imageSmoothingEnabled = smooth;
    context.imageSmoothingQuality = "high";
    context.save();
    context.beginPath();
    context.rect(left, top, wide, high);
    context.clip();
    const cell = this.stride * scale;
    if (picture === this.cells) context.drawImage(picture, left, top, this.columns * cell, this.rows * cell);
    else context.drawImage(picture, left, top, wide, high);
    context.restore();
  }

  /** @param {string} colour */
  fill(colour) {
    this.context.fillStyle = colour;
    this.context.fillRect(0, 0, this.width, this.height);
  }

  /** @param {number} row @param {number} column @param {number} side */
  dot(row, column, side) {
    this.context.fillStyle = css(this.colours[this.coarse[row * this.columns + column]]);
    this.context.fillRect((column + 0.5) * this.stride - side / 2, (row + 0.5) * this.stride - side / 2, side, side);
  }

  /** @param {number} alpha */
  grid(alpha) {
    const { context, stride } = this;
    context.strokeStyle = `rgba(16, 21, 28, ${0.6 * alpha})`;
    context.lineWidth = this.unit;
    context.beginPath();
    for (let x = stride; x < this.width; x += stride) {
      context.moveTo(x, 0);
      context.lineTo(x, this.height);
    }
    for (let y = stride; y < this.height; y += stride) {
      context.moveTo(0, y);
      context.lineTo(this.width, y);
    }
    context.stroke();
  }

  /** @param {number} left @param {number} top @param {number} side @param {string} colour */
  frame(left, top, side, colour) {
    for (const [line, ink] of /** @type {[number, string][]} */ ([
      [6, "#000"],
      [4, "#fff"],
      [2, colour],
    ])) {
      this.context.strokeStyle = ink;
      this.context.lineWidth = line * this.unit;
      this.context.strokeRect(left, top, side, side);
    }
  }
}

// For each pixel along a side: the cells before and after it, and the weight of the one before
/** @param {number} length @param {number} stride @returns {Share[]} */
function weights(length, stride) {
  return Array.from({ length }, (_, pixel) => {
    const place = (pixel + 0.5) / stride - 0.5,
      before = Math.floor(place);
    return [before, before + 1, 1 - (place - before)];
  });
}

// Classes that cover half a percent of one of the maps, in the order of the first
/** @param {Uint8Array[]} maps @param {number} classes */
function occurring(maps, classes) {
  const counts = maps.map((map) => {
    const count = new Array(256).fill(0);
    for (const label of map) count[label] += 1 / map.length;
    return count;
  });
  return Array.from({ length: classes }, (_, label) => label)
    .filter((label) => counts.some((count) => count[label] > 0.005))
    .sort((a, b) => counts[0][b] - counts[0][a]);
}

/** @param {number} width @param {number} height */
function blank(width, height) {
  return Object.assign(document.createElement("canvas"), { width, height });
}

/** @param {number} width @param {number} height @param {Uint8Array} values @param {(value: number) => Colour} colour */
function painted(width, height, values, colour) {
  const canvas = blank(width, height),
    context = canvas.getContext("2d"),
    pixels = context.createImageData(width, height);
  values.forEach((value, index) => pixels.data.set([...colour(value), 255], 4 * index));
  context.putImageData(pixels, 0, 0);
  return canvas;
}

/** @param {number} byte */
const viridis = (byte) => ramp(byte / 255);

/** @param {Colour} colour */
function css(colour) {
  return `rgb(${colour.join(",")})`;
}
