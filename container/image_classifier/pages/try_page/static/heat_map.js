// Which parts of an image its label rests on, drawn over it.

const LONGEST = 512; // pixels of the drawing
const STRONGEST = 0.75; // opacity

/**
 * Draw a grid of drops of the probability over an image as a canvas of the image's proportions, so that `object-fit`
 * puts both at the same place.
 */
export function draw(image, drops) {
  const [rows, columns] = [drops.length, drops[0].length];
  const grid = document.createElement("canvas");
  [grid.width, grid.height] = [columns, rows];
  const largest = Math.max(...drops.flat(), Number.EPSILON);
  const pixels = new ImageData(columns, rows);
  drops.flat().forEach((drop, index) => {
    pixels.data.set([255, 120, 0, 255 * STRONGEST * Math.max(drop, 0) / largest], 4 * index);
  });
  grid.getContext("2d").putImageData(pixels, 0, 0);
  const scale = LONGEST / Math.max(image.naturalWidth, image.naturalHeight);
  const drawing = document.createElement("canvas");
  drawing.width = Math.max(1, Math.round(scale * image.naturalWidth));
  drawing.height = Math.max(1, Math.round(scale * image.naturalHeight));
  const context = drawing.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(grid, 0, 0, drawing.width, drawing.height);
  return drawing;
}

/** Say what a drop of a probability is, in points. */
function change(drop) {
  const points = Math.round(100 * Math.abs(drop));
  return `${drop < 0 && points ? "gains" : "loses"} ${points} ${points === 1 ? "point" : "points"}`;
}

/** Say in a sentence what a map shows. */
export function sentence({ label, reliable, drop_top: top, drop_random: random }) {
  const measured = `${label} ${change(top)} when the strongest 20 % are covered, and ${change(random)} when a random 20 % are.`;
  return reliable ? `Orange: what ${label} rests on. ${measured}` : `This map is not reliable. ${measured}`;
}
