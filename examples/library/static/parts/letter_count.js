// Below a text that may not be too long: how many letters are left.
for (const area of document.querySelectorAll("textarea[data-limit]")) {
  const line = document.createElement("p");
  line.className = "left";
  const count = () => {
    line.textContent = `${area.dataset.left} ${area.dataset.limit - [...area.value].length}`;
  };
  area.addEventListener("input", count);
  area.after(line);
  count();
}
