// Keeps an open page up to date; everything works without it. Must not touch what somebody is writing.
"use strict";

const EVERY_MS = 2000;
const { latest, page, pulse } = document.body.dataset;

function isWriting() {
  const form = document.getElementById("reply");
  if (!form) return false;
  const text = form.querySelector("textarea");
  const files = form.querySelector("input[type=file]");
  return text.value !== "" || files.files.length > 0 || form.contains(document.activeElement);
}

async function look() {
  if (document.hidden) return;
  try {
    const answer = await fetch(pulse, { headers: { accept: "application/json" } });
    if (!answer.ok) return;
    const found = await answer.json();
    if (String(found.latest) === latest) return;
    if (isWriting()) document.getElementById("stale").hidden = false;
    else location.replace(page);
  } catch {
    // The sandbox is being restarted; the next look finds it again.
  }
}

setInterval(look, EVERY_MS);
