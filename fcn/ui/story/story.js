// Plays the story: `t` is the position, 0 at the first beat, 1 at the second; the picture is a function of it.

/** @type {WeakMap<HTMLElement, Story>} */
const STORIES = new WeakMap(); // one for each place on the page
const PACE = 1500; // milliseconds from beat to beat
const STAMPING = 6000; // milliseconds for all stamps
const READING = 55; // milliseconds a letter while playing

/** @param {Component<StoryData>} component */
export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".story");
  let story = STORIES.get(parentElement);
  if (!story || story.root !== root) {
    story = new Story(root);
    STORIES.set(parentElement, story);
  }
  story.receive(data);
  return () => story.leave();
}

class Story {
  /** @type {StoryData} */ data;
  /** @type {Picture} */ picture;
  /** @type {string} the key of the data shown */ key_;
  /** @type {number} the last beat */ last;
  /** @type {number} how often data has come */ turn;
  /** @type {Beat} whose words are shown */ current;
  /** @type {number | undefined} the beat that it glides to */ target;
  /** @type {boolean} */ playing;
  /** @type {boolean} it would play, but nobody can see it */ waiting;
  /** @type {boolean} */ listening;
  /** @type {boolean} */ onscreen;
  /** @type {ResizeObserver} */ resized;
  /** @type {IntersectionObserver} */ seen;
  /** @type {() => void} */ hidden;
  /** @type {number} */ frame;
  /** @type {number} */ motion;
  /** @type {number} */ timer;

  /** @param {HTMLElement} root */
  constructor(root) {
    this.root = root;
    this.t = 0;
    this.canvas = root.querySelector("canvas");
    this.slider = root.querySelector("input");
    this.still = matchMedia("(prefers-reduced-motion: reduce)");
    /** @type {Record<string, () => void>} */
    const actions = { back: () => this.step(-1), next: () => this.step(1), play: () => this.toggle() };
    for (const button of root.querySelectorAll(".bar button")) button.onclick = () => actions[button.dataset.do]();
    this.slider.oninput = () => {
      this.stop();
      this.show(Number(this.slider.value));
    };
    root.onkeydown = (event) => this.key(event);
    this.everywhere = (/** @type {KeyboardEvent} */ event) => event.target === document.body && this.key(event);
    this.swipe();
  }

  listen() {
    if (this.listening) return;
    this.listening = true;
    this.resized = new ResizeObserver(() => this.fit());
    this.resized.observe(this.root);
    this.onscreen = true;
    this.seen = new IntersectionObserver(
      (entries) => {
        this.onscreen = entries.at(-1).isIntersecting;
        this.pauseUnseen();
      },
      { threshold: 0.15 },
    );
    this.seen.observe(this.canvas);
    this.hidden = () => this.pauseUnseen();
    document.addEventListener("visibilitychange", this.hidden);
  }

  leave() {
    this.stop();
    this.resized?.disconnect();
    this.seen?.disconnect();
    document.removeEventListener("visibilitychange", this.hidden);
    window.removeEventListener("keydown", this.everywhere);
    this.listening = false;
  }

  /** @param {StoryData} data */
  async receive(data) {
    this.listen();
    window.removeEventListener("keydown", this.everywhere);
    this.root.classList.toggle("present", data.present);
    if (data.present) window.addEventListener("keydown", this.everywhere);
    if (this.key_ === data.key) return;
    const turn = (this.turn = (this.turn ?? 0) + 1),
      picture = new Picture();
    await picture.prepare(data);
    if (turn !== this.turn) return; // newer data has come meanwhile
    Object.assign(this, { data, picture, key_: data.key, last: data.beats.length - 1 });
    this.stop();
    this.slider.max = String(this.last);
    this.build();
    this.fit();
    this.show(0);
    this.root.dataset.ready = data.key;
  }

  build() {
    const { stops, beats } = this.data;
    this.root.querySelector(".stops").replaceChildren(
      ...stops.map((name, stop) => {
        const item = element("li"),
          button = element("button", name);
        button.type = "button";
        button.onclick = () => this.go(beats.findIndex((beat) => beat.stop === stop));
        item.append(button);
        return item;
      }),
    );
    this.root.querySelector(".legend").replaceChildren(
      ...this.picture.occurring.map((label) => {
        const item = element("li", this.data.classes[label]),
          chip = element("i");
        chip.style.background = css(this.picture.colours[label]);
        item.prepend(chip);
        return item;
      }),
    );
    this.root.querySelector(".text").replaceChildren(
      ...stops.map((name, stop) => {
        const item = element("li");
        item.append(
          element("b", `${name}. `),
          beats
            .filter((beat) => beat.stop === stop)
            .map((beat) => `${beat.sentence} ${beat.number} ${beat.unit}.`)
            .join(" "),
        );
        return item;
      }),
    );
  }

  // As large as fits beside the words, and never higher than most of the window
  fit() {
    if (!this.picture) return;
    const { width, height } = this.data,
      room = this.root.querySelector(".picture").clientWidth;
    const wide = Math.max(1, Math.min(room, ((this.data.present ? 0.74 : 0.62) * window.innerHeight * width) / height));
    const ratio = Math.min(2, window.devicePixelRatio || 1);
    this.canvas.style.width = `${wide}px`;
    this.canvas.style.height = `${(wide * height) / width}px`;
    this.canvas.width = Math.round(wide * ratio);
    this.canvas.height = Math.round((wide * ratio * height) / width);
    this.draw();
  }

  // Moving

  /** @param {number} t */
  show(t) {
    this.t = Math.max(0, Math.min(this.last, t));
    this.slider.value = String(this.t);
    this.words();
    this.draw();
  }

  draw() {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => {
      this.picture.draw(this.canvas, this.t);
      this.root.dataset.time = this.t.toFixed(2);
    });
  }

  /** @param {number} by */
  step(by) {
    const from = this.target ?? this.t;
    this.go(by > 0 ? Math.floor(from + 0.001) + 1 : Math.ceil(from - 0.001) - 1);
  }

  // Glide to a beat, unless it is far or nothing should move
  /** @param {number} beat */
  go(beat) {
    const was = this.target;
    this.stop();
    const target = Math.max(0, Math.min(this.last, beat));
    if (was !== undefined) this.show(was); // pressed again while moving: finish the last step at once
    if (this.still.matches || Math.abs(target - this.t) > 1.01) return this.show(target);
    this.target = target;
    this.glide(target, () => {
      this.target = undefined;
    });
  }

  /** @param {number} target @param {() => void} done */
  glide(target, done) {
    const from = this.t,
      span = Math.abs(target - from);
    const stamping = Math.min(from, target) >= 7 && Math.max(from, target) <= 8; // linear: a cell is as long as another
    const length = span * (stamping ? STAMPING : PACE),
      start = performance.now();
    /** @param {number} now */
    const tick = (now) => {
      const share = length ? Math.min(1, Math.max(0, (now - start) / length)) : 1;
      this.show(from + (target - from) * (stamping ? share : share * share * (3 - 2 * share)));
      this.motion = share < 1 ? requestAnimationFrame(tick) : undefined;
      if (share >= 1) done();
    };
    this.motion = requestAnimationFrame(tick);
  }

  toggle() {
    if (this.playing) return this.stop();
    this.stop();
    if (this.t >= this.last) this.show(0);
    this.playing = true;
    this.root.classList.add("playing");
    this.label();
    this.play();
  }

  // Hold a beat for as long as its sentence takes to read, then move on
  play() {
    const beat = this.data.beats[Math.ceil(this.t)],
      whole = Number.isInteger(this.t);
    const hold = whole ? READING * (beat.sentence.length + beat.unit.length) : 0;
    this.timer = setTimeout(() => {
      const target = Math.floor(this.t) + 1,
        after = () => (this.t >= this.last ? this.stop() : this.play());
      if (!this.still.matches) return this.glide(target, after);
      this.show(target);
      after();
    }, hold);
  }

  stop() {
    this.halt();
    this.playing = this.waiting = false;
    this.target = undefined;
    this.root.classList.remove("playing");
    this.label();
  }

  halt() {
    clearTimeout(this.timer);
    cancelAnimationFrame(this.motion);
  }

  // Pause while nobody can see it
  pauseUnseen() {
    const visible = this.onscreen && !document.hidden;
    if (this.playing && !visible && !this.waiting) {
      this.waiting = true;
      this.halt();
    } else if (this.playing && visible && this.waiting) {
      this.waiting = false;
      this.play();
    }
  }

  label() {
    const play = this.root.querySelector(".play"),
      text = this.playing ? "Pause" : "Play";
    play.setAttribute("aria-label", text);
    play.querySelector("span").textContent = text;
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !this.data) return;
    if (/** @type {HTMLElement} */ (event.target).matches?.("button, summary") && [" ", "Enter"].includes(event.key))
      return; // they do it themselves
    const fine = event.shiftKey ? 0.1 : 0;
    if (["ArrowRight", "ArrowDown", "PageDown", " "].includes(event.key)) fine ? this.nudge(fine) : this.step(1);
    else if (["ArrowLeft", "ArrowUp", "PageUp"].includes(event.key)) fine ? this.nudge(-fine) : this.step(-1);
    else if (event.key === "Home") this.go(0);
    else if (event.key === "End") this.go(this.last);
    else if (event.key.toLowerCase() === "p") this.toggle();
    else if (event.key >= "1" && event.key <= String(this.data.stops.length))
      this.go(this.data.beats.findIndex((beat) => beat.stop === Number(event.key) - 1));
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** @param {number} by */
  nudge(by) {
    this.stop();
    this.show(this.t + by);
  }

  // A finger or the mouse drags through the story, and releasing it moves to the next beat; a tap is one step.
  swipe() {
    /** @type {{ x: number, t: number, moved: boolean }} */
    let start;
    this.canvas.onpointerdown = (event) => {
      if (!this.data || event.button) return;
      this.canvas.setPointerCapture(event.pointerId);
      this.stop();
      start = { x: event.clientX, t: this.t, moved: false };
    };
    this.canvas.onpointermove = (event) => {
      if (!start) return;
      const by = (start.x - event.clientX) / this.canvas.clientWidth;
      if (Math.abs(start.x - event.clientX) > 8) start.moved = true;
      if (start.moved) this.show(start.t + 1.6 * by);
    };
    this.canvas.onpointerup = () => {
      if (!start) return;
      const { t, moved } = start;
      start = undefined;
      if (!moved) this.step(1);
      else this.go(this.t > t ? Math.ceil(this.t - 0.05) : Math.floor(this.t + 0.05));
    };
    this.canvas.onpointercancel = () => {
      if (start?.moved) this.go(Math.round(this.t));
      start = undefined;
    };
  }

  // Words

  words() {
    const index = Math.max(0, Math.ceil(this.t - 0.04)),
      beat = this.data.beats[index],
      { stops } = this.data;
    if (this.current === beat) return;
    this.current = beat;
    /** @param {string} selector @param {string} text */
    const put = (selector, text) => {
      this.root.querySelector(selector).textContent = text;
    };
    put(".where", `Stop ${beat.stop + 1} of ${stops.length}`);
    put("h3", stops[beat.stop]);
    this.root.querySelector("ul.legend").style.visibility = index < BEAT.cells ? "hidden" : "visible"; // it keeps its place
    put(".sentence", beat.sentence);
    put(".number b", beat.number);
    put(".number span", beat.unit);
    this.slider.setAttribute(
      "aria-valuetext",
      `Stop ${beat.stop + 1}, ${stops[beat.stop]}: ${beat.number} ${beat.unit}`,
    );
    this.canvas.setAttribute("aria-label", `${this.data.alt}. ${stops[beat.stop]}: ${beat.sentence}`);
    this.root.querySelectorAll(".stops li").forEach((item, stop) => {
      if (stop !== beat.stop) return item.removeAttribute("aria-current");
      item.setAttribute("aria-current", "step");
      const row = item.parentElement,
        room = row.scrollWidth - row.clientWidth;
      if (room > 0) row.scrollLeft = item.offsetLeft - row.offsetLeft - 20;
    });
  }
}

/** @template {keyof HTMLElementTagNameMap} Tag @param {Tag} tag */
function element(tag, text = "") {
  return Object.assign(document.createElement(tag), { textContent: text });
}
