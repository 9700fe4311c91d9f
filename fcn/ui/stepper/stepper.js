// Plays a transposed convolution: stretch the score map with zeros, slide the kernel over it, fill the result.
// Everything shown is computed here; the server only sends Keras' result, which the last line compares with.

/** @type {WeakMap<HTMLElement, Stepper>} */
const STEPPERS = new WeakMap(); // one for each place on the page

/** @param {Component<StepperData>} component */
export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".stepper");
  let stepper = STEPPERS.get(parentElement);
  if (!stepper || stepper.root !== root) {
    stepper = new Stepper(root);
    STEPPERS.set(parentElement, stepper);
  }
  stepper.send = setStateValue;
  stepper.receive(data);
  return () => stepper.pause();
}

class Stepper extends Drawing {
  /** @param {HTMLElement} root */
  constructor(root) {
    super();
    this.root = root;
    this.step = 0;
    /** @type {Partial<Record<Numbers, string>>} */
    this.sent = {}; // edits that the server has not answered yet: what it sends meanwhile is out of date
    /** @type {Record<string, () => void>} */
    const actions = {
      first: () => this.go(0),
      back: () => this.go(this.step - 1),
      play: () => this.toggle(),
      next: () => this.go(this.step + 1),
      last: () => this.go(this.last),
    };
    for (const button of root.querySelectorAll(".buttons button")) button.onclick = actions[button.dataset.do];
    for (const stage of root.querySelectorAll(".stages li"))
      stage.querySelector("button").onclick = () =>
        this.go(stage.dataset.stage === "done" ? this.last : STAGES[stage.dataset.stage]);
    const range = this.$("input[type=range]");
    range.oninput = () => this.go(Number(range.value));
    this.$("select").onchange = () => this.timer && this.tick();
    root.onkeydown = (event) => this.key(event);
    const result = this.$(".result");
    result.onpointerdown = (event) => this.pick(event);
    result.onpointermove = (event) => event.buttons && this.pick(event);
  }

  // Messages from the page and to it

  /** @param {StepperData} data */
  receive(data) {
    const fresh = JSON.stringify([data.scores, data.kernel, data.stride, data.title]);
    for (const name of NUMBERS) {
      const answered = JSON.stringify(data[name]);
      const resized = this[name]?.length !== data[name].length;
      if (this.sent[name] && this.sent[name] !== answered && !resized) continue; // an older edit's answer
      delete this.sent[name];
      this[name] = data[name].map((row) => [...row]);
    }
    const restart = this.stride !== data.stride || this.title !== data.title;
    Object.assign(this, { stride: data.stride, title: data.title, own: data.own, keras: data.keras, checked: fresh });
    if (restart || this.built !== this.shape()) {
      this.stop();
      this.step = 0;
    }
    this.build();
  }

  /** @param {Numbers} name @param {number} row @param {number} column @param {HTMLInputElement} input */
  edit(name, row, column, input) {
    const value = input.valueAsNumber;
    input.setAttribute("aria-invalid", String(!Number.isFinite(value)));
    if (!Number.isFinite(value)) return;
    this[name][row][column] = Math.max(-1e6, Math.min(1e6, value));
    this.sent[name] = JSON.stringify(this[name]);
    tint(input, this[name][row][column], largest(this[name]));
    this.compute();
    this.draw();
  }

  /** @param {Numbers} name */
  report(name) {
    this.send(name, this[name]);
  }

  // Steps

  /** @param {number} step */
  go(step) {
    this.pause();
    this.show(step);
  }

  /** @param {number} step */
  show(step) {
    this.step = Math.max(0, Math.min(this.last, step));
    this.draw();
  }

  toggle() {
    if (this.timer) return this.pause();
    if (this.step >= this.last) this.show(0);
    this.root.classList.add("playing");
    this.tick();
    this.draw();
  }

  tick() {
    clearTimeout(this.timer);
    const pace = Number(this.$("select").value);
    this.timer = setTimeout(
      () => {
        this.show(this.step + 1);
        this.step < this.last ? this.tick() : this.pause();
      },
      this.step < STAGES.slide ? Math.max(pace, 1100) : pace,
    );
  }

  pause() {
    this.stop();
    if (this.built) this.draw();
  }

  stop() {
    clearTimeout(this.timer);
    this.timer = null;
    this.root.classList.remove("playing");
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const target = /** @type {HTMLElement} */ (event.target);
    if (target.matches("input:not([type=range]), select") || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === " " && target.matches("button")) return; // the button does it
    const row = this.step < STAGES.slide ? 1 : this.side;
    /** @type {Record<string, number>} */
    const steps = {
      ArrowRight: this.step + 1,
      ArrowLeft: this.step - 1,
      ArrowDown: this.step + row,
      ArrowUp: this.step - row,
      Home: 0,
      End: this.last,
    };
    if (event.key === " ") this.toggle();
    else if (event.key in steps) this.go(steps[event.key]);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** @param {MouseEvent} event */
  pick(event) {
    const box = this.$(".result").getBoundingClientRect();
    /** @param {number} at @param {number} start @param {number} length */
    const place = (at, start, length) =>
      Math.max(0, Math.min(this.side - 1, Math.floor(((at - start) / length) * this.side)));
    const row = place(event.clientY, box.top, box.height),
      column = place(event.clientX, box.left, box.width);
    this.go(STAGES.slide + row * this.side + column);
  }
}
