import type { ProviderContext } from 'oidc-provider'

/** Escapes text for HTML. */
export function escapeHtml(untrustedText: string): string {
  const entities: Record<string, string> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  }
  return untrustedText.replace(/[&<>"']/g, (character) => entities[character] ?? '')
}

/** The frame of the provider's pages. It looks unlike the app on purpose: this is another party. */
export function renderPage(title: string, content: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(title)}</title>
<style>${styles}</style>
</head>
<body>
<main>
<p class="brand"><svg viewBox="0 0 24 24" aria-hidden="true"><path d="M12 2 4 5v6c0 5 3.4 9.4 8 11 4.600-1.600 8-6 8-11V5z"/></svg>Demo Identity</p>
${content}
</main>
</body>
</html>
`
}

/** The page for requests that cannot be answered by a redirect. */
export function renderProviderError(ctx: ProviderContext, out: Readonly<Record<string, string>>): void {
  ctx.type = 'html'
  ctx.body = renderPage(
    'Something is not right',
    `<h1>Something is not right</h1>
<p class="lead"><code>${escapeHtml(out.error ?? '')}</code> ${escapeHtml(out.error_description ?? '')}</p>`,
  )
}

const styles = `
:root { --page: #eef2f9; --card: #fff; --ink: #16203a; --quiet: #55617d; --line: #d5dcea; --accent: #2c55c9; --wash: #e9effd }
@media (prefers-color-scheme: dark) {
  :root { --page: #0d1220; --card: #161d31; --ink: #e8edfa; --quiet: #9aa6c4; --line: #2c3652; --accent: #8fb0ff; --wash: #202b49 }
}
* { box-sizing: border-box }
body { margin: 0; min-height: 100vh; min-height: 100dvh; display: grid; place-items: center; padding: 1rem;
  background: var(--page); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif }
main { width: 100%; max-width: 26rem; background: var(--card); border: 1px solid var(--line); border-radius: 1rem; padding: 1.75rem;
  box-shadow: 0 1.5rem 3rem -2rem rgb(10 20 60 / .35) }
.brand { display: flex; align-items: center; gap: .5rem; margin: 0 0 1.25rem; color: var(--quiet); font-size: .875rem; font-weight: 600 }
.brand svg { width: 1.25rem; fill: var(--accent) }
h1 { margin: 0 0 .25rem; font-size: 1.5rem; line-height: 1.2 }
.lead { margin: 0 0 1.25rem; color: var(--quiet) }
ul { list-style: none; margin: 0; padding: 0; display: grid; gap: .625rem }
button { font: inherit; color: inherit; cursor: pointer; width: 100%; border-radius: .75rem }
.user { display: grid; grid-template-columns: auto 1fr; gap: 0 .875rem; align-items: center; text-align: start; padding: .75rem .875rem;
  background: none; border: 1px solid var(--line) }
.user:hover { background: var(--wash); border-color: var(--accent) }
.user .initial { grid-row: span 2; width: 2.75rem; height: 2.75rem; display: grid; place-items: center; border-radius: 50%;
  background: var(--wash); color: var(--accent); font-weight: 700 }
.user strong { line-height: 1.3 }
.state { grid-row: span 2; width: 2.75rem; text-align: center; padding: .125rem 0; border-radius: 1rem; background: var(--wash);
  color: var(--accent); font-size: .8125rem; font-weight: 700 }
.user[aria-pressed=true] { border-color: var(--accent) }
.user[aria-pressed=true] .state { background: var(--accent); color: var(--card) }
a { color: var(--accent) }
.note { margin: 1.25rem 0 0; color: var(--quiet); font-size: .875rem }
code { font-family: ui-monospace, monospace; font-size: .9em; overflow-wrap: anywhere }
main { min-width: 0 }
.user span:last-child { color: var(--quiet); font-size: .875rem; line-height: 1.35 }
.cancel { margin-top: 1rem; padding: .625rem; background: none; border: 0; color: var(--accent); font-weight: 600 }
.cancel:hover { background: var(--wash) }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px }
details { margin-top: 1.25rem; padding-top: 1rem; border-top: 1px solid var(--line); color: var(--quiet); font-size: .875rem }
summary { cursor: pointer; font-weight: 600 }
dl { margin: .5rem 0 0; display: grid; gap: .5rem }
dt { font-weight: 600 }
dd { margin: 0; overflow-wrap: anywhere; font-family: ui-monospace, monospace; font-size: .8125rem }
`
