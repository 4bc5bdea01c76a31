// The page: spaces on the left, one directory on the right, kept current by the
// space's feed. The address after `#` says what is shown: `#/space/a/b`.

import * as api from "/web/api.js";
import * as format from "/web/format.js";

const RECENT = 8;
const REFRESH_MS = 300;

const element = (id) => document.getElementById(id);
const listing = element("listing");
const rows = listing.querySelector("tbody");
const recent = element("recent");

let feed = null;
let followed = null;
let refresh = null;
let shown = 0;

function make(tag, options = {}, ...children) {
  const node = Object.assign(document.createElement(tag), options);
  node.append(...children);
  return node;
}

// A wrong escape stands for itself; there is nothing of that name.
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function place() {
  const names = location.hash.replace(/^#\/?/, "").split("/").filter(Boolean);
  const [space = null, ...path] = names.map(decoded);
  return { space, path };
}

const address = (space, path) => `#/${[space, ...path].map(encodeURIComponent).join("/")}`;

function say(text) {
  element("notice").textContent = text;
  element("notice").hidden = !text;
}

function setLive(state) {
  element("live").textContent = state;
  element("live").dataset.state = state;
}

function explain(error) {
  setLive("offline");
  if (error.status === 401) {
    say("This browser is not signed in. Open the link that `atoll up` printed, " +
      "or make a new one: atoll invite --link");
  } else {
    say(error.message);
  }
}

// A place that cannot be shown has no listing: the old one would pass for it.
function showNothing(space, path) {
  shown += 1;
  showPath(space, path);
  rows.replaceChildren();
  listing.hidden = true;
  element("more").hidden = true;
}

// A name in its own direction: what is written right to left must not turn
// around what stands beside it.
const isolated = (name) => make("bdi", { textContent: name });

function showPath(space, path) {
  const crumbs = [make("a", { href: address(space, []), textContent: space })];
  path.forEach((name, depth) => {
    crumbs.push(" / ");
    crumbs.push(make("a", { href: address(space, path.slice(0, depth + 1)) }, isolated(name)));
  });
  element("path").replaceChildren(...crumbs);
}

function row(space, path, item) {
  const inside = [...path, item.name];
  const isDirectory = item.kind === "directory";
  const name = make("a", {
    className: `name ${item.kind}`,
    href: isDirectory ? address(space, inside) : api.downloadUrl(space, inside.join("/")),
  }, isolated(item.name));
  const label = item.kind === "symlink"
    ? make("span", { className: "name symlink" },
      isolated(item.name), " → ", isolated(item.target))
    : name;
  return make("tr", {},
    make("td", {}, label),
    make("td", { className: "number", textContent: item.kind === "file" ? format.size(item.size) : "" }),
    make("td", { className: "number", title: item.mtime, textContent: format.time(item.mtime) }),
  );
}

const directoriesFirst = (a, b) =>
  (b.kind === "directory") - (a.kind === "directory") || a.name.localeCompare(b.name);

async function showSpaces() {
  const spaces = await api.spaces();
  const current = place().space;
  element("spaces").replaceChildren(...spaces.map((space) =>
    make("li", {}, make("a", {
      href: address(space.slug, []),
      className: space.slug === current ? "current" : "",
    },
    make("strong", { textContent: space.slug }),
    make("span", {
      className: "muted",
      textContent: `${format.count(space.files, "file", "files")}, ${format.size(space.bytes)}`,
    })))));
  return spaces;
}

async function showDirectory(space, path) {
  const turn = ++shown;
  let page;
  try {
    page = await api.tree(space, path.join("/"));
  } catch (error) {
    if (turn === shown) showNothing(space, path);
    throw error;
  }
  if (turn !== shown) return null;
  showPath(space, path);
  rows.replaceChildren(...page.items.sort(directoriesFirst).map((item) => row(space, path, item)));
  listing.hidden = page.items.length === 0;
  say(page.items.length === 0 ? "This directory is empty." : "");
  offerMore(space, path, page.next, turn);
  return page.cursor;
}

function offerMore(space, path, next, turn) {
  const more = element("more");
  more.hidden = !next;
  more.onclick = async () => {
    const page = await api.tree(space, path.join("/"), next);
    if (turn !== shown) return;
    rows.append(...page.items.sort(directoriesFirst).map((item) => row(space, path, item)));
    offerMore(space, path, page.next, turn);
  };
}

function noteChange(change) {
  const what = change.kind === "deleted" ? "deleted" : change.version.endsWith(".1") ? "new" : "changed";
  const line = make("li", {},
    make("span", { className: `tag ${what}`, textContent: what }),
    " ", isolated(change.name), " ",
    make("span", { className: "muted", textContent: format.time(change.time) }));
  const list = recent.querySelector("ol");
  list.prepend(line);
  while (list.children.length > RECENT) list.lastChild.remove();
  recent.hidden = false;
}

function follow(space, cursor) {
  if (followed === space && feed && feed.readyState !== EventSource.CLOSED) return;
  feed?.close();
  followed = space;
  recent.querySelector("ol").replaceChildren();
  recent.hidden = true;
  feed = api.follow(space, cursor);
  feed.onopen = () => setLive("live");
  feed.onerror = () => setLive("reconnecting");
  feed.onmessage = (event) => {
    noteChange(JSON.parse(event.data));
    // A burst of changes costs one look.
    refresh ??= setTimeout(() => {
      refresh = null;
      show().catch(explain);
    }, REFRESH_MS);
  };
}

async function show() {
  const spaces = await showSpaces();
  const { space, path } = place();
  if (!space) {
    if (spaces.length > 0) location.replace(address(spaces[0].slug, []));
    else say("There is no space yet. Share a folder: atoll up ./folder");
    return;
  }
  const cursor = await showDirectory(space, path);
  if (cursor) follow(space, cursor);
}

async function start() {
  const status = await api.status();
  element("node").textContent = `node ${status.node}`;
  document.title = `Atoll · ${status.node}`;
  await show();
}

addEventListener("hashchange", () => show().catch(explain));
start().catch(explain);
