// The page's script: choosing a model and a cell of its matrix shows digits. Reads the JSON in #data; fetches nothing.
"use strict";
(async () => {
  const STEP = 60;
  const page = document.documentElement;
  const find = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  page.classList.add("scripted");

  // -- light and dark --------------------------------------------------------------------------

  const theme = find("#theme");
  const prefersDark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (page.dataset.theme || (prefersDark.matches ? "dark" : "light")) === "dark";
  const showTheme = () => {
    const other = isDark() ? "light" : "dark";
    theme.textContent = other === "dark" ? "Dark" : "Light";
    theme.setAttribute("aria-label", `Show in ${other} colours`);
  };
  theme.addEventListener("click", () => {
    page.dataset.theme = isDark() ? "light" : "dark";
    showTheme();
  });
  prefersDark.addEventListener("change", showTheme);
  showTheme();

  // -- the report by class, sorted -------------------------------------------------------------

  for (const button of all(".classes thead button")) {
    button.addEventListener("click", () => {
      const header = button.closest("th");
      const ascending = header.getAttribute("aria-sort") !== "ascending";
      for (const other of all("th", header.parentElement)) other.removeAttribute("aria-sort");
      header.setAttribute("aria-sort", ascending ? "ascending" : "descending");
      const body = find("tbody", button.closest("table"));
      const value = (row) => Number(row.children[button.dataset.column].dataset.value);
      const rows = [...body.rows].sort((a, b) => (ascending ? value(a) - value(b) : value(b) - value(a)));
      body.append(...rows);
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
      permille: numbers.permille.map((chances) => chances && chances[place]),
    }));
  }

  const digits = (await Promise.all(data.blocks.map(unpack))).flat();

  // Each sheet is decoded once, when the first of its digits is shown.
  function decoded(sheet) {
    sheet.image ??= new Promise((resolve, reject) => {
      const image = new Image();
      image.onload = () => resolve(image);
      image.onerror = reject;
      image.src = sheet.source;
    });
    return sheet.image;
  }

  async function draw(canvas, digit) {
    const image = await decoded(digit.sheet);
    const { shape: [height, width], columns } = data.image;
    const left = (digit.place % columns) * width;
    const top = Math.floor(digit.place / columns) * height;
    canvas.getContext("2d").drawImage(image, left, top, width, height, 0, 0, width, height);
  }

  // -- what is chosen: a model; a true class, a predicted one, both or neither -------------------

  const chosen = { model: 0, true: null, read: null };
  let matching = [];

  const isChosen = (digit) => {
    const read = digit.read[chosen.model];
    const fits = (wanted, code) => wanted === null || wanted === code;
    const oneCell = chosen.true !== null && chosen.read !== null;
    return fits(chosen.true, digit.true) && fits(chosen.read, read) && (oneCell || read !== digit.true);
  };

  function choose(changes) {
    Object.assign(chosen, changes);
    const { model } = chosen;
    for (const part of all("[data-model]")) part.hidden = Number(part.dataset.model) !== model;
    for (const button of all(".matrix button")) {
      const [ofTrue, ofRead] = [codeOf(button, "true"), codeOf(button, "read")];
      button.setAttribute("aria-pressed", String(ofTrue === chosen.true && ofRead === chosen.read));
    }
    find("#all-errors").setAttribute("aria-pressed", String(chosen.true === null && chosen.read === null));
    matching = digits.filter(isChosen).sort((a, b) => a.rank[model] - b.rank[model]);
    find("#cards").replaceChildren();
    showMore();
  }

  const codeOf = (button, name) => (name in button.dataset ? Number(button.dataset[name]) : null);

  function showMore() {
    const cards = find("#cards");
    const start = cards.childElementCount;
    cards.append(...matching.slice(start, start + STEP).map(card));
    const shown = cards.childElementCount;
    find("#more").hidden = shown === matching.length;
    const kept = data.complete ? "" : " in this file";
    const told = matching.length ? `${count(shown)} of ${count(matching.length)}${kept} shown${order()}` : `none${kept}`;
    find("#status").textContent = `${chosenInWords()}: ${told}`;
  }

  const count = (number) => number.toLocaleString("en");

  function chosenInWords() {
    const many = models.length > 1 ? `${models[chosen.model]}, ` : "";
    if (chosen.true === null && chosen.read === null) return `${many}all errors`;
    if (chosen.true === null) return `${many}wrongly read as ${labels[chosen.read]}`;
    if (chosen.read === null) return `${many}errors on true ${labels[chosen.true]}`;
    return `${many}true ${labels[chosen.true]} read as ${labels[chosen.read]}`;
  }

  function order() {
    if (!matching.length || !matching[0].permille[chosen.model]) return "";
    const right = chosen.true !== null && chosen.true === chosen.read;
    return right ? ", least sure first" : ", most confidently wrong first";
  }

  // -- one digit -------------------------------------------------------------------------------

  function element(name, className, text = "") {
    const made = document.createElement(name);
    made.className = className;
    made.textContent = text;
    return made;
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
    const line = element("p", "told");
    line.append(element("span", "", `${labels[digit.true]} read as`), " ");
    line.append(element("b", read === digit.true ? "same" : "read", labels[read]), " ");
    if (permille && roomy) line.append(element("span", "sure", percent(permille[read])));
    made.append(line);
    if (permille) made.append(chances(digit, permille, read));
    made.append(others(digit));
    return made;
  }

  // The row's number, and the other models' predictions.
  function others(digit) {
    const made = element("p", "others", `row ${digit.row}`);
    models.forEach((name, i) => {
      if (i === chosen.model) return;
      const right = digit.read[i] === digit.true;
      made.append(` · ${name} `, element("b", right ? "same" : "", labels[digit.read[i]]));
    });
    return made;
  }

  function picture(digit) {
    const canvas = document.createElement("canvas");
    [canvas.height, canvas.width] = data.image.shape;
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `row ${digit.row}, a ${labels[digit.true]}`);
    draw(canvas, digit);
    return canvas;
  }

  const SVG = "http://www.w3.org/2000/svg";

  function drawn(name, attributes, text = "") {
    const made = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.textContent = text;
    return made;
  }

  // The three likeliest classes, and the true one if it is not among them.
  function likeliest(digit, permille) {
    const codes = labels.map((_, code) => code).sort((a, b) => permille[b] - permille[a]);
    return codes.filter((code, place) => place < 3 || code === digit.true);
  }

  const kindOf = (code, digit, read) => (code === digit.true ? "true" : code === read ? "read" : "");

  // For many classes, or long names: a line for each of the likeliest.
  function lines(digit, permille, read) {
    const list = element("ol", "likeliest");
    for (const code of likeliest(digit, permille)) {
      const line = element("li", kindOf(code, digit, read));
      const label = element("span", "", labels[code]);
      label.title = labels[code];
      const bar = drawn("svg", { "aria-hidden": "true" });
      bar.append(drawn("rect", { width: `${permille[code] / 10}%`, height: "100%" }));
      line.append(label, bar, element("span", "sure", percent(permille[code])));
      list.append(line);
    }
    return list;
  }

  // Otherwise: a bar for every class, in the order of the matrix.
  const roomy = labels.length <= 12 && labels.every((label) => label.length <= 2);

  function chances(digit, permille, read) {
    if (!roomy) return lines(digit, permille, read);
    const words = likeliest(digit, permille).map((code) => `${labels[code]} ${percent(permille[code])}`);
    const chart = drawn("svg", { class: "chances", role: "img", "aria-label": `probabilities: ${words.join(", ")}` });
    const wide = 100 / labels.length;
    permille.forEach((chance, code) => {
      const kind = kindOf(code, digit, read);
      const group = drawn("g", { class: kind });
      const height = Math.max(1, (32 * chance) / 1000);
      group.append(
        drawn("rect", { x: `${(code + 0.12) * wide}%`, width: `${wide * 0.76}%`, y: 32 - height, height }),
        drawn("title", {}, `${labels[code]} ${percent(chance)}`),
      );
      group.append(drawn("text", { x: `${(code + 0.5) * wide}%`, y: 43 }, labels[code]));
      chart.append(group);
    });
    return chart;
  }

  // -- choosing --------------------------------------------------------------------------------

  for (const radio of all("#models input")) {
    radio.addEventListener("change", () => choose({ model: Number(radio.value) }));
  }
  find("#all-errors").addEventListener("click", () => choose({ true: null, read: null }));
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
    grid.forEach((row, i) =>
      row.forEach((button, j) => {
        if (!button) return;
        name(button);
        button.tabIndex = button === entry ? 0 : -1;
        button.addEventListener("focus", () => enter(button));
        button.addEventListener("click", () => {
          choose({ true: codeOf(button, "true"), read: codeOf(button, "read") });
          find(".card")?.scrollIntoView({ block: "nearest" });
        });
        button.addEventListener("keydown", (event) => {
          const edge = { Home: row[i ? 0 : 1], End: row.at(-1) }[event.key];
          const [down, right] = MOVES[event.key] ?? [];
          const next = edge ?? (MOVES[event.key] && grid[i + down]?.[j + right]);
          if (edge || MOVES[event.key]) event.preventDefault();
          next?.focus();
        });
      }),
    );
  }

  // What a screen reader says for a button of a matrix.
  function name(button) {
    const [ofTrue, ofRead] = [codeOf(button, "true"), codeOf(button, "read")];
    const counted = button.firstChild.textContent.replace("·", "0");
    const share = button.querySelector("small")?.textContent ?? "";
    let said = `true ${labels[ofTrue]}, read as ${labels[ofRead]}: ${counted} ${share}`;
    if (ofRead === null) said = `all errors on true ${labels[ofTrue]}`;
    if (ofTrue === null) said = `all wrongly read as ${labels[ofRead]}`;
    button.setAttribute("aria-label", said.trim());
    if (button.closest(".crowded")) button.title = said; // where the names are far away
  }

  choose({});
})().catch((error) => {
  document.querySelector("#status").textContent = `The digits cannot be shown in this browser: ${error}`;
});
