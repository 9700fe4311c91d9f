// Why this pixel: a click on the segmentation opens the sums behind its class, and outlines the four cells that reach it.
// The server sends the sums of a square of pixels when the first of them is requested (why.py); then all of them are there.

const SQUARE = 32;
const CORNERS = [
  [0, 0],
  [0, 1],
  [1, 0],
  [1, 1],
]; // rows down, columns to the right
const PLACES = ["upper left", "upper right", "lower left", "lower right"];
const PARTS = { bilinear: 0, own: 4, others: 8, shape: 9, weights: 13, all: 17 }; // where they begin in a class's numbers

extensions.push((viewer) => {
  const why = new Why(viewer);
  viewer.onPixel = (x, y) => why.explain(x, y);
});

class Why {
  /** @type {Point | null} the pixel that is explained */ pixel;
  /** @type {string} what it is a pixel of */ of;

  /** @param {Viewer} viewer */
  constructor(viewer) {
    this.viewer = viewer;
    const { follow, mark, show } = viewer;
    viewer.follow = () => {
      // keys move the pixel: its sums go with it
      follow.call(viewer);
      if (this.pixel) this.explain(...viewer.spot);
    };
    viewer.mark = (context, pixelToo) => {
      mark.call(viewer, context, pixelToo);
      if (this.pixel && pixelToo && context.canvas !== viewer.panels[0]) this.outline(context);
    };
    viewer.show = async (data) => {
      await show.call(viewer, data);
      const now = `${viewer.data?.key} ${viewer.data?.stride}`;
      if (this.pixel && this.of !== now)
        this.of.startsWith(viewer.data.key) ? this.explain(...this.pixel) : this.close();
    };
  }

  /** @param {number} x @param {number} y */
  async explain(x, y) {
    const { viewer } = this,
      { key, stride } = viewer.data;
    const [row, column] = [Math.floor(y / SQUARE), Math.floor(x / SQUARE)],
      name = `${key} ${stride} ${row} ${column}`;
    this.pixel = [x, y];
    this.of = `${key} ${stride}`;
    viewer.draw();
    if (!store.contents.has(`why ${name}`)) {
      if (!viewer.beside.children.length) viewer.beside.replaceChildren(element("p", "Adding up ..."));
      store.ask?.({ key, stride, row, column });
    }
    const square = await this.read(await fetched("why", name));
    if (this.pixel?.[0] === x && this.pixel?.[1] === y && this.of === `${key} ${stride}`) this.show(square, x, y);
  }

  close() {
    this.pixel = null;
    this.viewer.beside.replaceChildren();
    this.viewer.draw();
  }

  /** @param {Square} square */
  async read(square) {
    if (!square.read) {
      const [classes, numbers, cells] = await Promise.all([square.classes, square.numbers, square.cells].map(bytes));
      square.read = { classes, numbers: new Int32Array(numbers.buffer), cells: new Int32Array(cells.buffer) };
    }
    return square;
  }

  // The four cells around a pixel: row, column, and its share in bilinear interpolation
  /** @param {number} x @param {number} y @returns {Corner[]} */
  cells(x, y) {
    const { stride } = this.viewer.data;
    const [down, across] = [y, x].map((at) => (at + 0.5) / stride - 0.5);
    const [top, left] = [Math.floor(down), Math.floor(across)];
    return CORNERS.map(([below, beside]) => ({
      row: top + below,
      column: left + beside,
      share: (below ? down - top : 1 - down + top) * (beside ? across - left : 1 - across + left),
    }));
  }

  /** @param {CanvasRenderingContext2D} context */
  outline(context) {
    const { stride } = this.viewer.data;
    context.save();
    for (const { row, column, share } of this.cells(...this.pixel)) {
      const [left, top] = [column * stride, row * stride];
      context.setLineDash([]);
      for (const [colour, line] of /** @type {const} */ ([
        ["#000", 4],
        ["#ffd21f", 2],
      ])) {
        context.strokeStyle = colour;
        context.lineWidth = line * context.pixel;
        context.strokeRect(left, top, stride, stride);
      }
      if (stride < 26 * context.pixel) continue; // too small to be read
      const size = 13 * context.pixel;
      context.font = `700 ${size}px sans-serif`;
      context.textAlign = "center";
      context.textBaseline = "middle";
      const [middle, line] = [left + stride / 2, top + stride / 2];
      context.lineWidth = 3.5 * context.pixel;
      context.strokeStyle = "#000";
      const text = share < 0.01 ? "<1%" : percent(share); // words would not fit into a cell
      if (context.measureText(text).width > 0.9 * stride) continue;
      context.strokeText(text, middle, line);
      context.fillStyle = "#ffd21f";
      context.fillText(text, middle, line);
    }
    context.restore();
  }

  // Words and numbers

  /** @param {Square} square @param {number} x @param {number} y */
  show(square, x, y) {
    const { viewer } = this,
      { classes } = viewer.data,
      pixel = y * viewer.data.width + x;
    const at = (y - square.top) * square.width + x - square.left;
    const listed = [...square.read.classes.slice(at * square.listed, (at + 1) * square.listed)].map((index, place) => {
      const start = (at * square.listed + place) * PARTS.all;
      return { index, numbers: square.read.numbers.slice(start, start + PARTS.all) };
    });
    const winners = { bilinear: viewer.labels.bilinear[pixel], transposed: viewer.labels.transposed[pixel] };
    const cells = this.cells(x, y);
    const section = element("section", "", { class: "why", "aria-label": "Why this pixel" });
    const close = element("button", "Close", { type: "button" });
    close.addEventListener("click", () => {
      this.close();
      viewer.panels[2].focus({ preventScroll: true });
    });
    const head = element("header");
    const same = winners.bilinear === winners.transposed;
    head.append(
      element(
        "h4",
        `Why is pixel ${x}, ${y} ${same ? classes[winners.transposed] : `${classes[winners.bilinear]} or ${classes[winners.transposed]}`}?`,
      ),
      close,
    );
    const outside = cells.filter(({ row, column }) => !this.inside(square, row, column)).length;
    const intro = element(
      "p",
      `Four cells reach it, outlined on the maps: ` +
        cells
          .map(
            ({ row, column, share }, corner) =>
              `${PLACES[corner]} ${(100 * share).toFixed(1)} %${this.inside(square, row, column) ? "" : " (outside)"}`,
          )
          .join(", ") +
        ". " +
        (outside
          ? `${outside} of them lie beyond the edge: there bilinear repeats the last cell, and the transposed convolution finds zeros. `
          : "") +
        "The sums list the cells in this order; the terms are rounded so that they add up.",
    );
    const columns = element("div", "", { class: "columns" });
    columns.append(
      this.column("Bilinear", "bilinear", listed, winners.bilinear, square, cells),
      this.column("Transposed convolution", "transposed", listed, winners.transposed, square, cells),
    );
    section.append(head, intro, columns);
    const open = viewer.beside.querySelector("details")?.open;
    viewer.beside.replaceChildren(section);
    if (open) for (const details of section.querySelectorAll("details")) details.open = true;
    viewer.beside.dataset.pixel = `${x} ${y}`;
  }

  /** @param {Square} square @param {number} row @param {number} column */
  inside(square, row, column) {
    return row >= 0 && column >= 0 && row < square.rows && column < square.columns;
  }

  /**
   * @param {string} title @param {Upsampling} upsampling @param {Sums[]} listed @param {number} winner
   * @param {Square} square @param {Corner[]} cells
   */
  column(title, upsampling, listed, winner, square, cells) {
    const { classes, palette } = this.viewer.data,
      part = element("div");
    const scored = listed.map(({ index, numbers }) => ({ index, numbers, total: this.total(upsampling, numbers) }));
    scored.sort((a, b) => Number(b.index === winner) - Number(a.index === winner) || b.total - a.total);
    const most = Math.max(1, ...scored.map(({ total }) => Math.abs(total)));
    part.append(element("h5", title));
    for (const { index, numbers, total } of scored) {
      const item = element("div", "", { class: "class" }),
        bar = element("span", "", { class: "score" });
      const fill = element("u");
      fill.style.width = `${(50 * Math.abs(total)) / most}%`;
      fill.style[total < 0 ? "right" : "left"] = "50%";
      fill.style.background = css(palette[index]);
      bar.append(fill);
      const name = element("b", classes[index]),
        line = element("p");
      item.append(name, bar, element("b", hundredths(total), { class: "total" }), line);
      if (upsampling === "bilinear")
        this.written(
          line,
          cells.map(({ share }) => share),
          index,
          numbers.slice(0, 4),
          square,
          cells,
          total,
        );
      else this.learned(item, line, index, numbers, square, cells, total);
      part.append(item);
    }
    const by = scored[0].total - (scored[1]?.total ?? 0);
    part.append(
      element(
        "p",
        scored.length > 1
          ? `${classes[winner]} wins by ${by > 0 ? hundredths(by) : "less than 0.01"} over ${classes[scored[1].index]}.`
          : "",
        { class: "verdict" },
      ),
    );
    return part;
  }

  /** @param {Upsampling} upsampling @param {Int32Array} numbers */
  total(upsampling, numbers) {
    return numbers
      .slice(...(upsampling === "bilinear" ? [0, PARTS.own] : [PARTS.own, PARTS.weights]))
      .reduce((sum, part) => sum + part, 0);
  }

  // "0.422 × 3.10 + ... = 1.31 + ... = 2.20"
  /**
   * @param {HTMLElement} line @param {number[]} weights @param {number} index @param {Int32Array} terms
   * @param {Square} square @param {Corner[]} cells @param {number} total
   */
  written(line, weights, index, terms, square, cells, total, repeat = true) {
    line.append(
      this.products(weights, index, square, cells, repeat),
      " = ",
      joined([...terms].map(hundredths)),
      " = ",
      element("b", hundredths(total)),
    );
  }

  /**
   * @param {number[]} weights @param {number} index @param {Square} square @param {Corner[]} cells
   * @param {boolean} repeat whether the last cell stands for those beyond the edge
   */
  products(weights, index, square, cells, repeat) {
    return joined(
      cells.map(({ row, column }, corner) => {
        const beyond = !this.inside(square, row, column) && !repeat;
        return `${minus(weights[corner].toFixed(3))} × ${beyond ? "0" : hundredths(this.score(square, row, column, index))}`;
      }),
    );
  }

  /**
   * @param {HTMLElement} item @param {HTMLElement} line @param {number} index @param {Int32Array} numbers
   * @param {Square} square @param {Corner[]} cells @param {number} total
   */
  learned(item, line, index, numbers, square, cells, total) {
    /** @param {keyof typeof PARTS} name @param {number} count */
    const part = (name, count) => [...numbers.slice(PARTS[name], PARTS[name] + count)];
    /** @param {number[]} list */
    const add = (list) => list.reduce((sum, one) => sum + one, 0);
    const own = part("own", 4),
      [others] = part("others", 1),
      shape = part("shape", 4);
    line.append(
      this.products(
        part("weights", 4).map((weight) => weight / 1000),
        index,
        square,
        cells,
        false,
      ),
      " = ",
      joined(own.map(hundredths)),
      " = ",
      hundredths(add(own)),
    );
    const names = [`${hundredths(add(own))} its own scores`, `${hundredths(others)} other classes`];
    if (square.shape) names.push(`${hundredths(add(shape))} shape channels`);
    const sum = element("p");
    sum.append(joined(names), " = ", element("b", hundredths(total)));
    item.append(sum);
    if (!square.shape) return;
    const details = element("details");
    details.append(
      element("summary", `What the ${square.shape} shape channels add`),
      element(
        "p",
        cells.map((_, corner) => `${PLACES[corner]} ${hundredths(shape[corner])}`).join(", ") +
          ` = ${hundredths(add(shape))}`,
      ),
    );
    item.append(details);
  }

  // A cell's score in hundredths; beyond the edge the last cell's
  /** @param {Square} square @param {number} row @param {number} column @param {number} index */
  score(square, row, column, index) {
    const count = this.viewer.data.classes.length;
    return square.read.cells[((row - square.firstRow) * square.across + column - square.firstColumn) * count + index];
  }
}

/** @param {string} text */
const minus = (text) => text.replace("-", "\u2212");
/** @param {number} value */
const hundredths = (value) => minus((value / 100).toFixed(2));
// A sum without "+ −"
/** @param {string[]} terms */
const joined = (terms) =>
  terms.reduce((sum, term) => `${sum} ${term.startsWith("\u2212") ? `\u2212 ${term.slice(1)}` : `+ ${term}`}`);
