// Number formatting.

const WHOLE = new Intl.NumberFormat("en");

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
