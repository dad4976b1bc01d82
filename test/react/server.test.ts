import { createElement } from 'react'
import { renderToString } from 'react-dom/server'
import { describe, expect, it, vi } from 'vitest'
import { createCoatcheck } from '../../src/client/client.ts'
import { CoatcheckProvider, RequireSession, useSession, useTimeLeft } from '../../src/react/react.ts'

function Who() {
  const { status, user } = useSession<{ readonly name: string }>()
  return createElement('p', null, `${status} ${user?.name ?? ''} ${useTimeLeft()?.expiresIn ?? 'no time'}`)
}

describe('rendered on a server', () => {
  it('is loading, asks nobody, and keeps what needs a session back', () => {
    vi.stubGlobal('fetch', () => {
      throw new Error('nothing is fetched while rendering')
    })
    const page = (coatcheck = createCoatcheck<{ readonly name: string }>()) =>
      createElement(
        CoatcheckProvider,
        { coatcheck },
        createElement(Who),
        createElement(RequireSession, { fallback: 'Please wait.' }, 'secret'),
      )
    expect(renderToString(page())).toBe('<p>loading  no time</p>Please wait.')
    expect(renderToString(createElement(CoatcheckProvider, null, createElement(Who)))).toContain('loading')
    vi.unstubAllGlobals()
  })

  it('says what is missing where the provider is', () => {
    expect(() => renderToString(createElement(Who))).toThrow('put a <CoatcheckProvider> around the app')
  })
})
