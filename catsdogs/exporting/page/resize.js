// Brings a picture to the size that the network takes, as `catsdogs predict` does: Pillow's
// bilinear filter, widened where the picture shrinks, one axis after the other, 8 bits between.

/** As Python rounds: halves to the even number. */
function rounded(value) {
  const below = Math.floor(value);
  const rest = value - below;
  return rest > 0.5 || (rest === 0.5 && below % 2 === 1) ? below + 1 : below;
}

/**
 * Gives a picture the shape of what the network takes, but for its number of pixels.
 *
 * @param {{data: Uint8ClampedArray, width: number, height: number}} image RGBA.
 * @param {[number, number]} size height and width that the network takes.
 * @param {"stretch" | "crop" | "pad"} fit
 * @param {[number, number, number]} fill colour beside a padded picture, RGB.
 */
function framed(image, [rows, columns], fit, fill) {
  const { width, height } = image;
  const wantedWidth = Math.max(1, rounded((height * columns) / rows));
  const wantedHeight = Math.max(1, rounded((width * rows) / columns));
  if (fit === "stretch" || wantedWidth === width) return image;
  const [toWidth, toHeight] =
    wantedWidth < width === (fit === "crop") ? [wantedWidth, height] : [width, wantedHeight];
  const left = Math.floor((width - toWidth) / 2);
  const top = Math.floor((height - toHeight) / 2);
  const data = new Uint8ClampedArray(toWidth * toHeight * 4);
  for (let row = 0; row < toHeight; row++) {
    const from = row + top;
    for (let column = 0; column < toWidth; column++) {
      const to = 4 * (row * toWidth + column);
      const place = column + left;
      if (from < 0 || from >= height || place < 0 || place >= width) {
        data.set([...fill, 255], to);
      } else {
        const source = 4 * (from * width + place);
        for (let channel = 0; channel < 4; channel++) data[to + channel] = image.data[source + channel];
      }
    }
  }
  return { data, width: toWidth, height: toHeight };
}

/**
 * Which pixels of a line each pixel of the shorter or longer line is made of, and how much of each.
 *
 * @param {number} length of the line, in pixels.
 * @param {number} count pixels to make.
 */
function filterOf(length, count) {
  const scale = length / count;
  const widening = Math.max(scale, 1);
  const firsts = new Int32Array(count);
  const shares = [];
  for (let index = 0; index < count; index++) {
    const centre = (index + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - widening + 0.5));
    const last = Math.min(length, Math.trunc(centre + widening + 0.5));
    const weights = new Float64Array(last - first);
    let sum = 0;
    for (let place = first; place < last; place++) {
      const distance = Math.abs((place - centre + 0.5) / widening);
      weights[place - first] = distance < 1 ? 1 - distance : 0;
      sum += weights[place - first];
    }
    firsts[index] = first;
    shares.push(weights.map((weight) => weight / sum));
  }
  return { firsts, shares };
}

const clipped = (value) => Math.min(255, Math.max(0, Math.floor(value + 0.5)));

/**
 * @param {{data: Uint8ClampedArray, width: number, height: number}} image RGBA; what is
 *   transparent is laid over white.
 * @param {[number, number]} size height and width, in pixels.
 * @param {"stretch" | "crop" | "pad"} fit how it is brought to a square that it is none of.
 * @param {[number, number, number]} fill colour beside a padded picture, RGB.
 * @returns {Uint8Array} `(height, width, 3)`, RGB, 0 to 255.
 */
function resize(image, size, fit, fill) {
  const { width, height, data } = framed(image, size, fit, fill);
  const [rows, columns] = size;
  const across = filterOf(width, columns);
  const down = filterOf(height, rows);
  const line = new Float64Array(width * 3);
  const narrow = new Uint8Array(height * columns * 3);
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const from = 4 * (row * width + column);
      const alpha = data[from + 3];
      for (let channel = 0; channel < 3; channel++) {
        const value = data[from + channel];
        line[3 * column + channel] =
          alpha === 255 ? value : Math.round((value * alpha + 255 * (255 - alpha)) / 255);
      }
    }
    for (let column = 0; column < columns; column++) {
      const weights = across.shares[column];
      const first = across.firsts[column];
      let red = 0;
      let green = 0;
      let blue = 0;
      for (let place = 0; place < weights.length; place++) {
        const from = 3 * (first + place);
        red += weights[place] * line[from];
        green += weights[place] * line[from + 1];
        blue += weights[place] * line[from + 2];
      }
      const to = 3 * (row * columns + column);
      narrow[to] = clipped(red);
      narrow[to + 1] = clipped(green);
      narrow[to + 2] = clipped(blue);
    }
  }
  const pixels = new Uint8Array(rows * columns * 3);
  for (let row = 0; row < rows; row++) {
    const weights = down.shares[row];
    const first = down.firsts[row];
    for (let index = 0; index < columns * 3; index++) {
      let sum = 0;
      for (let place = 0; place < weights.length; place++) {
        sum += weights[place] * narrow[(first + place) * columns * 3 + index];
      }
      pixels[row * columns * 3 + index] = clipped(sum);
    }
  }
  return pixels;
}
