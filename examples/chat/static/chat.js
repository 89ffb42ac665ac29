// The room in the browser: hears by one of two transports, and sends in order.

const scroll = document.getElementById("scroll");
const messages = document.getElementById("messages");
const people = document.getElementById("people");
const outboxList = document.getElementById("outbox");
const newest = document.getElementById("newest");
const form = document.getElementById("say");
const box = document.getElementById("text");
const state = document.getElementById("state");
const transport = document.getElementById("transport");

const MOST_SHOWN = 500;
const STATES = {
  here: "Connected",
  lost: "Reconnecting…",
  crowded: "Crowded: news take longer",
};

let cursor = messages.dataset.cursor;
let unread = 0;

// --- What is shown -----------------------------------------------------------------

function tell(name) {
  if (state.dataset.state !== name) {
    state.dataset.state = name;
    state.textContent = STATES[name];
  }
}

function isAtEnd() {
  return scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 60;
}

function stayAtEnd(change) {
  const wasAtEnd = isAtEnd();
  change();
  if (wasAtEnd) goToEnd();
}

function goToEnd() {
  scroll.scrollTop = scroll.scrollHeight;
  newest.hidden = true;
}

function showTimes(within) {
  const today = new Date().toDateString();
  for (const time of within.querySelectorAll("time:not([title])")) {
    const moment = new Date(time.dateTime);
    const day = moment.toDateString() === today ? {} : { day: "numeric", month: "short" };
    time.textContent = moment.toLocaleString([], { ...day, hour: "2-digit", minute: "2-digit" });
    time.title = moment.toLocaleString();
  }
}

function showUnread(number) {
  unread = number;
  document.title = unread ? `(${unread}) The Teahouse` : "The Teahouse";
}

// All that comes from the server comes here. What people wrote was escaped there.
function show(news) {
  if (news.people) people.innerHTML = news.people;
  if (news.messages) {
    const wasAtEnd = isAtEnd();
    const before = messages.childElementCount;
    messages.insertAdjacentHTML("beforeend", news.messages);
    showTimes(messages);
    const added = [...messages.children].slice(before);
    for (const message of added) forgetGhost(message.dataset.key);
    while (messages.childElementCount > MOST_SHOWN) messages.firstElementChild.remove();
    if (wasAtEnd || added.some((message) => message.matches(".mine"))) goToEnd();
    else newest.hidden = false;
    if (document.hidden) showUnread(unread + added.length);
  }
  cursor = news.cursor;
}

// --- Two ways to hear it -------------------------------------------------------------

class Crowded extends Error {}

function pause(failures, signal) {
  const longest = Math.min(500 * 2 ** failures, 8000);
  return new Promise((resolve) => {
    setTimeout(resolve, longest * (0.5 + Math.random() / 2));
    signal?.addEventListener("abort", resolve, { once: true });
  });
}

async function ask(signal, isHurried) {
  const address = `${messages.dataset.poll}?since=${cursor}${isHurried ? "&hurry=1" : ""}`;
  const answer = await fetch(address, { signal });
  if (answer.status === 403) location.reload();
  if (answer.status === 503) throw new Crowded();
  if (!answer.ok) throw new Error(answer.statusText);
  const news = await answer.json();
  if (!signal.aborted) show(news);
}

async function poll(signal) {
  let failures = 0;
  let isHurried = false;
  while (!signal.aborted) {
    try {
      await ask(signal, isHurried);
      // The one in a hurry only shows that somebody is there.
      if (!isHurried) failures = 0;
      if (!isHurried || state.dataset.state === "lost") tell("here");
      isHurried = false;
    } catch (error) {
      if (signal.aborted) return;
      tell(error instanceof Crowded ? "crowded" : "lost");
      await pause(failures++, signal);
      isHurried = true;
    }
  }
}

function stream(signal) {
  let failures = 0;
  let source;
  signal.addEventListener("abort", () => source.close());
  const open = () => {
    source = new EventSource(`${messages.dataset.stream}?since=${cursor}`);
    source.onopen = () => {
      failures = 0;
      tell("here");
    };
    source.onmessage = (event) => show(JSON.parse(event.data));
    source.onerror = async () => {
      if (signal.aborted) return;
      tell("lost");
      // The browser connects again by itself, but not after an error such as 503.
      if (source.readyState !== EventSource.CLOSED) return;
      await pause(failures++, signal);
      await ask(signal, true).then(() => tell("crowded"), () => {});
      if (!signal.aborted) open();
    };
  };
  open();
}

const TRANSPORTS = { poll, stream };
let hearing = new AbortController();

function hearBy(name) {
  hearing.abort();
  hearing = new AbortController();
  TRANSPORTS[name](hearing.signal);
}

// --- What is sent, one after the other -----------------------------------------------

const outbox = [];

function forgetGhost(key) {
  if (!key) return;
  outboxList.querySelector(`[data-key="${CSS.escape(key)}"]`)?.remove();
}

function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function showGhost(text, key) {
  const ghost = document.getElementById("ghost").content.firstElementChild.cloneNode(true);
  ghost.dataset.key = key;
  ghost.querySelector(".text").textContent = text;
  outboxList.append(ghost);
  return ghost;
}

async function sendAll() {
  let failures = 0;
  while (outbox.length) {
    const { fields, ghost } = outbox[0];
    const note = ghost.querySelector(".note");
    try {
      const answer = await fetch(form.action, {
        method: "POST",
        body: fields,
        headers: { Accept: "application/json" },
      });
      if (answer.status >= 500) throw new Error(answer.statusText);
      if (!answer.ok) {
        ghost.classList.add("refused");
        note.textContent = "This could not be said. Load the page again.";
      }
      outbox.shift();
      failures = 0;
    } catch {
      // It may have arrived: the key lets the server say it once.
      stayAtEnd(() => (note.textContent = "Waiting for the connection…"));
      await pause(failures++);
    }
  }
}

function send() {
  const text = box.value.trim();
  if (!text) return;
  const fields = new URLSearchParams(new FormData(form));
  outbox.push({ fields, ghost: showGhost(text, form.elements.key.value) });
  form.elements.key.value = newKey();
  box.value = "";
  fitBox();
  goToEnd();
  if (outbox.length === 1) sendAll();
}

function fitBox() {
  box.style.height = "auto";
  box.style.height = `${box.scrollHeight + 2}px`;
}

// --- What the visitor does -----------------------------------------------------------

form.addEventListener("submit", (event) => {
  event.preventDefault();
  send();
});
box.addEventListener("input", fitBox);
box.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    send();
  }
});
newest.addEventListener("click", goToEnd);
scroll.addEventListener("scroll", () => {
  if (isAtEnd()) newest.hidden = true;
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) showUnread(0);
});
document.addEventListener("click", (event) => {
  if (!people.contains(event.target)) people.open = false;
});
transport.addEventListener("change", (event) => {
  localStorage.setItem("transport", event.target.value);
  hearBy(event.target.value);
});
// A page that comes out of the browser's memory has stopped hearing.
addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});

const chosen = localStorage.getItem("transport") === "stream" ? "stream" : "poll";
transport.querySelector(`[value=${chosen}]`).checked = true;
showTimes(messages);
goToEnd();
hearBy(chosen);
