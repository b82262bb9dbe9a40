// A running reply: `data-stream` is the address of its events; the HTML of each goes where `data-event` names it.
// Others hear of it by the events `stream:lost`, `stream:back` and `stream:end` of its article.
const RETRY = 500;
const RETRY_MAX = 5_000;
const sources = new Map();

// The log's scroll axis starts at its end: at 0 it follows the newest line. Away from there, what is being read stays
// where it is while its reply grows below, whatever the browser does of itself.
const steadily = (article, change) => {
  const scroll = article.closest("[role=log]");
  if (!scroll || scroll.scrollTop > -2) return change();
  const { id } = article;
  const { top } = article.getBoundingClientRect();
  change();
  scroll.dataset.news = "";
  const moved = document.getElementById(id)?.getBoundingClientRect().top - top;
  if (Math.abs(moved) >= 1) scroll.scrollTop += moved;
};

// Makes `place` what `made` is, changing only what differs: the rest stays scrolled, selected, focused, pressed.
const become = (place, made, from = 0) => {
  const had = [...place.childNodes].slice(from);
  const wanted = [...made.childNodes];
  wanted.forEach((node, number) => {
    const old = had[number];
    if (!old) place.append(node);
    else if (old.nodeName !== node.nodeName) old.replaceWith(node);
    else if (old instanceof Text) rewrite(old, node.data);
    else if (!old.matches("[data-copied]")) {
      dress(old, node);
      become(old, node);
    }
  });
  for (const old of had.slice(wanted.length)) old.remove();
};
// What a person has opened stays open.
const dress = (old, made) => {
  for (const { name } of [...old.attributes]) if (name !== "open" && !made.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of made.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
};
const rewrite = (text, data) => {
  let same = 0;
  while (same < text.length && text.data[same] === data[same]) same++;
  if (same < text.length || same < data.length) text.replaceData(same, text.length - same, data.slice(same));
};
const parsed = (html) => {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template;
};

// What is selected is found again by how many characters are before it.
const offset = (body, node, place) => {
  if (!body?.contains(node)) return [node, place];
  const range = new Range();
  range.setStart(body, 0);
  range.setEnd(node, place);
  return String(range).length;
};
const at = (body, place) => {
  if (Array.isArray(place)) return place;
  const texts = document.createTreeWalker(body, NodeFilter.SHOW_TEXT);
  for (let text; (text = texts.nextNode()); place -= text.length) if (place <= text.length) return [text, place];
  return [body, body.childNodes.length];
};
const carefully = (article, change) => {
  const boxes = [...article.querySelectorAll("pre, .table, .math")];
  const scrolled = boxes.map((box) => [box, box.scrollLeft]).filter(([, left]) => left);
  const focused = document.activeElement;
  const selection = getSelection();
  const words = selection.isCollapsed ? "" : String(selection);
  const body = article.querySelector(".body");
  const { anchorNode, anchorOffset, focusNode, focusOffset } = selection;
  const ends = words && [offset(body, anchorNode, anchorOffset), offset(body, focusNode, focusOffset)];
  change();
  for (const [box, left] of scrolled) box.scrollLeft = left;
  if (focused !== document.activeElement && focused.isConnected) focused.focus({ preventScroll: true });
  if (words && String(selection) !== words) selection.setBaseAndExtent(...ends.flatMap((end) => at(body, end)));
};

const part = (article, name) => article.querySelector(`[data-event="${name}"]`);
const shows = {
  reply: (place, html) => {
    become(place, parsed(html).content);
    htmx.process(place);
  },
  // The block that was open is the first of those that are finished.
  blocks: (place, html, article) => {
    const from = place.childNodes.length;
    for (const node of [...part(article, "tail").childNodes]) place[place.moveBefore ? "moveBefore" : "insertBefore"](node, null);
    become(place, parsed(html).content, from);
  },
  tail: (place, html) => become(place, parsed(html).content),
  reasoning: (place, html) => place.insertAdjacentHTML("beforeend", html),
  "reasoning-title": (place, html) => (place.innerHTML = html),
};

const replaceStep = (step, made) => {
  dress(step, made);
  become(step, made);
  htmx.process(step);
};

// Who waits for the reply is led to what it asks; who types is left alone.
const askIn = (article) => {
  const { activeElement } = document;
  const isBusy = activeElement?.matches?.("textarea, input") && activeElement.value;
  if (!isBusy) article.querySelector("[data-asks]")?.focus({ preventScroll: true });
};

// In the final message text and reasoning stay the elements they are.
const finish = (article, html) => {
  const template = parsed(html);
  const made = template.content.querySelector("article");
  if (made?.id !== article.id) return htmx.swap(article, html, { swapStyle: "outerHTML" }, { contextElement: article });
  // Only a reply with tool calls has earlier rounds.
  for (const name of ["rounds", "blocks", "tail"]) part(article, name)?.replaceWith(...part(article, name).childNodes);
  for (const name of [".body", ".reasoning"]) {
    const [old, node] = [article, made].map((place) => place.querySelector(name));
    if (!old || !node) continue;
    dress(old, node);
    become(old, node);
    node.replaceWith(old);
  }
  dress(article, made);
  article.replaceChildren(...made.childNodes);
  made.remove();
  htmx.process(article);
  htmx.swap(article, template.innerHTML, { swapStyle: "none" });
};

const tell = (article, what) => article.dispatchEvent(new CustomEvent(`stream:${what}`, { bubbles: true }));

const close = (article) => {
  sources.get(article)?.close();
  sources.delete(article);
};

const open = (article, retry = RETRY) => {
  const source = new EventSource(article.dataset.stream);
  sources.set(article, source);
  // A connection alone is no sign of life: something has to come.
  const found = () => {
    retry = RETRY;
    if (!article.hasAttribute("data-lost")) return;
    article.removeAttribute("data-lost");
    tell(article, "back");
  };
  const show = (name, data) => {
    found();
    const place = part(article, name);
    if (place) steadily(article, () => carefully(article, () => shows[name](place, data, article)));
  };
  for (const name of Object.keys(shows)) source.addEventListener(name, ({ data }) => show(name, data));
  source.addEventListener("step", ({ data }) => {
    found();
    const made = parsed(data).content.firstElementChild;
    const step = document.getElementById(made.id);
    if (step && article.contains(step)) steadily(article, () => carefully(article, () => replaceStep(step, made)));
  });
  // Of a long open block only its end is sent.
  let tail = "";
  source.addEventListener("tail", ({ data }) => (tail = data));
  source.addEventListener("tail-end", ({ data }) => {
    tail = tail.slice(0, parseInt(data)) + data.slice(data.indexOf(" ") + 1);
    show("tail", tail);
  });
  source.addEventListener("end", ({ data }) => {
    found();
    close(article);
    tell(article, "end");
    steadily(article, () => carefully(article, () => finish(article, data)));
    askIn(article);
  });
  source.addEventListener("error", () => {
    if (!article.hasAttribute("data-lost")) {
      article.setAttribute("data-lost", "");
      tell(article, "lost");
    }
    // An answer that is no stream (a proxy's page, a sign-in) ends the browser's own attempts.
    if (source.readyState !== EventSource.CLOSED) return;
    setTimeout(() => {
      if (sources.get(article) === source) open(article, Math.min(retry * 2, RETRY_MAX));
    }, retry);
  });
};

const follow = () => {
  for (const article of sources.keys()) if (!article.isConnected) close(article);
  for (const article of document.querySelectorAll("[data-stream]")) if (!sources.has(article)) open(article);
};
// htmx tells of every element that comes.
document.addEventListener("htmx:load", follow);
follow();
