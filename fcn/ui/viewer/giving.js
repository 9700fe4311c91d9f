// Uploading a photo: choose, drop, paste, camera, or a sample. Files go through Streamlit's own file input, which is hidden.

const LARGEST = 20 * 1024 ** 2; // bytes
const PICTURES = "image/*,.heic,.heif";

// What an event happened to, seen from inside of this part of the page too.
/** @param {Event} event */
const innermost = (event) => /** @type {HTMLElement} */ (event.composedPath()[0]);

// What to tell for the reason that Streamlit gives: a status at its end, or that a file must be "20.0MB or smaller".
/** @param {string} reason */
const whyNotTaken = (reason) => {
  const status = Number(reason.match(/status code (\d+)/)?.[1] ?? 0);
  if (status === 413 || /or smaller/.test(reason)) return "it has more than 20 MB. Make it smaller.";
  if ([408, 429, 502, 503, 504].includes(status)) return "the server is busy, or the connection is slow. Try again in a minute.";
  if (status) return `the server refused it (${status}). Load the page again, then choose it once more.`;
  return "the connection broke. Try again.";
};

/** @type {Giving & ThisType<Viewer>} */
const giving = {
  listenToPhotos() {
    const { signal } = this.endings,
      root = this.root;
    root.querySelector(".give").addEventListener("click", () => this.whenThere("upload", (input) => input.click()));
    root.querySelector(".camera").addEventListener("click", () => this.openCamera());
    document.addEventListener(
      "paste",
      (event) => {
        if (innermost(event).matches?.("input, textarea")) return;
        if (event.clipboardData.files.length) this.give([...event.clipboardData.files]);
      },
      { signal },
    );
    /** @param {DragEvent} event */
    const carries = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files") && !this.part("upload").hidden;
    document.addEventListener(
      "dragover",
      (event) => {
        if (!carries(event)) return;
        event.preventDefault();
        root.classList.add("dropping");
      },
      { signal },
    );
    document.addEventListener("dragleave", (event) => event.relatedTarget || root.classList.remove("dropping"), {
      signal,
    });
    document.addEventListener(
      "drop",
      (event) => {
        root.classList.remove("dropping");
        const path = /** @type {HTMLElement[]} */ (event.composedPath());
        if (!carries(event) || path.some((one) => one.dataset?.testid === "stFileUploaderDropzone")) return;
        event.preventDefault();
        this.give([...event.dataTransfer.files]);
      },
      { signal },
    );
    document.addEventListener(
      "change",
      (event) => {
        // the visitor's choice in the file dialog
        if (event.target === this.input("upload")) this.awaitPhoto();
      },
      { signal, capture: true },
    );
    document.addEventListener("keydown", (event) => this.present(event), { signal });
    signal.addEventListener("abort", () => this.uploadWatch?.disconnect());
  },

  // Streamlit's file input with this key.
  input(key) {
    const input = document.querySelector(`[class*="st-key-${key}"] input[type="file"]`);
    if (input && key === "upload") input.accept = PICTURES;
    return input;
  },

  // Streamlit draws its file input a moment after the pictures: wait for it, up to five seconds.
  whenThere(key, act, tries = 50) {
    const input = this.input(key);
    clearTimeout(this.inputWait);
    if (input) act(input);
    else if (tries) this.inputWait = setTimeout(() => this.whenThere(key, act, tries - 1), 100);
    else this.showNote({ text: "The page is still being drawn. Try again in a moment." });
  },

  // Take files: a photo, and perhaps its mask.
  give(files) {
    if (this.part("upload").hidden) return;
    /** @param {File} file */
    const stem = (file) =>
      file.name
        .replace(/\.[^.]*$/, "")
        .replace(/[-_. ](mask|masks|labels?|truth|gt)$/i, "")
        .toLowerCase();
    const masks = files.filter(
      (file) =>
        /\.png$/i.test(file.name) &&
        files.some(
          (other) =>
            other !== file &&
            stem(other) === stem(file) &&
            (/[-_. ](mask|masks|labels?|truth|gt)\.png$/i.test(file.name) || !/\.png$/i.test(other.name)),
        ),
    );
    const photo = files.find((file) => !masks.includes(file));
    if (!photo) return;
    const named = /^image\//.test(photo.type) || /\.(jpe?g|png|webp|bmp|gif|tiff?|hei[cf])$/i.test(photo.name);
    if (!named)
      return this.showNote({
        text: `${photo.name} is not a picture. Choose a JPEG, PNG, WebP, GIF, TIFF, BMP or HEIC file.`,
      });
    if (photo.size > LARGEST)
      return this.showNote({
        text: `${photo.name} has ${Math.ceil(photo.size / 1024 ** 2)} MB; the limit is 20 MB. Make it smaller.`,
      });
    this.whenThere("upload", () => this.hand("upload", photo));
    if (masks.length) this.handLater("mask", masks[0], this.data?.key);
  },

  hand(key, file) {
    const input = this.input(key),
      transfer = new DataTransfer();
    if (!input) return false;
    transfer.items.add(file);
    input.files = transfer.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
    return true;
  },

  // The place for a mask appears only after its photo is shown.
  handLater(key, file, before, tries = 150) {
    if (this.data?.key !== before && this.hand(key, file)) return;
    if (tries) setTimeout(() => this.handLater(key, file, before, tries - 1), 200);
  },

  // Until the server shows the photo, a moving line is shown in place of the result.
  awaitPhoto() {
    this.awaited = this.data?.upload ?? "";
    this.notTaken = "";
    this.busy(true);
    this.watchUpload();
    if (matchMedia("(max-width: 640px)").matches)
      this.root.querySelector(".panels").scrollIntoView({ block: "center", behavior: "smooth" });
  },

  // A file that the server does not take is marked in Streamlit's file input, which nobody sees: say so here. The mark is
  // taken away, so that the next one counts.
  watchUpload() {
    const place = document.querySelector('[class*="st-key-upload"]');
    this.uploadWatch?.disconnect();
    this.uploadWatch = new MutationObserver(() => {
      const chip = place.querySelector('[aria-invalid="true"]');
      if (!chip) return;
      this.uploadWatch.disconnect();
      const reason = chip.querySelector('[role="alert"]')?.textContent ?? "";
      this.awaited = null;
      this.notTaken = `Your photo was not taken: ${whyNotTaken(reason)}`;
      this.busy(false);
      this.showNote({ text: this.notTaken });
      chip.querySelector("button")?.click();
    });
    this.uploadWatch.observe(place, { subtree: true, childList: true, attributes: true });
  },

  // Whether a photo is still on its way; the server names the last upload that it has seen.
  isAwaiting(data) {
    if (this.awaited !== null && data.upload !== this.awaited) {
      this.awaited = null;
      this.uploadWatch.disconnect();
    }
    return this.awaited !== null;
  },

  async openCamera() {
    const dialog = this.root.querySelector("dialog.shutter"),
      video = dialog.querySelector("video");
    const [take, cancel] = dialog.querySelectorAll("button");
    if (!navigator.mediaDevices?.getUserMedia)
      // not on a secure address: phones open their own camera
      return this.whenThere("upload", (input) => {
        input.setAttribute("capture", "environment");
        input.click();
        input.removeAttribute("capture");
      });
    try {
      video.srcObject = await navigator.mediaDevices.getUserMedia({
        video: { facingMode: "environment", width: { ideal: 1280 } },
      });
    } catch {
      return this.showNote({ text: "The camera is not available: allow it in the browser, or choose a photo." });
    }
    const close = () => {
      const stream = /** @type {MediaStream} */ (video.srcObject);
      stream?.getTracks().forEach((track) => track.stop());
      dialog.close();
    };
    cancel.onclick = close;
    dialog.oncancel = close;
    take.onclick = () => {
      const canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
      canvas.getContext("2d").drawImage(video, 0, 0);
      canvas.toBlob(
        (blob) => this.give([new File([blob], "The photo.jpg", { type: "image/jpeg" })]),
        "image/jpeg",
        0.92,
      );
      close();
    };
    dialog.showModal();
  },

  // The strip: the visitor's own photo, then the samples; the whole card is the button.
  showStrip(samples, own) {
    const { shown } = this.data,
      cards = own ? [{ name: "", title: "Your photo", alt: "Your photo", source: own }, ...samples] : samples;
    const list = this.part("samples"),
      built = cards.map((card) => card.name + card.source.length).join();
    if (list.dataset.built !== built) {
      list.dataset.built = built;
      list.replaceChildren(
        ...cards.map(({ name, title, alt, source }) => {
          const button = element("button", "", { type: "button", title: alt, "data-sample": name });
          button.append(Object.assign(new Image(), { src: source, alt: "" }), element("span", title));
          button.addEventListener("click", () => this.chooseSample(name));
          const item = element("li");
          item.append(button);
          return item;
        }),
      );
    }
    for (const button of list.querySelectorAll("button"))
      button.setAttribute("aria-pressed", String(button.dataset.sample === shown));
  },

  chooseSample(name) {
    if (name === this.data.shown) return;
    this.choose({ sample: name, target: "", ...(this.data.lock.includes("model") ? {} : { model: "" }) });
    for (const button of this.part("samples").querySelectorAll("button"))
      button.setAttribute("aria-pressed", String(button.dataset.sample === name));
  },

  // Presenter mode: arrow keys move to the next sample.
  present(event) {
    const step = { ArrowRight: 1, PageDown: 1, ArrowLeft: -1, PageUp: -1 }[event.key];
    if (!this.data?.present || !step || innermost(event).matches?.("input, select, textarea, canvas, [role=slider]"))
      return;
    const names = [...this.part("samples").querySelectorAll("button")].map((button) => button.dataset.sample);
    const next = names[names.indexOf(this.data.shown) + step];
    if (next === undefined) return;
    event.preventDefault();
    this.chooseSample(next);
  },
};
Object.assign(Viewer.prototype, giving);
