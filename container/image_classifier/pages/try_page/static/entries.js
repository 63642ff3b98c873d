// The images of this page and what is known about each; the views show them.

import { DOUBTFUL } from "./wording.js";

/** One image: waiting, answered, or failed. */
export class Entry {
  constructor(file, number) {
    this.file = file;
    this.number = number;
    this.address = URL.createObjectURL(file);
    this.state = "waiting";
    this.result = null;
    this.problem = null;
    this.rightClass = "";
  }

  get score() {
    return this.result?.classes[0].probability ?? null;
  }

  get label() {
    return this.result?.label ?? "";
  }

  get isDoubtful() {
    return this.result !== null && this.score < DOUBTFUL;
  }

  get isUnfamiliar() {
    return this.result?.familiarity != null && this.result.familiarity <= 0.02;
  }

  /** Release the browser's reference to the image. */
  release() {
    URL.revokeObjectURL(this.address);
  }
}

const ORDERS = {
  added: () => 0,
  doubtful: (one, other) => one.score - other.score,
  certain: (one, other) => other.score - one.score,
  class: (one, other) => one.label.localeCompare(other.label),
  name: (one, other) => one.file.name.localeCompare(other.file.name, "en", { numeric: true }),
};

/** The filters that are not classes: value, words, and which entries they keep. */
export const FILTERS = [
  ["all", "all images", () => true],
  ["doubtful", `scores below ${Math.round(100 * DOUBTFUL)} %`, (entry) => entry.isDoubtful],
  ["unfamiliar", "unfamiliar images", (entry) => entry.isUnfamiliar],
  ["wrong", "marked as wrong", (entry) => entry.rightClass !== ""],
  ["failed", "not classified", (entry) => entry.state === "failed"],
];
const CLASS = "class:";

/** Return the filter of a class. */
export function ofClass(label) {
  return `${CLASS}${label}`;
}

/** Return the entries that a filter keeps, in an order; those without an answer come last. */
export function arranged(entries, filter, order) {
  const keep = filter.startsWith(CLASS)
    ? (entry) => entry.label === filter.slice(CLASS.length)
    : FILTERS.find(([value]) => value === filter)[2];
  const without = (entry) => order !== "added" && order !== "name" && entry.result === null;
  return entries
    .filter(keep)
    .sort((one, other) => without(one) - without(other) || (without(one) ? 0 : ORDERS[order](one, other)));
}

/** Count the answered entries by label, the most frequent first. */
export function countByLabel(entries) {
  const counts = new Map();
  for (const { result, label } of entries) if (result) counts.set(label, (counts.get(label) ?? 0) + 1);
  return [...counts].sort(([one, many], [other, more]) => more - many || one.localeCompare(other));
}
