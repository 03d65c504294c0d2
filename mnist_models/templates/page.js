// The page's script: choosing a model and a cell of its matrix shows digits. Reads the JSON in #data; fetches nothing.
"use strict";
(async () => {
  const isNarrow = matchMedia("(max-width: 40rem)");
  const STEP = isNarrow.matches ? 12 : 60; // digits shown at once
  const root = document.documentElement;
  const find = (selector, within = document) => within.querySelector(selector);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  root.classList.add("scripted");

  // -- light and dark --------------------------------------------------------------------------

  const theme = find("#theme");
  const prefersDark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme || (prefersDark.matches ? "dark" : "light")) === "dark";
  const showTheme = () => {
    theme.textContent = isDark() ? "Light" : "Dark";
    theme.setAttribute("aria-label", `Show in ${isDark() ? "light" : "dark"} colours`);
  };
  theme.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    showTheme();
  });
  prefersDark.addEventListener("change", showTheme);
  showTheme();

  // -- the classification report, sorted -------------------------------------------------------

  for (const button of all(".classes thead button")) {
    button.addEventListener("click", () => {
      const header = button.closest("th");
      const sign = header.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      for (const other of all("th", header.parentElement)) other.removeAttribute("aria-sort");
      header.setAttribute("aria-sort", sign === 1 ? "ascending" : "descending");
      const value = (row) => Number(row.children[button.dataset.column].dataset.value);
      const body = find("tbody", button.closest("table"));
      body.append(...[...body.rows].sort((a, b) => sign * (value(a) - value(b))));
    });
  }

  // -- the digits ------------------------------------------------------------------------------

  const data = JSON.parse(find("#data").textContent);
  const { labels, models } = data;

  async function unpack(block) {
    const bytes = Uint8Array.from(atob(block.numbers), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    const numbers = JSON.parse(await new Response(stream).text());
    const sheet = block.sheet && { source: `data:image/png;base64,${block.sheet}` };
    return numbers.rows.map((row, place) => ({
      row,
      place,
      sheet,
      true: numbers.true[place],
      read: numbers.read.map((codes) => codes[place]),
      rank: numbers.rank.map((ranks) => ranks[place]),
      permille: numbers.permille.map((rows) => rows && rows[place]),
    }));
  }

  const digits = (await Promise.all(data.blocks.map(unpack))).flat();

  async function draw(canvas, { sheet, place }) {
    sheet.image ??= Object.assign(new Image(), { src: sheet.source }); // once, for all of its digits
    await sheet.image.decode();
    const [height, width] = data.image;
    const left = (place % data.columns) * width;
    const top = Math.floor(place / data.columns) * height;
    canvas.getContext("2d").drawImage(sheet.image, left, top, width, height, 0, 0, width, height);
  }

  // -- what is chosen: a model; a true class, a predicted one, both or neither; doubtful labels ---

  const chosen = { model: 0, true: null, read: null, doubtful: false };
  let matching = [];

  const codeOf = (button, name) => (name in button.dataset ? Number(button.dataset[name]) : null);

  function isChosen(digit) {
    const read = digit.read[chosen.model];
    const oneCell = chosen.true !== null && chosen.read !== null;
    return (chosen.true ?? digit.true) === digit.true && (chosen.read ?? read) === read && (oneCell || read !== digit.true);
  }

  function choose(changes) {
    if ("true" in changes) chosen.doubtful = false;
    Object.assign(chosen, changes);
    const hasProbabilities = Boolean(digits[0]?.permille[chosen.model]);
    chosen.doubtful &&= hasProbabilities;
    find("#doubtful").hidden = !hasProbabilities;
    find("#doubtful").setAttribute("aria-pressed", String(chosen.doubtful));
    for (const part of all("[data-model]")) part.hidden = Number(part.dataset.model) !== chosen.model;
    // On a phone, right below the matrix, where the finger is.
    const above = isNarrow.matches ? find(".pair[data-model]:not([hidden])").firstElementChild : find("#confusion");
    above.after(find("#digits"));
    for (const button of all(".matrix button, #all-errors")) {
      const isThis = codeOf(button, "true") === chosen.true && codeOf(button, "read") === chosen.read && !chosen.doubtful;
      button.setAttribute("aria-pressed", String(isThis));
    }
    const ofLabel = (digit) => (chosen.doubtful ? digit.permille[chosen.model][digit.true] : 0);
    const compare = (a, b) => ofLabel(a) - ofLabel(b) || a.rank[chosen.model] - b.rank[chosen.model];
    matching = digits.filter(isChosen).sort(compare);
    find("#cards").replaceChildren();
    showMore();
  }

  function showMore() {
    const cards = find("#cards");
    const start = cards.childElementCount;
    cards.append(...matching.slice(start, start + STEP).map(card));
    const [shown, of] = [cards.childElementCount, matching.length].map((n) => n.toLocaleString("en"));
    find("#more").hidden = shown === of;
    const kept = data.complete ? "" : " in this file";
    const told = matching.length ? `${shown} of ${of}${kept} shown${order()}` : `none${kept}`;
    find("#status").textContent = `${models.length > 1 ? `${models[chosen.model]}, ` : ""}${inWords()}: ${told}`;
  }

  function inWords() {
    if (chosen.doubtful) return "labels in doubt";
    if (chosen.true === null && chosen.read === null) return "all errors";
    if (chosen.true === null) return `wrongly read as ${labels[chosen.read]}`;
    if (chosen.read === null) return `errors on true ${labels[chosen.true]}`;
    return `true ${labels[chosen.true]} read as ${labels[chosen.read]}`;
  }

  function order() {
    if (!matching[0].permille[chosen.model]) return "";
    if (chosen.doubtful) return ", least probable label first";
    const right = chosen.true !== null && chosen.true === chosen.read;
    return right ? ", least sure first" : ", most confidently wrong first";
  }

  // -- one digit -------------------------------------------------------------------------------

  function element(name, className, text = "") {
    return Object.assign(document.createElement(name), { className, textContent: text });
  }

  function percent(permille) {
    if (permille > 0 && permille < 5) return "<1 %";
    if (permille >= 995 && permille < 1000) return ">99 %";
    return `${Math.round(permille / 10)} %`;
  }

  function card(digit) {
    const read = digit.read[chosen.model];
    const permille = digit.permille[chosen.model];
    const made = element("li", "card");
    made.dataset.row = digit.row;
    made.tabIndex = -1;
    if (digit.sheet) made.append(picture(digit));
    const line = element("p", "told", `${labels[digit.true]} read as `);
    line.append(element("b", read === digit.true ? "same" : "", labels[read]));
    made.append(line);
    if (permille) made.append(likeliest(digit, permille, read));
    const others = element("p", "others", `row ${digit.row}`);
    models.forEach((name, i) => {
      if (i === chosen.model) return;
      others.append(` · ${name} `, element("b", digit.read[i] === digit.true ? "same" : "", labels[digit.read[i]]));
    });
    made.append(others);
    return made;
  }

  function picture(digit) {
    const canvas = document.createElement("canvas");
    [canvas.height, canvas.width] = data.image;
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `row ${digit.row}, a ${labels[digit.true]}`);
    draw(canvas, digit);
    return canvas;
  }

  // The three likeliest classes, and the true one if it is not among them, each with a bar.
  function likeliest(digit, permille, read) {
    const codes = labels.map((_, code) => code).sort((a, b) => permille[b] - permille[a]);
    const list = element("ol", "likeliest");
    for (const code of codes.filter((code, place) => place < 3 || code === digit.true)) {
      const line = element("li", code === digit.true ? "true" : code === read ? "read" : "other");
      const label = element("span", "", labels[code]);
      label.title = labels[code];
      const bar = element("i", "");
      bar.style.width = `${permille[code] / 10}%`;
      line.append(label, bar, element("span", "sure", percent(permille[code])));
      list.append(line);
    }
    return list;
  }

  // -- choosing --------------------------------------------------------------------------------

  for (const radio of all("#models input")) {
    radio.addEventListener("change", () => choose({ model: Number(radio.value) }));
  }
  find("#all-errors").addEventListener("click", () => choose({ true: null, read: null }));
  find("#doubtful").addEventListener("click", () => choose({ true: null, read: null, doubtful: true }));
  find("#more").addEventListener("click", () => {
    const next = find("#cards").childElementCount;
    showMore();
    find("#cards").children[next].focus({ preventScroll: true }); // reading goes on where the new ones begin
  });

  // Tab reaches one button of each matrix; the arrow keys move on from there.
  const MOVES = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

  for (const matrix of all(".matrix")) {
    const grid = all("tr", matrix).map((row) => all("button", row)).filter((row) => row.length);
    grid[0].unshift(null); // the corner
    let entry = grid[1][1];
    const enter = (button) => {
      entry.tabIndex = -1;
      entry = button;
      entry.tabIndex = 0;
      // Only for the keyboard: under a mouse, the cell must not move away.
      if (button.matches(":focus-visible")) button.scrollIntoView({ block: "nearest", inline: "nearest" });
    };
    const listen = (button, i, j) => {
      describe(button);
      button.tabIndex = button === entry ? 0 : -1;
      button.addEventListener("focus", () => enter(button));
      button.addEventListener("click", () => {
        choose({ true: codeOf(button, "true"), read: codeOf(button, "read") });
        find(".card")?.scrollIntoView({ block: "nearest" });
      });
      button.addEventListener("keydown", (event) => {
        const edge = { Home: grid[i][i ? 0 : 1], End: grid[i].at(-1) }[event.key];
        const [down, right] = MOVES[event.key] ?? [];
        if (edge || MOVES[event.key]) event.preventDefault();
        (edge ?? (MOVES[event.key] && grid[i + down]?.[j + right]))?.focus();
      });
    };
    grid.forEach((row, i) => row.forEach((button, j) => button && listen(button, i, j)));
  }

  // What a screen reader says for a button of a matrix.
  function describe(button) {
    const [ofTrue, ofRead] = [codeOf(button, "true"), codeOf(button, "read")];
    const count = button.firstChild.textContent.replace("·", "0");
    const share = find("small", button)?.textContent ?? "";
    let words = `true ${labels[ofTrue]}, read as ${labels[ofRead]}: ${count} ${share}`;
    if (ofRead === null) words = `all errors on true ${labels[ofTrue]}`;
    if (ofTrue === null) words = `all wrongly read as ${labels[ofRead]}`;
    button.setAttribute("aria-label", words.trim());
    if (button.closest(".crowded")) button.title = words; // where the names are far away
  }

  choose({});
})().catch((error) => {
  document.querySelector("#status").textContent = `The images cannot be shown in this browser: ${error}`;
});
