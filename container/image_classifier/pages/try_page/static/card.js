// One image with everything about it: answer, score, bars, heat map, similar training images, its right class.

import { copyOf, element, say } from "./elements.js";
import * as heatMap from "./heat_map.js";
import * as server from "./server.js";
import { band, counted, measured, milliseconds, percent, unfamiliar } from "./wording.js";

const SHOWN = 5; // classes, until the user expands the list
const NONE = "none of these";

/** The view of an entry; `context` has the facts, null until they are loaded, retry(entry) and changed(entry). */
export class Card {
  constructor(entry, context) {
    this.entry = entry;
    this.context = context;
    this.element = copyOf("card");
    this.showsAll = false;
    const { file } = entry;
    this.find(".file").textContent = file.label ? `${file.name} · labelled ${file.label}` : file.name;
    const image = this.find("img");
    image.addEventListener("error", () => image.remove());
    image.src = entry.address;
    this.find(".again").addEventListener("click", () => context.retry(entry));
    this.find(".more").addEventListener("click", () => this.showClasses(!this.showsAll));
    this.find(".explain").addEventListener("click", () => this.toggleMap());
    this.find(".mark").addEventListener("click", () => this.toggleForm());
    this.find(".wrong").addEventListener("submit", (event) => {
      event.preventDefault();
      this.correct(this.find(".wrong select").value);
    });
    this.show();
  }

  find(selector) {
    return this.element.querySelector(selector);
  }

  /** Show the entry as it is now. */
  show() {
    const { state, result, problem } = this.entry;
    this.element.classList.toggle("waiting", state === "waiting");
    this.element.classList.toggle("failed", state === "failed");
    const again = this.find(".again");
    // Hiding a focused button would lose the focus.
    if (state === "waiting" && again === document.activeElement) this.find(".answer").focus();
    again.hidden = !(state === "failed" && problem.retryable);
    this.find(".answer").textContent =
      state === "waiting" ? "Classifying …" : state === "failed" ? problem.message : result.label;
    for (const part of [".score", ".bars", ".mark", ".time"]) this.find(part).hidden = result === null;
    this.find(".explain").hidden = result === null || !this.context.facts?.explain || this.find("img") === null;
    say(this.find(".unfamiliar"), result ? unfamiliar(result.familiarity) : "");
    if (result) this.showResult(result);
  }

  showResult(result) {
    const { score } = this.entry;
    const { words, tone } = band(score);
    this.find(".score .percent").textContent = percent(score);
    this.find(".score .badge").textContent = words;
    this.find(".score .badge").className = `badge ${tone}`;
    this.find(".score .measured").textContent = measured(score, this.context.facts.reliability);
    this.tone = tone;
    this.showClasses(this.showsAll);
    const inServer = result.inServer === null ? "" : `, ${milliseconds(result.inServer)} in the server`;
    this.find(".time").textContent = `Answered in ${milliseconds(result.roundTrip)}${inServer}`;
    this.showCorrection();
    if (server.knowsNeighbours) this.showNeighbours();
  }

  showClasses(all) {
    const [list, more, { classes }] = [this.find(".bars"), this.find(".more"), this.entry.result];
    this.showsAll = all;
    list.replaceChildren(...classes.slice(0, all ? undefined : SHOWN).map(bar));
    list.querySelector(".fill").classList.add(this.tone);
    // Scrollable lists must be reachable by keyboard.
    if (all) list.tabIndex = 0;
    else list.removeAttribute("tabindex");
    list.classList.toggle("long", all);
    more.hidden = classes.length <= SHOWN;
    more.setAttribute("aria-expanded", String(all));
    more.textContent = all ? `Show the best ${SHOWN}` : `Show all ${counted(classes.length, "class", "classes")}`;
  }

  async toggleMap() {
    const [button, place, image] = [this.find(".explain"), this.find(".map"), this.find("img")];
    const drawn = this.find("canvas");
    if (drawn) {
      drawn.remove();
      button.setAttribute("aria-pressed", "false");
      return say(place, "");
    }
    button.disabled = true;
    say(place, "Covering parts of the image and classifying it again, 91 times …");
    try {
      const explanation = await server.explain(this.entry.file);
      image.after(heatMap.draw(image, explanation.drops));
      button.setAttribute("aria-pressed", "true");
      say(place, heatMap.sentence(explanation));
    } catch (problem) {
      say(place, problem.message);
    } finally {
      button.disabled = false;
    }
  }

  async showNeighbours() {
    if (this.askedFor === this.entry.result) return;
    this.askedFor = this.entry.result;
    const place = this.find(".neighbours");
    place.hidden = false;
    say(place.querySelector("p"), "Searching …");
    try {
      const { images, message } = await server.neighbours(this.entry.file);
      say(place.querySelector("p"), message ?? "");
      place.querySelector("ol").replaceChildren(...images.map(neighbour));
    } catch (problem) {
      say(place.querySelector("p"), problem.message);
    }
  }

  toggleForm() {
    const [form, button] = [this.find(".wrong"), this.find(".mark")];
    if (this.entry.rightClass) return this.correct("");
    form.hidden = !form.hidden;
    button.setAttribute("aria-expanded", String(!form.hidden));
    if (form.hidden) return;
    const others = this.context.facts.class_names.filter((name) => name !== this.entry.label);
    form.querySelector("select").replaceChildren(...[...others, NONE].map((name) => element("option", name)));
    form.querySelector("select").focus();
  }

  async correct(rightClass) {
    const { entry } = this;
    try {
      const done = await server.correct(entry.file, rightClass === NONE ? "" : rightClass, entry.label);
      entry.rightClass = rightClass;
      entry.corrected = done;
    } catch (problem) {
      say(this.find(".corrected"), problem.message);
      return;
    }
    this.find(".wrong").hidden = true;
    this.showCorrection();
    this.find(".mark").focus();
    this.context.changed(entry);
  }

  showCorrection() {
    const { rightClass, corrected } = this.entry;
    this.find(".mark").textContent = rightClass ? "Not wrong after all" : "Wrong?";
    this.find(".mark").setAttribute("aria-expanded", "false");
    const sentence = rightClass ? `Marked as wrong: it is ${rightClass}. ${corrected || "The CSV file says so."}` : "";
    say(this.find(".corrected"), sentence);
  }
}

function bar({ label, probability }) {
  const row = copyOf("bar");
  row.querySelector(".label").textContent = label;
  row.querySelector(".percent").textContent = percent(probability);
  row.querySelector(".fill").style.width = `${100 * probability}%`;
  return row;
}

function neighbour({ url, label, similarity }) {
  const item = document.createElement("li");
  item.append(element("img", "", { src: url, alt: "", loading: "lazy", decoding: "async" }));
  item.append(element("span", label, { class: "label" }));
  item.append(element("span", similarity.toFixed(2), { class: "quiet", title: "cosine similarity, at most 1" }));
  return item;
}
