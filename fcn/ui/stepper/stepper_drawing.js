// The arithmetic and the pictures of the player: `compute`, then `build` when the shapes change, `draw` at every step.

/** @type {Record<string, number>} */
const STAGES = { map: 0, between: 1, around: 2, slide: 3 }; // first step of each
const NUMBERS = /** @type {const} */ (["scores", "kernel"]); // what can be edited
const UNIT = 10; // side of a cell in a drawing

class Drawing {
  /** @type {HTMLElement} */ root;
  /** @type {number[][]} */ scores;
  /** @type {number[][]} */ kernel;
  /** @type {number} */ stride;
  /** @type {boolean} whether the kernel may be edited */ own;
  /** @type {string} */ title;
  /** @type {number} */ step;
  /** @type {number | undefined} */ timer;
  /** @type {(name: string, value: unknown) => void} */ send;
  /** @type {number[][] | undefined} Keras' result */ keras;
  /** @type {string} the numbers that it belongs to */ checked;
  /** @type {string} what the drawings were built for, as `shape` gives it */ built;
  /** @type {number} of the result and of the stretched map, in pixels */ side;
  /** @type {SVGElement[][]} the scores in the drawing of the grid */ moving;
  /** @type {Cell[][]} */ windowCells;
  /** @type {Cell[][]} */ resultCells;
  /** @type {SVGElement} */ gridFrame;
  /** @type {SVGElement} */ resultFrame;
  /** @type {SVGElement} */ stampFrame;

  /**
   * An edit, which the player defines.
   * @param {Numbers} name @param {number} row @param {number} column @param {HTMLInputElement} input
   */
  edit(name, row, column, input) {}

  /** Tells the server of edits, which the player defines. @param {Numbers} name */
  report(name) {}

  /** @template {string} Selector @param {Selector} selector @returns {Found<Selector>} */
  $(selector) {
    return this.root.querySelector(selector);
  }

  get last() {
    return STAGES.slide + this.side ** 2 - 1;
  }

  // Arithmetic: the same as in fcn/explain.py

  shape() {
    return [this.scores.length, this.stride, this.kernel.length, this.own].join();
  }

  compute() {
    const cells = this.scores.length,
      size = this.kernel.length,
      stride = this.stride;
    this.side = cells * stride;
    const cropped = Math.floor(Math.max(size - stride, 0) / 2);
    this.cropped = cropped; // rows of the full result that are cut off
    this.before = size - 1 - cropped; // rows of zeros above the stretched map
    this.grid = matrix(this.side + size - 1, (y, x) => {
      const row = (y - this.before) / stride,
        column = (x - this.before) / stride;
      return Number.isInteger(row) && Number.isInteger(column) ? (this.scores[row]?.[column] ?? 0) : 0;
    });
    this.denominator = denominator(this.kernel);
    this.turned = matrix(size, (i, j) => this.kernel[size - 1 - i][size - 1 - j]);
    this.result = matrix(this.side, (y, x) => {
      let sum = 0;
      for (let i = 0; i < size; i++) for (let j = 0; j < size; j++) sum += this.grid[y + i][x + j] * this.turned[i][j];
      return sum;
    });
  }

  // Drawing

  build() {
    this.compute();
    const cells = this.scores.length,
      size = this.kernel.length,
      count = this.grid.length;
    this.$(".scores-title").textContent = `Score map, ${cells} x ${cells}`;
    this.$(".kernel-title").textContent = `Kernel, ${size} x ${size}: ${this.title}`;
    this.$(".kernel-note").textContent = this.own
      ? "Click a weight to change it."
      : "Fixed. Choose \u201cOwn numbers\u201d to write your own.";
    if (this.built !== this.shape()) {
      this.numbers("scores", true);
      this.numbers("kernel", this.own);
      this.buildGrid(count);
      this.windowCells = this.buildCells(".window", size, size <= 5 ? 2 : 1);
      this.resultCells = this.buildCells(".result", this.side, 1);
      this.$(".result").classList.toggle("dense", this.side > 12);
      this.resultFrame = frame(this.$(".result"));
      this.stampFrame = frame(this.$(".result"), "frame stamp");
      this.$("input[type=range]").max = String(this.last);
      this.built = this.shape();
    }
    for (const name of NUMBERS) this.fill(name);
    this.draw();
  }

  /** @param {Numbers} name @param {boolean} editable */
  numbers(name, editable) {
    const holder = this.$(`.${name}`),
      side = this[name].length;
    holder.replaceChildren();
    holder.style.setProperty("--side", String(side));
    holder.style.gridTemplateColumns = `repeat(${side}, 1fr)`;
    each(this[name], (value, row, column) => {
      const cell = document.createElement(editable ? "input" : "span");
      if (editable) {
        Object.assign(cell, { type: "number", step: "any" });
        cell.setAttribute(
          "aria-label",
          `${name === "scores" ? "Score" : "Kernel"}, row ${row + 1}, column ${column + 1}`,
        );
        cell.oninput = () => this.edit(name, row, column, /** @type {HTMLInputElement} */ (cell));
        cell.onchange = () => this.report(name);
        if (name === "scores") {
          cell.onpointerenter = cell.onfocus = () => this.drawStamp(row, column);
          cell.onpointerleave = cell.onblur = () => this.drawStamp();
        }
      }
      holder.append(cell);
    });
  }

  // A weight as text: a fraction if all of them are, so that sums come out exactly
  /** @param {number} value */
  weight(value) {
    return this.denominator > 1 && value
      ? `${short(Math.round(value * this.denominator))}/${this.denominator}`
      : exact(value);
  }

  // A product of a score and a weight, or a sum of such products
  /** @param {number} value */
  product(value) {
    return this.denominator > 1 && value ? `${exact(value * this.denominator)}/${this.denominator}` : exact(value);
  }

  /** @param {Numbers} name */
  fill(name) {
    const holder = this.$(`.${name}`),
      most = largest(this[name]);
    each(this[name], (value, row, column) => {
      const cell = /** @type {HTMLInputElement} */ (holder.children[row * this[name].length + column]); // or a span
      if (cell.tagName === "SPAN") cell.textContent = this.weight(value);
      else if (cell.valueAsNumber !== value) cell.value = String(Math.round(value * 1e6) / 1e6);
      tint(cell, value, most);
    });
  }

  /** @param {number} count */
  buildGrid(count) {
    const svg = this.$(".grid"),
      end = this.before + (this.scores.length - 1) * this.stride;
    svg.replaceChildren();
    svg.setAttribute("viewBox", `0 0 ${count * UNIT} ${count * UNIT}`);
    svg.classList.toggle("dense", count > 16);
    each(this.grid, (value, y, x) => {
      const inside = y >= this.before && y <= end && x >= this.before && x <= end;
      const group = make("g", { class: inside ? "between" : "around" }, svg);
      make("rect", { x: x * UNIT, y: y * UNIT, width: UNIT, height: UNIT, class: inside ? "zero" : "zero rim" }, group);
      const small = count > 16;
      make(
        "text",
        { x: (x + 0.5) * UNIT, y: (y + 0.5) * UNIT, class: "faint", "font-size": small ? 7 : 4.5 },
        group,
      ).textContent = small ? "·" : "0";
    });
    this.moving = this.scores.map((line, row) =>
      line.map((_, column) => {
        const group = make("g", { class: "moving" }, svg);
        make("rect", { width: UNIT, height: UNIT, class: "cell" }, group);
        make(
          "text",
          { x: UNIT / 2, y: UNIT / 2, class: "number", "font-size": count > 16 ? 9 : count > 10 ? 5.5 : 4.5 },
          group,
        );
        return group;
      }),
    );
    this.gridFrame = frame(svg);
  }

  /** @param {string} selector @param {number} side @param {number} lines @returns {Cell[][]} */
  buildCells(selector, side, lines) {
    const svg = this.$(selector);
    svg.replaceChildren();
    svg.setAttribute("viewBox", `0 0 ${side * UNIT} ${side * UNIT}`);
    return matrix(side, (row, column) => {
      const x = column * UNIT,
        y = row * UNIT;
      const rect = make("rect", { x, y, width: UNIT, height: UNIT, class: "cell" }, svg);
      const texts = Array.from({ length: lines }, (_, line) =>
        make(
          "text",
          {
            x: x + UNIT / 2,
            y: y + UNIT * (lines === 1 ? 0.5 : 0.36 + 0.3 * line),
            "font-size": lines === 1 ? 3.6 : line ? 2.5 : 1.9,
            "font-weight": line || lines === 1 ? 600 : 400,
          },
          svg,
        ),
      );
      return { rect, texts };
    });
  }

  draw() {
    const pixel = this.step - STAGES.slide,
      sliding = pixel >= 0;
    const row = Math.floor(pixel / this.side),
      column = pixel % this.side;
    const stage = sliding ? "slide" : Object.keys(STAGES)[this.step];
    this.root.dataset.stage = stage;
    for (const item of this.root.querySelectorAll(".stages li")) {
      const now = item.dataset.stage === (this.step === this.last ? "done" : stage);
      now ? item.setAttribute("aria-current", "step") : item.removeAttribute("aria-current");
    }
    this.drawGrid(stage, row, column);
    this.drawWindow(sliding, row, column);
    this.drawResult(pixel, row, column);
    const words = sliding
      ? `Pixel ${pixel + 1} of ${this.side ** 2}`
      : ["The score map", "Zeros between the cells", "Zeros around"][this.step];
    const range = this.$("input[type=range]");
    range.value = String(this.step);
    range.setAttribute("aria-valuetext", words);
    this.$(".where").textContent = `Step ${this.step + 1} of ${this.last + 1}: ${words.toLowerCase()}`;
    const play = this.$(".play"),
      label = this.timer || this.root.classList.contains("playing") ? "Pause" : "Play";
    play.setAttribute("aria-label", label);
    play.querySelector("span").textContent = label;
    this.$(".sum").setAttribute("aria-live", label === "Pause" ? "off" : "polite");
    this.sum(sliding, row, column);
    this.check();
  }

  /** @param {string} stage @param {number} row @param {number} column */
  drawGrid(stage, row, column) {
    const cells = this.scores.length,
      count = this.grid.length,
      most = largest(this.scores);
    const packed = stage === "map";
    // Packed cells are enlarged, so that the map fills the place of the stretched one
    const scale = packed ? (0.8 * count) / cells : 1;
    each(this.scores, (value, i, j) => {
      /** @param {number} at */
      const place = (at) => (packed ? count / 2 + (at - cells / 2) * scale : this.before + at * this.stride) * UNIT;
      const group = this.moving[i][j];
      group.style.transform = `translate(${place(j)}px, ${place(i)}px) scale(${scale})`;
      tint(/** @type {SVGElement} */ (group.firstChild), value, most);
      group.lastChild.textContent = short(value);
    });
    const sliding = stage === "slide";
    move(this.gridFrame, sliding, column, row, this.kernel.length);
    const inner = (cells - 1) * this.stride + 1;
    const size = { map: `${cells} x ${cells}`, between: `${inner} x ${inner}` }[stage] ?? `${count} x ${count}`;
    this.$(".grid-title").textContent = `${packed ? "Score map" : "Stretched map"}, ${size}`;
    this.$(".grid").setAttribute(
      "aria-label",
      `${packed ? "Score map" : "Score map stretched with zeros"}, ${size} cells` +
        (sliding
          ? `; the window covers rows ${row + 1} to ${row + this.kernel.length}, columns ${column + 1} to ${column + this.kernel.length}`
          : ""),
    );
  }

  /** @param {boolean} sliding @param {number} row @param {number} column */
  drawWindow(sliding, row, column) {
    const values = matrix(this.kernel.length, (i, j) =>
      sliding ? this.grid[row + i][column + j] * this.turned[i][j] : this.turned[i][j],
    );
    const most = sliding ? largest(this.scores) * largest(this.kernel) : largest(this.kernel);
    each(values, (value, i, j) => {
      const { rect, texts } = this.windowCells[i][j];
      const score = sliding ? this.grid[row + i][column + j] : 0;
      tint(rect, value, most);
      rect.setAttribute("class", sliding && score === 0 ? "zero" : "cell");
      for (const text of texts) text.setAttribute("class", sliding && score === 0 ? "faint" : "");
      const text = sliding ? this.product(value) : this.weight(value);
      const last = texts.at(-1),
        two = texts.length > 1;
      last.textContent = (sliding && two ? "= " : "") + text;
      last.setAttribute("font-size", String(Math.min(two ? 2.5 : 3.6, (two ? 13 : 16) / text.length)));
      last.setAttribute("y", String((i + (sliding && two ? 0.66 : 0.5)) * UNIT));
      if (two) texts[0].textContent = sliding ? `${exact(score)} × ${this.weight(this.turned[i][j])}` : "";
    });
    this.$(".window-title").textContent = sliding ? "Window × kernel, cell by cell" : "Kernel, turned by 180°";
    this.$(".window").setAttribute(
      "aria-label",
      sliding
        ? `${values.flat().filter((value) => value !== 0).length} of ${values.flat().length} products are not zero; their sum is ${exact(this.result[row][column])}`
        : `The kernel that will slide, ${this.kernel.length} x ${this.kernel.length} numbers`,
    );
  }

  /** @param {number} pixel @param {number} row @param {number} column */
  drawResult(pixel, row, column) {
    const most = largest(this.result);
    each(this.result, (value, i, j) => {
      const { rect, texts } = this.resultCells[i][j];
      rect.setAttribute("class", i * this.side + j <= pixel ? "cell" : "open");
      tint(rect, value, most);
      texts[0].textContent = this.side <= 12 ? short(value) : "";
    });
    move(this.resultFrame, pixel >= 0, column, row, 1);
    const rounded =
      this.side <= 12 && this.result.flat().some((value) => Math.abs(value * 100 - Math.round(value * 100)) > 1e-6);
    this.$(".result-title").textContent =
      `Result, ${this.side} x ${this.side}${rounded ? ", rounded to 2 digits" : ""}`;
    this.$(".result").setAttribute(
      "aria-label",
      `Result, ${Math.max(0, pixel + 1)} of ${this.side ** 2} pixels filled` +
        (pixel >= 0 ? `; row ${row + 1}, column ${column + 1} is ${exact(this.result[row][column])}` : ""),
    );
  }

  // The pixels that one score reaches: the same kernel, seen from the cell
  /** @param {number} [row] @param {number} [column] */
  drawStamp(row, column) {
    /** @param {number} at */
    const ends = (at) =>
      [0, this.kernel.length].map((more) => Math.max(0, Math.min(this.side, at * this.stride - this.cropped + more)));
    const [top, bottom] = ends(row ?? 0),
      [left, right] = ends(column ?? 0);
    move(this.stampFrame, row !== undefined, left, top, right - left, bottom - top);
  }

  /** @param {boolean} sliding @param {number} row @param {number} column */
  sum(sliding, row, column) {
    const line = this.$(".sum"),
      cells = this.scores.length;
    if (!sliding) {
      line.textContent = [
        `The network's output: one score for each of ${cells} x ${cells} cells. Each cell must become ${this.stride} x ${this.stride} pixels.`,
        `${this.stride - 1} row${this.stride > 2 ? "s" : ""} and column${this.stride > 2 ? "s" : ""} of zeros ${this.stride > 2 ? "go" : "goes"} between two cells: the map is larger, but holds no new information.`,
        `Zeros go around it, so that the kernel's window fits at the edges: ${this.before} rows above, ${this.grid.length - this.before - (cells - 1) * this.stride - 1} below, and the same for the columns.`,
      ][this.step];
      return;
    }
    const size = this.kernel.length,
      terms = [];
    for (let i = 0; i < size; i++)
      for (let j = 0; j < size; j++) {
        const score = this.grid[row + i][column + j];
        if (this.isScore(row + i) && this.isScore(column + j))
          terms.push(`<span class="term">${exact(score)} × ${this.weight(this.turned[i][j])}</span>`);
      }
    const rest = size * size - terms.length,
      sum = this.result[row][column];
    const steps = this.denominator > 1 && terms.length && sum ? `${this.product(sum)} = ` : "";
    line.innerHTML =
      `<b>Row ${row + 1}, column ${column + 1}</b>: ${terms.join(" + ") || "no cell is in reach, so the sum"} = ${steps}<b>${exact(sum)}</b>.` +
      (rest ? ` The other ${rest} of ${size * size} products are with an inserted zero.` : "");
  }

  /** @param {number} at */
  isScore(at) {
    const cell = (at - this.before) / this.stride;
    return Number.isInteger(cell) && cell >= 0 && cell < this.scores.length;
  }

  /** @returns {void} */
  check() {
    const line = this.$(".check");
    if (this.step < this.last) return void (line.textContent = "");
    const fresh = JSON.stringify([this.scores, this.kernel, this.stride, this.title]);
    if (fresh !== this.checked) return void (line.textContent = "Asking Keras ...");
    let most = 0;
    each(this.result, (value, i, j) => {
      most = Math.max(most, Math.abs(value - this.keras[i][j]));
    });
    line.textContent = `All ${this.side ** 2} pixels were computed in this browser. Largest difference from Keras: ${most ? most.toExponential(0) : "0"}`;
  }
}

/** @template Value @param {number} side @param {(row: number, column: number) => Value} value */
function matrix(side, value) {
  return Array.from({ length: side }, (_, row) => Array.from({ length: side }, (_, column) => value(row, column)));
}

/** @param {number[][]} rows @param {(value: number, row: number, column: number) => void} visit */
function each(rows, visit) {
  rows.forEach((line, row) => line.forEach((value, column) => visit(value, row, column)));
}

/** @param {number[][]} rows */
function largest(rows) {
  return Math.max(1e-9, ...rows.flat().map(Math.abs));
}

// The smallest denominator that suits all weights; 1 if there is none that is easy to read
/** @param {number[][]} kernel */
function denominator(kernel) {
  /** @param {number} by */
  const whole = (by) => kernel.flat().every((value) => Math.abs(value * by - Math.round(value * by)) < 1e-9);
  return [1, 4, 9, 16, 36, 64].find(whole) ?? 1;
}

// Up to 6 digits after the point; a number with more is marked as rounded.
/** @param {number} value */
function exact(value) {
  const rounded = Math.round(value * 1e6) / 1e6;
  return (Math.abs(rounded - value) > 1e-9 ? "≈ " : "") + String(rounded === 0 ? 0 : rounded).replace("-", "\u2212");
}

/** @param {number} value */
function short(value) {
  const rounded = Math.round(value * 100) / 100;
  return String(rounded === 0 ? 0 : rounded).replace("-", "\u2212");
}

// Blue for positive, orange for negative; never so strong that the number is hard to read.
/** @param {ElementCSSInlineStyle} element @param {number} value @param {number} most */
function tint(element, value, most) {
  element.style.setProperty("--tint", value < 0 ? "var(--negative)" : "var(--positive)");
  element.style.setProperty("--share", `${Math.round(55 * Math.min(1, Math.abs(value) / most))}%`);
}

/**
 * @template {keyof SVGElementTagNameMap} Tag
 * @param {Tag} tag @param {Record<string, string | number>} attributes @param {Element} parent
 */
function make(tag, attributes, parent) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  parent.append(element);
  return element;
}

/** @param {Element} svg */
function frame(svg, kind = "frame") {
  return make("rect", { class: kind, width: 0, height: 0 }, svg);
}

/** @param {SVGElement} frame @param {boolean} visible @param {number} x @param {number} y @param {number} width */
function move(frame, visible, x, y, width, height = width) {
  frame.style.display = visible ? "" : "none";
  for (const [name, value] of Object.entries({ x, y, width, height })) frame.setAttribute(name, String(value * UNIT));
}
