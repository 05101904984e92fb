"use strict";
// The overview: a search, a least success, and sorting by a column. Without it all clips are shown, in the sheet's order.
(() => {
  const table = document.getElementById("clips");
  const rows = [...table.tBodies[0].rows].filter((row) => row.dataset.clip);
  const text = rows.map((row) => row.textContent.toLowerCase());
  const search = document.getElementById("search");
  const success = document.getElementById("success");
  const count = document.getElementById("count");

  const filter = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const [low, high] = success.value.split(",").map(Number);
    rows.forEach((row, index) => {
      const rate = Number(row.dataset.judged);  // -1 where nothing was judged
      const wanted = success.value === "" || (rate >= low && rate < high);
      row.hidden = !(wanted && words.every((word) => text[index].includes(word)));
    });
    report();
  };
  const report = () => {
    const seen = rows.filter((row) => row.checkVisibility ? row.checkVisibility() : row.offsetParent).length;
    count.textContent = `${seen} of ${rows.length} clips shown`;
  };
  search.addEventListener("input", filter);
  success.addEventListener("change", filter);
  for (const radio of document.querySelectorAll("input[name=filter]")) radio.addEventListener("change", report);

  for (const button of table.querySelectorAll("[data-sort]")) {
    const head = button.closest("th"), key = button.dataset.sort;
    button.disabled = false;
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      for (const other of table.querySelectorAll("th")) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const value = (row) => row.dataset[key];
      const compare = key === "clip" || key === "verdict"
        ? (a, b) => value(a).localeCompare(value(b)) : (a, b) => value(a) - value(b);
      const order = [...rows].sort((a, b) => (up ? 1 : -1) * compare(a, b));
      table.tBodies[0].append(...order);
    });
  }
  document.getElementById("finder").hidden = false;
  filter();
})();
