import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { GatewayError } from '../../../src/errors/gateway-error.ts'
import { toProblemDocument } from '../../../src/errors/problem.ts'
import { createPages } from '../../../src/http/answers/pages.ts'
import { pageHeaders } from '../../../src/http/answers/security-headers.ts'
import { load } from '../../config/fixtures.ts'

const links = { app: '/', login: '/auth/login' }
const expired = toProblemDocument(new GatewayError('session_expired'), 'req-1')
const hostile = toProblemDocument(
  new GatewayError('login_denied', { detail: `<img src=x onerror=alert(1)> "'&` }),
  'req-2',
)

function pagesOf(files: Readonly<Record<string, string>>) {
  const contents = Object.fromEntries(Object.entries(files).map(([name, text]) => [`/pages/${name}`, text]))
  return createPages(links, load({ PAGES_DIR: '/pages' }, contents).pages)
}

const texts = `
de:
  signInAgain: Neu anmelden
  confirmLogoutTitle: Abmelden?
  problems:
    session_expired: { title: Sitzung beendet, detail: Ihre Sitzung ist zu Ende. }
    login_denied: { title: Anmeldung nicht abgeschlossen, detail: Nie gezeigt. }
en: {}
pt-BR: { openApp: Abrir }
`

describe('languages', () => {
  const pages = pagesOf({ 'texts.yaml': texts })

  it.each([
    ['de', 'de'],
    ['de-AT,de;q=0.9', 'de'],
    ['en-GB, de;q=0.5', 'en'],
    ['fr, pt-br;q=0.9, de;q=0.1', 'pt-BR'],
    ['de;q=0, en', 'en'],
    ['fr', 'de'],
    ['*', 'de'],
    ['', 'de'],
    ['en;q=broken, ;;, de', 'de'],
    [`${'x,'.repeat(10_000)}en`, 'de'],
  ])('of a reader who prefers %j: %s', (header, lang) => {
    expect(pages.problem(expired, 'r', header)).toContain(`<html lang="${lang}">`)
  })

  it('are English without a table, and fall back to English text by text', () => {
    const german = pages.problem(expired, 'r', 'de')
    expect(german).toContain('<h1>Sitzung beendet</h1><p>Ihre Sitzung ist zu Ende.</p>')
    expect(german).toContain('Neu anmelden')
    expect(german).toContain('Open the app')
    expect(createPages(links).problem(expired, 'r', 'de')).toContain('<html lang="en">')
    expect(pages.confirmLogout({ action: '/logout', proof: 'p' }, 'de')).toContain('Abmelden?')
  })

  it('leave alone what an error says of its own', () => {
    const page = pages.problem(hostile, 'r', 'de')
    expect(page).toContain('Anmeldung nicht abgeschlossen')
    expect(page).not.toContain('Nie gezeigt')
  })
})

describe("the operator's templates", () => {
  const pages = pagesOf({
    'problem.html':
      '<style>h1{color:red}</style><h1 title="{{detail}}">{{title}}</h1><p>{{ detail }}</p><a href="{{loginUrl}}">{{status}} {{code}} {{requestId}}</a>',
    'confirm-logout.html':
      '<form method="post" action="{{action}}"><input type="hidden" name="proof" value="{{proof}}"></form>',
  })

  it('are filled in with every value escaped, and nothing else', () => {
    const page = pages.problem(hostile, 'req-2')
    const escaped = '&lt;img src=x onerror=alert(1)&gt; &quot;&#39;&amp;'
    expect(page).toBe(
      `<style>h1{color:red}</style><h1 title="${escaped}">Sign-in not completed</h1><p>${escaped}</p><a href="/auth/login">403 login_denied req-2</a>`,
    )
  })

  it('lead to the login that the problem names, ours and theirs', () => {
    const loginUrl = '/auth/login?stepUp=x'
    const demand = toProblemDocument(
      new GatewayError('step_up_required', { extensions: { loginUrl } }),
      'req-3',
    )
    for (const each of [pages, createPages(links)])
      expect(each.problem(demand, 'req-3')).toContain(`href="${loginUrl}"`)
  })

  it('carry the proof of the form, or none where there is no session', () => {
    const action = '/logout?returnTo=%2F&x'
    expect(pages.confirmLogout({ action, proof: 'abc' })).toContain(
      'action="/logout?returnTo=%2F&amp;x"><input type="hidden" name="proof" value="abc">',
    )
    expect(pages.confirmLogout({ action, proof: undefined })).toContain('value="">')
  })

  it('get a policy that names their style elements, and lets them show files of the app, and no script', () => {
    const hash = createHash('sha256').update('h1{color:red}').digest('base64')
    const policy = pageHeaders(pages.policy)['content-security-policy']
    expect(policy).toContain(`'sha256-${hash}'`)
    expect(policy).toContain("img-src 'self' data:; font-src 'self'")
    expect(policy).toContain("default-src 'none'")
    expect(policy).not.toMatch(/script-src|unsafe/)
  })

  it('leave our own pages as strict as they were', () => {
    expect(pageHeaders(createPages(links).policy)['content-security-policy']).toMatch(
      /^default-src 'none'; style-src 'sha256-[\w+/=]+'; base-uri 'none'; frame-ancestors 'none'$/,
    )
  })
})
