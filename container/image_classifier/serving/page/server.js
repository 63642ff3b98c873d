// What the page asks of the server. Addresses are relative, so that a proxy may put a path before them.

const LOADING_PAUSE = 500; // milliseconds

/** A request without an answer: a sentence for people, and whether trying again can help. */
export class Rejected extends Error {
  constructor(sentence, again) {
    super(sentence);
    this.again = again;
  }
}

/** Return the facts about the model; waits for a model that is being loaded, calling `onWait` with the reason. */
export async function facts(onWait) {
  for (;;) {
    try {
      return await json(await request("page/facts"));
    } catch (problem) {
      if (!problem.again) throw problem;
      onWait(problem.message);
    }
    await new Promise((resolve) => setTimeout(resolve, LOADING_PAUSE));
  }
}

/** Send an image; returns labels and probabilities, the most probable first, and how long it took in milliseconds. */
export async function classify(file, count) {
  const body = await content(file);
  const headers = {
    "Content-Type": "application/x-image",
    Accept: `application/json;verbose;n_predictions=${count}`,
  };
  const started = performance.now();
  const answer = await request("invocations", { method: "POST", headers, body });
  const found = await json(answer);
  return {
    label: found.predicted_label,
    classes: found.labels.map((label, index) => ({ label, probability: found.probabilities[index] })),
    roundTrip: performance.now() - started,
    inServer: duration(answer.headers.get("Server-Timing"), "total"),
  };
}

async function content(file) {
  try {
    return await file.arrayBuffer();
  } catch {
    throw new Rejected("The browser cannot read this file. Is it a folder?", false);
  }
}

async function request(address, options) {
  try {
    return await fetch(address, { cache: "no-store", ...options });
  } catch {
    throw new Rejected("The server does not answer. Is it still running?", true);
  }
}

async function json(answer) {
  let found;
  try {
    found = await answer.json();
  } catch {
    throw new Rejected(`The server answered ${answer.status} with something that is no JSON.`, answer.status >= 500);
  }
  if (!answer.ok) throw new Rejected(found.message ?? `The server answered ${answer.status}.`, answer.status === 503);
  return found;
}

function duration(header, name) {
  const entry = (header ?? "").split(",").find((part) => part.trim().startsWith(`${name};`));
  const found = /;\s*dur=([\d.]+)/.exec(entry ?? "");
  return found ? Number(found[1]) : null;
}
