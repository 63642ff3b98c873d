// One image and what the server says about it.

import { counted, milliseconds, percent } from "./wording.js";

const SHOWN = 5; // classes, before the user asks for all

/** The list entry of an image. */
export class Card {
  constructor(file, onAgain) {
    this.file = file;
    this.element = document.getElementById("card").content.firstElementChild.cloneNode(true);
    this.find(".file").textContent = file.name;
    this.find(".again").addEventListener("click", onAgain);
    this.find(".more").addEventListener("click", () => this.showClasses(!this.showsAll));
    const image = this.find("img");
    this.address = URL.createObjectURL(file);
    image.addEventListener("error", () => image.remove());
    image.src = this.address;
    this.wait();
  }

  find(selector) {
    return this.element.querySelector(selector);
  }

  /** Show that the server has been asked. */
  wait() {
    this.element.classList.remove("failed");
    this.element.classList.add("waiting");
    this.find(".answer").textContent = "Asking …";
    const again = this.find(".again");
    // A button that vanishes would take the focus with it.
    if (again === document.activeElement) this.find(".answer").focus();
    again.hidden = true;
  }

  /** Show an answer; returns it as a sentence. */
  show(answer) {
    this.element.classList.remove("waiting");
    this.classes = answer.classes;
    this.find(".answer").textContent = answer.label;
    this.showClasses(false);
    const inServer = answer.inServer === null ? "" : `, ${milliseconds(answer.inServer)} in the server`;
    this.find(".time").textContent = `Answered in ${milliseconds(answer.roundTrip)}${inServer}`;
    this.find(".time").hidden = false;
    return `${this.file.name}: ${answer.label}, ${percent(answer.classes[0].probability)}`;
  }

  /** Show why there is no answer; returns it as a sentence. */
  fail(problem) {
    this.element.classList.remove("waiting");
    this.element.classList.add("failed");
    this.find(".answer").textContent = problem.message;
    this.find(".again").hidden = !problem.again;
    return `${this.file.name}: ${problem.message}`;
  }

  showClasses(all) {
    const [list, more] = [this.find(".bars"), this.find(".more")];
    this.showsAll = all;
    list.replaceChildren(...this.classes.slice(0, all ? undefined : SHOWN).map(bar));
    list.hidden = false;
    // What scrolls must be reached by keyboard.
    if (all) list.tabIndex = 0;
    else list.removeAttribute("tabindex");
    list.classList.toggle("long", all);
    more.hidden = this.classes.length <= SHOWN;
    more.setAttribute("aria-expanded", String(all));
    more.textContent = all ? `Show the best ${SHOWN}` : `Show all ${counted(this.classes.length, "class", "classes")}`;
  }

  /** Give back what the browser keeps of the image. */
  release() {
    URL.revokeObjectURL(this.address);
  }
}

function bar({ label, probability }) {
  const row = document.getElementById("bar").content.firstElementChild.cloneNode(true);
  row.querySelector(".label").textContent = label;
  row.querySelector(".percent").textContent = percent(probability);
  row.querySelector(".fill").style.width = `${100 * probability}%`;
  return row;
}
