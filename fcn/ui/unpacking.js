// What comes from the server, unpacked, and numbers as colours: used by every part of the pages that draws.

const VIRIDIS = [
  [68, 1, 84],
  [59, 82, 139],
  [33, 145, 140],
  [94, 201, 98],
  [253, 231, 37],
];

/** @param {number} value */
function ramp(value) {
  const place = Math.min(0.9999, Math.max(0, value)) * (VIRIDIS.length - 1);
  const low = VIRIDIS[Math.floor(place)],
    high = VIRIDIS[Math.floor(place) + 1],
    part = place % 1;
  return low.map((channel, index) => Math.round(channel + (high[index] - channel) * part));
}

/** @param {string} url @returns {Promise<HTMLImageElement>} */
function picture(url) {
  return new Promise((done, failed) => {
    const image = new Image();
    image.onload = () => done(image);
    image.onerror = failed;
    image.src = url;
  });
}

// zlib-compressed bytes in base64 -> Uint8Array
/** @param {string} text */
async function bytes(text) {
  const packed = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
