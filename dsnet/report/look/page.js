const all = (selector, within = document) => [...within.querySelectorAll(selector)];

// tabs: a section each; without this script they stand below each other
const nav = document.querySelector("nav"), sections = all("section[data-tab]");
function show(id) {
  const wanted = sections.find((section) => section.id === id) || sections[0];
  for (const section of sections) section.hidden = section !== wanted;
  for (const tab of nav.children) tab.ariaSelected = String(tab.dataset.id === wanted.id);
}
for (const section of sections) {
  const tab = document.createElement("button");
  tab.textContent = section.dataset.tab;
  tab.dataset.id = section.id;
  tab.role = "tab";
  tab.addEventListener("click", () => {
    history.replaceState(null, "", "#" + section.id);
    show(section.id);
  });
  nav.append(tab);
}
addEventListener("hashchange", () => show(location.hash.slice(1)));
show(location.hash.slice(1));

// sorting: rows of a table; of the table of systems groups, by their first row
function valueOf(cell) {
  const given = cell.dataset.value;
  if (given !== undefined) return given === "" ? null : Number(given);
  const text = cell.textContent.trim(), number = parseFloat(text.replace(/^< /, ""));
  return text === "–" ? null : Number.isNaN(number) ? text : number;
}
function compare(a, b) {
  if (a === null || b === null) return (a === null) - (b === null);
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a).localeCompare(String(b), undefined, { numeric: true });
}
for (const table of all("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells]; // not those of tables within its cells
  heads.forEach((head, column) => {
    head.classList.add("sorts");
    head.tabIndex = 0;
    const sort = () => {
      const first = table.classList.contains("systems")
        ? [...table.tBodies] : [...table.tBodies[0].rows];
      const cell = (item) => (item.rows ? item.rows[0] : item).cells[column];
      const values = new Map(first.map((item) => [item, valueOf(cell(item))]));
      const numbers = [...values.values()].some((value) => typeof value === "number");
      const now = head.ariaSort;
      const down = now === "ascending" || (now !== "descending" && numbers);
      for (const other of heads) other.removeAttribute("aria-sort");
      head.ariaSort = down ? "descending" : "ascending";
      first.sort((a, b) => {
        const [x, y] = [values.get(a), values.get(b)];
        if (x === null || y === null) return compare(x, y); // what there is comes first
        return down ? compare(y, x) : compare(x, y);
      });
      first[0]?.parentNode.append(...first);
    };
    head.addEventListener("click", sort);
    head.addEventListener("keydown", (key) => { if (key.key === "Enter") sort(); });
  });
}

// the table of systems: open rows, fold variants, filter
const systems = document.querySelector("table.systems");
const controls = document.querySelector(".controls");
const search = controls.querySelector("input"), count = controls.querySelector("output");
const kinds = all("[data-show]", controls);
const rows = all("tr.system", systems);
controls.hidden = false;
for (const row of rows) {
  const open = row.querySelector(".open");
  open.addEventListener("click", () => {
    open.ariaExpanded = String(open.ariaExpanded !== "true");
    filter();
  });
  const fold = row.querySelector(".fold");
  fold?.addEventListener("click", () => {
    fold.ariaExpanded = String(fold.ariaExpanded !== "true");
    filter();
  });
}
function filter() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  const kind = kinds.find((button) => button.ariaPressed === "true").dataset.show;
  const asked = words.length > 0 || kind !== "";
  let shown = 0;
  for (const row of rows) {
    const matches = words.every((word) => row.dataset.search.includes(word))
      && (kind === "" || row.dataset.kind === kind);
    const fold = row.parentNode.querySelector(".fold");
    const folded = row.classList.contains("variant") && fold?.ariaExpanded !== "true";
    row.hidden = !matches || (folded && !asked);
    shown += !row.hidden;
    row.nextElementSibling.hidden =
      row.hidden || row.querySelector(".open").ariaExpanded !== "true";
  }
  count.textContent = `${shown} of ${rows.length} rows`;
}
search.addEventListener("input", filter);
for (const button of kinds) button.addEventListener("click", () => {
  for (const other of kinds) other.ariaPressed = String(other === button);
  filter();
});
filter();
