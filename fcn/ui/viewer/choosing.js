// The switches, tabs, captions and legend: they act here at once, then tell the server.

/** @type {[Stride, string][]} */
const STRIDES = [
  [32, "32"],
  [16, "16"],
  [8, "8"],
]; // a list: an object would sort its numbers
/** @type {Record<Upsampling, [long: string, brief: string]>} */
const UPSAMPLINGS = {
  nearest: ["Cells", "Cells"],
  bilinear: ["Bilinear", "Bilinear"],
  transposed: ["Transposed convolution", "Transposed"],
};
const CELLS = { class: "Best class", score: "Score", features: "Features", shapes: "Shapes" };
// Sheets of 16 maps: the choice that shows a single one, its name, and a caption.
/** @type {Record<Sheets, Pick<Sheet, "single" | "name" | "words">>} */
const SHEETS = {
  features: {
    single: "channel",
    name: "Feature map",
    words: "The network's 16 strongest feature maps: press one to enlarge it",
  },
  shapes: {
    single: "shape",
    name: "Shape channel",
    words: "What the transposed convolution sees besides the scores: press one to enlarge it",
  },
};
const VIEWS = { overlay: "Segmentation", compare: "Compare", difference: "Difference" };
/** @param {Upsampling} name */
const short = (name) => UPSAMPLINGS[name][1];

/** @type {Choosing & ThisType<Viewer>} */
const choosing = {
  part(name) {
    return this.root.querySelector(`[data-part="${name}"]`);
  },

  // Take a choice: draw what can be drawn here, tell the server.
  choose(changes) {
    if (!this.choices) return;
    this.stopBlinking();
    this.notTaken = "";
    Object.assign(this.choices, changes);
    this.turn++;
    if (["stride", "size", "model", "sample"].some((name) => name in changes)) this.busy(true);
    this.refresh();
    this.tell({ ...this.choices, turn: this.turn });
  },

  // While the server computes, the last pictures stay, dimmed.
  busy(working) {
    this.root.querySelector(".panels").classList.toggle("busy", working);
    this.root.querySelector("progress").hidden = !working;
    this.root.setAttribute("aria-busy", String(working));
  },

  listenToControls() {
    this.root.addEventListener("change", (event) => {
      const target = /** @type {HTMLInputElement} */ (event.target),
        { choice } = target.dataset;
      if (!choice) return;
      /** @type {Record<string, boolean | number>} */
      const values = { checkbox: target.checked, range: Number(target.value) };
      const value = values[target.type] ?? target.value;
      this.choose({ [choice]: ["stride", "size", "channel"].includes(choice) ? Number(value) : value });
    });
    this.root.addEventListener("input", (event) => {
      const { dataset, value } = /** @type {HTMLInputElement} */ (event.target);
      if (dataset.choice !== "opacity") return; // follows the hand; the server hears of the end
      this.choices.opacity = Number(value);
      this.root.querySelector("output").textContent = `${value} %`;
      this.draw();
    });
    const more = /** @type {HTMLDetailsElement} */ (this.part("more"));
    document.addEventListener(
      "pointerdown",
      (event) => {
        if (more.open && !event.composedPath().includes(more)) more.open = false;
      },
      { signal: this.endings.signal },
    );
    more.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !more.open) return;
      more.open = false;
      more.querySelector("summary").focus();
      event.stopPropagation();
    });
  },

  // A row of options, one of them chosen; built once, then only updated.
  options(place, choice, titles, chosen) {
    const locked = this.data.lock.includes(choice),
      built = titles.join();
    if (place.dataset.built !== built) {
      place.dataset.built = built;
      place.replaceChildren(
        ...titles.map(([value, title]) => {
          const label = element("label"),
            radio = element("input", "", { type: "radio", name: choice, value, class: "unseen" });
          radio.dataset.choice = choice;
          const [long, brief] = [title].flat();
          if (brief && brief !== long && matchMedia("(max-width: 640px)").matches) {
            radio.setAttribute("aria-label", long);
            label.append(radio, brief);
          } else label.append(radio, long);
          return label;
        }),
      );
    }
    for (const radio of place.querySelectorAll("input")) {
      radio.checked = radio.value === String(chosen);
      radio.disabled = locked;
    }
  },

  select(titles, choice, chosen, name) {
    const select = element("select", "", { "aria-label": name });
    select.dataset.choice = choice;
    for (const [value, title] of titles)
      select.append(new Option(title, String(value), false, String(value) === String(chosen)));
    return select;
  },

  showControls() {
    const { data, choices } = this;
    this.root.classList.toggle("present", data.present);
    for (const part of this.root.querySelectorAll("[data-part]")) part.hidden = data.hide.includes(part.dataset.part);
    this.root.querySelector(".yours").hidden = ["upload", "camera"].every((name) => data.hide.includes(name));
    this.options(this.part("stride").querySelector(".options"), "stride", STRIDES, choices.stride);
    this.root.querySelector(".network").textContent = `FCN-${choices.stride}s`;
    this.options(
      this.part("upsampling").querySelector(".options"),
      "upsampling",
      Object.entries(UPSAMPLINGS),
      choices.upsampling,
    );
    this.options(
      this.part("cells"),
      "cells",
      Object.entries(CELLS).filter(([name]) => name !== "shapes" || this.sheets.shapes),
      this.sheet()?.kind ?? choices.cells,
    );
    this.options(this.part("view"), "view", Object.entries(VIEWS), choices.view);
    const models = this.root.querySelector(".model select");
    if (models.dataset.built !== data.key) {
      models.dataset.built = data.key;
      models.dataset.choice = "model";
      models.replaceChildren(...data.models.map(([name, title]) => new Option(title, name)));
    }
    models.value = data.model;
    models.disabled = data.lock.includes("model");
    this.root.querySelector(".model .hint").textContent = data.modelHint;
    const more = this.part("more"),
      unseen = choices.view === "difference";
    const fill = more.querySelector('input[data-choice="opacity"]'),
      names = more.querySelector('input[data-choice="names"]');
    fill.value = String(choices.opacity);
    more.querySelector("output").textContent = `${choices.opacity} %`;
    names.checked = choices.names;
    for (const control of [fill, names]) {
      control.disabled = unseen;
      control.parentElement.title = unseen
        ? "The difference shows no classes, so there is nothing to fill or name"
        : "";
    }
    const size = more.querySelector('select[data-choice="size"]');
    if (!size.options.length) size.append(...data.sizes.map((side) => new Option(`${side} pixels`, String(side))));
    size.value = String(choices.size);
    this.showNote(this.notTaken ? { text: this.notTaken } : data.note);
  },

  // Show a note above the pictures, with a button if there is something to do.
  showNote(note) {
    const place = this.root.querySelector(".note");
    place.hidden = !note;
    place.replaceChildren(...(note ? [element("span", note.text)] : []));
    if (!note?.other) return;
    const button = element("button", `Use ${note.other[1]}`, { type: "button" });
    button.addEventListener("click", () => this.choose({ model: note.other[0] }));
    place.append(button);
  },

  // The class whose score is shown: the chosen one, else the one that covers most of the cells, background last.
  target() {
    const { classes, background } = this.data,
      chosen = classes.indexOf(this.choices.target);
    if (chosen >= 0) return chosen;
    const [[first], second] = this.once("shares coarse", () => this.shares(this.coarse));
    return first === background && second ? second[0] : first;
  },

  showCaptions() {
    const { data, choices } = this,
      { rows, columns, stride, width, height } = data;
    const details = this.root.querySelectorAll(".detail"),
      titles = this.root.querySelectorAll(".tabs b");
    titles[0].textContent = data.captions.photo[0];
    details[0].textContent = details[0].title = data.captions.photo[1];
    const cells = `${columns} x ${rows} cells of ${stride} x ${stride} pixels`;
    const sheet = this.sheet();
    /** @type {Partial<Record<Cells, () => HTMLElement[]>>} */
    const captions = {
      class: () => [element("span", cells)],
      score: () => [
        element("span", "Probability of"),
        this.select(
          data.classes.map((name) => [name, name]),
          "target",
          data.classes[this.target()],
          "Class",
        ),
        element("span", "in each cell"),
      ],
    };
    details[1].replaceChildren(...(captions[choices.cells] ?? (() => this.sheetCaption(sheet)))());
    const scale = this.root.querySelector(".scale"),
      [low, , high] = scale.children;
    scale.hidden = choices.cells === "class";
    [low.textContent, high.textContent] = choices.cells === "score" ? ["0 %", "100 %"] : ["lowest", "highest"];
    const share = this.once(`differing ${choices.upsampling} ${this.against()}`, () => this.differing());
    const others = Object.entries(UPSAMPLINGS)
      .filter(([name]) => name !== choices.upsampling)
      .map(([name, [, brief]]) => /** @type {[string, string]} */ ([name, brief]));
    const where = element("button", "Show where", { type: "button" });
    where.disabled = !share;
    where.title = share ? "Zoom in on the largest difference and show both in turn" : "The two agree everywhere";
    where.addEventListener("click", () => this.showWhere());
    details[2].replaceChildren(
      element("span", `${share ? percentFine(share) : "0 %"} of the pixels differ from`),
      this.select(others, "against", this.against(), "Compare with"),
      where,
    );
    /** @param {Uint8Array} labels */
    const names = (labels) =>
      this.shares(labels)
        .map(([index, part]) => `${data.classes[index]} ${percent(part)}`)
        .join(", ");
    this.panels[0].setAttribute("aria-label", data.alt);
    this.panels[1].setAttribute(
      "aria-label",
      choices.cells === "class"
        ? `The best class of each cell: ${this.once("words coarse", () => names(this.coarse))}`
        : choices.cells === "score"
          ? `Probability of ${data.classes[this.target()]} in each of the ${cells}`
          : `${sheet.name}${sheet.one ? ` ${this.channel(sheet) + 1}` : "s, strongest first"}, ${cells}`,
    );
    this.panels[2].setAttribute(
      "aria-label",
      `The class of each of the ${width} x ${height} pixels: ${this.once(`words ${choices.upsampling}`, () => names(this.labels[choices.upsampling]))}`,
    );
    this.root.querySelector(".sentence").textContent = this.sentence(share);
  },

  // A caption for the maps of the middle picture; for a single one, controls to choose another.
  sheetCaption(sheet) {
    if (!sheet.one) return [element("span", sheet.words)];
    const all = element("button", "All maps", { type: "button" });
    all.addEventListener("click", () => this.choose({ cells: sheet.kind }));
    /** @type {[number, string][]} */
    const places = sheet.channels.map((channel, place) => [place + 1, `${place + 1} (channel ${channel})`]);
    return [
      all,
      element("span", sheet.name),
      this.select(places, "channel", this.channel(sheet) + 1, `${sheet.name}, strongest first`),
    ];
  },

  // What the picture shows, and what to try next.
  sentence(share) {
    const { rows, columns, stride } = this.data,
      { upsampling } = this.choices,
      other = this.against();
    const finer = {
      32: "Try cell size 16: finer cells sharpen the edges more.",
      16: "Try cell size 8, the finest.",
      8: `Try ${this.data.shown ? "your own photo, or " : ""}cell size 32 to see what is lost.`,
    }[stride];
    const apart = `${percentFine(share)} of the pixels differ from ${short(other).toLowerCase()}`;
    return {
      nearest: `Each of the ${columns * rows} cells has one class, and every pixel takes the class of its cell. Try Bilinear: it blends neighbouring cells.`,
      bilinear: `Bilinear blends neighbouring cells with a fixed rule: ${apart}. Try Transposed convolution: it learned its rule from photos.`,
      transposed: `${this.data.ownKernel ? "Your kernel learned from drawn streets" : "The transposed convolution learned from photos"} how to fill in the pixels between cells: ${apart}. ${finer}`,
    }[upsampling];
  },

  // The legend: one button per class, pressed while the class is shown.
  showLegend() {
    const { upsampling, view } = this.choices,
      blind = view === "difference";
    const shares = this.once(`shares ${upsampling}`, () => this.shares(this.labels[upsampling]));
    this.root.querySelector(".legend").replaceChildren(
      ...shares.map(([index, share]) => {
        const button = element("button", "", {
          type: "button",
          "aria-pressed": String(!this.hidden.has(index)),
          title: blind ? "The difference shows no classes" : "Show or hide this class",
        });
        button.disabled = blind;
        button.append(this.chip(index), `${this.data.classes[index]} `, element("b", percent(share)));
        button.addEventListener("click", () => {
          this.hidden.has(index) ? this.hidden.delete(index) : this.hidden.add(index);
          button.setAttribute("aria-pressed", String(!this.hidden.has(index)));
          this.draw();
        });
        const item = element("li");
        item.append(button);
        return item;
      }),
    );
  },
};
Object.assign(Viewer.prototype, choosing);

/** @param {number} share */
function percentFine(share) {
  return share < 0.001 ? "under 0.1 %" : `${(100 * share).toFixed(1)} %`;
}
