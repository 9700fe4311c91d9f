// The pictures and curves of a training; learning.js plays it.

/** @type {Record<View, string>} */
const SHOWN = { learned: "Learned", nearest: "Cells", bilinear: "Bilinear", truth: "Ground truth" };
const BOX = { left: 34, right: 76, top: 10, bottom: 24, width: 360, height: 190 }; // of a chart, SVG units
/** @type {Record<Goal, string>} */
const NAMES = { nearest: "cells", bilinear: "bilinear" };
const GOALS = /** @type {Goal[]} */ (Object.keys(NAMES));

class LearningDrawing {
  /** @type {HTMLElement} */ root;
  /** @type {LearningData} */ data;
  /** @type {Result[]} */ results = [];
  /** @type {number} index of the result shown */ at;
  /** @type {View} labels shown */ view = "learned";
  /** @type {number | null} of what plays, or asks the page */ timer;
  /** @type {HTMLImageElement} */ photo;
  /** @type {string} address of `photo` */ photoOf;
  /** @type {Partial<Record<View, Uint8Array>>} labels that do not change */ fixed;

  /** @template {string} Selector @param {Selector} selector @returns {Found<Selector>} */
  $(selector) {
    return this.root.querySelector(selector);
  }

  async unpack() {
    const data = this.data;
    if (data.photo && this.photoOf !== data.photo) {
      this.photo = await picture(data.photo);
      this.photoOf = data.photo;
    }
    for (const result of [...this.results]) {
      if (result.unpacked) continue;
      const [labels, kernels] = await Promise.all([bytes(result.labels), bytes(result.kernels)]);
      result.unpacked = { labels, kernels: new Int8Array(kernels.buffer) };
    }
    if (!data.labels) return;
    const labels = await Promise.all(
      Object.entries(data.labels).map(async ([name, text]) => [name, await bytes(text)]),
    );
    this.fixed = Object.fromEntries(labels);
  }

  draw() {
    const data = this.data,
      result = this.results[this.at];
    const range = this.$("input[type=range]"),
      end = Math.max(0, this.results.length - 1);
    Object.assign(range, { max: end, value: this.at, disabled: !end });
    const words = result ? `Step ${result.step} of ${data.last}` : "Not started";
    this.$(".where").textContent = words;
    range.setAttribute("aria-valuetext", words);
    const playing = Boolean(this.timer),
      label = playing ? "Pause" : "Play";
    this.root.classList.toggle("playing", playing);
    this.$(".play").setAttribute("aria-label", label);
    this.$(".play span").textContent = label;
    this.$(".moment").setAttribute("aria-live", playing ? "off" : "polite");
    this.$(".moment").textContent = this.moment(result);
    this.root.dataset.step = result ? String(result.step) : "";
    this.drawState();
    this.drawChoices();
    this.drawPicture(result);
    this.drawKernel(result);
    for (const figure of this.root.querySelectorAll(".chart"))
      this.drawChart(figure.querySelector("svg"), /** @type {Figure} */ (figure.dataset.figure));
  }

  drawState() {
    const state = this.data.state;
    if (!this.data.live) return;
    this.$(".state progress").value = state ? state.step / this.data.last : 0;
    this.$(".state span").textContent =
      state?.words ?? "Press Play: Keras trains the layer on the server while you watch.";
  }

  drawChoices() {
    const holder = this.$(".choices");
    const names = /** @type {View[]} */ (Object.keys(SHOWN)).filter((name) => name === "learned" || this.fixed?.[name]);
    if (!names.includes(this.view)) this.view = "learned";
    if (holder.children.length !== names.length) {
      holder.replaceChildren(
        ...names.map((name) => {
          const button = document.createElement("button");
          Object.assign(button, {
            type: "button",
            textContent: SHOWN[name],
            onclick: () => {
              this.view = name;
              this.draw();
            },
          });
          button.setAttribute("role", "radio");
          return button;
        }),
      );
    }
    names.forEach((name, index) => holder.children[index].setAttribute("aria-checked", String(name === this.view)));
  }

  /** @param {Result | undefined} result */
  drawPicture(result) {
    const { width, height, palette, classes } = this.data,
      canvas = this.$(".picture canvas");
    if (!this.photo) return;
    if (canvas.width !== width) Object.assign(canvas, { width, height });
    canvas.style.aspectRatio = `${width} / ${height}`;
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(this.photo, 0, 0, width, height);
    const labels = this.view === "learned" ? result?.unpacked?.labels : this.fixed?.[this.view];
    canvas.setAttribute("aria-label", labels ? `${SHOWN[this.view]}: ${shares(labels, classes)}` : "The photo");
    if (!labels) return;
    const image = context.getImageData(0, 0, width, height),
      pixels = image.data,
      opacity = 0.65;
    for (let index = 0; index < labels.length; index++) {
      const colour = palette[labels[index]];
      for (let part = 0; part < 3; part++)
        pixels[4 * index + part] = (1 - opacity) * pixels[4 * index + part] + opacity * colour[part];
    }
    context.putImageData(image, 0, 0);
  }

  /** @param {Result | undefined} result */
  drawKernel(result) {
    const { pairs, side } = this.data,
      select = this.$("select"),
      canvas = this.$(".kernel canvas");
    this.$(".kernel").classList.toggle("empty", !result || !pairs);
    if (!pairs) return;
    if (select.children.length !== pairs.length || select.children[0].textContent !== pairs[0]) {
      select.replaceChildren(
        ...pairs.map((name) => Object.assign(document.createElement("option"), { textContent: name })),
      );
    }
    if (!result?.unpacked) return;
    const pair = select.selectedIndex,
      most = Math.max(1e-9, ...this.results.map((one) => one.limits[pair]));
    if (canvas.width !== side) Object.assign(canvas, { width: side, height: side });
    const context = canvas.getContext("2d"),
      image = context.createImageData(side, side);
    const start = pair * side * side,
      share = result.limits[pair] / most / 127;
    let high = 0,
      low = 0;
    for (let index = 0; index < side * side; index++) {
      const value = result.unpacked.kernels[start + index] * share; // -1 to 1
      high = Math.max(high, value);
      low = Math.min(low, value);
      const colour = value < 0 ? [33, 102, 172] : [178, 24, 43];
      for (let part = 0; part < 3; part++)
        image.data[4 * index + part] = 247 + (colour[part] - 247) * Math.min(1, Math.abs(value));
      image.data[4 * index + 3] = 255;
    }
    context.putImageData(image, 0, 0);
    const words = `weights ${rounded(low * most)} to ${rounded(high * most)}`;
    this.$(".scale").textContent = `${side} x ${side} ${words}. Red adds, blue takes away.`;
    canvas.setAttribute("aria-label", `Kernel ${pairs[pair]} after ${result.step} steps, ${words}`);
  }

  // Curves: steps on a logarithmic axis, since most happens at first

  /** @param {SVGElement} svg @param {Figure} figure */
  drawChart(svg, figure) {
    const { last, goals } = this.data,
      results = this.results,
      loss = figure === "loss";
    svg.replaceChildren();
    svg.setAttribute("viewBox", `0 0 ${BOX.width} ${BOX.height}`);
    const values = results.flatMap((one) => (loss ? [one.loss, one.seen] : [one[figure]]));
    /** @type {[string, number][]} */
    const targets = GOALS.filter((name) => goals?.[name]).map((name) => [NAMES[name], goals[name][figure]]);
    const every = [...values, ...targets.map(([, value]) => value)];
    const [low, high] = loss
      ? [Math.min(0.1, ...every) * 0.9, Math.max(1, ...every) * 1.1]
      : [0, Math.max(70, ...every) + 5];
    /** @param {number} value */
    const height = (value) => (loss ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low));
    /** @param {number} value */
    const y = (value) => BOX.height - BOX.bottom - height(value) * (BOX.height - BOX.bottom - BOX.top);
    /** @param {number} step */
    const x = (step) => BOX.left + (Math.log1p(step) / Math.log1p(last)) * (BOX.width - BOX.left - BOX.right);
    const right = BOX.width - BOX.right;
    for (const tick of loss ? [0.1, 0.3, 1, 3] : [0, 20, 40, 60, 80]) {
      if (tick < low || tick > high) continue;
      make("line", { x1: BOX.left, x2: right, y1: y(tick), y2: y(tick), class: "axis" }, svg);
      make("text", { x: BOX.left - 5, y: y(tick) + 4, class: "end" }, svg).textContent = String(tick);
    }
    for (const tick of [0, 1, 3, 10, 30, 100, 300, 1000].filter((tick) => tick <= last))
      make("text", { x: x(tick), y: BOX.height - 8, class: "middle" }, svg).textContent = String(tick);
    make("text", { x: right + 8, y: BOX.height - 8 }, svg).textContent = "steps";
    const places = targets.map(([name, value]) => ({ name, value, y: y(value), text: 0 })).sort((a, b) => a.y - b.y);
    places.forEach((place, index) => {
      make("line", { x1: BOX.left, x2: right, y1: place.y, y2: place.y, class: "goal" }, svg);
      place.text = Math.max(place.y + 4, index ? places[index - 1].text + 12 : 0);
      make("text", { x: right + 8, y: place.text }, svg).textContent = `${place.name} ${rounded(place.value)}`;
    });
    /** @type {(Figure | "seen")[]} */
    const curves = loss ? ["seen", "loss"] : [figure];
    /** @param {Figure | "seen"} name @param {number} count */
    const path = (name, count) =>
      results
        .slice(0, count)
        .map((one) => `${x(one.step).toFixed(1)},${y(one[name]).toFixed(1)}`)
        .join(" ");
    for (const name of curves) {
      const kind = name === "seen" ? " seen" : "";
      make("polyline", { points: path(name, results.length), class: `curve faint${kind}` }, svg);
      make("polyline", { points: path(name, this.at + 1), class: `curve${kind}` }, svg);
    }
    for (const [name, value] of targets) {
      const passed = this.passed(figure, value);
      if (!passed) continue;
      make("circle", { cx: x(passed.step), cy: y(passed[figure]), r: 5, class: "mark" }, svg).append(
        title(`overtakes ${name} at step ${passed.step}`),
      );
      make("text", { x: x(passed.step), y: y(passed[figure]) + (loss ? -10 : 20), class: "middle" }, svg).textContent =
        `step ${passed.step}`;
    }
    const now = results[this.at];
    for (const name of now ? curves : [])
      make("circle", { cx: x(now.step), cy: y(now[name]), r: 4, class: name === "seen" ? "here seen" : "here" }, svg);
    svg.setAttribute(
      "aria-label",
      now
        ? `Curve over ${results.length} results. At step ${now.step}: ${loss ? `unseen ${now.loss}, training pictures ${now.seen}` : now[figure]}` +
            targets.map(([name, value]) => `; ${name} ${value}`).join("")
        : "No results yet",
    );
  }

  /** The first result that is better than a value. @param {Figure} figure @param {number} value */
  passed(figure, value) {
    return this.results.find((one) => (figure === "loss" ? one.loss < value : one[figure] > value));
  }

  /** @param {Result | undefined} result */
  moment(result) {
    const goals = this.data.goals;
    if (!result) return "The curves appear with the first result.";
    const start = `Step ${result.step}: mIoU ${rounded(result.miou)} on unseen scenes.`;
    if (!goals?.bilinear) return start;
    const passed = GOALS.map((name) => ({
      name: NAMES[name],
      value: goals[name].miou,
      first: this.passed("miou", goals[name].miou),
    }));
    return [
      start,
      ...passed.map(({ name, value, first }) =>
        first && first.step <= result.step
          ? `It overtook ${name} (${rounded(value)}) at step ${first.step}.`
          : `${name[0].toUpperCase()}${name.slice(1)}: ${rounded(value)}, ${rounded(value - result.miou)} higher.`,
      ),
    ].join(" ");
  }
}

/** @param {Uint8Array} labels @param {string[]} classes */
function shares(labels, classes) {
  const counts = new Array(classes.length).fill(0);
  for (const label of labels) counts[label] += 1;
  return counts
    .map((count, index) => /** @type {[number, string]} */ ([count / labels.length, classes[index]]))
    .filter(([share]) => share >= 0.01)
    .sort((a, b) => b[0] - a[0])
    .map(([share, name]) => `${name} ${Math.round(100 * share)} %`)
    .join(", ");
}

/** @param {number} value */
function rounded(value) {
  const digits = Math.abs(value) >= 10 ? 1 : 2;
  return value.toFixed(digits).replace("-", "\u2212");
}

/** @param {string} tag @param {Record<string, string | number>} attributes @param {Element} parent */
function make(tag, attributes, parent) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  parent.append(element);
  return element;
}

/** @param {string} text */
function title(text) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", "title");
  element.textContent = text;
  return element;
}

/** @param {Element} root */
function dark(root) {
  const parts = getComputedStyle(root).color.match(/[\d.]+/g) ?? [0];
  return Number(parts[0]) > 128; // the text is light
}
