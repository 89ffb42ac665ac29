// The room in the browser: hears by one of three transports, sends in order.

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

const FOLLOWS = 3 * 60 * 1000;  // milliseconds

const { me } = messages.dataset;
let { cursor, here } = messages.dataset;
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

// What depends on who looks, and on what stands before.
function arrange(message) {
  const before = message.previousElementSibling;
  const timeOf = (one) => Date.parse(one.querySelector("time").dateTime);
  message.classList.toggle("mine", message.dataset.author === me);
  message.classList.toggle("follows",
    before?.dataset.author === message.dataset.author &&
    timeOf(message) - timeOf(before) < FOLLOWS);
}

// Only what is not there yet: a message that was sent twice, or a room that begins
// anew, brings some again.
function showMessages(news) {
  const isNew = ({ id }) => !document.getElementById(`said-${id}`);
  const fresh = news.messages.filter(isNew);
  const knewNone = fresh.length === news.messages.length;
  if (news.cut && knewNone && messages.childElementCount) {
    messages.append(document.getElementById("gap").content.cloneNode(true));
  }
  for (const { id, html } of fresh) {
    messages.insertAdjacentHTML("beforeend", html);
    arrange(messages.lastElementChild);
    document.getElementById(`ghost-${id}`)?.remove();
  }
  while (messages.childElementCount > MOST_SHOWN) messages.firstElementChild.remove();
  showTimes(messages);
  return fresh;
}

// All that comes from the server comes here. What people wrote was escaped there.
function show(news) {
  if (news.people !== null) people.innerHTML = news.people;
  const wasAtEnd = isAtEnd();
  const fresh = showMessages(news);
  if (wasAtEnd || fresh.some(({ id }) => id.startsWith(`${me}.`))) goToEnd();
  else if (fresh.length) newest.hidden = false;
  if (document.hidden) showUnread(unread + fresh.length);
  ({ cursor, here } = news);
}

// --- Three ways to hear it -----------------------------------------------------------

class Crowded extends Error {}

function pause(failures, signal) {
  const longest = Math.min(500 * 2 ** failures, 8000);
  return new Promise((resolve) => {
    setTimeout(resolve, longest * (0.5 + Math.random() / 2));
    signal?.addEventListener("abort", resolve, { once: true });
  });
}

// Where the page goes on, whatever was cut off.
function addressOf(name) {
  const where = new URLSearchParams({ since: cursor, here });
  return `${messages.dataset[name]}?${where}`;
}

async function ask(signal, isHurried) {
  const address = addressOf("poll") + (isHurried ? "&hurry=1" : "");
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
    // Whoever may wait is not refused any more.
    const patience = setTimeout(tell, 1000, "here");
    try {
      await ask(signal, isHurried);
      // The one in a hurry only shows that somebody is there.
      if (!isHurried) failures = 0;
      if (!isHurried || state.dataset.state === "lost") tell("here");
      isHurried = false;
    } catch (error) {
      if (signal.aborted) return;
      tell(error instanceof Crowded ? "crowded" : "lost");
      clearTimeout(patience);
      await pause(failures++, signal);
      isHurried = true;
    } finally {
      clearTimeout(patience);
    }
  }
}

// The server may be there and have no room for this transport, or none of its kind.
async function comeAgain(failures, signal, open) {
  if (!failures) tell("lost");
  await pause(failures, signal);
  if (failures) await ask(signal, true).then(() => tell("crowded"), () => tell("lost"));
  if (!signal.aborted) open();
}

function events(signal) {
  let failures = 0;
  let source;
  signal.addEventListener("abort", () => source.close());
  const open = () => {
    source = new EventSource(addressOf("events"));
    source.onopen = () => {
      failures = 0;
      tell("here");
    };
    source.onmessage = (event) => show(JSON.parse(event.data));
    source.onerror = () => {
      if (signal.aborted) return;
      // The browser would try again by itself, always after the same time.
      source.close();
      comeAgain(failures++, signal, open);
    };
  };
  open();
}

function socket(signal) {
  let failures = 0;
  let connection;
  signal.addEventListener("abort", () => connection.close());
  const open = () => {
    const origin = location.origin.replace("http", "ws");
    connection = new WebSocket(origin + addressOf("socket"));
    connection.onopen = () => {
      failures = 0;
      tell("here");
    };
    connection.onmessage = (event) => show(JSON.parse(event.data));
    connection.onclose = () => {
      if (!signal.aborted) comeAgain(failures++, signal, open);
    };
  };
  open();
}

const TRANSPORTS = { poll, events, socket };
let hearing = new AbortController();

function hearBy(name) {
  hearing.abort();
  hearing = new AbortController();
  TRANSPORTS[name](hearing.signal);
}

// --- What is sent, one after the other -----------------------------------------------

const outbox = [];

function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function showGhost(text, key) {
  const ghost = document.getElementById("ghost").content.firstElementChild.cloneNode(true);
  ghost.id = `ghost-${me}.${key}`;
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
// A browser may keep a page that was left, with its connection, and show it again.
addEventListener("pagehide", () => hearing.abort());
addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});

const asked = new URLSearchParams(location.search).get("transport");
const chosen = [asked, localStorage.getItem("transport")].find((name) => name in TRANSPORTS) ?? "poll";
transport.querySelector(`[value=${chosen}]`).checked = true;
for (const message of messages.children) arrange(message);
showTimes(messages);
goToEnd();
hearBy(chosen);
