// The model card: class names first, versions last.

import { element } from "./elements.js";
import { counted, listed, percent } from "./wording.js";

const ENGINES = { openvino: "OpenVINO", tensorflow: "TensorFlow" };
const TITLE_NAMES = 5; // classes; of more the title says how many

/** Fill the model card and the title of the page. */
export function show(facts) {
  const heading = document.getElementById("name");
  if (heading) {
    const count = counted(facts.class_names.length, "class", "classes");
    const named = facts.class_names.length <= TITLE_NAMES;
    const names = named ? listed(facts.class_names, TITLE_NAMES) : count;
    document.title = `${names} – image classifier`;
    heading.textContent = named ? `Tells apart ${names}` : `Tells ${count} apart`;
  }
  const names = document.getElementById("names");
  if (!names) return;
  document.getElementById("names-title").textContent = counted(facts.class_names.length, "class", "classes");
  names.replaceChildren(...facts.class_names.map((name) => element("li", name)));
  names.hidden = false;
  fill(document.getElementById("about"), [
    ...facts.measures.map(({ name, value }) => [name, percent(value)]),
    ["Training", facts.finetuned ? "fine-tuned for these classes" : null],
  ]);
  const made = document.getElementById("made");
  fill(made.querySelector("dl"), [
    ["Backbone", facts.name],
    ["Source", facts.source],
    ["Image size", `${facts.height} × ${facts.width} pixels (height × width)`],
    ["Engine", ENGINES[facts.engine] ?? facts.engine],
    ["Trained with", versions(facts.trained_with)],
    ["Served by", versions(facts.served_by)],
    ["Licence", facts.licence],
  ]);
  made.hidden = false;
}

function fill(list, rows) {
  const shown = rows.filter(([, value]) => value);
  list.replaceChildren(...shown.flatMap(([name, value]) => [element("dt", name), element("dd", value)]));
}

function versions(packages) {
  return packages.map(({ name, version }) => `${name} ${version}`).join(", ");
}
