import { describe, expect, it } from 'vitest'
import { findLookalikes } from '../../src/config/lookalikes.ts'
import { settingRows } from '../../src/config/settings/settings.ts'

describe('variables that nearly match a setting', () => {
  it.each([
    ['SESSION_SECRETS', 'SESSION_SECRET'],
    ['ISSUER', 'ISSUER_URL'],
    ['issuer_url', 'ISSUER_URL'],
    ['BASEURL', 'BASE_URL'],
    ['BASE-URL', 'BASE_URL'],
    ['SESION_IDLE_TIMEOUT', 'SESSION_IDLE_TIMEOUT'],
    ['CLIENT_SECRET_FILES', 'CLIENT_SECRET_FILE'],
    ['AUDIENCE', 'API_AUDIENCE'],
    ['COATCHECK_CLIENT_ID', 'CLIENT_ID'],
    ['COATCHECK_SESSION_SECRET_FILE', 'SESSION_SECRET_FILE'],
    ['PROT', undefined],
    ['PORTS', 'PORT'],
  ])('%s is taken for %s', (name, intended) => {
    const warnings = findLookalikes({ [name]: 'value-of-it' })
    if (intended === undefined) expect(warnings).toEqual([])
    else expect(warnings).toEqual([`${name} is not a setting and does nothing; did you mean ${intended}?`])
  })

  it('are not found among the settings themselves', () => {
    const names = settingRows.flatMap(([name, { secret }]) =>
      secret === true ? [name, `${name}_FILE`] : [name],
    )
    expect(findLookalikes(Object.fromEntries(names.map((name) => [name, 'x'])))).toEqual([])
  })

  it('are not found in what Kubernetes writes for a service that is called coatcheck', () => {
    const address = 'tcp://10.96.0.12:3000'
    const names = ['COATCHECK_PORT', 'COATCHECK_PORT_3000_TCP', 'COATCHECK_ADMIN_PORT']
    const env = Object.fromEntries(names.map((name) => [name, address]))
    expect(
      findLookalikes({ ...env, COATCHECK_SERVICE_HOST: '10.96.0.12', COATCHECK_SERVICE_PORT: '3000' }),
    ).toEqual([])
  })

  it('are not found in an ordinary environment', () => {
    const ordinary = [
      'HOME',
      'HOSTNAME',
      'PATH',
      'PWD',
      'LANG',
      'TERM',
      'SHELL',
      'USER',
      'EDITOR',
      'COLOR',
      'LOGNAME',
      'NODE_ENV',
      'REDIS_PORT',
      'REDIS_SERVICE_HOST',
      'API_SERVICE_PORT',
      'INIT_CWD',
      'OTEL_SERVICE_NAME',
      'HTTPS_PROXY',
      'TZ',
      'CI',
      'DISPLAY',
      'SHLVL',
      '_',
    ]
    expect(findLookalikes(Object.fromEntries(ordinary.map((name) => [name, 'x'])))).toEqual([])
  })
})
