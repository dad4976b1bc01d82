import { describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config/load-config.ts'
import { devSettings } from '../../src/dev/dev-settings.ts'

const client = { issuer: 'http://127.0.0.1:4455/', clientId: 'dev', clientSecret: 'x'.repeat(43) }
const config = (env: Readonly<Record<string, string>>, options = {}) =>
  loadConfig(devSettings(env, options, client))

describe('the settings of coatcheck dev', () => {
  it('are complete without any', () => {
    expect(config({})).toMatchObject({ port: 3000, routes: [{ prefix: '/api' }] })
    expect(config({}).baseUrl.origin).toBe('http://localhost:3000')
    expect(config({}).spaUrl?.origin).toBe('http://localhost:5173')
  })

  it('take from a .env of production what it says of the app, and nothing that leads there', () => {
    const production = {
      ISSUER_URL: 'https://tenant.eu.auth0.com/',
      CLIENT_ID: 'real',
      CLIENT_SECRET: 'real',
      BASE_URL: 'https://app.example.com',
      REDIS_URL: 'redis://redis:6379',
      SESSION_STORE: 'redis',
      ADMIN_PORT: '9000',
      WORKERS: '4',
      AUDIENCE_PARAMETER: 'none',
      API_AUDIENCE: 'https://api.shop.example',
      API_PREFIX: '/backend',
      SCOPE: 'openid read:orders',
      AUTH_PREFIX: '/auth',
    }
    const { issuerUrl, routes, authPrefix, baseUrl, scope, workers, adminPort } = config(production)
    expect(issuerUrl).toBe(client.issuer)
    expect(routes[0]).toMatchObject({ prefix: '/backend', audience: { value: 'https://api.shop.example' } })
    expect([authPrefix, baseUrl.origin, scope]).toEqual([
      '/auth',
      'http://localhost:3000',
      'openid read:orders',
    ])
    expect([workers, adminPort]).toEqual([1, undefined])
  })

  it('give way to the command line', () => {
    const { routes, spaUrl, baseUrl } = config(
      { API_URL: 'http://api:1', SPA_DIR: './dist', BASE_URL: 'http://localhost:8000' },
      { apiUrl: 'http://localhost:2', spaUrl: 'http://localhost:3', port: 4000 },
    )
    expect([new URL(`${routes[0]?.upstream}`).origin, spaUrl?.origin, baseUrl.origin]).toEqual([
      'http://localhost:2',
      'http://localhost:3',
      'http://localhost:4000',
    ])
  })
})
