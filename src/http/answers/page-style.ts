/** The style sheet of our own pages: no font, no image, nothing to load; light or dark as the browser prefers. */
export const pageStyleSheet = `:root{color-scheme:light dark;--page:#f4f4f1;--card:#fff;--ink:#1d1f24;--soft:#5a5f6a;--line:#d9d9d2;--accent:#1f4fd1;--on-accent:#fff;font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
@media (prefers-color-scheme:dark){:root{--page:#14161a;--card:#1d2026;--ink:#eceef2;--soft:#a9afbb;--line:#363b45;--accent:#8fb0ff;--on-accent:#10131a}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;min-height:100dvh;display:grid;place-items:center;padding:1.25rem;background:var(--page);color:var(--ink)}
main{width:100%;max-width:34rem;padding:clamp(1.5rem,6vw,2.75rem);background:var(--card);border:1px solid var(--line);border-top:4px solid var(--accent);border-radius:12px;box-shadow:0 1px 2px rgb(0 0 0/.05),0 12px 32px rgb(0 0 0/.07)}
h1{margin:0 0 .75rem;font-size:1.6rem;line-height:1.2;letter-spacing:-.01em;text-wrap:balance}
p{margin:0;overflow-wrap:anywhere}
nav{display:flex;flex-wrap:wrap;gap:.75rem;margin-top:1.75rem}
a,button{display:inline-block;min-height:44px;padding:.6rem 1.2rem;font:inherit;font-weight:600;line-height:1.4;text-align:center;text-decoration:none;color:var(--ink);background:transparent;border:1px solid var(--soft);border-radius:8px;cursor:pointer}
nav>:first-child{color:var(--on-accent);background:var(--accent);border-color:var(--accent)}
a:hover,button:hover{text-decoration:underline;text-underline-offset:.2em}
a:focus-visible,button:focus-visible{outline:3px solid var(--accent);outline-offset:3px}
dl{display:grid;grid-template-columns:auto 1fr;gap:.15rem 1rem;margin:2rem 0 0;padding-top:1rem;border-top:1px solid var(--line);font-size:.8125rem;color:var(--soft)}
dd{margin:0;font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;overflow-wrap:anywhere;user-select:all}
@media (forced-colors:active){nav>:first-child{border-width:3px}}`
