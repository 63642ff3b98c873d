// The model card.

import { counted, percent } from "./wording.js";

const ENGINES = { openvino: "OpenVINO", tensorflow: "TensorFlow" };

/** Fill the heading, the table of facts and the list of class names. */
export function show(facts) {
  document.title = `${facts.name} – image classifier`;
  document.getElementById("name").textContent = facts.name;
  const rows = [
    ["Source", facts.source],
    ["Training", facts.finetuned ? "fine-tuned for these classes" : null],
    ["Classes", counted(facts.class_names.length, "class", "classes")],
    ["Image size", `${facts.height} × ${facts.width} pixels (height × width)`],
    ["Engine", ENGINES[facts.engine] ?? facts.engine],
    ...facts.measures.map(({ name, value }) => [name, percent(value)]),
    ["Trained with", versions(facts.trained_with)],
    ["Served by", versions(facts.served_by)],
    ["Licence", facts.licence],
  ];
  document.getElementById("about").replaceChildren(...rows.filter(([, value]) => value).flatMap(row));
  listNames(facts.class_names);
}

function versions(packages) {
  return packages.map(({ name, version }) => `${name} ${version}`).join(", ");
}

function row([name, value]) {
  return [text("dt", name), text("dd", value)];
}

function listNames(names) {
  const details = document.getElementById("names");
  details.querySelector("summary").textContent = "Class names";
  details.hidden = false;
  const fill = () => details.querySelector("ol").replaceChildren(...names.map((name) => text("li", name)));
  details.addEventListener("toggle", fill, { once: true });
}

function text(tag, content) {
  const element = document.createElement(tag);
  element.textContent = content;
  return element;
}
