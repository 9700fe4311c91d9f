// Plays a training: results come from the page, recorded or live; scrubbing needs no server.
// A live one is driven from here: while it plays, the page is asked for more twice a second.

/** @type {WeakMap<HTMLElement, Learning>} */
const LEARNINGS = new WeakMap(); // one for each place on the page
const PACE = 350; // milliseconds between two results of a recorded run
const ASK = 500; // milliseconds between two questions to the page

/** @param {Component<LearningData>} component */
export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".learning");
  let learning = LEARNINGS.get(parentElement);
  if (!learning || learning.root !== root) {
    learning = new Learning(root);
    LEARNINGS.set(parentElement, learning);
  }
  learning.send = setStateValue;
  learning.receive(data);
  return () => learning.leave();
}

class Learning extends LearningDrawing {
  /** @type {Component<LearningData>["setStateValue"]} */ send;
  /** @type {number | null} the step to train to */ target;
  /** @type {Promise<void>} unpacked */ ready;

  /** @param {HTMLElement} root */
  constructor(root) {
    super();
    this.root = root;
    this.asked = Date.now(); // questions are numbered; a page that is opened again must not repeat a number
    /** @type {Record<string, () => void>} */
    const actions = {
      first: () => this.go(0),
      back: () => this.go(this.at - 1),
      play: () => this.toggle(),
      next: () => this.go(this.at + 1),
      last: () => this.go(this.results.length - 1),
      step: () => this.train((this.data.state?.step ?? 0) + 1),
      stop: () => this.end(),
    };
    for (const button of root.querySelectorAll(".buttons button")) button.onclick = actions[button.dataset.do];
    const range = this.$("input[type=range]");
    range.oninput = () => this.go(Number(range.value));
    this.$("select").onchange = () => this.draw();
    root.onkeydown = (event) => this.key(event);
  }

  // Data from the page

  /** @param {LearningData} data */
  receive(data) {
    const other = data.run !== this.data?.run;
    if (other || data.first < this.results.length) this.results.length = other ? 0 : data.first;
    if (data.settings !== this.data?.settings) this.rest();
    this.data = { ...(other ? {} : this.data), ...data }; // what does not change is sent once
    if (other) this.at = 0;
    const follow = this.at >= this.results.length - 1 || this.target;
    if (data.first === this.results.length) this.results.push(...data.results);
    else this.ask("look"); // this part was put up anew, and the page does not know
    this.root.classList.toggle("training", data.live);
    this.root.classList.toggle("dark", dark(this.root));
    if (data.live) {
      if (follow) this.at = Math.max(0, this.results.length - 1);
      const state = data.state;
      if (state && (state.trouble || state.done || (this.target && state.step >= this.target && !state.doing)))
        this.rest();
    }
    if (this.target) this.wait();
    else if (data.live && data.state?.doing && !data.state.trouble) setTimeout(() => this.ask("look"), 2 * ASK); // it ends a step
    this.ready = this.unpack();
    this.ready.then(() => this.draw());
  }

  // Requests to the page

  /** @param {"look" | "train" | "hold" | "stop"} act */
  ask(act, more = {}) {
    this.asked += 1;
    const have = this.data.first === undefined ? 0 : this.results.length;
    this.send("ask", {
      number: this.asked,
      act,
      settings: this.data.settings,
      run: this.data.run ?? "",
      have,
      goals: Boolean(this.data.goals),
      ...more,
    });
  }

  /** @param {number} target */
  train(target) {
    this.rest();
    this.target = target;
    this.wait();
    this.ask("train", { until: target, press: true });
    this.draw();
  }

  wait() {
    this.timer ??= setInterval(() => this.ask("train", { until: this.target }), ASK);
  }

  end() {
    this.rest();
    this.results.length = 0;
    this.at = 0;
    this.ask("stop");
    this.draw();
  }

  leave() {
    // the page may draw this part again, or not
    clearInterval(this.timer);
    this.timer = null;
  }

  rest() {
    clearInterval(this.timer);
    this.timer = this.target = null;
  }

  // Playing

  toggle() {
    if (this.timer) {
      const training = this.target;
      this.rest();
      if (training) this.ask("hold");
      return this.draw();
    }
    const over = this.data.live && (this.data.state?.done ?? false);
    if (this.data.live && !over) return this.train(this.data.last);
    if (this.at >= this.results.length - 1) this.at = 0;
    this.timer = setInterval(() => {
      if (this.at < this.results.length - 1) this.at += 1;
      else this.rest();
      this.draw();
    }, PACE);
    this.draw();
  }

  /** @param {number} at */
  go(at) {
    if (!this.target) this.rest();
    this.at = Math.max(0, Math.min(this.results.length - 1, at));
    this.draw();
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const target = /** @type {HTMLElement} */ (event.target);
    if (target.matches("select") || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === " " && target.matches("button")) return; // the button does it
    /** @type {Record<string, number>} */
    const places = { ArrowRight: this.at + 1, ArrowLeft: this.at - 1, Home: 0, End: this.results.length - 1 };
    if (event.key === " ") this.toggle();
    else if (event.key in places) this.go(places[event.key]);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}
