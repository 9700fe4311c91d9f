// Regions of a label map: their outlines, where their names fit, and the largest area where two maps differ.

// Lines between pixels of different classes, in photo pixels; `group` maps a label to what counts as one class.
/** @param {Uint8Array} labels @param {number} width @param {number} height @param {(label: number) => number} group */
function outlines(labels, width, height, group) {
  const path = new Path2D(),
    same = Int16Array.from({ length: 256 }, (_, label) => group(label));
  for (let y = 0; y < height - 1; y++) {
    for (let x = 0, start = -1; x <= width; x++) {
      const edge = x < width && same[labels[y * width + x]] !== same[labels[(y + 1) * width + x]];
      if (edge && start < 0) start = x;
      if (!edge && start >= 0) {
        path.moveTo(start, y + 1);
        path.lineTo(x, y + 1);
        start = -1;
      }
    }
  }
  for (let x = 0; x < width - 1; x++) {
    for (let y = 0, start = -1; y <= height; y++) {
      const edge = y < height && same[labels[y * width + x]] !== same[labels[y * width + x + 1]];
      if (edge && start < 0) start = y;
      if (!edge && start >= 0) {
        path.moveTo(x + 1, start);
        path.lineTo(x + 1, y);
        start = -1;
      }
    }
  }
  return path;
}

// Connected parts of a grid of numbers; cells with -1 belong to none. Each is a list of indices.
/** @param {Int16Array} grid @param {number} columns */
function connected(grid, columns) {
  const visited = new Uint8Array(grid.length),
    parts = [];
  for (let first = 0; first < grid.length; first++) {
    if (visited[first] || grid[first] < 0) continue;
    const part = [first];
    visited[first] = 1;
    for (let at = 0; at < part.length; at++) {
      const index = part[at],
        x = index % columns;
      for (const next of [x ? index - 1 : -1, x < columns - 1 ? index + 1 : -1, index - columns, index + columns]) {
        if (next < 0 || next >= grid.length || visited[next] || grid[next] !== grid[first]) continue;
        visited[next] = 1;
        part.push(next);
      }
    }
    parts.push(part);
  }
  return parts;
}

// Every step-th pixel of a label map, as a grid: [values, columns].
/**
 * @param {Uint8Array} values @param {number} width @param {number} height @param {number} step
 * @returns {[Int16Array, number]}
 */
function thinned(values, width, height, step) {
  const columns = Math.ceil(width / step),
    rows = Math.ceil(height / step),
    grid = new Int16Array(columns * rows);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++)
      grid[row * columns + column] =
        values[
          Math.min(height - 1, row * step + (step >> 1)) * width + Math.min(width - 1, column * step + (step >> 1))
        ];
  return [grid, columns];
}

// Where the names of regions fit: for each its label, the middle of its widest place and the room there, in photo pixels.
/** @param {Uint8Array} labels @param {number} width @param {number} height */
function namePlaces(labels, width, height) {
  const step = Math.max(2, Math.round(Math.max(width, height) / 160));
  const [grid, columns] = thinned(labels, width, height, step);
  const rows = grid.length / columns;
  return connected(grid, columns)
    .filter((part) => part.length > 25)
    .map((part) => {
      const middle = part.reduce(
        ([x, y], index) => [x + (index % columns) / part.length, y + Math.floor(index / columns) / part.length],
        [0, 0],
      );
      let best = /** @type {NamePlace} */ ({ room: -Infinity });
      for (const index of part) {
        const x = index % columns,
          y = Math.floor(index / columns),
          label = grid[index];
        let up = 0,
          down = 0,
          left = 0,
          right = 0;
        /** @param {number} column @param {number} row */
        const same = (column, row) =>
          column >= 0 && column < columns && row >= 0 && row < rows && grid[row * columns + column] === label;
        while (up < 24 && same(x, y - up - 1)) up++;
        while (down < 24 && same(x, y + down + 1)) down++;
        while (left < 40 && same(x - left - 1, y)) left++;
        while (right < 40 && same(x + right + 1, y)) right++;
        const high = Math.min(up, down),
          wide = Math.min(left, right),
          room = Math.min(wide, 3 * high, 40) - 0.3 * Math.hypot(x - middle[0], y - middle[1]);
        if (room > best.room)
          best = {
            room,
            label,
            x: (x + 0.5) * step,
            y: (y + 0.5) * step,
            wide: 2 * wide * step,
            high: 2 * high * step,
          };
      }
      return best;
    });
}

// The box around the largest area where two label maps differ, in photo pixels; null where they agree.
/**
 * @param {Uint8Array} one @param {Uint8Array} other @param {number} width @param {number} height
 * @returns {Box | null}
 */
function largestDifference(one, other, width, height) {
  const differ = Int16Array.from(one, (label, index) => (label === other[index] ? -1 : 1));
  const parts = connected(differ, width);
  if (!parts.length) return null;
  const part = parts.reduce((best, next) => (next.length > best.length ? next : best));
  let [left, right, top, bottom] = [width, 0, height, 0];
  for (const index of part) {
    const x = index % width,
      y = Math.floor(index / width);
    (left = Math.min(left, x)),
      (right = Math.max(right, x + 1)),
      (top = Math.min(top, y)),
      (bottom = Math.max(bottom, y + 1));
  }
  return { left, right, top, bottom };
}
