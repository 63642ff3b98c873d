// What a file is, by its first bytes, and what to do when it is not an image that the server reads.

const READ = "JPEG, PNG, WebP, BMP and GIF can be classified.";
const SAMPLE = 512; // bytes that are looked at

const IMAGES = [/^\xff\xd8\xff/, /^\x89PNG/, /^GIF8/, /^BM/, /^RIFF[^]{4}WEBP/];
const OTHERS = [
  [/^[^]{4}ftyp(hei|hev|mif|msf)/, "an HEIC photo", "Export it as JPEG; iPhones do so with Settings, Camera, Formats, Most Compatible."],
  [/^[^]{4}ftypavi/, "an AVIF image", "Save it as JPEG or PNG."],
  [/^[^]{4}ftyp/, "a video", "Take a still image from it."],
  [/^\x1a\x45\xdf\xa3|^RIFF[^]{4}AVI /, "a video", "Take a still image from it."],
  [/^(II\*\0|MM\0\*|II\x2b\0)/, "a TIFF or raw photo", "Save it as JPEG or PNG."],
  [/^%PDF/, "a PDF document", "Export its page as an image."],
  [/^PK\x03\x04|^\x1f\x8b|^7z\xbc|^Rar!/, "an archive", "Unpack it, and drop the folder."],
  [/^\s*(<\?xml[^>]*>\s*)?(<!--[^]*?-->\s*)*(<!DOCTYPE svg[^>]*>\s*)?<svg[\s>]/i, "an SVG drawing", "Export it as PNG."],
];

/** Say in a sentence why a file cannot be classified, by what it is; null for an image. */
export async function problemOf(file) {
  if (file.size === 0) return `${file.name} is empty: it has 0 bytes. Choose it again when it has been written.`;
  const bytes = new Uint8Array(await file.slice(0, SAMPLE).arrayBuffer());
  const start = String.fromCharCode(...bytes);
  if (IMAGES.some((pattern) => pattern.test(start))) return null;
  for (const [pattern, kind, advice] of OTHERS) {
    if (pattern.test(start)) return `${file.name} is ${kind}, which the server does not read. ${advice}`;
  }
  if (isText(bytes)) return `${file.name} is text, not an image. ${READ}`;
  return `${file.name} is not an image of a known format. ${READ}`;
}

/** Whether the name of a file in a folder is that of an image; others are left out of a folder without an error each. */
export function isNamedLikeAnImage({ name }) {
  return /\.(jpe?g|jfif|png|webp|bmp|gif|heic|heif|avif|tiff?)$/i.test(name);
}

function isText(bytes) {
  try {
    // The sample may end inside a character.
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes, { stream: true });
    return !/[\0-\x08\x0e-\x1f]/.test(text);
  } catch {
    return false;
  }
}
