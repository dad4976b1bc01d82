import type { ProblemDocument } from '../errors/problem.ts'
import { type Html, html } from './html.ts'

/** Every text of our own pages that no problem document brings along: the one table to translate. */
export interface PageTexts {
  /** Language tag of the texts (BCP 47). */
  readonly lang: string
  readonly openApp: string
  readonly signInAgain: string
  readonly requestId: string
  readonly code: string
  readonly confirmLogoutTitle: string
  readonly confirmLogoutText: string
  readonly confirmLogoutButton: string
  readonly loggedOutTitle: string
}

/** The texts in English. */
export const englishTexts: PageTexts = {
  lang: 'en',
  openApp: 'Open the app',
  signInAgain: 'Sign in again',
  requestId: 'Request id',
  code: 'Code',
  confirmLogoutTitle: 'Sign out?',
  confirmLogoutText: 'You are about to sign out of this application.',
  confirmLogoutButton: 'Sign out',
  loggedOutTitle: 'Signed out',
}

/** What the confirmation page posts. */
export interface LogoutForm {
  /** Path and query of `POST /logout`. */
  readonly action: string
  /** Proof that this gateway made the form, or `undefined` where there is no session to bind it to. */
  readonly proof: string | undefined
}

/** Renders our own pages. An operator's own set (`PAGES_DIR`) is another implementation of this. */
export interface Pages {
  /** Content of the page's one style element, for the policy that allows it. */
  readonly styleSheet: string
  problem(problem: ProblemDocument, requestId: string): string
  confirmLogout(form: LogoutForm): string
  /** For the provider's hidden frame: says that the work is done. */
  loggedOut(): string
}

/** Where the links of our pages lead. */
export interface PageLinks {
  /** The app's start page. */
  readonly app: string
  readonly login: string
}

/** Name of the form field that carries {@link LogoutForm.proof}. */
export const logoutProofField = 'proof'

const styleSheet = `:root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}
body{margin:0;min-height:100vh;display:grid;place-items:center;background:Canvas;color:CanvasText}
main{max-width:36rem;padding:2rem}
h1{font-size:1.5rem;line-height:1.2}
nav{display:flex;flex-wrap:wrap;gap:1rem;margin:1.5rem 0}
a,button{font:inherit;padding:.6rem 1.2rem;border:1px solid ButtonBorder;border-radius:.4rem;background:ButtonFace;color:ButtonText;text-decoration:none;cursor:pointer}
a:focus-visible,button:focus-visible{outline:3px solid Highlight;outline-offset:2px}
dl{display:grid;grid-template-columns:auto 1fr;gap:.2rem 1rem;font-size:.85rem}
dd{margin:0;font-family:ui-monospace,monospace;overflow-wrap:anywhere}`

/** Creates our own pages: no script, one style sheet, light or dark as the browser prefers. */
export function createPages(links: PageLinks, texts: PageTexts = englishTexts): Pages {
  // The address of a page may hold a code or state; noreferrer keeps it out of the next request.
  const appLink = html`<a href="${links.app}" rel="noreferrer">${texts.openApp}</a>`
  const loginLink = html`<a href="${links.login}" rel="noreferrer">${texts.signInAgain}</a>`
  return {
    styleSheet,
    problem: (problem, requestId) =>
      layout(texts.lang, problem.title, [
        html`<p>${problem.detail}</p><nav>${appLink}${loginLink}</nav>`,
        html`<dl><dt>${texts.code}</dt><dd>${problem.code}</dd><dt>${texts.requestId}</dt><dd>${requestId}</dd></dl>`,
      ]),
    confirmLogout: (form) =>
      layout(texts.lang, texts.confirmLogoutTitle, [
        html`<p>${texts.confirmLogoutText}</p>`,
        html`<form method="post" action="${form.action}">${proofField(form.proof)}<nav><button>${texts.confirmLogoutButton}</button>${appLink}</nav></form>`,
      ]),
    loggedOut: () => layout(texts.lang, texts.loggedOutTitle, []),
  }
}

function proofField(proof: string | undefined): readonly Html[] {
  return proof === undefined ? [] : [html`<input type="hidden" name="${logoutProofField}" value="${proof}">`]
}

function layout(lang: string, title: string, content: readonly Html[]): string {
  const page = html`<html lang="${lang}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><meta name="robots" content="noindex"><title>${title}</title><style>${{ markup: styleSheet }}</style></head><body><main><h1>${title}</h1>${content}</main></body></html>`
  return `<!doctype html>${page.markup}`
}
