
// The page is whole without this: it filters as one types, and keeps what is unfolded, by
// fetching the page anew and putting its parts in place of the old ones.
const TYPING_MS = 200;
const REFRESH_MS = 10000;
let newest = 0;
let typing = 0;

const byId = (id) => document.getElementById(id);

function takeOver(id, fetched) {
  const old = byId(id);
  const fresh = document.adoptNode(fetched.getElementById(id));
  const folds = new Map([...old.querySelectorAll("details")].map((fold) => [fold.id, fold.open]));
  for (const fold of fresh.querySelectorAll("details")) {
    if (folds.has(fold.id)) fold.open = folds.get(fold.id);
  }
  const focused = old.contains(document.activeElement) ? document.activeElement.id : "";
  old.replaceWith(fresh);
  if (focused) byId(focused)?.focus();
}

// Whoever refreshes on a timer must not undo a selection; whoever follows a link has left the form.
async function show(search, { onTimer = false, form = false } = {}) {
  const number = ++newest;
  let fetched;
  try {
    const response = await fetch(location.origin + location.pathname + search);
    if (!response.ok) throw new Error(`status ${response.status}`);
    fetched = new DOMParser().parseFromString(await response.text(), "text/html");
    if (!fetched.getElementById("found")) throw new Error("another page");
  } catch (error) {
    if (number === newest) byId("note").textContent = `Not refreshed: ${error.message}.`;
    return;
  }
  if (number !== newest || (onTimer && !getSelection().isCollapsed)) return;
  byId("note").textContent = "";
  document.title = fetched.title;
  document.querySelector("link[rel=icon]").href = fetched.querySelector("link[rel=icon]").href;
  takeOver("found", fetched);
  if (!form) {
    // Its links repeat the query, and the query has changed.
    takeOver("exact", fetched);
    return;
  }
  const wanted = byId("refresh").checked;
  takeOver("filter", fetched);
  offerRefresh(wanted);
}

function searchOfForm() {
  const filled = [...new FormData(byId("filter"))].filter(([, value]) => value !== "");
  return `?${new URLSearchParams(filled)}`;
}

function showForm() {
  clearTimeout(typing);
  const search = searchOfForm();
  history.replaceState(null, "", search);
  show(search);
}

function offerRefresh(wanted) {
  byId("tools").hidden = false;
  byId("refresh").checked = wanted;
}

document.addEventListener("input", (event) => {
  if (!event.target.name) return;
  clearTimeout(typing);
  typing = setTimeout(showForm, event.target.name === "q" ? TYPING_MS : 0);
});

document.addEventListener("submit", (event) => {
  event.preventDefault();
  showForm();
});

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-swap]");
  if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  clearTimeout(typing);
  const { search } = new URL(link.href);
  history.pushState(null, "", location.pathname + search);
  show(search, { form: true });
});

addEventListener("popstate", () => show(location.search, { form: true }));

setInterval(() => {
  if (byId("refresh").checked && !document.hidden) show(location.search, { onTimer: true });
}, REFRESH_MS);

offerRefresh(false);
