"use strict";
(() => {
  // A table that is wider than its place says so.
  const measure = () => {
    for (const table of document.querySelectorAll(".hint + .scroll")) {
      table.previousElementSibling.hidden = table.scrollWidth <= table.clientWidth;
    }
  };
  for (const details of document.querySelectorAll("details")) details.addEventListener("toggle", measure);
  window.addEventListener("resize", measure);
  measure();

  // The worst houses: a click or an arrow key shows how a price came about.
  const houses = [...document.querySelectorAll("#worst-table tbody tr")];
  const choose = (row, focus) => {
    for (const other of houses) {
      const chosen = other === row;
      other.classList.toggle("chosen", chosen);
      other.querySelector("button").setAttribute("aria-pressed", String(chosen));
      document.getElementById("house-" + other.dataset.house).hidden = !chosen;
    }
    if (focus) row.querySelector("button").focus();
  };
  houses.forEach((row, index) => {
    row.addEventListener("click", () => choose(row, false));
    row.addEventListener("keydown", (event) => {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (step && houses[index + step]) {
        event.preventDefault();
        choose(houses[index + step], true);
      }
    });
  });
  if (houses.length) choose(houses[0], false);

  // The table of all houses: sorted by a heading, filtered by words and comparisons.
  const table = document.getElementById("all-table");
  const body = table.tBodies[0];
  const headings = [...table.tHead.rows[0].cells];
  const keys = headings.map((heading) => heading.dataset.key);
  const number = (text) => Number(text.replace(/[$,%+]/g, "").replace("−", "-"));
  const rows = [...body.rows].map((row) => {
    const values = {};
    [...row.cells].forEach((cell, index) => {
      const text = cell.textContent.trim();
      values[keys[index]] = headings[index].classList.contains("number") ? number(text) : text;
    });
    return { row, values, words: row.textContent.toLowerCase() };
  });

  headings.forEach((heading, index) => {
    heading.querySelector("button").addEventListener("click", () => {
      const ascending = heading.getAttribute("aria-sort") !== "ascending";
      headings.forEach((other) => other.setAttribute("aria-sort", "none"));
      heading.setAttribute("aria-sort", ascending ? "ascending" : "descending");
      const key = keys[index];
      const direction = ascending ? 1 : -1;
      rows.sort((one, two) => {
        const a = one.values[key], b = two.values[key];
        return direction * (typeof a === "number" ? a - b : a.localeCompare(b));
      });
      body.append(...rows.map((entry) => entry.row));
    });
  });

  const compare = { ">": (a, b) => a > b, "<": (a, b) => a < b, ">=": (a, b) => a >= b, "<=": (a, b) => a <= b, "=": (a, b) => a === b };
  const condition = (text) => {
    const parts = text.match(/^([a-z]+)(>=|<=|>|<|=)\$?([\d.,]+)%?$/);
    if (!parts || !keys.includes(parts[1])) return (entry) => entry.words.includes(text);
    const bound = number(parts[3]);
    return (entry) => {
      const value = entry.values[parts[1]];
      return compare[parts[2]](parts[1] === "error" ? Math.abs(value) : value, bound);
    };
  };
  const filter = document.getElementById("filter");
  const count = document.getElementById("count");
  filter.addEventListener("input", () => {
    const text = filter.value.toLowerCase().replace(/\s*(>=|<=|>|<|=)\s*/g, "$1");
    const conditions = text.split(/\s+/).filter(Boolean).map(condition);
    let shown = 0;
    for (const entry of rows) {
      entry.row.hidden = !conditions.every((holds) => holds(entry));
      if (!entry.row.hidden) shown += 1;
    }
    count.value = `${shown.toLocaleString("en")} of ${rows.length.toLocaleString("en")} houses`;
  });
})();
