// Requests to the server. Addresses are attributes of #try and relative, so that a proxy may add a path prefix.

const RETRY_INTERVAL = 500; // milliseconds
const addresses = document.getElementById("try").dataset;

/** A failed request: a sentence for people, and whether a retry may succeed. */
export class Rejected extends Error {
  constructor(sentence, retryable) {
    super(sentence);
    this.retryable = retryable;
  }
}

/** Return the model card; while the model is being loaded, retry and call `onWait` with the reason. */
export async function facts(onWait) {
  for (;;) {
    try {
      return await json(await request(addresses.facts));
    } catch (problem) {
      if (!problem.retryable) throw problem;
      onWait(problem.message);
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_INTERVAL));
  }
}

/** Ask the console to start a server for the model; resolves when it was asked, not when it is ready. */
export async function start() {
  if (addresses.start) await json(await request(addresses.start, { method: "POST" }));
}

/** Whether the server knows the training images. */
export const knowsNeighbours = Boolean(addresses.neighbours);

/**
 * Classify an image; return labels and probabilities, the most probable first, the share of validation images that were
 * less ordinary (null if the model cannot tell), and the durations in milliseconds.
 */
export async function classify(file, { class_names, familiarity }) {
  const started = performance.now();
  const { found, headers } = await invoke(file, `n_predictions=${class_names.length}${familiarity ? ";ood" : ""}`);
  return {
    label: found.predicted_label,
    classes: found.labels.map((label, index) => ({ label, probability: found.probabilities[index] })),
    familiarity: found.familiarity ?? null,
    roundTrip: performance.now() - started,
    inServer: duration(headers.get("Server-Timing"), "total"),
  };
}

/** Return which parts of an image its label rests on: `drops`, rows of numbers, and whether they are `reliable`. */
export async function explain(file) {
  return (await invoke(file, "explain")).found.explanation;
}

/** Return the training images that are most similar to an image, or a sentence on what is missing for that. */
export async function neighbours(file) {
  return json(await request(addresses.neighbours, { method: "POST", body: await content(file) }));
}

/** Record the right class of an image, or "" to take it back; return what was done as a sentence, "" without a console. */
export async function correct(file, rightClass, predicted) {
  if (!addresses.corrections) return "";
  const query = new URLSearchParams({ file: file.name, right_class: rightClass, predicted });
  if (file.sample) query.set("sample", file.sample);
  const options = { method: "POST", body: await content(file) };
  const separator = addresses.corrections.includes("?") ? "&" : "?";
  return (await json(await request(`${addresses.corrections}${separator}${query}`, options))).message;
}

/** Fetch a sample image as a file. */
export async function sample({ url, name }) {
  const response = await request(url);
  if (!response.ok) throw new Rejected(`${name} cannot be read any more: the server answered ${response.status}.`, false);
  const found = await response.blob();
  return new File([found], name, { type: found.type });
}

async function invoke(file, parameters) {
  const headers = { "Content-Type": "application/x-image", Accept: `application/json;verbose;${parameters}` };
  const options = { method: "POST", headers, body: await content(file) };
  const response = await request(addresses.invocations, options);
  return { found: await json(response), headers: response.headers };
}

async function content(file) {
  try {
    return await file.arrayBuffer();
  } catch {
    throw new Rejected("The browser cannot read this file any more. Choose it again.", false);
  }
}

async function request(address, options) {
  try {
    return await fetch(address, { cache: "no-store", ...options });
  } catch {
    throw new Rejected("The server is not responding. Is it still running?", true);
  }
}

async function json(response) {
  let content;
  try {
    content = await response.json();
  } catch {
    throw new Rejected(`The server answered ${response.status} without valid JSON.`, response.status >= 500);
  }
  if (!response.ok) {
    throw new Rejected(content.message ?? `The server answered ${response.status}.`, response.status === 503);
  }
  return content;
}

function duration(header, name) {
  const entry = (header ?? "").split(",").find((part) => part.trim().startsWith(`${name};`));
  const found = /;\s*dur=([\d.]+)/.exec(entry ?? "");
  return found ? Number(found[1]) : null;
}
