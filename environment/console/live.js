// Tells of changes that came since the page was made. The page works without it.
"use strict";
(() => {
  const note = document.getElementById("live");
  if (!note) return;
  const link = note.querySelector("a");
  const look = async () => {
    if (document.hidden) return;
    try {
      const answer = await fetch(note.dataset.url, { credentials: "same-origin" });
      if (!answer.ok) return;
      const { changes } = await answer.json();
      if (changes === 0) return;
      link.textContent = changes >= 100 ? "100 or more new changes" : changes === 1 ? "1 new change" : changes + " new changes";
      note.hidden = false;
    } catch {
      // The console is away; the next look may find it again.
    }
  };
  setInterval(look, 10_000);
})();
