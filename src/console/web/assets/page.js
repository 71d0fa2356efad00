// Beside textual.js, which draws the terminal: what it lacks on a page that stands on a wall, and behind a login.
"use strict";

// Why the line was closed, as src/console/web/session.py says it by number; all else is a line that broke.
const CLOSED = 4000, STOPPED = 4001, FULL = 4002;
const WHY = {
  [CLOSED]: "Konsollen er lukket. Det mærker motoren ikke.",
  [STOPPED]: "Konsollen er standset uventet. Sker det igen, så sig det til driften.",
  [FULL]: "Der er ikke plads til flere lige nu. Vent, til en anden har lukket sin.",
};
const BROKEN = "Forbindelsen er afbrudt.";
const NEVER = "Konsollen svarer ikke. Bliver det ved, så sig det til driften: måske lader proxyen ikke websockets passere.";
const RETRIES = "Siden prøver selv igen om lidt.";

const SILENT_MS = 15000; // the screen is drawn each second; a line that brings nothing for so long is no line
const SOON_MS = 5000, LATER_MS = 30000;

let line = null, heard = 0, silences = 0, wasOpen = false, ended = false;

// What is written on a screen may come from outside: it never becomes a link. A file is fetched without a new tab.
window.open = address => {
  const wanted = new URL(address || "about:blank", location.href);
  if (wanted.origin === location.origin && wanted.pathname.startsWith("/download/")) {
    const link = document.createElement("a");
    link.href = wanted.pathname.slice(1);
    link.download = "";
    link.click();
  }
  return null;
};

window.WebSocket = class extends WebSocket {
  constructor(...given) {
    super(...given);
    line = this;
    this.addEventListener("open", () => { wasOpen = true; heard = Date.now(); });
    this.addEventListener("message", () => { heard = Date.now(); });
    this.addEventListener("close", event => end(event.code));
  }

  send(data) {
    if (this.readyState === WebSocket.OPEN) { // textual.js tells of focus and size at any time
      super.send(data);
    }
  }
};

function end(code) {
  if (ended) {
    return;
  }
  ended = true;
  document.getElementById("what").textContent = WHY[code] || (wasOpen ? BROKEN : NEVER);
  document.getElementById("then").textContent = code === CLOSED ? "" : RETRIES;
  const again = document.getElementById("again");
  again.hidden = false;
  document.body.classList.add("-ended");
  again.focus();
  if (code !== CLOSED) {
    comeBack(code in WHY || !wasOpen ? LATER_MS : SOON_MS);
  }
}

// A server that is away is waited for; a proxy that wants a login is shown.
async function comeBack(first) {
  for (let pause = first; ; pause = SOON_MS) {
    await new Promise(done => setTimeout(done, pause));
    try {
      const answer = await fetch(location.href, { cache: "no-store", redirect: "manual" });
      if (answer.ok || answer.type === "opaqueredirect" || answer.status === 401) {
        location.reload();
        return;
      }
    } catch {
      // Nobody answers yet.
    }
  }
}

function focusTerminal() {
  const keys = document.querySelector(".xterm-helper-textarea");
  if (keys && !ended) {
    keys.setAttribute("aria-label", "Konsollen");
    keys.focus({ preventScroll: true });
  }
}

setInterval(() => {
  silences = wasOpen && !ended && Date.now() - heard > SILENT_MS ? silences + 1 : 0;
  if (silences > 1) { // twice: a tab that has slept hears what came meanwhile in between
    end(0);
    line.close();
  }
}, 2000);

// A browser may keep a page that was left, with its line. Its console would go on for nobody.
window.addEventListener("pagehide", () => {
  if (line) {
    line.close();
  }
});
window.addEventListener("pageshow", event => {
  if (event.persisted) {
    location.reload();
  }
});

document.addEventListener("DOMContentLoaded", () => {
  const socket = new URL("ws", location.href);
  socket.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  socket.search = "";
  document.getElementById("terminal").dataset.sessionWebsocketUrl = socket.href;
  document.getElementById("again").addEventListener("click", () => comeBack(0));
  const seen = new MutationObserver(() => {
    if (document.body.classList.contains("-first-byte")) {
      seen.disconnect();
      focusTerminal();
    }
  });
  seen.observe(document.body, { attributeFilter: ["class"] });
  window.addEventListener("focus", focusTerminal);
  document.addEventListener("pointerup", focusTerminal);
  const begin = window.onload; // textual.js measures the letters, so they must be there
  window.onload = async event => {
    await document.fonts.load("16px 'Roboto Mono'").catch(() => null);
    begin(event);
  };
});
