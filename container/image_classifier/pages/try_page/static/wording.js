// Number formatting, and what a score means in words.

const WHOLE = new Intl.NumberFormat("en");
const BANDS = [
  { from: 0.99, words: "near certain", tone: "good" },
  { from: 0.9, words: "very likely", tone: "good" },
  { from: 0.7, words: "likely", tone: "warn" },
  { from: 0.5, words: "uncertain", tone: "warn" },
  { from: 0, words: "a guess", tone: "bad" },
];
export const DOUBTFUL = 0.7; // below: "uncertain" and "a guess"

/** Format 1000 and "classes" as "1,000 classes", and 1 as "1 class". */
export function counted(number, one, many) {
  return `${WHOLE.format(number)} ${number === 1 ? one : many}`;
}

/** Format a probability, 0 to 1, as percent; small values are not rounded to 0 %, nor large ones to 100 %. */
export function percent(share) {
  if (share > 0 && share < 0.0005) return "< 0.1 %";
  if (share < 1 && share >= 0.9995) return "> 99.9 %";
  return `${(100 * share).toFixed(1)} %`;
}

/** Format milliseconds. */
export function milliseconds(time) {
  return time < 10 ? `${time.toFixed(1)} ms` : `${WHOLE.format(Math.round(time))} ms`;
}

/** Return the band of a score, 0 to 1: its words, and "good", "warn" or "bad". */
export function band(score) {
  return BANDS.find(({ from }) => score >= from) ?? BANDS.at(-1);
}

/** Say how often answers with such a score were right when it was measured; "" when it was not. */
export function measured(score, reliability) {
  const found = (reliability ?? []).find(({ from, to }) => score >= from && (score < to || to === 1));
  if (!found || found.images === 0) return "";
  const [low, high] = [found.low, found.high].map((share) => Math.round(100 * share));
  const range = `${Math.round(100 * found.from)}–${Math.round(100 * found.to)} %`;
  return (
    `Of ${counted(found.images, "held-out image", "held-out images")} scored ${range}, ` +
    `${WHOLE.format(found.right)} ${found.right === 1 ? "was" : "were"} right (95 % interval ${low}–${high} %).`
  );
}

/** List names as "a, b and c", the rest of a long list as a number. */
export function listed(names, most) {
  if (names.length <= most) return new Intl.ListFormat("en-GB").format(names);
  return new Intl.ListFormat("en-GB").format([...names.slice(0, most), `${WHOLE.format(names.length - most)} more`]);
}

/** Say that an image is unlike the validation images, by the share of them that were less ordinary; else "". */
export function unfamiliar(familiarity) {
  if (familiarity === null || familiarity > 0.02) return "";
  const share = familiarity === 0 ? "all" : `${Math.floor(100 * (1 - familiarity))} %`;
  return `Unfamiliar image: more unusual than ${share} of the validation images`;
}
