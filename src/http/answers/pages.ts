import { textOf } from '../../basics/text.ts'
import type { OperatorPages } from '../../config/pages/folder.ts'
import type { PageTemplate } from '../../config/pages/template.ts'
import type { ProblemDocument } from '../../errors/problem.ts'
import { escapeText, type Html, html } from './html.ts'
import { createPageLanguages, type ShownTexts } from './page-language.ts'
import { pageStyleSheet } from './page-style.ts'
import type { PagePolicy } from './security-headers.ts'

/** What the confirmation page posts. */
export interface LogoutForm {
  /** Path and query of `POST /logout`. */
  readonly action: string
  /** Proof that this gateway made the form, or `undefined` where there is no session to bind it to. */
  readonly proof: string | undefined
}

/** What the page posts that a provider's form led to. */
export interface RepostForm {
  readonly action: string
  readonly fields: readonly (readonly [name: string, untrustedValue: string])[]
}

/** Posts the form of the page; its hash admits it. */
export const repostScript = 'document.forms[0].submit()'

/**
 * Asks for an address once more, from our own origin. A login lies between two such pages; where they follow one another for another
 * reason, a person decides after the third.
 */
export const againScript =
  "const key='coatcheck-again',[count,since,to]=(sessionStorage.getItem(key)??'0 0 ').split(' '),now=Date.now()," +
  'isSame=to===location.href&&now-since<1e4,next=isSame?+count+1:1;' +
  "sessionStorage.setItem(key,[next,isSame?since:now,location.href].join(' '));if(next<4)document.links[0].click()"

/** Renders our own pages, or the operator's in their place. Languages are chosen by the `Accept-Language` of the request. */
export interface Pages {
  /** What the pages need of the browser. */
  readonly policy: PagePolicy
  problem(problem: ProblemDocument, requestId: string, untrustedAcceptLanguage?: string): string
  confirmLogout(form: LogoutForm, untrustedAcceptLanguage?: string): string
  /** Posts fields again, from our own origin; by a button where scripts do not run. */
  repost(form: RepostForm, untrustedAcceptLanguage?: string): string
  /**
   * Asks for an address once more; by a link where scripts do not run.
   *
   * @param address absolute, of our own origin
   */
  again(address: string, untrustedAcceptLanguage?: string): string
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

/**
 * Creates the pages: no scripts but two, light or dark as the browser prefers.
 *
 * @param operator what `PAGES_DIR` holds
 */
export function createPages(links: PageLinks, operator?: OperatorPages): Pages {
  const textsFor = createPageLanguages(operator?.languages ?? {})
  const layout = createLayout(operator?.styleSheet ?? pageStyleSheet)
  const addresses = { appUrl: links.app, loginUrl: links.login }
  return {
    policy: policyOf(operator),
    problem(problem, requestId, untrustedAcceptLanguage) {
      const texts = textsFor(untrustedAcceptLanguage)
      const shown = { ...problem, ...texts.ofProblem(problem) }
      // A demand of its own leads to a login of its own.
      const loginUrl = textOf(problem.loginUrl) ?? links.login
      if (operator?.problem === undefined)
        return layout(texts, shown.title, problemBody(shown, requestId, texts, { ...links, login: loginUrl }))
      const { title, detail, code } = shown
      const values = { title, detail, code, status: `${shown.status}`, requestId }
      return fill(operator.problem, { ...texts, ...addresses, loginUrl, ...values })
    },
    confirmLogout(form, untrustedAcceptLanguage) {
      const texts = textsFor(untrustedAcceptLanguage)
      if (operator?.confirmLogout === undefined)
        return layout(texts, texts.confirmLogoutTitle, confirmBody(form, texts, links))
      const { action, proof = '' } = form
      return fill(operator.confirmLogout, { ...texts, ...addresses, action, proof })
    },
    repost(form, untrustedAcceptLanguage) {
      const texts = textsFor(untrustedAcceptLanguage)
      return layout(texts, texts.signingInTitle, repostBody(form, texts))
    },
    again(address, untrustedAcceptLanguage) {
      const texts = textsFor(untrustedAcceptLanguage)
      return layout(texts, texts.signingInTitle, againBody(address, texts))
    },
    loggedOut() {
      const texts = textsFor(undefined)
      return layout(texts, texts.loggedOutTitle, [])
    },
  }
}

/** Our own pages load nothing. An operator's may show what the app's origin serves: a logo, a font, a style sheet. */
function policyOf(operator: OperatorPages | undefined): PagePolicy {
  const templates = [operator?.problem, operator?.confirmLogout]
  const styles = templates.flatMap((template) => template?.styles ?? [])
  return {
    styles: [operator?.styleSheet ?? pageStyleSheet, ...styles],
    loadsOwnFiles: operator !== undefined,
  }
}

function fill({ parts }: PageTemplate, values: Readonly<Record<string, unknown>>): string {
  return parts.map((part, at) => (at % 2 === 0 ? part : escapeText(String(values[part] ?? '')))).join('')
}

/** The address of a page may hold a code or state; noreferrer keeps it out of the next request. */
const link = (href: string, text: string): Html => html`<a href="${href}" rel="noreferrer">${text}</a>`

function problemBody(
  { detail, code }: ProblemDocument,
  requestId: string,
  texts: ShownTexts,
  links: PageLinks,
): readonly Html[] {
  // Where the request was not of the app's making, signing in changes nothing.
  const signIn = code === 'csrf_rejected' ? [] : [link(links.login, texts.signInAgain)]
  return [
    html`<p>${detail}</p>`,
    html`<nav>${[link(links.app, texts.openApp), ...signIn]}</nav>`,
    html`<dl><dt>${texts.codeLabel}</dt><dd>${code}</dd><dt>${texts.requestIdLabel}</dt><dd>${requestId}</dd></dl>`,
  ]
}

function confirmBody({ action, proof }: LogoutForm, texts: ShownTexts, links: PageLinks): readonly Html[] {
  const field =
    proof === undefined ? [] : [html`<input type="hidden" name="${logoutProofField}" value="${proof}">`]
  return [
    html`<p>${texts.confirmLogoutText}</p>`,
    html`<form method="post" action="${action}">${field}<nav><button>${texts.confirmLogoutButton}</button>${link(links.app, texts.openApp)}</nav></form>`,
  ]
}

function repostBody({ action, fields }: RepostForm, texts: ShownTexts): readonly Html[] {
  const inputs = fields.map(([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`)
  const script: Html = { markup: repostScript }
  return [
    html`<form method="post" action="${action}">${inputs}<nav><button>${texts.continueButton}</button></nav></form><script>${script}</script>`,
  ]
}

function againBody(address: string, texts: ShownTexts): readonly Html[] {
  const script: Html = { markup: againScript }
  return [html`<nav><a href="${address}">${texts.continueButton}</a></nav><script>${script}</script>`]
}

function createLayout(styleSheet: string) {
  const style: Html = { markup: styleSheet }
  return ({ lang }: ShownTexts, title: string, content: readonly Html[]): string => {
    const page = html`<html lang="${lang}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><meta name="color-scheme" content="light dark"><meta name="robots" content="noindex"><title>${title}</title><style>${style}</style></head><body><main><h1>${title}</h1>${content}</main></body></html>`
    return `<!doctype html>${page.markup}`
  }
}
