// The studio's own elements: a picture that comes into being, cards, sheets and the gallery.
// They ask this server alone, and put every word that they are told into the page as text.
"use strict";

const SOON_MS = 400, LATER_MS = 1500, HIDDEN_MS = 4000, REST_MS = 5000;
const IN_SIGHT = 0.75; // the share of a picture above which nobody needs it a second time
const ACTIVE = ["working"], OPEN = ["working", "waiting"];
const BASE = document.currentScript ? new URL("..", document.currentScript.src).href : "/";

// A file over the limit is refused before it is sent, with the line that the server has for it.
const { limit: LIMIT_BYTES = Infinity, line: TOO_LARGE = "", pictures = "" } = (document.currentScript || {}).dataset || {};
const PICTURES = pictures.split(" ").filter(Boolean); // endings of what is read as a picture
const MEGABYTE = 1e6;

function refuse(event, files, place) {
  document.querySelectorAll(".too-large").forEach((each) => each.remove());
  const large = [...(files || [])].find((each) => each.size > Number(LIMIT_BYTES));
  if (!large) return false;
  event.preventDefault();
  event.stopImmediatePropagation();
  const digits = { minimumFractionDigits: 1, maximumFractionDigits: 1 };
  const size = `${(large.size / MEGABYTE).toLocaleString("en-US", digits)} MB`;
  const said = { name: large.name, size };
  const text = TOO_LARGE.replace(/\{(name|size)\}/g, (_, word) => said[word]);
  const line = make("p", { class: "too-large", role: "alert" });
  (place.closest(".block") || place.closest(".row") || place).after(line);
  line.textContent = text; // after it is there, so that it is read out
  return true;
}

// Of a folder only what are pictures by name is sent, and none of the hidden files. Where none is,
// all are sent, and the server says so.
function pictured(files) {
  const found = [...files].filter((each) => !each.name.startsWith(".") && PICTURES.some((ending) => each.name.toLowerCase().endsWith(ending)));
  const kept = new DataTransfer();
  (found.length ? found : [...files]).forEach((each) => kept.items.add(each));
  return kept.files;
}

async function within(entry) {
  if (entry.isFile) return [await new Promise((done, failed) => entry.file(done, failed))];
  const reader = entry.createReader(), found = [];
  for (;;) { // a reader gives some hundred at a time
    const some = await new Promise((done, failed) => reader.readEntries(done, failed));
    if (!some.length) break;
    found.push(...some);
  }
  const files = await Promise.all(found.filter((each) => each.isFile).map(within));
  return files.flat();
}

// A folder that is dropped is the files in it: Gradio's own place for files takes none.
async function unfolded(event) {
  const input = event.target.closest("#batch") && document.querySelector("#batch input[type=file]");
  const entries = [...event.dataTransfer.items].map((each) => each.webkitGetAsEntry && each.webkitGetAsEntry());
  if (!input || !entries.some((each) => each && each.isDirectory)) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  input.files = pictured((await Promise.all(entries.filter(Boolean).map(within))).flat());
  input.dispatchEvent(new Event("change", { bubbles: true }));
}

document.addEventListener("change", (event) => {
  if (event.target.type !== "file") return;
  if (event.target.closest("#folder-left") && event.target.webkitdirectory) event.target.files = pictured(event.target.files);
  if (refuse(event, event.target.files, event.target)) event.target.value = "";
}, true);
document.addEventListener("drop", (event) => {
  if (!refuse(event, event.dataTransfer.files, event.target)) unfolded(event);
}, true);
document.addEventListener("paste", (event) => {
  if (event.clipboardData.files.length) refuse(event, event.clipboardData.files, document.getElementById("photo"));
}, true);

function at(path) {
  return new URL(path, BASE).href;
}

function make(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "text") made.textContent = value;
    else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value != null) made.setAttribute(name, value);
  }
  made.append(...children.filter(Boolean));
  return made;
}

async function ask(path, options = {}) {
  const answer = await fetch(at(path), {
    credentials: "same-origin", cache: "no-store", headers: { "X-Impasto": "page" }, ...options,
  });
  const known = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(known.error || `The server answered ${answer.status}.`);
  return known;
}

function wish(id, verb, body = {}) {
  const headers = { "X-Impasto": "page", "Content-Type": "application/json" };
  return ask(`studio/jobs/${id}/${verb}`, { method: "POST", headers, body: JSON.stringify(body) });
}

// Where pictures will be, and what to do for that.
function empty(text) {
  return make("div", { class: "empty" }, make("span", { class: "frame", "aria-hidden": "true" }), make("p", { text: text || "" }));
}

function rests() {
  return document.hidden ? HIDDEN_MS : 0;
}

// Two pictures, one over the other, and a line between them that a hand or an arrow key moves.
class Compare extends HTMLElement {
  build(left, right) {
    if (this.range) return;
    this.classList.add("impasto-compare");
    this.under = make("img", { class: "under", alt: left, draggable: "false" });
    this.over = make("img", { class: "over", alt: right, draggable: "false" });
    this.range = make("input", {
      type: "range", min: 0, max: 100, step: 1, value: 0,
      "aria-label": `How much of “${left}” is shown beside “${right}”`,
    });
    this.handle = make("span", { class: "handle", "aria-hidden": "true" });
    this.range.addEventListener("input", () => this.place());
    this.append(this.under, this.over, this.handle, this.range);
    this.place();
  }

  place(value) {
    if (value !== undefined) this.range.value = value;
    this.style.setProperty("--at", `${this.range.value}%`);
    const share = this.range.value;
    this.range.setAttribute("aria-valuetext", `${share} percent ${this.under.alt}`);
  }

  shape(size) {
    const [height, width] = size;
    this.style.setProperty("--ratio", width / height);
  }

  // Swapped in once it is decoded, so that nothing flickers.
  async show(which, url) {
    const before = this[which];
    if (!url || before.dataset.url === url) return;
    before.dataset.url = url;
    const next = before.cloneNode();
    next.src = url;
    try {
      await next.decode();
    } catch {
      before.dataset.url = "";
      return;
    }
    if (this[which].dataset.url !== url) return;
    this[which].replaceWith(next);
    this[which] = next;
    this.classList.toggle("both", Boolean(this.under.src && this.over.src));
  }
}

// A picture that comes into being: preview, bar, words, and the buttons that its state allows.
class View extends HTMLElement {
  static observedAttributes = ["job"];

  connectedCallback() {
    this.build();
    this.look();
  }

  disconnectedCallback() {
    clearTimeout(this.timer);
    if (this.sight) this.sight.disconnect();
    this.sight = null;
  }

  attributeChangedCallback() {
    if (!this.stage) return;
    if (this.sight) this.sight.disconnect();
    this.replaceChildren();
    this.stage = this.sight = this.player = null;
    this.job = null;
    this.build();
    this.look();
  }

  get id_() {
    return this.getAttribute("job") || "";
  }

  build() {
    if (this.stage) return;
    this.classList.add("impasto-view");
    if (!this.id_) {
      this.stage = empty(this.getAttribute("empty"));
      this.append(this.stage);
      return;
    }
    this.stage = make("impasto-compare");
    this.stage.build("photograph", "picture");
    this.bar = make("div", { class: "bar", role: "progressbar", "aria-valuemin": 0, "aria-valuemax": 100, "aria-label": "Progress" }, make("span"));
    this.words = make("p", { class: "words" });
    this.live = make("p", { class: "sr-only", "aria-live": "polite" });
    this.trouble = make("p", { class: "trouble", role: "alert" });
    this.buttons = make("div", { class: "buttons" });
    this.append(this.stage, this.bar, this.words, this.live, this.trouble, this.buttons, this.glance());
  }

  // The picture once more, small, while it comes into being and the large one is out of sight: on a
  // phone that one lies below the sliders that steer it. At the window's foot, so that it covers
  // nothing that can't be scrolled away from it: at the page's end is the large one.
  glance() {
    this.seen = true;
    this.small = make("img", { alt: "" });
    this.fill = make("span");
    this.brief = make("span", { class: "brief" });
    this.mini = make("button", {
      type: "button", class: "mini", hidden: true, title: "Go to the picture",
      onclick: () => this.scrollIntoView({ block: "start" }),
    }, this.small, make("span", { class: "bar", "aria-hidden": "true" }, this.fill), this.brief);
    this.sight = new IntersectionObserver((found) => {
      this.seen = found[found.length - 1].isIntersecting;
      this.peek();
    }, { threshold: IN_SIGHT });
    this.sight.observe(this.stage);
    return this.mini;
  }

  peek() {
    const open = this.job && [...OPEN, "paused"].includes(this.job.status);
    this.watched = open || (this.watched && !this.seen); // how it ended is told until it is seen
    this.mini.hidden = this.seen || !this.watched;
    const shown = this.mini.getClientRects().length > 0; // what has the focus never lies under it
    document.documentElement.style.scrollPaddingBottom = shown ? `${this.mini.offsetHeight + 8}px` : "";
  }

  async look() {
    clearTimeout(this.timer);
    const id = this.id_;
    if (!id || !this.isConnected) return;
    let wait = LATER_MS;
    try {
      const { jobs } = await ask(`studio/status?ids=${id}`);
      if (id !== this.id_) return;
      this.lost = 0;
      if (jobs[0]) this.show(jobs[0]);
      else this.missing();
      const status = jobs[0] ? jobs[0].status : "gone";
      wait = ACTIVE.includes(status) ? SOON_MS : OPEN.includes(status) ? LATER_MS / 2 : REST_MS;
    } catch (error) {
      this.lost = (this.lost || 0) + 1;
      if (this.lost > 3) this.words.textContent = "The studio does not answer. It goes on as soon as it is back.";
    }
    this.timer = setTimeout(() => this.look(), wait + rests());
  }

  missing() {
    this.words.textContent = "This picture is not here any more.";
    this.buttons.replaceChildren();
  }

  show(job) {
    if (job.size) this.stage.shape(job.size);
    const shown = [["under", job.photo], ["over", job.preview]];
    Promise.all(shown.map(([which, url]) => this.stage.show(which, url && at(url)))).then(() => this.copy());
    this.play(job);
    const percent = Math.round(100 * job.fraction);
    this.bar.firstChild.style.width = `${percent}%`;
    this.bar.setAttribute("aria-valuenow", percent);
    this.bar.hidden = !["working", "paused", "waiting"].includes(job.status);
    this.bar.classList.toggle("moving", job.status === "working" && !job.iteration && !job.fraction);
    this.words.replaceChildren(make("span", { class: `dot ${job.status}`, "aria-hidden": "true" }),
      make("strong", { text: job.words }), make("span", { class: "quiet", text: job.details }));
    const notes = [job.note, ...job.steered].filter(Boolean);
    this.words.append(...notes.map((text) => make("span", { class: "note", text })));
    this.trouble.textContent = job.error;
    if (!this.job || this.job.status !== job.status) {
      this.live.textContent = `${job.name}: ${job.words}`;
      this.choose(job);
      this.dispatchEvent(new CustomEvent("impasto-status", { bubbles: true, detail: job }));
    }
    this.dataset.status = job.status;
    this.dataset.previews = job.preview;
    this.job = job;
    this.fill.style.width = `${percent}%`;
    this.brief.textContent = job.words;
    this.peek();
  }

  // A film that is there takes the place of its frames.
  play(job) {
    if (!job.film || this.player) return;
    this.player = player(job);
    this.stage.after(this.player);
    this.stage.hidden = true;
    this.sight.unobserve(this.stage);
    this.sight.observe(this.player);
  }

  copy() {
    const { src } = this.stage.over.src ? this.stage.over : this.stage.under;
    if (src && this.small.src !== src) this.small.src = src;
  }

  choose(job) {
    const button = (text, verb, kind = "") => make("button", {
      type: "button", class: kind, text, "data-verb": verb,
      onclick: async (event) => {
        event.target.disabled = true;
        try {
          await wish(job.id, verb);
        } catch (error) {
          this.trouble.textContent = error.message;
        }
        event.target.disabled = false;
        this.look();
      },
    });
    const found = [];
    if (OPEN.includes(job.status)) found.push(button("Pause", "pause"));
    if (["paused", "stopped"].includes(job.status)) found.push(button("Go on", "go_on", "main"));
    if (job.status === "failed") found.push(button("Try again", "go_on", "main"));
    const stop = job.kind === "picture" ? "Stop and keep" : "Stop";
    if ([...OPEN, "paused"].includes(job.status)) found.push(button(stop, "stop"));
    if (job.result || job.film) found.push(...downloads(job));
    const focused = this.buttons.contains(document.activeElement);
    this.buttons.replaceChildren(...found);
    if (focused && found[0]) found[0].focus();
  }
}

// A film to play; GIF and WebP move by themselves.
function player(job) {
  const moves = /\.(mp4|webm)$/.test(job.film);
  const made = moves
    ? make("video", { src: at(job.film), poster: job.preview && at(job.preview), controls: true, loop: true, playsinline: true, preload: "metadata", "aria-label": job.name })
    : make("img", { src: at(job.film), alt: job.name });
  made.classList.add("film");
  return made;
}

function downloads(job) {
  if (job.film) return [make("a", { class: "button", href: at(job.film), download: true, text: "Save the film" })];
  const link = (text, ending) => make("a", {
    class: "button", href: at(`studio/jobs/${job.id}/picture.${ending}`), download: true, text,
  });
  return [link("PNG", "png"), link("JPEG", "jpg"), link("TIFF, 16 bit", "tif")];
}

// Cards of paintings: a click chooses one, its plus mixes it in.
class Cards extends HTMLElement {
  connect(props, trigger, watch) {
    this.props = props;
    this.trigger = trigger;
    this.classList.add("impasto-cards");
    watch("value", () => this.draw());
    this.draw();
  }

  get value() {
    return this.props.value || { cards: [], chosen: {} };
  }

  put(chosen, event) {
    this.props.value = { ...this.value, chosen };
    this.draw();
    this.trigger(event);
  }

  pick(id) {
    this.put({ [id]: 1 }, "input");
  }

  mix(id) {
    const chosen = { ...this.value.chosen };
    if (id in chosen && Object.keys(chosen).length > 1) delete chosen[id];
    else if (!(id in chosen)) chosen[id] = 1;
    this.put(chosen, "input");
  }

  draw() {
    const { cards, chosen } = this.value;
    const signature = JSON.stringify([cards, Object.keys(chosen)]);
    if (signature === this.signature) return;
    const focused = document.activeElement && this.contains(document.activeElement) && document.activeElement.dataset.key;
    this.signature = signature;
    const several = Object.keys(chosen).length > 1;
    const list = make("div", { class: "cards", role: "group", "aria-label": "Paintings" });
    for (const card of cards) {
      const on = card.id in chosen;
      list.append(make("div", { class: `card${on ? " on" : ""}` },
        make("button", {
          type: "button", class: "pick", "aria-pressed": String(on), title: card.note || card.title,
          "data-key": `pick ${card.id}`, onclick: () => this.pick(card.id),
        }, make("img", { src: at(card.url), alt: "", loading: "lazy" }), make("span", { text: card.title })),
        make("button", {
          type: "button", class: "mix", "aria-pressed": String(on && several), "data-key": `mix ${card.id}`,
          "aria-label": on ? `Take ${card.title} out of the mix` : `Mix ${card.title} in`,
          title: on ? "Take it out of the mix" : "Mix it in",
          text: on ? (several ? "−" : "✓") : "+", disabled: on && !several,
          onclick: () => this.mix(card.id),
        })));
    }
    this.replaceChildren(list);
    if (several) this.append(this.weights(cards, chosen));
    if (focused) {
      const again = [...this.querySelectorAll("[data-key]")].find((each) => each.dataset.key === focused);
      if (again) again.focus();
    }
  }

  weights(cards, chosen) {
    const box = make("div", { class: "weights", role: "group", "aria-label": this.getAttribute("weights") });
    box.append(make("p", { text: this.getAttribute("weights") }));
    for (const [id, weight] of Object.entries(chosen)) {
      const card = cards.find((each) => each.id === id);
      const range = make("input", { type: "range", min: 0, max: 1, step: 0.05, value: weight, "aria-label": card.title });
      range.addEventListener("change", () => {
        const moved = { ...this.value.chosen, [id]: Number(range.value) };
        if (!Object.values(moved).some((each) => each > 0)) {
          moved[id] = 0.05;
          range.value = 0.05;
        }
        this.put(moved, "input");
      });
      box.append(make("label", {}, make("span", { text: card.title }), range));
    }
    return box;
  }
}

// A sheet that fills cell by cell.
class Sheet extends HTMLElement {
  connect(props, trigger, watch) {
    this.props = props;
    this.trigger = trigger;
    this.classList.add("impasto-sheet");
    watch("value", () => this.draw());
    this.draw();
  }

  disconnectedCallback() {
    clearTimeout(this.timer);
  }

  draw() {
    const { cells = [], columns = 0, title = "" } = this.props.value || {};
    const signature = JSON.stringify(cells);
    if (signature === this.signature) return;
    this.signature = signature;
    this.cells = new Map();
    const grid = make("div", { class: "grid" });
    if (columns) {
      grid.classList.add("fixed");
      grid.style.setProperty("--columns", columns);
      grid.style.setProperty("--narrow", Math.min(columns, 2));
    }
    for (const cell of cells) grid.append(this.cell(cell.id, cell.label));
    this.rest = make("div", { class: "buttons", hidden: true },
      make("button", { type: "button", text: "Stop those that wait", onclick: () => this.stop() }));
    this.waiting = [];
    this.replaceChildren(...(cells.length ? [make("p", { class: "title", text: title }), grid, this.rest] : []));
    this.look();
  }

  async look() {
    clearTimeout(this.timer);
    if (!this.cells || !this.cells.size) return;
    let open = true;
    try {
      const { jobs } = await ask(`studio/status?ids=${[...this.cells.keys()].join(",")}`);
      open = jobs.some((job) => OPEN.includes(job.status) || job.status === "paused");
      for (const job of jobs) this.fill(job);
      this.waiting = jobs.filter((job) => job.status === "waiting").map((job) => job.id);
      this.rest.hidden = !this.waiting.length;
      this.dataset.done = jobs.filter((job) => job.result).length;
    } catch {
      open = true;
    }
    if (open) this.timer = setTimeout(() => this.look(), LATER_MS / 2 + rests());
  }

  cell(id, label) {
    const image = make("img", { alt: "" });
    const words = make("span", { class: "quiet" });
    const bar = make("span", { class: "fill" });
    const button = make("button", {
      type: "button", class: "cell", "data-job": id,
      onclick: () => this.trigger("select", { index: 0, value: id }),
    }, make("span", { class: "print" }, image, bar), make("strong", { text: label }), words);
    this.cells.set(id, { button, image, words, bar });
    return button;
  }

  async stop() {
    await Promise.allSettled(this.waiting.map((id) => wish(id, "stop")));
    this.look();
  }

  fill(job) {
    const cell = this.cells.get(job.id);
    if (!cell) return;
    if (job.preview && cell.url !== job.preview) {
      cell.url = job.preview;
      cell.image.src = at(job.preview);
    }
    if (job.size) cell.button.style.setProperty("--ratio", job.size[1] / job.size[0]);
    cell.bar.style.width = `${Math.round(100 * job.fraction)}%`;
    cell.bar.hidden = Boolean(job.result);
    cell.words.textContent = job.error || job.words;
    cell.button.classList.toggle("failed", job.status === "failed");
  }
}

// A folder of photographs: one bar for all, what was refused, and a sheet that grows.
const VERBS = { pause: "Pause", go_on: "Go on", stop: "Stop" };

class Batch extends Sheet {
  draw() {
    const { group = "" } = this.props.value || {};
    if (group === this.group) return;
    this.group = group;
    this.cells = new Map();
    this.signature = "";
    if (!group) {
      this.replaceChildren(empty(this.getAttribute("empty")));
      return;
    }
    this.words = make("strong");
    this.live = make("p", { class: "sr-only", "aria-live": "polite" });
    this.bar = make("div", { class: "bar", role: "progressbar", "aria-valuemin": 0, "aria-valuemax": 100, "aria-label": "Progress of all pictures" }, make("span"));
    this.buttons = make("div", { class: "buttons" });
    this.trouble = make("p", { class: "trouble", role: "alert" });
    this.lines = make("ul", { class: "lines", "aria-label": "Left out" });
    this.grid = make("div", { class: "grid" });
    this.replaceChildren(make("p", { class: "title" }, this.words), this.bar, this.live, this.buttons, this.trouble, this.lines, this.grid);
    this.look();
  }

  async look() {
    clearTimeout(this.timer);
    const group = this.group;
    if (!group || !this.isConnected) return;
    let wait = LATER_MS / 2;
    try {
      const known = await ask(`studio/batches/${group}`);
      if (group !== this.group) return;
      this.show(known);
      wait = known.open ? LATER_MS / 2 : REST_MS;
    } catch (error) {
      this.words.textContent = error.message;
      wait = REST_MS;
    }
    this.timer = setTimeout(() => this.look(), wait + rests());
  }

  show(known) {
    const { columns, jobs, words } = known;
    this.grid.classList.toggle("fixed", columns > 0);
    this.grid.style.setProperty("--columns", columns || 1);
    this.grid.style.setProperty("--narrow", Math.min(columns || 1, 2));
    for (const job of jobs) {
      if (!this.cells.has(job.id)) this.grid.append(this.cell(job.id, job.label));
      this.fill(job);
    }
    const percent = Math.round(100 * known.fraction);
    this.bar.firstChild.style.width = `${percent}%`;
    this.bar.setAttribute("aria-valuenow", percent);
    this.bar.hidden = !known.open;
    this.words.textContent = words;
    if (known.open === false && this.dataset.open === "true") this.live.textContent = words;
    this.dataset.open = known.open;
    this.dataset.done = known.done;
    this.refused(known.lines);
    this.choose(known);
  }

  refused(lines) {
    if (this.lines.childElementCount === lines.length) return;
    this.lines.replaceChildren(...lines.map((text) => make("li", { text })));
  }

  choose({ can, results }) {
    const signature = JSON.stringify([can, results > 0]);
    if (signature === this.signature) return;
    this.signature = signature;
    const found = can.map((verb) => make("button", {
      type: "button", text: VERBS[verb], "data-verb": verb, class: verb === "go_on" ? "main" : "",
      onclick: async () => {
        try {
          this.show(await ask(`studio/batches/${this.group}/${verb}`, { method: "POST" }));
          this.trouble.textContent = "";
        } catch (error) {
          this.trouble.textContent = error.message;
        }
      },
    }));
    const link = (text, name) => make("a", {
      class: "button", href: at(`studio/batches/${this.group}/${name}`), download: true, text,
    });
    if (results) found.push(link("All as PNG, in a .zip", "pictures.zip"), link("All as JPEG, in a .zip", "jpegs.zip"));
    const focused = this.buttons.contains(document.activeElement);
    this.buttons.replaceChildren(...found);
    if (focused && found[0]) found[0].focus();
  }
}

// Every picture ever made: found by name, kept, renamed, compared, deleted and had back.
class Gallery extends HTMLElement {
  connect(props, trigger, watch) {
    this.props = props;
    this.trigger = trigger;
    this.classList.add("impasto-gallery");
    this.items = [];
    this.pair = [];
    this.search = make("input", { type: "search", placeholder: "Search by name", "aria-label": "Search by name", oninput: () => this.grid() });
    this.stars = make("button", { type: "button", "aria-pressed": "false", text: "★ Favourites", onclick: () => this.toggle(this.stars) });
    this.two = make("button", {
      type: "button", "aria-pressed": "false", text: "Compare two",
      onclick: () => {
        this.pair = [];
        this.toggle(this.two);
      },
    });
    this.tools = make("div", { class: "tools" }, this.search, this.stars, this.two);
    this.notice = make("div", { class: "notice", role: "status" });
    this.body = make("div", { class: "body" });
    this.replaceChildren(this.tools, this.notice, this.body);
    watch("value", () => this.load());
    this.load();
  }

  toggle(button) {
    const on = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(on));
    this.grid();
  }

  is(button) {
    return button.getAttribute("aria-pressed") === "true";
  }

  get chosen() {
    return (this.props.value || {}).chosen || "";
  }

  choose(id) {
    this.props.value = { ...(this.props.value || {}), chosen: id };
    this.trigger("select", { index: 0, value: id });
    this.draw();
  }

  async load() {
    try {
      this.items = (await ask("studio/gallery")).pictures;
      this.notice.replaceChildren();
    } catch (error) {
      this.notice.textContent = error.message;
    }
    this.draw();
  }

  draw() {
    const item = this.items.find((each) => each.id === this.chosen);
    if (item) this.one(item);
    else this.grid();
  }

  grid() {
    this.tools.hidden = false;
    const sought = this.search.value.trim().toLowerCase();
    const found = this.items.filter((each) =>
      (!sought || each.name.toLowerCase().includes(sought)) && (!this.is(this.stars) || each.favourite));
    const grid = make("div", { class: "grid" });
    for (const item of found) {
      const paired = this.pair.indexOf(item.id);
      grid.append(make("button", {
        type: "button", class: `cell${paired >= 0 ? " on" : ""}`, "data-job": item.id,
        "aria-pressed": this.is(this.two) ? String(paired >= 0) : null,
        onclick: () => (this.is(this.two) ? this.pick(item.id) : this.choose(item.id)),
      }, make("span", { class: "print" }, make("img", { src: at(item.preview), alt: "", loading: "lazy" }),
        item.film && make("span", { class: "moves", "aria-hidden": "true", text: "▶" }),
        item.favourite && make("span", { class: "star", "aria-label": "favourite", text: "★" })),
      make("strong", { text: item.name }), make("span", { class: "quiet", text: item.summary })));
    }
    const none = this.items.length ? "No picture has this name." : "No pictures yet. The ones that you paint come here by themselves.";
    this.body.replaceChildren(...(this.is(this.two) ? [this.comparison()] : []), found.length ? grid : make("p", { class: "none", text: none }));
  }

  pick(id) {
    this.pair = this.pair.includes(id) ? this.pair.filter((each) => each !== id) : [...this.pair, id].slice(-2);
    this.grid();
  }

  comparison() {
    const [one, two] = this.pair.map((id) => this.items.find((each) => each.id === id));
    if (!two) return make("p", { class: "none", text: one ? `“${one.name}” and which other?` : "Choose two pictures." });
    const box = make("impasto-compare");
    box.build(one.name, two.name);
    box.shape(two.size);
    box.place(50);
    box.show("under", at(one.preview));
    box.show("over", at(two.preview));
    return box;
  }

  beside(item) {
    const box = make("impasto-compare");
    box.build("photograph", "picture");
    if (item.size) box.shape(item.size);
    box.show("under", item.photo && at(item.photo));
    box.show("over", at(item.preview));
    return box;
  }

  one(item) {
    this.tools.hidden = true;
    const box = item.film ? player(item) : this.beside(item);
    const name = make("input", { type: "text", value: item.name, maxlength: 120, "aria-label": "Name of the picture" });
    const keep = async () => {
      if (name.value.trim() && name.value !== item.name) await this.change(item, "rename", { name: name.value });
    };
    name.addEventListener("change", keep);
    const star = make("button", {
      type: "button", "aria-pressed": String(item.favourite), text: item.favourite ? "★ Favourite" : "☆ Favourite",
      onclick: () => this.change(item, "favour", { on: !item.favourite }),
    });
    const away = make("button", { type: "button", text: "Delete", onclick: () => this.remove(item) });
    const back = make("button", { type: "button", class: "back", text: "← All pictures", onclick: () => this.choose("") });
    this.body.replaceChildren(make("div", { class: "buttons" }, back), box,
      make("div", { class: "title" }, name, make("span", { class: "quiet", text: item.summary })),
      make("div", { class: "buttons" }, star, ...downloads(item), away));
  }

  async change(item, verb, body) {
    try {
      await wish(item.id, verb, body);
      await this.load();
    } catch (error) {
      this.notice.textContent = error.message;
    }
  }

  async remove(item) {
    await this.change(item, "delete", {});
    this.choose("");
    const undo = make("button", {
      type: "button", text: "Undo",
      onclick: async () => {
        await this.change(item, "undelete", {});
        this.notice.replaceChildren();
      },
    });
    this.notice.replaceChildren(make("span", { text: `“${item.name}” is deleted.` }), undo);
    undo.focus();
  }
}

customElements.define("impasto-compare", Compare);
customElements.define("impasto-view", View);
customElements.define("impasto-cards", Cards);
customElements.define("impasto-sheet", Sheet);
customElements.define("impasto-batch", Batch);
customElements.define("impasto-gallery", Gallery);
