(() => {
  // Part of pages that are served with --dev: reloads them, and shows what fails.
  const told = TOLD;
  const here = new URL(location.href);
  if (here.searchParams.has(told.restore)) {
    here.searchParams.delete(told.restore);
    history.replaceState(history.state, "", here);
  }
  let box = null;
  let lost = false;
  const show = ({title, text}) => {
    if (box === null) {
      box = document.createElement("div");
      box.attachShadow({mode: "open"}).innerHTML = `<style>
        :host { all: initial; }
        section { position: fixed; inset: auto 0 0 0; z-index: 2147483647; max-height: 60vh; overflow: auto;
          font: 14px/1.5 system-ui, sans-serif; color: #1d1d24; background: #fff6f5; border-top: 3px solid #c5352b;
          box-shadow: 0 -6px 24px #0003; }
        header { display: flex; gap: 1rem; align-items: start; justify-content: space-between; padding: .9rem 1.2rem 0; }
        h2 { margin: 0; font-size: 1rem; overflow-wrap: anywhere; }
        button { font: inherit; cursor: pointer; color: inherit; background: none; border: 1px solid; border-radius: .4rem; padding: .1rem .6rem; }
        pre { margin: 0; padding: .6rem 1.2rem 1.2rem; font: 12.5px/1.5 ui-monospace, monospace; white-space: pre-wrap; }
        @media (prefers-color-scheme: dark) { section { color: #f1eeee; background: #2a1b1b; } }
        </style><section role="alert" aria-label="Error"><header><h2></h2><button>Close</button></header><pre></pre></section>`;
      box.shadowRoot.querySelector("button").onclick = () => { box.remove(); box = null; };
      document.body.append(box);
    }
    box.shadowRoot.querySelector("h2").textContent = title;
    box.shadowRoot.querySelector("pre").textContent = text;
  };
  const reload = (session) => {
    const target = new URL(location.href);
    if (session) target.searchParams.set(told.restore, session);
    location.replace(target);
  };
  const connect = () => {
    const url = new URL(told.channel, location.href);
    url.protocol = url.protocol.replace("http", "ws");
    for (const [name, value] of Object.entries(told.page)) url.searchParams.set(name, value);
    const socket = new WebSocket(url);
    socket.onopen = () => { if (lost) reload(""); };
    socket.onmessage = ({data}) => {
      const message = JSON.parse(data);
      if (message.kind === "reload") reload(told.page.session_id);
      else show(message);
    };
    socket.onclose = () => { lost = true; setTimeout(connect, 500); };
  };
  connect();
})();
