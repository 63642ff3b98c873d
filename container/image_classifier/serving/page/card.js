// The result card of one image.

import { counted, milliseconds, percent } from "./wording.js";

const SHOWN = 5; // classes, until the user expands the list
const UNFAMILIAR = 0.02; // share of the validation images; rarer images are marked

/** The list entry of an image. */
export class Card {
  constructor(file, onRetry) {
    this.file = file;
    this.element = document.getElementById("card").content.firstElementChild.cloneNode(true);
    this.find(".file").textContent = file.name;
    this.find(".again").addEventListener("click", onRetry);
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

  /** Show that a request is in flight. */
  wait() {
    this.element.classList.remove("failed");
    this.element.classList.add("waiting");
    this.find(".answer").textContent = "Classifying …";
    const again = this.find(".again");
    // Hiding a focused button would lose the focus.
    if (again === document.activeElement) this.find(".answer").focus();
    again.hidden = true;
  }

  /** Show a result; return it as a sentence. */
  show(result) {
    this.element.classList.remove("waiting");
    this.classes = result.classes;
    this.find(".answer").textContent = result.label;
    const warning = unfamiliar(result.familiarity);
    this.find(".unfamiliar").textContent = warning;
    this.find(".unfamiliar").hidden = warning === "";
    this.showClasses(false);
    const inServer = result.inServer === null ? "" : `, ${milliseconds(result.inServer)} in the server`;
    this.find(".time").textContent = `Answered in ${milliseconds(result.roundTrip)}${inServer}`;
    this.find(".time").hidden = false;
    return [`${this.file.name}: ${result.label}, ${percent(result.classes[0].probability)}`, warning]
      .filter(Boolean)
      .join(". ");
  }

  /** Show an error; return it as a sentence. */
  fail(problem) {
    this.element.classList.remove("waiting");
    this.element.classList.add("failed");
    this.find(".unfamiliar").hidden = true;
    this.find(".answer").textContent = problem.message;
    this.find(".again").hidden = !problem.retryable;
    return `${this.file.name}: ${problem.message}`;
  }

  showClasses(all) {
    const [list, more] = [this.find(".bars"), this.find(".more")];
    this.showsAll = all;
    list.replaceChildren(...this.classes.slice(0, all ? undefined : SHOWN).map(bar));
    list.hidden = false;
    // Scrollable lists must be reachable by keyboard.
    if (all) list.tabIndex = 0;
    else list.removeAttribute("tabindex");
    list.classList.toggle("long", all);
    more.hidden = this.classes.length <= SHOWN;
    more.setAttribute("aria-expanded", String(all));
    more.textContent = all ? `Show the best ${SHOWN}` : `Show all ${counted(this.classes.length, "class", "classes")}`;
  }

  /** Release the browser's reference to the image. */
  release() {
    URL.revokeObjectURL(this.address);
  }
}

/** Say that an image is unlike the validation images, by the share of them that were less ordinary; else "". */
function unfamiliar(familiarity) {
  if (familiarity === null || familiarity > UNFAMILIAR) return "";
  const share = familiarity === 0 ? "all" : `${Math.floor(100 * (1 - familiarity))} %`;
  return `Unfamiliar image: more unusual than ${share} of the validation images`;
}

function bar({ label, probability }) {
  const row = document.getElementById("bar").content.firstElementChild.cloneNode(true);
  row.querySelector(".label").textContent = label;
  row.querySelector(".percent").textContent = percent(probability);
  row.querySelector(".fill").style.width = `${100 * probability}%`;
  return row;
}
