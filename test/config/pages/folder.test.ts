import { describe, expect, it } from 'vitest'
import { ConfigError } from '../../../src/config/config-error.ts'
import { loadConfig } from '../../../src/config/load-config.ts'
import { filesOf, load, minimalEnv } from '../fixtures.ts'

const folder = '/pages'
const problemPage = '<h1>{{title}}</h1><p>{{detail}}</p>'
const logoutPage =
  '<form method="post" action="{{action}}"><input name="proof" value="{{ proof }}"><button>x</button></form>'

const at = (files: Readonly<Record<string, string>>) =>
  Object.fromEntries(Object.entries(files).map(([name, text]) => [`${folder}/${name}`, text]))
const pagesOf = (files: Readonly<Record<string, string>>) => load({ PAGES_DIR: folder }, at(files)).pages

/** What is said about a folder with these files, as the listing shows it. */
function faultsOf(files: Readonly<Record<string, string>>, listed = Object.keys(files)): readonly string[] {
  try {
    loadConfig({ ...minimalEnv, PAGES_DIR: folder }, { ...filesOf(at(files)), listFolder: () => listed })
    return []
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.message.split('\n')
  }
}

describe('PAGES_DIR', () => {
  it('is read at the start: templates in parts, style sheet, languages in their order', () => {
    const pages = pagesOf({
      'problem.html': `\uFEFF<style>\r\nh1{color:red}</style>${problemPage}`,
      'confirm-logout.html': logoutPage,
      'style.css': 'a{}\r\nb{}',
      'texts.yaml':
        'de:\n  openApp: App öffnen\npt-BR:\n  problems:\n    not_found: { title: Não encontrado }\n',
    })
    expect(pages?.problem?.styles).toEqual(['\nh1{color:red}'])
    expect(pages?.problem?.parts).toEqual([
      '<style>\nh1{color:red}</style><h1>',
      'title',
      '</h1><p>',
      'detail',
      '</p>',
    ])
    expect(pages?.confirmLogout?.parts.filter((_part, index) => index % 2 === 1)).toEqual(['action', 'proof'])
    expect(pages?.styleSheet).toBe('a{}\nb{}')
    expect(Object.keys(pages?.languages ?? {})).toEqual(['de', 'pt-BR'])
  })

  it('may hold only some of it, and is none when it is not set', () => {
    expect(pagesOf({ 'style.css': 'a{}' })).toMatchObject({ problem: undefined, languages: {} })
    expect(load({}).pages).toBeUndefined()
  })

  it('says what is wrong with the folder', () => {
    expect(faultsOf({})).toEqual([
      expect.stringMatching(/^PAGES_DIR: names a folder without any of problem\.html/),
    ])
    expect(faultsOf({ 'problem.html': problemPage, 'error.html': '' })).toEqual([
      expect.stringMatching(/^PAGES_DIR: names a folder with error\.html; known are /),
    ])
    expect(faultsOf({ 'problem.html': problemPage }, ['problem.html', '..data', '.DS_Store'])).toEqual([])
  })

  it.each([
    [
      'an unknown value',
      '{{titel}}',
      /^problem\.html:2: holds \{\{titel\}\}, which is none of its values: lang/,
    ],
    ['a value of another page', '{{proof}}', /holds \{\{proof\}\}/],
    ['a value that is not closed', '{{title', /holds \{\{title\}\}/],
    ['a helper', '{{#if title}}', /holds \{\{#if title\}\}/],
    ['a script', '<script>1</script>', /^problem\.html:2: holds <script>/],
    ['a frame', '<IFRAME src="x"></IFRAME>', /holds <iframe>/],
    ['another base', '<base href="/x">', /holds <base>/],
    ['a handler', '<a href="/" onclick="x()">', /holds onclick/],
    ['a style attribute', '<p style="color:red">', /holds a style attribute/],
    ['a redirect', '<meta http-equiv="refresh" content="0;url=/login">', /holds http-equiv/],
    ['a script in an address', '<a href=" JavaScript:x()">', /holds a script in href/],
    [
      'a text as an address',
      '<a href="{{detail}}">',
      /holds a value in href, where only appUrl, loginUrl may stand/,
    ],
    ['a built address', '<a href="/x?{{loginUrl}}">', /holds a value in href/],
    ['a value outside of quotes', '<p title={{title}}>', /holds a value in a tag outside of quotes/],
    ['a value as an attribute', '<p {{title}}>', /holds a value in a tag outside of quotes/],
    [
      'a value as a tag',
      '<{{title}}>',
      /holds a value in a tag|holds a tag that is not closed|none of its values/,
    ],
    ['a value in a comment', '<!-- {{title}} -->', /holds a value within a comment or closing tag/],
    [
      'a value in a style element',
      '<style>a{color:{{title}}}</style>',
      /holds a value within a style element/,
    ],
    ['a tag that is not closed', '<p class="x', /holds a tag that is not closed/],
  ])('refuses %s, with file and line', (_what, line, expected) => {
    const faults = faultsOf({ 'problem.html': `${problemPage}\n${line}` })
    expect(faults.length).toBeGreaterThan(0)
    expect(faults.join('\n')).toMatch(expected)
    for (const fault of faults) expect(fault).toMatch(/^problem\.html:2: /)
  })

  it('allows what a page may hold', () => {
    const page =
      '<!doctype html><!-- ours --><html lang="{{lang}}"><link rel="stylesheet" href="/brand.css"><img src=/logo.svg alt="a > b">' +
      `<a href='{{ loginUrl }}' title="{{signInAgain}} {{code}}">{{requestId}} { {not} } a < b</a>${problemPage}<a href="mailto:help@example.com">x</a></html>`
    expect(faultsOf({ 'problem.html': page })).toEqual([])
  })

  it('says which page would not work, and reports all faults at once', () => {
    expect(
      faultsOf({
        'problem.html': '{{title}}',
        'confirm-logout.html': '\n<script></script>{{action}}',
        'style.css': 'a{}\n</STYLE>',
        'texts.yaml': 'de:\n  openapp: x\n  problems:\n    nothing: {}\nGERMAN!: {}\n',
      }),
    ).toEqual([
      'problem.html:1: lacks {{detail}}, without which the page does not work.',
      'confirm-logout.html:2: holds <script>, which the policy of the page blocks.',
      'confirm-logout.html:1: lacks {{proof}}, without which the page does not work.',
      'style.css:2: holds </style.',
      expect.stringMatching(/^texts\.yaml:2 de\.openapp: is not known here/),
      expect.stringMatching(/^texts\.yaml:[34] de\.problems/),
      expect.stringMatching(/^texts\.yaml:5 GERMAN!: is no language tag/),
    ])
    expect(faultsOf({ 'texts.yaml': 'de: [' })).toEqual([expect.stringMatching(/^texts\.yaml:\d+: /)])
  })
})
