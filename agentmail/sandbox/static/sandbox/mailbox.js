// Keeps an open page up to date by reading it again; everything works without it. Must not touch what is being written,
// focused or selected.
"use strict";

const EVERY_MS = 1500;

function isInUse(region) {
  const selection = document.getSelection();
  const isSelected = selection && !selection.isCollapsed && region.contains(selection.anchorNode);
  return isSelected || region.contains(document.activeElement);
}

async function look() {
  const answer = await fetch(location.href, { headers: { accept: "text/html" }, cache: "no-store" });
  if (answer.redirected && new URL(answer.url).pathname !== location.pathname) {
    // The first mail of a case is out: the conversation is the page now.
    location.replace(answer.url);
    return;
  }
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const region of document.querySelectorAll("[data-live]")) {
    const found = fresh.getElementById(region.id);
    // Links to files carry a new signature each time, so only what can be read tells a change.
    if (!found || found.textContent === region.textContent || isInUse(region)) continue;
    region.replaceChildren(...found.childNodes);
  }
}

async function keepLooking() {
  try {
    if (!document.hidden) await look();
  } catch {
    // The sandbox is being restarted; the next look finds it again.
  }
  setTimeout(keepLooking, EVERY_MS);
}

if (document.querySelector("[data-live]")) setTimeout(keepLooking, EVERY_MS);
