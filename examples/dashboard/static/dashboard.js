// Draws the samples as they come, by an event stream or a WebSocket.

const tiles = document.getElementById("tiles");
const state = document.getElementById("state");
const button = document.getElementById("work");
const kept = Number(tiles.dataset.kept);
const HEIGHT = 40;

let samples = [];

function tell(name, text) {
  state.dataset.state = name;
  state.textContent = text;
}

function draw(tile) {
  const values = samples.map((sample) => sample[tile.dataset.name]);
  const most = Math.max(...values);
  const top = Math.max(most * 1.15, 1);
  const right = kept - values.length;  // the newest is at the right end
  const points = values.map((value, i) =>
    `${right + i} ${(HEIGHT - (value / top) * (HEIGHT - 1)).toFixed(2)}`);
  const line = points.join("L");
  tile.querySelector(".value").textContent = values.at(-1).toLocaleString();
  tile.querySelector(".most").textContent = `most ${most.toLocaleString()}`;
  tile.querySelector(".line").setAttribute("d", `M${line}`);
  tile.querySelector(".area").setAttribute(
    "d", `M${right} ${HEIGHT}L${line}L${kept - 1} ${HEIGHT}Z`);
}

let isDue = false;

// Many samples may come at once: they are drawn once.
function show(sample) {
  samples = [...samples, sample].slice(-kept);
  tell("here", `live, ${new Date(sample.time * 1000).toLocaleTimeString()}`);
  if (isDue) return;
  isDue = true;
  requestAnimationFrame(() => {
    isDue = false;
    document.querySelectorAll(".tile").forEach(draw);
  });
}

function listenToEvents() {
  const source = new EventSource(tiles.dataset.events);
  source.onmessage = (event) => show(JSON.parse(event.data));
  // All that is kept comes next.
  source.addEventListener("missed", () => (samples = []));
  source.onerror = () => {
    tell("lost", "Reconnecting…");
    if (source.readyState === EventSource.CLOSED) setTimeout(listenToEvents, 1000);
  };
}

function listenToSocket() {
  const socket = new WebSocket(location.origin.replace("http", "ws") + tiles.dataset.socket);
  socket.onmessage = ({ data }) => {
    const sample = JSON.parse(data);
    if (sample === null) samples = [];
    else show(sample);
  };
  socket.onclose = () => {
    tell("lost", "Reconnecting…");
    setTimeout(listenToSocket, 1000);
  };
}

button.addEventListener("click", async () => {
  button.disabled = true;
  for (let i = 0; i < 500; i += 10) {
    const some = Array.from({ length: 10 }, () => fetch(tiles.dataset.work));
    await Promise.allSettled(some);
  }
  button.disabled = false;
});

const asked = new URLSearchParams(location.search).get("transport");
if (asked === "socket") listenToSocket();
else listenToEvents();
