"use strict";
(() => {
  const plain = (text) => text.normalize("NFC").toLowerCase();
  const setUp = (form) => {
    const entries = form.parentElement.querySelector("[data-entries]");
    const none = form.parentElement.querySelector("[data-none]");
    const all = Array.from(entries.children);
    const rank = {
      loss: (entry) => -Number(entry.dataset.loss),
      confidence: (entry) => (entry.dataset.wrong === "1" ? -Number(entry.dataset.confidence) : 1),
      duration: (entry) => -Number(entry.dataset.duration),
    };
    const update = () => {
      const wanted = new FormData(form);
      const text = plain(wanted.get("text").trim());
      const key = rank[wanted.get("sort")];
      let shown = 0;
      for (const entry of all) {
        const data = entry.dataset;
        const fits =
          ["label", "predicted", "speaker"].every((name) => !wanted.get(name) || wanted.get(name) === data[name]) &&
          (!wanted.get("wrong") || data.wrong === "1") &&
          (!text || plain(data.text).includes(text));
        entry.hidden = !fits;
        shown += fits ? 1 : 0;
        if (!fits) {
          entry.querySelector("audio")?.pause();
        }
      }
      entries.append(...[...all].sort((one, other) => key(one) - key(other)));
      form.querySelector("[data-count]").textContent = `${shown} of ${all.length}`;
      none.hidden = shown > 0;
    };
    form.addEventListener("input", update);
    form.addEventListener("submit", (event) => event.preventDefault());
    update();
  };
  document.querySelectorAll("[data-filters]").forEach(setUp);
  document.addEventListener(
    "play",
    (event) => document.querySelectorAll("audio").forEach((audio) => audio !== event.target && audio.pause()),
    true,
  );
})();
