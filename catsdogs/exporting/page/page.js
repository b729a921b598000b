// The page: photos in, answers out. Everything happens on this device.

(() => {
  const MAX_BARS = 6;
  const MAX_NAMED = 10; // classes; with more, all are named under "About this page"
  const MAX_PIXELS = 200e6; // what a phone's camera makes at most; a browser shrinks it on the way
  const MAX_SIDE = 4096; // pixels that are read back from a canvas, a side

  const byId = (id) => document.getElementById(id);
  const about = JSON.parse(byId("network").textContent);
  const names = about.class_names;
  const answers = [];
  const waiting = [];
  let network = null;
  let known = null;
  let working = false;
  let numAsked = 0;
  let latest = null; // the answer that stands large, and its tile
  let latestTile = null;

  /** Never all or nothing: that would be more than a network can know. */
  const percent = (share) => {
    if (share > 0.9999) return "> 99.99%";
    if (share < 0.0001) return "< 0.01%";
    return `${(100 * share).toFixed(share > 0.9995 || share < 0.0005 ? 2 : 1)}%`;
  };
  const element = (tag, attributes = {}, ...children) => {
    const made = Object.assign(document.createElement(tag), attributes);
    made.append(...children);
    return made;
  };
  const breathe = () => new Promise((resolve) => setTimeout(resolve));

  async function start() {
    const tf = globalThis.tf;
    const kernels = fromBase64(byId("kernels").textContent);
    byId("kernels").remove();
    // TensorFlow.js asks for its kernels by a path; they are here already
    tf.env().platform.fetch = async () => new Response(kernels);
    tf.env().set("WASM_HAS_MULTITHREAD_SUPPORT", false);
    tf.wasm.setWasmPaths("in-this-page/", true);
    if (!(await tf.setBackend("wasm"))) throw new Error("this browser runs no WebAssembly");
    await tf.ready();
    await breathe();
    const weights = fromBase64(byId("weights").textContent);
    byId("weights").remove();
    network = new Network(tf, about, weights);
    if (about.refusal) {
      const arrays = Object.entries(about.refusal.arrays);
      known = new KnownPhotos(
        Object.fromEntries(arrays.map(([name, index]) => [name, decodeWeights(weights, about.weights[index])])),
      );
    }
    await network.run(new Uint8Array(about.image_size[0] * about.image_size[1] * 3), breathe);
    const others = known ? `, and ${about.refusal.name} where a photo is too strange` : "";
    const apart = names.length > MAX_NAMED ? `${names.length} classes` : names.join(", ");
    say(`Ready. It tells apart: ${apart}${others}.`);
    document.documentElement.dataset.ready = "true";
  }

  const say = (text) => (byId("status").textContent = text);

  function add(files) {
    const photos = [...files].filter((file) => file.size);
    numAsked += photos.length;
    waiting.push(...photos);
    work();
  }

  async function work() {
    if (working || !waiting.length) return;
    working = true;
    let numRead = 0;
    await ready;
    while (network && waiting.length) {
      const file = waiting.shift();
      const progress = byId("progress");
      progress.hidden = numAsked < 2;
      progress.value = answers.length / numAsked;
      say(`${file.name || "photo"} … (${answers.length + 1} of ${numAsked})`);
      await breathe();
      const answer = await answerFor(file);
      answers.push(answer);
      numRead += !answer.error;
      show(answers.length - 1, !answer.error || !numRead);
    }
    working = false;
    byId("progress").hidden = true;
    const numFailed = answers.filter((answer) => answer.error).length;
    say(
      `${answers.length} ${answers.length === 1 ? "photo" : "photos"} answered` +
        (numFailed ? `, ${numFailed} of them could not be read.` : "."),
    );
  }

  async function answerFor(file) {
    const name = file.name || "photo";
    const url = URL.createObjectURL(file);
    try {
      const image = await pixelsOf(file);
      const begun = performance.now();
      const square = resize(image, about.image_size, about.fit, about.fill);
      const { probabilities, features } = await network.run(square, breathe);
      const milliseconds = performance.now() - begun;
      const order = [...probabilities.keys()].sort((a, b) => probabilities[b] - probabilities[a]);
      const strangeness = known?.strangeness(features, probabilities[order[0]]) ?? null;
      const refused = known !== null && 1 - strangeness <= about.refusal.share + 1e-9;
      const className = refused ? about.refusal.name : names[order[0]];
      return { name, url, probabilities, order, className, strangeness, refused, milliseconds };
    } catch (error) {
      return { name, url, error: error.message || "no picture that this browser can read" };
    }
  }

  /** RGBA pixels of a file, upright as its camera meant it. */
  async function pixelsOf(file) {
    const bitmap = await createImageBitmap(file, { colorSpaceConversion: "none", premultiplyAlpha: "none" }).catch(
      () => {
        throw new Error("no picture that this browser can read");
      },
    );
    if (bitmap.width * bitmap.height > MAX_PIXELS) throw new Error("more than 200 million pixels");
    const shrink = Math.min(1, MAX_SIDE / Math.max(bitmap.width, bitmap.height));
    const width = Math.max(1, Math.round(bitmap.width * shrink));
    const height = Math.max(1, Math.round(bitmap.height * shrink));
    const canvas = element("canvas", { width, height });
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.imageSmoothingQuality = "high";
    context.drawImage(bitmap, 0, 0, width, height);
    bitmap.close();
    return context.getImageData(0, 0, width, height);
  }

  /** In the gallery, and large: of several, one that has an answer stays large. */
  function show(index, large) {
    byId("csv").disabled = byId("clear").disabled = false;
    if (large) showLatest(answers[index]);
    if (answers.length > 1) placeInGallery(index);
    if (answers.length === 2) placeInGallery(0);
    markLatest();
  }

  function markLatest() {
    latestTile?.removeAttribute("aria-current");
    latestTile = latest?.tile;
    latestTile?.setAttribute("aria-current", "true");
  }

  function showLatest(answer) {
    latest = answer;
    byId("latest").hidden = false;
    Object.assign(byId("latest-photo"), { src: answer.url, alt: answer.name, hidden: Boolean(answer.error) });
    byId("latest-name").textContent = answer.name;
    byId("latest-class").textContent = answer.error ? "Not readable" : answer.className;
    const bars = byId("bars");
    bars.replaceChildren();
    if (answer.error) {
      byId("latest-probability").textContent = answer.error;
      return;
    }
    const sure = answer.refused
      ? `Stranger than ${percent(answer.strangeness)} of the photos that it was tried on`
      : `${percent(answer.probabilities[answer.order[0]])} sure`;
    byId("latest-probability").textContent = `${sure}, in ${Math.round(answer.milliseconds)} ms`;
    for (const label of answer.order.slice(0, MAX_BARS)) {
      const share = answer.probabilities[label];
      const fill = element("span", { className: "fill" });
      fill.style.width = `${100 * share}%`;
      bars.append(
        element(
          "li",
          {},
          element("span", { className: "name", textContent: names[label], title: names[label] }),
          element("span", { className: "track", ariaHidden: "true" }, fill),
          element("span", { className: "value", textContent: percent(share) }),
        ),
      );
    }
    if (names.length > MAX_BARS) {
      bars.append(element("li", {}, element("span", { className: "name", textContent: `… ${names.length - MAX_BARS} more` })));
    }
  }

  /** Groups by class in the order of the model; within one, the least sure first. */
  function placeInGallery(index) {
    const answer = answers[index];
    const key = answer.error ? "Not readable" : answer.className;
    const order = [...names, about.refusal?.name, "Not readable"];
    let group = [...byId("gallery").children].find((found) => found.dataset.key === key);
    if (!group) {
      const list = element("ul", { className: "tiles" });
      group = element("section", { className: "group" }, element("h2"), list);
      group.dataset.key = key;
      const next = [...byId("gallery").children].find(
        (found) => order.indexOf(found.dataset.key) > order.indexOf(key),
      );
      byId("gallery").insertBefore(group, next ?? null);
    }
    const sure = answer.error ? 0 : answer.refused ? answer.strangeness : answer.probabilities[answer.order[0]];
    const said = answer.error || `${key}, ${answer.refused ? "strangeness " : ""}${percent(sure)}`;
    const title = `${answer.name}: ${said}`;
    const tile = element(
      "button",
      { type: "button", className: "tile", title, ariaLabel: title },
      answer.error
        ? element("span", { className: "reason", textContent: answer.error })
        : element("img", { src: answer.url, alt: "", loading: "lazy" }),
      element(
        "span",
        { className: "caption" },
        element("span", { textContent: answer.name }),
        element("span", { textContent: answer.error ? "" : percent(sure) }),
      ),
    );
    answer.tile = tile;
    tile.addEventListener("click", () => {
      showLatest(answer);
      markLatest();
      byId("latest").scrollIntoView({ block: "nearest" });
    });
    const item = element("li", {}, tile);
    item.dataset.sure = sure;
    const list = group.querySelector("ul");
    const next = [...list.children].find((found) => Number(found.dataset.sure) > sure);
    list.insertBefore(item, next ?? null);
    const count = `${list.children.length}${answer.refused ? ", with their strangeness" : ""}`;
    group.querySelector("h2").replaceChildren(key, " ", element("span", { textContent: count }));
  }

  /** As `catsdogs predict --format csv` writes it: no cell begins a formula. */
  function asCsv() {
    const cell = (value) => {
      const text = String(value);
      const safe = /^[=+\-@\t\r\n]/.test(text) ? `'${text}` : text;
      return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
    };
    const strange = (value) => (known ? [value] : []);
    const rows = [["path", "class", "probability", ...strange("strangeness"), ...names, "error"]];
    for (const { name, className, probabilities, order, strangeness, error } of answers) {
      rows.push(
        error
          ? [name, "", "", ...strange(""), ...names.map(() => ""), error]
          : [name, className, probabilities[order[0]], ...strange(strangeness), ...probabilities, ""],
      );
    }
    return rows.map((row) => `${row.map(cell).join(",")}\r\n`).join("");
  }

  function save() {
    const url = URL.createObjectURL(new Blob([asCsv()], { type: "text/csv;charset=utf-8" }));
    element("a", { href: url, download: "answers.csv" }).click();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  }

  function clear() {
    for (const answer of answers) URL.revokeObjectURL(answer.url);
    answers.length = waiting.length = numAsked = 0;
    latest = latestTile = null;
    byId("gallery").replaceChildren();
    byId("latest").hidden = true;
    byId("csv").disabled = byId("clear").disabled = true;
    say("Ready.");
  }

  async function openCamera() {
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
      byId("video").srcObject = stream;
      await byId("video").play();
      byId("viewfinder").hidden = false;
      byId("shoot").focus();
    } catch (error) {
      say(`The camera cannot be used: ${error.message}`);
    }
  }

  function closeCamera() {
    byId("video").srcObject?.getTracks().forEach((track) => track.stop());
    byId("video").srcObject = null;
    byId("viewfinder").hidden = true;
    byId("camera").focus();
  }

  function shoot() {
    const video = byId("video");
    const canvas = element("canvas", { width: video.videoWidth, height: video.videoHeight });
    canvas.getContext("2d").drawImage(video, 0, 0);
    canvas.toBlob((blob) => add([new File([blob], `camera ${answers.length + 1}.png`)]), "image/png");
  }

  byId("files").addEventListener("change", (event) => {
    add(event.target.files);
    event.target.value = "";
  });
  byId("csv").addEventListener("click", save);
  byId("clear").addEventListener("click", clear);
  byId("camera").hidden = !navigator.mediaDevices?.getUserMedia;
  byId("camera").addEventListener("click", openCamera);
  byId("close").addEventListener("click", closeCamera);
  byId("shoot").addEventListener("click", shoot);
  addEventListener("paste", (event) => add(event.clipboardData.files));
  addEventListener("dragover", (event) => {
    event.preventDefault();
    document.body.classList.add("dropping");
  });
  addEventListener("dragleave", () => document.body.classList.remove("dropping"));
  addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("dropping");
    add(event.dataTransfer.files);
  });

  globalThis.catsdogsAnswers = answers; // what tests, and other scripts, read
  const ready = breathe()
    .then(start)
    .catch((error) => say(`This page cannot compute here: ${error.message}`));
})();
