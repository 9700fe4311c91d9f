// Plays a transposed convolution: stretch the score map with zeros, slide the kernel over it, fill the result.
// Everything shown is computed here; the server only sends Keras' result, which the last line compares with.

const STEPPERS = new WeakMap(); // one for each place on the page

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
  constructor(root) {
    super();
    this.root = root;
    this.step = 0;
    this.sent = {}; // edits that the server has not answered yet: what it sends meanwhile is out of date
    const actions = {
      first: () => this.go(0),
      back: () => this.go(this.step - 1),
      play: () => this.toggle(),
      next: () => this.go(this.step + 1),
      last: () => this.go(this.last),
    };
    for (const button of root.querySelectorAll(".buttons button")) button.onclick = actions[button.dataset.do];
    for (const stage of root.querySelectorAll(".stages li"))
      stage.firstChild.onclick = () =>
        this.go(stage.dataset.stage === "done" ? this.last : STAGES[stage.dataset.stage]);
    this.$("input[type=range]").oninput = (event) => this.go(Number(event.target.value));
    this.$("select").onchange = () => this.timer && this.tick();
    root.onkeydown = (event) => this.key(event);
    const result = this.$(".result");
    result.onpointerdown = (event) => this.pick(event);
    result.onpointermove = (event) => event.buttons && this.pick(event);
  }

  // Messages from the page and to it

  receive(data) {
    const fresh = JSON.stringify([data.scores, data.kernel, data.stride, data.title]);
    for (const name of ["scores", "kernel"]) {
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

  report(name) {
    this.send(name, this[name]);
  }

  // Steps

  go(step) {
    this.pause();
    this.show(step);
  }

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

  key(event) {
    if (event.target.matches("input:not([type=range]), select") || event.ctrlKey || event.metaKey || event.altKey)
      return;
    if (event.key === " " && event.target.matches("button")) return; // the button does it
    const row = this.step < STAGES.slide ? 1 : this.side;
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

  pick(event) {
    const box = this.$(".result").getBoundingClientRect();
    const place = (at, start, length) =>
      Math.max(0, Math.min(this.side - 1, Math.floor(((at - start) / length) * this.side)));
    const row = place(event.clientY, box.top, box.height),
      column = place(event.clientX, box.left, box.width);
    this.go(STAGES.slide + row * this.side + column);
  }
}
